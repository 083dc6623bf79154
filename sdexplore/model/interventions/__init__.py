"""Carries out what a run is asked to change, by hooks on the denoiser that come off when the run ends."""
