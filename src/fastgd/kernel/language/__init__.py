"""The language of the kernel: tiles, words, structs, choices; how it is compiled and cached."""
