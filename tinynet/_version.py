"""The version, as a literal, so that packaging can read it without importing NumPy."""

__version__ = "0.1.0"
