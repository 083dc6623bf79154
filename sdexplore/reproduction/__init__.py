"""A published picture, made again from its sidecar."""
