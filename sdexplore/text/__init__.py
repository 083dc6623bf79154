"""Prompts: words, vocabulary pieces, tokens, and where each stands. No torch."""
