"""One observed call from check to Trace: arguments, memory, guidance, provenance."""
