"""Searches on tables, every method through Optuna."""
