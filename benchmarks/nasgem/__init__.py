"""NASGEM's experiments on the cells of NAS-Bench-101 and on random graphs, and its speed."""
