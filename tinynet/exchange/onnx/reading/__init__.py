"""What an ONNX file holds, and how its nodes become layers; `into` puts the parts together."""
