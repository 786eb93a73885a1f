"""A plugin for tinynet: one class of each family."""
