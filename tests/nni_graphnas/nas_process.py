"""A NasExperiment of its own process for the tests, and what its trials do."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from small_space import SmallSpace, fingerprint

from nni_graphnas import architecture, best, model_space, results, strategy

SPACE = SmallSpace()


def evaluate(model: Any, log: str) -> None:
    """A trial: report a value that no two architectures share; those that begin with a pooling fail."""
    import nni

    evaluated = architecture(nni.get_current_parameter().sample, SPACE)
    assert model.in_features == evaluated.num_edges  # the network that the space builds
    number = os.environ["NNI_TRIAL_SEQ_ID"]
    record = {"architecture": evaluated.to_dict(), "ended": time.time()}
    Path(log, f"{number}.{os.getpid()}.json").write_text(json.dumps(record))
    if evaluated.operations[1] == 2:
        raise RuntimeError("this architecture fails")
    nni.report_final_result(fingerprint(evaluated))


def main(name: str, log: str, trials: int, port: int, resume: str | None = None) -> None:
    """Run or resume an experiment and print what it found as one line of JSON."""
    from nni.nas.evaluator import FunctionalEvaluator
    from nni.nas.experiment import NasExperiment

    made = getattr(strategy, name)(seed=0)
    evaluator = FunctionalEvaluator(evaluate, log=log)
    experiment = NasExperiment(model_space(SPACE, num_classes=2), evaluator, made, id=resume)
    experiment.config.max_trial_number = trials
    experiment.config.trial_concurrency = 2
    print(f"id {experiment.id}", flush=True)
    (experiment.run if resume is None else experiment.resume)(port)
    top = experiment.export_top_models(2, formatter="dict")
    (network,) = experiment.export_top_models(1, formatter="instance")
    experiment.stop()
    directory = Path(experiment.config.canonical_copy().experiment_working_directory, experiment.id)
    assert results(directory) == made.results()
    assert best(directory) == made.best()
    found = {
        "results": [result.to_dict() for result in made.results()],
        "top": top,
        "inputs": network.in_features,
    }
    print(f"found {json.dumps(found)}", flush=True)


if __name__ == "__main__":
    # NNI must not take what runs here for the module that trials import.
    import nas_process

    nas_process.main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
