"""Photos, concepts, prior images and their latents, served in an order that is a function of the step."""
