"""The dashboard: what a person sees and moves. Numbers come from `analysis`, figures from `views`, runs from `model`."""
