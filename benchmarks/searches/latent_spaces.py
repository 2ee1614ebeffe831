"""In which latent space Bayesian optimisation finds the best of a table: learned ones, features, raw bits.

LatentBO with its default search (candidates are all architectures of the table, scored by a process on their
latents) in the spaces of several autoencoders, which are trained without accuracies and shared by all seeds;
beside them the same search on the raw bits of an architecture, GraphBO, and random search. It can be stopped
at any time: finished searches are kept in the record, trained autoencoders in ``--folder``.

    python -m benchmarks.searches.latent_spaces
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from optuna.samplers import BaseSampler
from torch import Tensor

from benchmarks.harness.records import RESULTS, publish, script_parser
from benchmarks.harness.sections import Section, Table, counted, mean_sd
from benchmarks.searches.opening import opened
from benchmarks.searches.runs import Run, run_all, search
from graphnas import ArchitectureBatch, GraphSpace, autoencoders
from graphnas.autoencoders import MODELS, GraphAutoencoder, TrainingConfig, load_autoencoder
from graphnas.graph.flatten import Flattener
from graphnas.methods import LatentBO
from optuna_graphnas import GraphBOSampler, GraphSampler, RandomArchitectureSampler

TASKS = {
    "nasbench201-cifar10-200": "NAS-Bench-201, CIFAR-10",
    "nasbench201-cifar100-200": "NAS-Bench-201, CIFAR-100",
    "nasbench201-imagenet16-120-200": "NAS-Bench-201, ImageNet16-120",
    "nasbench101-validation": "NAS-Bench-101, 30,001 cells",
    "enas6": "ENAS-6, 19,020 graphs",
}
AUTOENCODERS = {
    "D-VAE": "dvae",
    "DVAE-EMB": "dvae_emb",
    "GCN": "gcn",
    "S-VAE": "svae",
    "VS-GAE": "vsgae",
}
FEATURES, BITS, GRAPHBO, RANDOM = "FeatureVAE (default)", "raw bits", "GraphBO", "random search"
ARMS = (FEATURES, *AUTOENCODERS, BITS, GRAPHBO, RANDOM)
BUDGETS = (50, 100, 150)
TRAINING = TrainingConfig(epochs=5, batch_size=64, precision="bfloat16")


class Bits:
    """Stands in for an autoencoder: the latents of an architecture are its edges and operations."""

    def __init__(self, space: GraphSpace) -> None:
        self.space = space

    def encode(self, architectures: Any) -> tuple[Tensor, Tensor]:
        """One row of bits per architecture, and no variance."""
        batch = architectures
        if not isinstance(batch, ArchitectureBatch):
            batch = ArchitectureBatch.from_architectures(architectures, self.space.max_nodes)
        rows = torch.from_numpy(Flattener(self.space)(batch))
        return rows, torch.zeros_like(rows)


@dataclass(frozen=True)
class Trained:
    """Where the autoencoders are, and how they are trained where they are not there yet.

    Attributes:
        folder: Of their files.
        hidden: Size of their states.
        graphs: Random architectures that they are trained on.
    """

    folder: Path
    hidden: int
    graphs: int

    def path(self, task: str, arm: str) -> Path:
        """The file of an arm's autoencoder, which the tasks of a space share."""
        return self.folder / f"{task.split('-')[0]}-{AUTOENCODERS[arm]}.pt"

    def train(self, task: str, arm: str) -> None:
        """Train and save it."""
        space = opened(task).space
        model_class = getattr(autoencoders, MODELS[AUTOENCODERS[arm]])
        config = model_class.config_class(hidden=self.hidden, training=TRAINING)
        model: GraphAutoencoder = model_class(space, config)
        model.fit(space.sample_batch(np.random.default_rng(0), self.graphs), progress=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        model.save(self.path(task, arm))


def make_sampler(task: str, arm: str, seed: int, trained: Trained) -> BaseSampler:
    """The sampler of an arm."""
    space = opened(task).space
    if arm == GRAPHBO:
        return GraphBOSampler(space, seed=seed)
    if arm == RANDOM:
        return RandomArchitectureSampler(space, seed=seed)
    model: Any = None
    if arm == BITS:
        model = Bits(space)
    elif arm != FEATURES:
        model = load_autoencoder(trained.path(task, arm), space=space)
    return GraphSampler(space, lambda seed: LatentBO(space, seed=seed, autoencoder=model), seed=seed)


def run(trained: Trained, name: str, seed: int, queries: int) -> Run:
    """One search; ``name`` is that of the task and of the arm."""
    task, arm = name.split(": ")
    table, sampler = opened(task), make_sampler(task, arm, seed, trained)
    return search(name, seed, sampler, table.space, table.measure, queries)


def section(record: dict[str, Any]) -> Section:
    """A table per task: regret after so many queries."""
    tables = []
    points = [b for b in BUDGETS if b <= record["queries"]] or [record["queries"]]
    for task, title in TASKS.items():
        rows = []
        for arm in ARMS:
            runs = [one for one in record["runs"] if one["method"] == f"{task}: {arm}"]
            if runs:
                curves = [np.maximum.accumulate(one["values"]) for one in runs]
                best = [[float(c[min(b, len(c)) - 1]) for c in curves] for b in points]
                seconds = np.mean([one["seconds"] / one["trials"] for one in runs])
                rows.append([arm, str(len(runs)), *(mean_sd(at, 3) for at in best), f"{seconds:.2f}"])
        if rows:
            optimum = record["optimum"][task]
            columns = ("latents", "seeds", *(f"value, {b}" for b in points))
            caption = f"{title}: best value after so many queries (of {optimum:.3f}), mean ± deviation."
            tables.append(Table(caption, (*columns, "s per trial"), rows))
    return Section(
        "Latent spaces to search in",
        tables,
        "none of the papers compares searches on these tables; the autoencoders are smaller than theirs "
        f"(states of {record['hidden']}) and trained for {counted(TRAINING.epochs, 'epoch')} on "
        f"{record['graphs']:,} random architectures.",
        ["All architectures of a table are candidates, so that nothing has to be decoded."],
    )


def main() -> int:
    """Run, store and print."""
    parser = script_parser(__doc__, "latent_spaces")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--queries", type=int, default=BUDGETS[-1])
    parser.add_argument("--hidden", type=int, default=128, help="states of the autoencoders")
    parser.add_argument("--graphs", type=int, default=20_000, help="architectures that they are trained on")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/latent_spaces"))
    parser.add_argument("--fresh", action="store_true", help="train and run again what is there")
    options = parser.parse_args()
    trained = Trained(options.folder, options.hidden, options.graphs)
    made: set[Path] = set()
    for task in options.tasks:  # before the processes start, which would each train their own
        for arm in options.arms:
            path = trained.path(task, arm) if arm in AUTOENCODERS else None
            if path and path not in made and (options.fresh or not path.is_file()):
                trained.train(task, arm)
                made.add(path)
    searches = [
        (f"{task}: {arm}", options.first_seed + k, options.queries)
        for k in range(options.seeds)
        for task in options.tasks
        for arm in options.arms
    ]
    output = options.output or RESULTS / "latent_spaces.json"
    settings = {name: getattr(options, name) for name in ("queries", "hidden", "graphs")}
    figures = run_all(
        Run,
        functools.partial(run, trained),
        searches,
        output,
        settings,
        lambda runs: {"optimum": {task: opened(task).optimum for task in TASKS if _ran(runs, task)}},
        order=[f"{task}: {arm}" for task in TASKS for arm in ARMS],
        workers=options.workers,
        fresh=options.fresh,
    )
    publish(output, figures, section)
    return 0


def _ran(runs: list[Run], task: str) -> bool:
    return any(one.method.startswith(f"{task}: ") for one in runs)


if __name__ == "__main__":
    sys.exit(main())
