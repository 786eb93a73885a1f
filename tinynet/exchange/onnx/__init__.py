"""To and from ONNX."""
