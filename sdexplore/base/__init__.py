"""Errors, how records show themselves, files that are written whole: every room may import from here."""
