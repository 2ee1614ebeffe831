"""DashboardCallback: drawings, notes and plots of a study for Optuna's dashboard.

The dashboard reads a study's storage and nothing else, so all of it is stored there, and the pictures in an
artifact store. Optuna does not let a trial change once it has ended, and a callback is called just then. So
what belongs to a trial is written where the dashboard keeps its own remarks on trials: among the attributes
of the study.
"""

from __future__ import annotations

import io
import json
import logging
import math
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from graphnas.errors import InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.optional import require
from optuna_graphnas.block import Block

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from optuna.artifacts._protocol import ArtifactStore
    from optuna.storages import BaseStorage

ARTIFACT = "dashboard:artifacts:{trial}:{artifact}"
"""Attribute of a study that names an artifact of a trial that has ended, as the dashboard reads it."""
NOTED = "graphnas:noted:{trial}"
"""Attribute of a study that says that a trial has its drawing and its note."""
PLOT = "graphnas-{name}"
"""Identifier of a plot; one of the same name is replaced."""
DPI = 110

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Ended:
    """What the dashboard's ``save_note`` needs of a trial; making an Optuna ``Trial`` would start one."""

    storage: BaseStorage
    study: Study
    _trial_id: int


class DashboardCallback:
    """A callback of ``study.optimize`` for `Optuna's dashboard <https://optuna-dashboard.readthedocs.io>`_.

    Each finished trial gets its architecture as a drawing among its artifacts, its learning curve if it
    reported values, and a note with its parameters, multiply-accumulates and graph. The study gets plots:
    regret, latent space, motifs, generations and, with several objectives, the front. Nothing global is
    changed, and the callback keeps nothing that matters: what is missing is written by :meth:`publish` at any
    time, from any process.

    Show it with ``optuna-dashboard STORAGE --artifact-dir DIR``, where ``DIR`` is the folder of the store.

    Args:
        artifact_store: Where drawings are kept, such as
            ``optuna.artifacts.FileSystemArtifactStore("artifacts")``.
        space: The space of the architectures; None takes that of the study's sampler.
        name: As in :func:`optuna_graphnas.suggest_architecture`.
        optimum: The best value there is, if it is known: the regret is then the distance to it.
        plots_every: Trials after which the plots of the study are made again.

    Raises:
        InvalidArgument: ``plots_every`` is not positive.
        MissingExtra: The dashboard, plotly or matplotlib is not installed.
    """

    def __init__(
        self,
        artifact_store: ArtifactStore,
        space: GraphSpace | None = None,
        *,
        name: str | None = None,
        optimum: float | None = None,
        plots_every: int = 10,
    ) -> None:
        if plots_every < 1:
            raise InvalidArgument(f"plots_every must be at least 1, got {plots_every}")
        require("optuna_dashboard", "dashboard")
        for module in ("plotly", "matplotlib"):
            require(module, "plots")
        self._store = artifact_store
        self._space = space
        self._name = name
        self._optimum = optimum
        self._plots_every = plots_every
        self._lock = threading.Lock()  # with n_jobs, callbacks of several trials come at once

    def __call__(self, study: Study, trial: FrozenTrial) -> None:
        """Write what belongs to a trial that has just ended; every so often, the plots too.

        Where the store cannot be written to, a warning says so and the search goes on.

        Raises:
            InvalidArgument: The space is not known.
        """
        self.space_of(study)
        try:
            with self._lock:
                self._write_trial(study, trial, _attributes(study))
                if (trial.number + 1) % self._plots_every == 0:
                    self._write_plots(study)
        except OSError as error:  # a picture is not worth a search
            _logger.warning("Nothing of trial %d is in the dashboard: %s", trial.number, error)

    def publish(self, study: Study) -> None:
        """Write what is missing of a study: of all ended trials, and the plots as they are now.

        Raises:
            InvalidArgument: The space is not known.
        """
        with self._lock:
            known = _attributes(study)
            for trial in study.get_trials(deepcopy=False):
                self._write_trial(study, trial, known)
            self._write_plots(study)

    def space_of(self, study: Study) -> GraphSpace:
        """The space that was given, or that of the study's sampler.

        Raises:
            InvalidArgument: There is neither.
        """
        space = self._space if self._space is not None else getattr(study.sampler, "space", None)
        if not isinstance(space, GraphSpace):
            raise InvalidArgument(
                f"the sampler {type(study.sampler).__name__} does not say the space of the architectures: "
                "DashboardCallback(artifact_store, space)"
            )
        return space

    # ---------------------------------------------------------------- one trial

    def _write_trial(self, study: Study, trial: FrozenTrial, known: Mapping[str, Any]) -> None:
        """Write what belongs to a trial, unless the study's attributes ``known`` say that it is there."""
        space = self.space_of(study)
        mark = NOTED.format(trial=trial._trial_id)
        if not trial.state.is_finished() or mark in known:
            return
        try:
            architecture = Block(space, self._name).architecture(trial.params)
        except InvalidArchitecture:
            return  # of something else, or one that the space refuses
        from graphnas.plots import plot_architecture

        drawing = self._upload(study, trial, "architecture.png", plot_architecture(architecture, space))
        curve = ""
        if len(trial.intermediate_values) > 1:
            curve = self._upload(study, trial, "curve.png", _curve(trial))
        _write_note(study, trial, note_text(study, trial, space, architecture, drawing, curve))
        study._storage.set_study_system_attr(study._study_id, mark, 1)

    def _upload(self, study: Study, trial: FrozenTrial, filename: str, figure: Figure) -> str:
        """Store a figure as an artifact of a trial, and return the path by which the dashboard shows it."""
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=DPI, bbox_inches="tight")
        content.seek(0)
        artifact = str(uuid.uuid4())
        self._store.write(artifact, content)
        about = {
            "artifact_id": artifact,
            "filename": filename,
            "mimetype": "image/png",
            "encoding": None,
        }
        key = ARTIFACT.format(trial=trial._trial_id, artifact=artifact)
        study._storage.set_study_system_attr(study._study_id, key, json.dumps(about))
        return f"/artifacts/{study._study_id}/{trial._trial_id}/{artifact}"

    # ---------------------------------------------------------------- the study

    def _write_plots(self, study: Study) -> None:
        save: Any = require("optuna_dashboard", "dashboard").save_plotly_graph_object
        for name, figure in self.plots(study).items():
            save(study, figure, graph_object_id=PLOT.format(name=name))

    def plots(self, study: Study) -> dict[str, Any]:
        """The plotly figures of a study by name; those that need more trials than there are, are left out.

        Raises:
            InvalidArgument: The space is not known.
        """
        from optuna_graphnas import visualization

        space = self.space_of(study)
        several = len(study.directions) > 1
        makers: dict[str, Any] = {
            "regret": lambda: visualization.plot_regret(study, optimum=self._optimum),
            "front": lambda: _front(study),
            "best": lambda: visualization.plot_architectures(study, space, name=self._name),
            "latent-space": lambda: visualization.plot_latent_space(study, space, name=self._name),
            "motifs": lambda: visualization.plot_motifs(study, space, name=self._name),
            "generations": lambda: visualization.plot_generations(study, space, name=self._name),
        }
        made = {}
        for name, make in makers.items():
            if name == ("regret" if several else "front"):
                continue
            try:
                made[name] = make()
            except InvalidArgument:  # too few trials, or no motif yet
                continue
        return made


def note_text(
    study: Study,
    trial: FrozenTrial,
    space: GraphSpace,
    architecture: Architecture,
    drawing: str,
    curve: str = "",
) -> str:
    """The note of a trial in Markdown.

    Args:
        study: The study.
        trial: A trial that has ended.
        space: Its space.
        architecture: What it evaluated.
        drawing: Where the drawing of it is.
        curve: Where its learning curve is; empty if it has none.
    """
    attributes = trial.user_attrs
    names = study.metric_names or [f"value {k}" if k else "value" for k in range(len(study.directions))]
    rows = [("state", trial.state.name.lower())]
    rows += [(name, f"{value:.6g}") for name, value in zip(names, trial.values or (), strict=False)]
    for name, label in (("parameters", "parameters"), ("macs", "multiply-accumulates")):
        if isinstance(attributes.get(name), int | float):
            rows.append((label, f"{attributes[name]:,}"))
    if isinstance(attributes.get("seconds"), int | float):
        rows.append(("seconds", f"{attributes['seconds']:.1f}"))
    metrics = attributes.get("metrics")
    for name, value in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(value, int | float) and math.isfinite(value):
            rows.append((name.replace("_", " "), f"{value:.6g}"))
    if "reason" in attributes:
        rows.append(("reason", str(attributes["reason"]).replace("|", "/").replace("\n", " ")))
    text = space.to_string(architecture) if hasattr(space, "to_string") else architecture.to_json()
    lines = [f"![architecture]({drawing})", "", "| | |", "|---|---|"]
    lines += [f"| {label} | {value} |" for label, value in rows]
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        lines += ["", f"Pruned after step {max(trial.intermediate_values)}."]
    if curve:
        lines += ["", f"![curve]({curve})"]
    return "\n".join([*lines, "", "```text", text, "```", ""])


def _attributes(study: Study) -> Mapping[str, Any]:
    """What is stored with the study for the dashboard, among other things."""
    stored: Mapping[str, Any] = study._storage.get_study_system_attrs(study._study_id)
    return stored


def _write_note(study: Study, trial: FrozenTrial, text: str) -> None:
    require("optuna_dashboard", "dashboard").save_note(_Ended(study._storage, study, trial._trial_id), text)


def _curve(trial: FrozenTrial) -> Figure:
    """The intermediate values of a trial."""
    from graphnas.plots.style import INK, colour, new_figure

    figure = new_figure(5.0, 2.6)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
    axes.plot(steps, values, color=colour(0), marker="o", markersize=3)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("reported value", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _front(study: Study) -> Any:
    """Optuna's plot of the Pareto front.

    Raises:
        InvalidArgument: Optuna draws no front of so many objectives, or of a study without one.
    """
    visualization = require("optuna.visualization", "dashboard")
    if len(study.directions) > 3 or not study.best_trials:
        raise InvalidArgument(f"no front of {len(study.directions)} objectives")
    figure = visualization.plot_pareto_front(study)
    figure.update_layout(template=require("plotly.graph_objects", "dashboard").layout.Template())
    return figure
