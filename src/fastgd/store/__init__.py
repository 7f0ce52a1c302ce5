"""Results on disk: whole files, read without trust, and folders of chunks that many may fill."""

BITS = 2
"""Number of the bits policy: raised whenever a hash in ``tests/golden.json`` moves.

Chunks that were computed under another number don't go together with new ones.
"""
