"""What the miniature can do, in numbers."""
