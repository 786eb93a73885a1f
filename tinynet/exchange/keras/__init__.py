"""Keras's names and layouts of arrays."""
