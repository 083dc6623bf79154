"""Pictures and frames as bytes that fit a limit."""
