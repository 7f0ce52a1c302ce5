"""Results on disk: atomically written files that are validated when read, and chunked folders."""

BITS = 3
"""Version of the results' bits: incremented whenever a hash in ``tests/golden.json`` changes.

A folder whose chunks were computed under another version takes no new chunks.
"""
