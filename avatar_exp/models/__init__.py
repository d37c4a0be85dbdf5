"""The parts of a Stable Diffusion: loading them, and what of them is trained."""
