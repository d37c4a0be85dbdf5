"""The mathematics of diffusion training: pure functions of tensors, and the draws that feed them."""
