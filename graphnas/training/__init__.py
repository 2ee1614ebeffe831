"""Training one network: data, augmentation, the training loop, files and saved models.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.training.datasets import load_dataset as load_dataset
    from graphnas.training.final import train as train
    from graphnas.training.recipes import RECIPES as RECIPES
    from graphnas.training.saved_model import load_model as load_model
    from graphnas.training.saved_model import save_model as save_model
    from graphnas.training.trained_model import TrainedModel as TrainedModel
    from graphnas.training.training_config import TrainingConfig as TrainingConfig

_HOMES = {
    "RECIPES": "graphnas.training.recipes",
    "TrainedModel": "graphnas.training.trained_model",
    "TrainingConfig": "graphnas.training.training_config",
    "load_dataset": "graphnas.training.datasets",
    "load_model": "graphnas.training.saved_model",
    "save_model": "graphnas.training.saved_model",
    "train": "graphnas.training.final",
}
__all__ = [
    "RECIPES",
    "TrainedModel",
    "TrainingConfig",
    "load_dataset",
    "load_model",
    "save_model",
    "train",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
