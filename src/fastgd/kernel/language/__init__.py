"""What the kernel is written in: tiles, words, records, choices; compiled and cached."""
