"""Graph autoencoders: training, prediction from their latents, and speed."""
