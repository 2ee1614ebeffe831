"""A trial of ``nnictl``: trains the network that the tuner chose, and reports every epoch and the result.

By default it trains on scikit-learn's digits, about a second for each network; another data set, such as a
folder of images with one folder for each class, is given in the experiment's ``trialCommand``:
``python trial.py --dataset imagefolder:/path/to/images --epochs 20``.
"""

from __future__ import annotations

import argparse

import nni

import nni_graphnas
from graphnas.evaluate import OracleEvaluator
from search_spaces import GEMNet


def main() -> None:
    """Train and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--dataset", default="digits", help="digits, cifar10, torchvision:NAME, imagefolder:PATH"
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--width", type=int, default=8, help="channels of the first layers")
    args = parser.parse_args()

    space = GEMNet(num_nodes=6)
    parameters = nni.get_next_parameter()
    architecture = nni_graphnas.architecture(parameters, space)
    evaluator = OracleEvaluator(
        space,
        args.dataset,
        shape={"width": args.width},
        epochs=args.epochs,
        learning_rate=parameters["learning_rate"],
        progress=False,
    )

    def report(epoch: int, accuracy: float) -> bool:
        nni.report_intermediate_result(accuracy)
        return False  # continue

    evaluation = evaluator.evaluate(architecture, report=report)
    nni_graphnas.report_final_result(evaluation.value, architecture)


if __name__ == "__main__":
    main()
