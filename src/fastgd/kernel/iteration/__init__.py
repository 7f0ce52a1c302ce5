"""What one iteration does, as code over tiles."""
