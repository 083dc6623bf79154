"""What touches a pipeline: loading, inspection, probes and running make the records of level 1."""
