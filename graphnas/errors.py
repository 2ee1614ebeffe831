"""The typed errors of graphnas: each names the offending value and what is allowed."""

from __future__ import annotations


class GraphNASError(Exception):
    """Base of every error that graphnas raises on purpose."""


class InvalidArchitecture(GraphNASError, ValueError):
    """An architecture breaks a rule of the graph form or of its search space."""


class InvalidArgument(GraphNASError, ValueError):
    """An argument, option or configuration value is outside of what is allowed."""


class DataNotFound(GraphNASError, FileNotFoundError):
    """A table or an image set is not where it was looked for; the message says how to get it."""


class CorruptData(GraphNASError, ValueError):
    """A file was found but is truncated, damaged or of another kind."""


class StorageFailed(GraphNASError, OSError):
    """A study or a result could not be written; the message says what is kept."""


class MissingExtra(GraphNASError, ImportError):
    """An optional dependency is not installed; the message names the command that installs it."""


class SpaceExhausted(GraphNASError, RuntimeError):
    """No architecture that satisfies the request could be found within the stated bound."""


class TrainingFailed(GraphNASError, RuntimeError):
    """A network could not be trained: it diverged, ran out of memory, or raised an error of its own."""


class ExportFailed(GraphNASError, RuntimeError):
    """A network could not be written in a format, or what was written computes something else."""


class WorkersLost(GraphNASError, RuntimeError):
    """Processes that a search started ended again and again, or cannot run at all."""
