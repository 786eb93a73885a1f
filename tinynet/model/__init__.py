"""The model: layers in a chain, and the one owner of all arrays."""
