"""What is on the wire: pure functions and tables."""
