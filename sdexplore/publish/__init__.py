"""Publishing: what leaves the notebook as files that stand alone."""
