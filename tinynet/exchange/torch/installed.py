"""PyTorch itself, if it is installed, and otherwise the error that says how to get it."""

from tinynet._support.library import library

if library("torch", extra="torch"):  # imported by name, too, because annotations need types
    import torch
    from torch import nn

__all__ = ["nn", "torch"]
