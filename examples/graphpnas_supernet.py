"""GraphPNAS on the ENAS macro space with shared weights: search, the learned distribution, the best trained.

A supernet and GraphPNAS's generator are trained in turns: the generator proposes networks of 12 layers, the
shared weights are trained on some of them and measure others, and the generator learns from these values.
At the end the best network by the final shared weights is trained from scratch and saved, and the learned
distribution is saved and drawn.

Run ``python examples/graphpnas_supernet.py``; it takes a few minutes on one CPU core. The images are a part
of CIFAR-10 if ``$GRAPHNAS_DATA`` has it, and scikit-learn's digits otherwise. When run again, the search
continues from ``runs/graphpnas_supernet/search.pt``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from graphnas.errors import DataNotFound
from graphnas.evaluate import OracleEvaluator, SupernetEvaluator
from graphnas.methods import GraphPNAS, GraphPNASConfig, SupernetSearch, SupernetSearchConfig
from graphnas.training import TrainedModel, load_dataset, save_model
from graphnas.training.images import ImageData
from graphnas.training.splits import some_images
from search_spaces import ENASMacro

OUTPUT = Path("runs/graphpnas_supernet")


def images(train: int, test: int) -> ImageData:
    """A random part of CIFAR-10, or all digits without it."""
    try:
        return some_images(load_dataset("cifar10"), train, test)
    except DataNotFound:
        return load_dataset("digits")


def main(
    output: Path = OUTPUT,
    *,
    layers: int = 12,
    width: int = 8,
    steps: int = 10,
    train: int = 2000,
    epochs: int = 8,
) -> TrainedModel:
    """Search, print each step, and return the best network, trained."""
    space = ENASMacro(layers, skip_probability=0.4)
    data = images(train, test=train)
    photos = data.in_channels == 3
    shape: dict[str, Any] = {"width": width}
    shared = SupernetEvaluator(
        space,
        data,
        shape=shape,
        config="cifar10" if photos else "digits",
        epochs=steps,
        batch_size=64,
        learning_rate=0.1,
    )
    # The published setting, scaled down from a search of hours.
    config = GraphPNASConfig.preset(
        "enas",
        n_startup_trials=20,
        batch_size=20,
        epsilon_steps=max(1, steps // 2),
        hidden_size=32,
        steps=3,
        epochs=60,
        learning_rate=3e-3,
        keep_top=0.3,
    )
    method = GraphPNAS(space, config, seed=0)
    turns = SupernetSearchConfig(steps=steps, trained=40, evaluated=20, finalists=10, samples=10)
    search = SupernetSearch(method, shared, turns, checkpoint=output / "search.pt")
    print(f"{data.name}: {len(shared.train_indices)} images train, {len(shared.validation_indices)} measure")
    result = search.run(
        lambda step: print(
            f"step {step.step:2d}  loss {step.train_loss:.3f}  accuracy on shared weights: "
            f"mean {np.nanmean(step.values):5.2f} %, best {np.nanmax(step.values):5.2f} %",
            flush=True,
        )
    )
    learned = method.distribution()
    learned.save(output / "distribution.pt")
    best, evaluation = result.ranking[0]
    print(f"best: {space.to_string(best)}")
    print(f"{evaluation.value:.2f} % on shared weights; log-probability {learned.log_prob([best])[0]:.1f}")

    oracle = OracleEvaluator(
        space, data, shape=shape, config="cifar10" if photos else "digits", batch_size=64, learning_rate=0.1
    )
    trained = oracle.train(best, epochs=epochs)
    save_model(output / "best", trained)
    print(f"trained from scratch: test accuracy {trained.evaluation.value:.2f} %")
    draw(output, learned)
    print(f"written to {output}: search.pt, distribution.pt, best/, samples.png")
    return trained


def draw(output: Path, learned: Any) -> None:
    """Samples of the learned distribution as a picture."""
    from graphnas.plots import plot_samples

    plot_samples(learned, 8).savefig(output / "samples.png", dpi=120)


if __name__ == "__main__":
    main()
