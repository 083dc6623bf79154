"""How the shipped weights were made: `python -m sdexplore.mini.training`. No run needs it."""
