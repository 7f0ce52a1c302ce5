"""Trained networks in other languages: C, JavaScript, WebAssembly, ONNX."""
