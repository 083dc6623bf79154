"""Questions that are answered by running the model again: look, invert, occlusion, interpolation, encoders."""
