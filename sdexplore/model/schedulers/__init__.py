"""Schedulers by name, and the noise level of every step."""
