"""How the shipped weights were made: `python -m sdexplore.mini.training`. A pipeline runs without it."""
