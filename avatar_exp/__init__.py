"""Photos of one person in; a personal Stable Diffusion out, with the evidence of how good it is."""

__version__ = "0.1.0"
