from optuna_graphnas.visualization import matplotlib
from optuna_graphnas.visualization import plot_architectures
from optuna_graphnas.visualization import plot_generations
from optuna_graphnas.visualization import plot_latent_space
from optuna_graphnas.visualization import plot_motifs


__all__ = [
    "matplotlib",
    "plot_architectures",
    "plot_generations",
    "plot_latent_space",
    "plot_motifs",
]
