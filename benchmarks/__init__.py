"""Benchmarks of graphnas: a harness, and one folder of scripts per subject; REPORT.md shows what they measured."""
