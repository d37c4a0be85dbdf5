"""A tiny Stable Diffusion and the drawn world that it learns."""
