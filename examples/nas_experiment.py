"""Search GEMNet with GraphBO in NNI's NasExperiment: real training on digits, then of the best once more.

Run ``python examples/nas_experiment.py``. NNI starts every trial as a process of its own, two at a time, and
shows them at http://localhost:8080. After an interruption, ``--resume EXPERIMENT_ID`` continues.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch

from nni_graphnas import architecture, model_space
from nni_graphnas.strategy import GraphBO
from search_spaces import GEMNet

SPACE = GEMNet(num_nodes=6)
SHAPE = {"in_channels": 1, "width": 8}


def train(model: torch.nn.Module, epochs: int) -> None:
    """What a trial does: train the network that NNI built, report every epoch and the result."""
    import nni

    from graphnas.training import TrainingConfig, load_dataset
    from graphnas.training.loop import Training, train_epochs
    from graphnas.training.splits import stratified_split

    data = load_dataset("digits")
    config = TrainingConfig.preset("digits", epochs=epochs)
    indices, validation = stratified_split(data.train.labels, config.train_fraction, seed=0)
    accuracy = 0.0
    training = Training(model, data.train, indices, config, data.normalisation, seed=0)
    for epoch in train_epochs(training, validation=validation):
        accuracy = epoch.validation_accuracy
        nni.report_intermediate_result(accuracy)
    nni.report_final_result(accuracy)


def main(trials: int = 20, port: int = 8080, epochs: int = 5, resume: str | None = None) -> Any:
    """Run the experiment, print the best result, and train the best network on all training images."""
    # Here, because importing nni_graphnas first gets past a torchvision that does not fit torch.
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.experiment import NasExperiment

    strategy = GraphBO(seed=0)
    evaluator = FunctionalEvaluator(train, epochs=epochs)
    experiment = NasExperiment(model_space(SPACE, num_classes=10, **SHAPE), evaluator, strategy, id=resume)
    experiment.config.experiment_name = "GraphBO on digits"
    experiment.config.max_trial_number = trials
    experiment.config.trial_concurrency = 2
    try:
        if resume is None:
            experiment.run(port)
        else:
            experiment.resume(port)
        (sample,) = experiment.export_top_models(1, formatter="dict")
    finally:
        experiment.stop()

    best = architecture(sample, SPACE)
    print(f"experiment {experiment.id}: best validation accuracy {strategy.best().value:.2f} %")
    print(best.to_json())
    trained = retrain(best, 2 * epochs)
    print(f"test accuracy after training on all training images {trained.evaluation.value:.2f} %")
    return strategy


def retrain(best: Any, epochs: int) -> Any:
    """Train the network of an architecture from scratch on all training images."""
    from graphnas.evaluate import OracleEvaluator

    oracle = OracleEvaluator(SPACE, "digits", shape={"width": SHAPE["width"]}, progress=False)
    return oracle.train(best, epochs=epochs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--resume", metavar="EXPERIMENT_ID")
    main(**vars(parser.parse_args()))
