"""From networks, methods and samples to kernel calls and back.

Besides the ball-in-the-bucket code, nothing else calls the kernel.
"""
