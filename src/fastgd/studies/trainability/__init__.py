"""The map of learning rates at which training converges or diverges."""
