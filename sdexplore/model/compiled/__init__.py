"""The same reading as outputs of a compiled graph: traced, guarded, captured as a CUDA graph."""
