"""Detectors with found networks as their backbones."""
