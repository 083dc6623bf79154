"""See inside a Stable Diffusion pipeline from a notebook."""
