"""Fixtures of the tests that train networks."""

from __future__ import annotations

from tiny_space import chain, one_thread, tiny_space

__all__ = ["chain", "one_thread", "tiny_space"]
