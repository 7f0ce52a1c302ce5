"""What a call may be given, and how a wrong one is refused; computes nothing."""
