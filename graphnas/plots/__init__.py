"""Plots of architectures, distributions and searches: a data half (``_get_*_info``) and a drawing half each.

They return a ``matplotlib.figure.Figure`` and never touch pyplot, so nothing global is changed and no window
opens: save it with ``figure.savefig(...)``, or show it as the last value of a notebook cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.plots.architecture import plot_architecture as plot_architecture
    from graphnas.plots.architecture_grid import plot_architectures as plot_architectures
    from graphnas.plots.architecture_grid import plot_samples as plot_samples
    from graphnas.plots.effects import plot_contributions as plot_contributions
    from graphnas.plots.effects import plot_effects as plot_effects
    from graphnas.plots.generations import plot_generations as plot_generations
    from graphnas.plots.graph_properties import plot_graph_properties as plot_graph_properties
    from graphnas.plots.latent_space import plot_latent_space as plot_latent_space
    from graphnas.plots.motifs import plot_motifs as plot_motifs
    from graphnas.plots.prediction import plot_prediction as plot_prediction
    from graphnas.plots.score_surface import plot_score_surface as plot_score_surface
    from graphnas.plots.search_curve import plot_search_curve as plot_search_curve
    from graphnas.plots.search_steps import plot_search_steps as plot_search_steps
    from graphnas.plots.similarity import plot_similarity as plot_similarity
    from graphnas.plots.top_architectures import plot_top_architectures as plot_top_architectures
    from graphnas.plots.training import plot_training as plot_training
    from graphnas.plots.training_curves import plot_training_curves as plot_training_curves

_HOMES = {
    "plot_architecture": "graphnas.plots.architecture",
    "plot_architectures": "graphnas.plots.architecture_grid",
    "plot_contributions": "graphnas.plots.effects",
    "plot_effects": "graphnas.plots.effects",
    "plot_generations": "graphnas.plots.generations",
    "plot_graph_properties": "graphnas.plots.graph_properties",
    "plot_latent_space": "graphnas.plots.latent_space",
    "plot_motifs": "graphnas.plots.motifs",
    "plot_prediction": "graphnas.plots.prediction",
    "plot_samples": "graphnas.plots.architecture_grid",
    "plot_score_surface": "graphnas.plots.score_surface",
    "plot_search_curve": "graphnas.plots.search_curve",
    "plot_search_steps": "graphnas.plots.search_steps",
    "plot_similarity": "graphnas.plots.similarity",
    "plot_top_architectures": "graphnas.plots.top_architectures",
    "plot_training": "graphnas.plots.training",
    "plot_training_curves": "graphnas.plots.training_curves",
}
__all__ = [
    "plot_architecture",
    "plot_architectures",
    "plot_contributions",
    "plot_effects",
    "plot_generations",
    "plot_graph_properties",
    "plot_latent_space",
    "plot_motifs",
    "plot_prediction",
    "plot_samples",
    "plot_score_surface",
    "plot_search_curve",
    "plot_search_steps",
    "plot_similarity",
    "plot_top_architectures",
    "plot_training",
    "plot_training_curves",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
