"""SupernetSearch: trains shared weights and a method in turns, as GraphPNAS searches ENAS macro."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from tqdm.auto import tqdm

from graphnas.configuration import Configuration, Presets, check_integers, configured, replaced
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.evaluation import Evaluation
from graphnas.graph.space import GraphSpace
from graphnas.methods.base import SearchMethod
from graphnas.training.tensor_file import read_tensor_file, write_tensor_file

FORMAT = "graphnas.supernet-search"
VERSION = 1


class SharedWeightEvaluator(Protocol):
    """What SupernetSearch needs of an evaluator, such as :class:`graphnas.evaluate.SupernetEvaluator`."""

    space: GraphSpace
    epoch: int

    def train(self, epochs: int, architectures: Sequence[Architecture]) -> Sequence[Any]:
        """Train the shared weights; the last result has a ``train_loss``."""

    def evaluate_batch(self, architectures: Sequence[Architecture]) -> list[Evaluation]:
        """Measure many architectures."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers and text to resume from."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state."""


@dataclass(frozen=True)
class SupernetSearchConfig(Configuration):
    """The turns of a search on shared weights.

    ``SupernetSearchConfig.preset("paper")`` has the counts of GraphPNAS: 300 steps of 100 architectures, the
    generator updated every 5 epochs of the supernet. That makes 1,500 epochs, although the paper's schedule
    ends after 310 and its search takes half a GPU day; the paper does not say which number was used, nor how
    many architectures a step trains on: 100 is our choice. ``"small"`` is the same for a processor.

    Attributes:
        steps: Updates of the method.
        epochs_per_step: Epochs of training of the shared weights before each.
        trained: Architectures in a step's training; each batch trains one of them, drawn at random.
        evaluated: Architectures measured in a step.
        finalists: Number of the best of these that are measured again at the end.
        samples: Number of further proposals of the method that are measured at the end.
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {"steps": 300, "epochs_per_step": 5, "trained": 100, "evaluated": 100, "samples": 8},
        "small": {"steps": 12, "trained": 40, "evaluated": 20, "finalists": 10, "samples": 8},
    }

    steps: int = 20
    epochs_per_step: int = 1
    trained: int = 50
    evaluated: int = 20
    finalists: int = 20
    samples: int = 20

    def __post_init__(self) -> None:
        positive = ("steps", "epochs_per_step", "trained", "evaluated", "finalists")
        check_integers(self, {**dict.fromkeys(positive, 1), "samples": 0})


@dataclass(frozen=True)
class SearchStep:
    """Result of one step.

    Attributes:
        step: Number of the step, from 1.
        epoch: Epochs of training of the shared weights so far.
        train_loss: Training loss of the last of them.
        values: Values of the measured architectures, NaN where that failed.
    """

    step: int
    epoch: int
    train_loss: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class SupernetSearchResult:
    """Result of a search on shared weights.

    Attributes:
        ranking: Finalists and final samples with their evaluation by the final weights, best first.
        steps: Results of the steps.
    """

    ranking: Sequence[tuple[Architecture, Evaluation]] = field(repr=False)
    steps: Sequence[SearchStep] = field(repr=False)

    @property
    def best(self) -> Architecture:
        """The first of the ranking."""
        return self.ranking[0][0]


class SupernetSearch:
    """Trains shared weights and a method in turns (GraphPNAS, section 4, the search on ENAS macro).

    Each step asks the method for two sets of architectures: the shared weights are trained on the first; the
    second is measured with these weights, and the method learns from the values. So the weights are trained
    on the method's current proposals. Any method will do.

    Values of earlier steps come from less trained weights and stay as they are. At the end the best of all
    and some more proposals are measured again with the final weights.

    With a ``checkpoint`` the search resumes from that file if it exists, with the same result as without the
    interruption, since all randomness comes from the seeds of method and evaluator.

    Args:
        method: The method that proposes and learns.
        evaluator: The shared weights, for the same space.
        config: Settings; may not be given together with ``preset``.
        preset: ``"default"`` or ``"paper"``.
        checkpoint: A file that is written atomically after every step, and read at the start.
        progress: Show a progress bar.

    Raises:
        InvalidArgument: Method and evaluator have different spaces, both ``config`` and ``preset`` are given,
            or the checkpoint belongs to another search.
        CorruptData: The checkpoint is damaged.
    """

    def __init__(
        self,
        method: SearchMethod,
        evaluator: SharedWeightEvaluator,
        config: SupernetSearchConfig | None = None,
        *,
        preset: str | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
    ) -> None:
        self.config = configured(SupernetSearchConfig, config, preset)
        spaces = [(space.name, space.max_nodes) for space in (method.space, evaluator.space)]
        if spaces[0] != spaces[1]:
            raise InvalidArgument(
                f"the method searches {method.space!r}, the weights are of {evaluator.space!r}"
            )
        self.method = method
        self.evaluator = evaluator
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.progress = progress
        self.steps: list[SearchStep] = []
        """Results of the steps so far."""
        if self.checkpoint is not None and self.checkpoint.exists():
            self._load(self.checkpoint)

    def run(self, report: Callable[[SearchStep], object] | None = None) -> SupernetSearchResult:
        """Take the remaining steps and measure the finalists.

        Args:
            report: Called with the result of each step.

        Raises:
            TrainingFailed: Training of the shared weights diverged or ran out of memory.
        """
        with tqdm(
            total=self.config.steps,
            initial=min(len(self.steps), self.config.steps),
            desc="search",
            disable=None if self.progress else True,
        ) as bar:
            while len(self.steps) < self.config.steps:
                step = self._step()
                self.steps.append(step)
                if self.checkpoint is not None:
                    self._save(self.checkpoint)
                bar.update()
                finite = [value for value in step.values if np.isfinite(value)]
                if finite:
                    bar.set_postfix(mean=f"{np.mean(finite):.2f}", best=f"{max(finite):.2f}", refresh=False)
                if report is not None:
                    report(step)
        return SupernetSearchResult(self._ranking(), tuple(self.steps))

    def _step(self) -> SearchStep:
        config = self.config
        measured = self.method.ask(config.evaluated)
        trained = self.method.ask(config.trained, pending=measured)
        epochs = self.evaluator.train(config.epochs_per_step, trained)
        evaluations = self.evaluator.evaluate_batch(measured)
        for architecture, evaluation in zip(measured, evaluations, strict=True):
            self.method.tell(architecture, None if evaluation.failed else evaluation.value)
        values = tuple(evaluation.value for evaluation in evaluations)
        return SearchStep(len(self.steps) + 1, self.evaluator.epoch, epochs[-1].train_loss, values)

    def _ranking(self) -> list[tuple[Architecture, Evaluation]]:
        finished = [o for o in self.method.observations if o.values is not None]
        best = sorted(finished, key=lambda o: -o.values[0])  # type: ignore[index]
        different: dict[str, Architecture] = {}
        for observation in best:
            different.setdefault(self.method.space.key(observation.architecture), observation.architecture)
        candidates = list(different.values())[: self.config.finalists]
        if self.config.samples:
            candidates += self.method.ask(self.config.samples)
        evaluations = self.evaluator.evaluate_batch(candidates)
        pairs = zip(candidates, evaluations, strict=True)
        return sorted(pairs, key=lambda pair: -np.inf if pair[1].failed else pair[1].value, reverse=True)

    # ---------------------------------------------------------------- checkpoints

    def _identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with: all settings but those of the number of steps and the end."""
        settings = dataclasses.asdict(self.config)
        for name in ("steps", "finalists", "samples"):
            del settings[name]
        config: Any = getattr(self.method, "config", None)
        if hasattr(config, "device"):  # another device gives the same search, but for rounding
            config = replaced(config, device="cpu")
        return {
            "method": type(self.method).__name__,
            "method_seed": self.method.seed,
            "method_config": repr(config),
            "config": settings,
        }

    def _save(self, path: Path) -> None:
        content = {
            **self._identity(),
            "steps": [dataclasses.asdict(step) for step in self.steps],
            "method_state": json.dumps(self.method.state_dict()),
            "evaluator_state": self.evaluator.state_dict(),
        }
        write_tensor_file(path, FORMAT, VERSION, content)

    def _load(self, path: Path) -> None:
        content = read_tensor_file(path, FORMAT, VERSION)
        try:
            for name, ours in self._identity().items():
                if content[name] != ours:
                    raise InvalidArgument(
                        f"{path} is the checkpoint of a search with {name} {content[name]!r}, not {ours!r}"
                    )
            steps = [SearchStep(**step) for step in content["steps"]]
            state, weights = json.loads(content["method_state"]), content["evaluator_state"]
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InvalidArgument):
                raise
            raise CorruptData(f"{path} is a damaged checkpoint: {error!r}") from error
        self.evaluator.load_state_dict(weights)
        self.method.load_state_dict(state)
        self.steps = steps
