"""To and from PyTorch's modules."""
