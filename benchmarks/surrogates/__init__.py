"""How well surrogates rank architectures."""
