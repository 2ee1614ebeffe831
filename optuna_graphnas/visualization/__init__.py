"""Plots of a study's architectures with plotly; its module ``matplotlib`` has the same names.

As in ``optuna.visualization``, every plot has a data half and a drawing half. The data halves are those of
:mod:`graphnas.plots`; here a study is turned into what they take, and drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from optuna_graphnas.visualization.charts import plot_effects as plot_effects
    from optuna_graphnas.visualization.charts import plot_generations as plot_generations
    from optuna_graphnas.visualization.charts import plot_latent_space as plot_latent_space
    from optuna_graphnas.visualization.charts import plot_motifs as plot_motifs
    from optuna_graphnas.visualization.charts import plot_regret as plot_regret
    from optuna_graphnas.visualization.graphs import plot_architectures as plot_architectures
    from optuna_graphnas.visualization.graphs import plot_contributions as plot_contributions

_HOMES = {
    "plot_architectures": "optuna_graphnas.visualization.graphs",
    "plot_contributions": "optuna_graphnas.visualization.graphs",
    "plot_effects": "optuna_graphnas.visualization.charts",
    "plot_generations": "optuna_graphnas.visualization.charts",
    "plot_latent_space": "optuna_graphnas.visualization.charts",
    "plot_motifs": "optuna_graphnas.visualization.charts",
    "plot_regret": "optuna_graphnas.visualization.charts",
}
__all__ = [
    "plot_architectures",
    "plot_contributions",
    "plot_effects",
    "plot_generations",
    "plot_latent_space",
    "plot_motifs",
    "plot_regret",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
