"""Errors, how records show themselves, files written whole: what every room may import."""
