"""The dashboard: what a person sees and moves. Numbers are from `analysis`, figures from `views`, runs from `model`."""
