"""The `.inr` file, the checkpoint of an unfinished fit, and ONNX."""
