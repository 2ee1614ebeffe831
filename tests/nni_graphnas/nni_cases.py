"""What the tests of the door to NNI share: a space, its objective, and engines that run in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nni
import torch
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.execution import SequentialExecutionEngine
from nni.nas.space import SimplifiedModelSpace
from small_space import ARCHITECTURES, BEST, SmallSpace, quality
from torch import nn

from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.methods.baselines.evolution import RegularizedEvolution
from graphnas.methods.baselines.random_search import RandomSearch
from graphnas.methods.nasgem import EncoderConfig, NASGEMConfig, PredictorConfig
from nni_graphnas.space import model_space

__all__ = ["ARCHITECTURES", "BEST", "SPACE", "SmallSpace", "quality"]

SPACE = SmallSpace()
QUICK_NASGEM = NASGEMConfig(
    candidates=200,
    encoder=EncoderConfig(pairs=200, iterations=20, batch_size=32),
    perceptron=PredictorConfig(epochs=20),
)
"""NASGEM with an encoder small enough for a test."""


def current_architecture(space: GraphSpace = SPACE) -> Architecture:
    """In an evaluator: the architecture of the trial that runs."""
    return space.from_parameters(nni.get_current_parameter().sample)


def report_quality(model: nn.Module) -> None:
    assert isinstance(model, nn.Module)
    nni.report_final_result(quality(current_architecture()))


def executable(
    function: Callable[..., Any] = report_quality, space: GraphSpace = SPACE, **arguments: Any
) -> SimplifiedModelSpace:
    """What NNI makes of a model space and an evaluator when an experiment starts."""
    made = model_space(space, num_classes=3)
    return SimplifiedModelSpace.from_model(made, FunctionalEvaluator(function, **arguments))


def engine(count: int = 30, *, continue_on_failure: bool = True) -> SequentialExecutionEngine:
    return SequentialExecutionEngine(count, continue_on_failure=continue_on_failure)


def random_search(space: GraphSpace, seed: int) -> SearchMethod:
    return RandomSearch(space, seed=seed)


def evolution(space: GraphSpace, seed: int) -> SearchMethod:
    return RegularizedEvolution(space, seed=seed, population_size=8, tournament_size=3)


def same_network(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same layers and shapes in the same order."""
    shapes = [(name, tuple(tensor.shape)) for name, tensor in one.state_dict().items()]
    return str(one) == str(other) and shapes == [
        (name, tuple(tensor.shape)) for name, tensor in other.state_dict().items()
    ]


def output(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """What the network computes once all of its weights are set to the same fixed numbers."""
    with torch.no_grad():
        for k, parameter in enumerate(module.parameters()):
            parameter.copy_(torch.linspace(-0.1, 0.1, parameter.numel()).reshape(parameter.shape) + 0.01 * k)
        return module.eval()(inputs)
