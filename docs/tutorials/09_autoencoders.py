"""Graph autoencoders
==================

A latent space of architectures: encode, decode, look at it, and search in it.
"""

# %%
# Every model of :mod:`graphnas.autoencoders` works on any space and has the same interface. D-VAE is
# trained here for a few epochs on 400 networks of NAS-Bench-Graph; the published sizes are its defaults,
# these are smaller.

import numpy as np
import optuna
import torch

from graphnas.autoencoders import DVAE, DVAEConfig, TrainingConfig
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import LatentBOConfig
from graphnas.plots import plot_architectures, plot_latent_space, plot_training_curves
from optuna_graphnas import LatentBOSampler, Objective
from search_spaces import NASBenchGraph

optuna.logging.set_verbosity(optuna.logging.WARNING)
space, rng = NASBenchGraph(), np.random.default_rng(0)
architectures = [space.sample(rng) for _ in range(400)]
settings = DVAEConfig(hidden=64, latent=16, training=TrainingConfig(epochs=80))
model = DVAE(space, settings, seed=0).fit(architectures)
curves = plot_training_curves(model.history)

# %%
# Encode and decode
# -----------------

mean, log_variance = model.encode(architectures)
print("latents", tuple(mean.shape))
decoded = model.decode(mean[:50], torch.Generator().manual_seed(0), constrained=True).architectures
same = sum(a == b for a, b in zip(decoded, architectures, strict=False))
print(f"{same} of 50 come back exactly")
figure = plot_architectures([architectures[0], decoded[0]], space, captions=["encoded", "decoded"], columns=2)

# %%
# The latent space, coloured by the accuracy on Cora that the table has:

table = TabularEvaluator(space, dataset="cora")
latent = plot_latent_space(mean.numpy(), table.values(architectures))

# %%
# Search in it
# ------------
# :class:`optuna_graphnas.LatentBOSampler` trains its model when the random trials are over. By default that
# is ``FeatureVAE``, the quickest; ``LatentBOConfig(model="dvae")`` takes D-VAE.

sampler = LatentBOSampler(space, config=LatentBOConfig(n_startup_trials=10), seed=0)
study = optuna.create_study(direction="maximize", sampler=sampler)
study.optimize(Objective(space, table), n_trials=25)
print(
    f"after 10 random ones {max(t.value for t in study.trials[:10]):.2f} %, after 25 {study.best_value:.2f} %"
)
