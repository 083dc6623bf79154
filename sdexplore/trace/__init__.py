"""The Trace: what a run is asked to keep, what it kept, its file, and several of them."""
