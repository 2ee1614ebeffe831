"""LatentBOConfig: how Bayesian optimisation in a latent space searches, with D-VAE's setting as a preset."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphnas.autoencoders import MODELS
from graphnas.configuration import Configuration, Presets, check_choices, check_integers, check_numbers
from graphnas.errors import InvalidArgument

if TYPE_CHECKING:
    from graphnas.autoencoders.config import AutoencoderConfig

STRATEGIES = ("candidates", "rounds")
SURROGATES = ("exact", "sparse")


@dataclass(frozen=True)
class LatentBOConfig(Configuration):
    """Settings of :class:`graphnas.methods.LatentBO`.

    The default is what searches best in our benchmark. ``LatentBOConfig.preset("paper")`` is the search of
    D-VAE (Zhang et al., NeurIPS 2019, section 4.3; DVAE-EMB, ICCV-W 2021): rounds of 50 points, each the
    maximum of the expected improvement over the box of the training latents, decoded 500 times. The search
    is the paper's. The D-VAE is trained on random architectures instead of the 17,118 of its table, and with
    this project's faster settings (some minutes on one core) unless ``model_config`` says otherwise:
    ``DVAEConfig.preset("paper")`` is the published size and schedule, meant for a GPU.

    Attributes:
        strategy: ``"candidates"`` scores the encodings of real architectures, and of architectures decoded
            from a trust region around the best; ``"rounds"`` optimises over the box and decodes.
        model: The autoencoder to train, one of :data:`graphnas.autoencoders.MODELS`, such as ``"features"``
            (:class:`graphnas.autoencoders.FeatureVAE`) or ``"dvae"``; or the file of a trained one.
        model_config: Settings of the autoencoder to train; None means its defaults.
        training_size: Random architectures to train it on before the search, without accuracies.
        n_startup_trials: Random architectures before the first model. D-VAE starts from 17,118 known
            accuracies, more than most searches can afford to evaluate; the paper's preset starts from one
            batch.
        batch_size: Proposals between two fits of the surrogate.
        surrogate: ``"exact"`` or ``"sparse"``, a Gaussian process with ``inducing`` points; up to that
            many data both are the same process.
        inducing: Inducing points of the sparse process.
        ard: A length scale per latent dimension.
        enumerate_up_to: Spaces of at most so many architectures are scored whole (``"candidates"``).
        candidates: Random architectures scored per fit in other spaces.
        local_candidates: Changed copies of the best architectures, scored too.
        decoded_candidates: Points of the trust region that are decoded and scored too.
        trust_region: Standard deviation of those points around the best architectures' latents, in units of
            the training latents' standard deviation.
        grid: Uniform points in the box of the training latents (``"rounds"``).
        decodings: Times that a selected point is decoded (``"rounds"``).
    """

    presets: ClassVar[Presets] = {
        "default": {},
        "paper": {
            "strategy": "rounds",
            "model": "dvae",
            "n_startup_trials": 50,
            "batch_size": 50,
            "surrogate": "sparse",
            "ard": True,
        },
    }

    strategy: str = "candidates"
    model: str = "features"
    model_config: AutoencoderConfig | None = None
    training_size: int = 4000
    n_startup_trials: int = 10
    batch_size: int = 1
    surrogate: str = "exact"
    inducing: int = 500
    ard: bool = False
    enumerate_up_to: int = 50_000
    candidates: int = 10_000
    local_candidates: int = 2_000
    decoded_candidates: int = 64
    trust_region: float = 0.3
    grid: int = 10_000
    decodings: int = 500

    def __post_init__(self) -> None:
        check_choices(self, {"strategy": STRATEGIES, "surrogate": SURROGATES})
        known = isinstance(self.model, str) and (self.model in MODELS or os.path.isfile(self.model))
        if not known:
            raise InvalidArgument(
                f"model must be one of {', '.join(MODELS)}, or the file of a trained autoencoder; "
                f"got {self.model!r}"
            )
        least = {
            "training_size": 2,
            "n_startup_trials": 0,
            "batch_size": 1,
            "inducing": 2,
            "enumerate_up_to": 0,
            "candidates": 1,
            "local_candidates": 0,
            "decoded_candidates": 0,
            "grid": 1,
            "decodings": 1,
        }
        check_integers(self, least)
        check_numbers(self, {"trust_region": "(0, inf)"})
