"""Searches of many tables, parted into those to tune on and those to judge by."""
