"""GraphPNAS: a generator of architectures that learns a distribution of good ones (TMLR 2023)."""
