"""Graphs and search spaces: the kernel, sampling, properties, and the widths of GEMNet."""
