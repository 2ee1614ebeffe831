"""Benchmarks of the training of one network."""
