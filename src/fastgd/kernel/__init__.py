"""The compiled code: tiles, functions over tiles, and the fused training loop."""
