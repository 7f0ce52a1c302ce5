"""The compiled part: tiles, the functions over them, and the fused training loop."""
