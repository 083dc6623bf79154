"""What tracing costs on this machine: `python -m sdexplore.bench`."""
