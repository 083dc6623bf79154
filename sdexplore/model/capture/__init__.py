"""Reads a denoiser while it runs and changes nothing: hooks, roles, prompts, and where the rows go."""
