"""Tables that table_search does not report one by one: ENAS-6, TransNAS-Bench-101 and NAS-Bench-Graph."""

from __future__ import annotations

from benchmarks.searches.tasks import Task

QUERIES = (20, 30, 50, 100, 150)
TRANSNAS = (
    "class_scene",
    "class_object",
    "room_layout",
    "jigsaw",
    "segmentsemantic",
    "normal",
    "autoencoder",
)
GRAPHS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")
_UNITS = {
    "room_layout": "negative loss times 100",
    "normal": "SSIM times 100",
    "autoencoder": "SSIM times 100",
}


def _transnas(dataset: str) -> Task:
    return Task(
        name=f"transnasbench101-{dataset}",
        title=f"TransNAS-Bench-101, {dataset}",
        value=_UNITS.get(dataset, "validation accuracy"),
        reported="",
        budgets=QUERIES,
        protocol="The cells of one function count as one, whose value is the mean of its trainings.",
        space="transnasbench101",
        dataset=dataset,
        metric="validation_score",
    )


def _graph(dataset: str) -> Task:
    known = " of the 2,021 architectures that the table has" if dataset == "proteins" else ""
    return Task(
        name=f"nasbenchgraph-{dataset}",
        title=f"NAS-Bench-Graph, {dataset}",
        value="validation ROC-AUC" if dataset == "proteins" else "validation accuracy",
        reported="test figure",
        budgets=QUERIES,
        protocol=f"The value is the mean of three seeds{known}.",
        space="nasbenchgraph",
        dataset=dataset,
    )


_TASKS = (
    Task(
        name="enas6",
        title="ENAS-6, 19,020 networks",
        value="weight-sharing accuracy",
        reported="",
        budgets=QUERIES,
        protocol="The networks are those of D-VAE's table, evaluated with the weights of one supernet.",
        space="enas6",
    ),
    *map(_transnas, TRANSNAS),
    *map(_graph, GRAPHS),
)
OTHER_TASKS = {task.name: task for task in _TASKS}
