"""Benchmarks of graphnas: a harness, a folder of scripts per subject; REPORT.md shows what they measured."""
