"""Network, method and samples to the kernel and back; its only caller beside the bucket."""
