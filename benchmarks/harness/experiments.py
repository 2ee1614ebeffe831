"""Every published experiment of NASGEM and GraphPNAS: command at full size, what a record shows, verdict.

A verdict is only given where a record exists. Figures of ours are read from the records; those of the papers
are as printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.sections import Table, by_arm, mean_sd
from graphnas.dry_run import duration

Record = Mapping[str, Any]
RANDWIRE_ARMS = ("GraphPNAS", "ER-TopK", "WS-TopK", "ER-BEST", "WS-BEST")
"""GraphPNAS and the graphs that are drawn."""
TITLE = "Every published experiment of NASGEM and GraphPNAS"
REPEATS, DOES_NOT, CANNOT = "repeats", "does not repeat", "cannot be told here"


@dataclass(frozen=True)
class Experiment:
    """One table or figure of a paper.

    Attributes:
        item: The paper and its table or figure.
        command: What runs it at its published size; ``--dry-run`` after it says how long that takes.
        record: The stored record that shows it here, without ``.json``.
        paper: The figure that is printed.
        ours: The same from the record.
        verdict: What the two say, and why.
        cost: How long the command takes on one core; its estimate by ``--dry-run`` on the machine
            of the records, rounded. Empty: not known.
    """

    item: str
    command: str
    record: str
    paper: str
    ours: Callable[[Record], str]
    verdict: str
    cost: str = ""


def at_full_share(record: Record, arm: str) -> str:
    """Kendall's tau of an arm of Tables 3-4 with all training cells."""
    return mean_sd([run["tau"][arm][-1] for run in record["runs"]], 2)


def tables_3_and_4(record: Record) -> str:
    """Kernel-guided, autoencoder, adjacency."""
    arms = ("kernel-guided + P", "autoencoder + P", "adjacency + P")
    return "tau " + ", ".join(at_full_share(record, arm) for arm in arms)


def guidance(record: Record) -> str:
    """The encoder's loss as a share of that of the best constant, at the largest dimension."""
    last = f"d = {record['dimensions'][-1]}"
    shares: dict[str, list[float]] = {}
    for run in record["runs"]:
        space, _, dimension = run["arm"].partition(", ")
        if dimension == last:
            shares.setdefault(space, []).append(run["loss"] / run["constant"])
    parts = ", ".join(f"{mean_sd(values, 2)} ({space})" for space, values in shares.items())
    return f"loss as a share of the best constant's, {last}: {parts}"


def bias_with_and_without(record: Record) -> str:
    """Difference of the bias at the largest sample."""
    gaps = [
        run["picked"]["raw bits + P"][-1] - run["picked"]["kernel-guided + P"][-1] for run in record["runs"]
    ]
    return f"{mean_sd(gaps, 2)} points higher with it"


def similarity(record: Record) -> str:
    """Spearman's correlation of cosine and difference of scores, with the kernel and without."""
    found = [
        mean_sd([run["similarity"][name] for run in record["runs"]], 2)
        for name in ("kernel-guided", "autoencoder")
    ]
    return f"rank correlation {found[0]} with the kernel, {found[1]} without"


def smoothness(record: Record) -> str:
    """How well the plane of the first two components orders the score."""
    found = [
        mean_sd([run["plane"][name]["score"] for run in record["runs"]], 2)
        for name in ("kernel-guided", "autoencoder")
    ]
    return f"order told by the plane {found[0]} with the kernel, {found[1]} without"


def loss_trend(record: Record) -> str:
    """The largest and the smallest loss."""
    losses = [run["loss"] for run in record["runs"]]
    nodes = [run["nodes"] for run in record["runs"]]
    return f"loss {max(losses):.4f} to {min(losses):.4f}, at {min(nodes)} to {max(nodes)} nodes"


def networks(record: Record) -> str:
    """Sizes of GEMNet-A and GEMNet-B."""
    sizes = [record["networks"][f"GEMNet-{letter}"] for letter in "AB"]
    macs, parameters = (
        " and ".join(f"{one[key] / 1e6:.{digits}f} M" for one in sizes)
        for key, digits in (("macs", 0), ("parameters", 1))
    )
    return f"{macs} multiply-accumulates, {parameters} parameters"


def detectors(record: Record) -> str:
    """Parameters of the two detectors with GEMNet-A."""
    sizes = [
        record["counted"][f"GEMNet-A, {name}"]["parameters"] / 1e6 for name in ("retinanet", "faster-rcnn")
    ]
    return f"{sizes[0]:.1f} M and {sizes[1]:.1f} M parameters with GEMNet-A"


def randwire_networks(record: Record) -> str:
    """Test accuracy of the best networks of GraphPNAS and of the better random graphs."""
    accuracy = {arm: [run["accuracy"] for run in runs] for arm, runs in by_arm(record, RANDWIRE_ARMS).items()}
    own = accuracy.pop("GraphPNAS")
    best = max(accuracy, key=lambda arm: float(np.mean(accuracy[arm])))
    return f"on CIFAR-10 {mean_sd(own)}, random graphs {mean_sd(accuracy[best])} ({best})"


def graphs_found(record: Record) -> str:
    """Where the best networks lie in the plane of path length and clustering, on average."""
    from benchmarks.graphpnas.randwire import found_properties

    means = {
        arm: [float(np.mean(values)) for values in found_properties(runs)]
        for arm, runs in by_arm(record, ("GraphPNAS", "RNN", "ER-TopK", "WS-TopK")).items()
    }
    places = ", ".join(
        f"{arm} {length:.2f} and {clustering:.2f}" for arm, (length, clustering) in means.items()
    )
    return f"path length and clustering: {places}"


def enas_networks(record: Record) -> str:
    """Test error of the networks that GraphPNAS and random search found."""
    arms = by_arm(record, ("GraphPNAS", "random search"))
    own, random = (mean_sd([run["error"] for run in runs]) for runs in arms.values())
    return f"test error on a part of CIFAR-10 {own}, random search {random}"


def cost_of(record: Record) -> str:
    """Core time of the runs that a record tells it of, without their preparation; empty if it does not."""
    seconds = [run["seconds"] for run in record.get("runs", ()) if "seconds" in run]
    return duration(sum(seconds)) if seconds else ""


def searched(methods: Mapping[str, str], queries: int, reported: bool = False) -> Callable[[Record], str]:
    """The best value of each method after so many queries, or what is reported of that architecture.

    Args:
        methods: Methods by what the table calls them.
        queries: Their number.
        reported: The reported figure instead of the value.
    """

    def figure(record: Record, method: str) -> str:
        found = []
        for run in record["runs"]:
            if run["method"] == method:
                best = int(np.argmax(run["values"][:queries]))
                found.append(run["reported" if reported else "values"][best])
        return f"{mean_sd(found, 2)} ({len(found)} seeds)" if found else "not run yet"

    return lambda record: ", ".join(f"{name} {figure(record, method)}" for name, method in methods.items())


BY_TEXT = {"by its text": "GraphPNASSampler, preset=paper"}
BY_CODE = {"by its code": "GraphPNASSampler, preset=released"}
OWN_DEFAULT = {"our default": "GraphPNASSampler"}
AS_HERE = "as here"
SEARCH = "python -m benchmarks.searches.table_search --task"
RANDWIRE = (
    "graphnas search --space randwire --method graphpnas --preset randwire --dataset tiny-imagenet "
    "--image-size 224 --recipe oracle --trials 320"
)
ENAS = "graphnas search --space enas --evaluator supernet --method graphpnas --preset enas --device cuda"
FIGURES = (
    "graphnas compare graphpnas=runs/randwire rnn=runs/randwire-rnn learned=runs/randwire/distribution.pt "
    "--output figures"
)
EXPERIMENTS = (
    Experiment(
        "NASGEM, Table 1 (ImageNet)",
        "graphnas train gemnet-a --recipe nasgem-imagenet --dataset imagefolder:imagenet --output "
        "runs/gemnet-a --device cuda",
        "gemnet_widths",
        "463 M and 563 M multiply-accumulates, 4.3 M and 4.5 M parameters; top-1 error 23.7 and 23.3 %",
        networks,
        f"sizes {REPEATS[:-1]}; error {CANNOT}: it needs ImageNet and a card",
    ),
    Experiment(
        "NASGEM, Table 2 (COCO)",
        "graphnas detect --backbone gemnet-a --data coco --output runs/coco --device cuda",
        "detector_sizes",
        "13.5 M and 21.4 M; AP 35.4 and 35.3",
        detectors,
        f"sizes {REPEATS[:-1]}; AP {CANNOT}: it needs ImageNet's weights and a card",
    ),
    Experiment(
        "NASGEM, eqs. 3-4 (guidance)",
        "python -m benchmarks.nasgem.guidance",
        "nasgem_guidance",
        "no figure",
        guidance,
        "the encoder follows the kernel",
        cost=AS_HERE,
    ),
    Experiment(
        "NASGEM, Tables 3-4",
        "python -m benchmarks.nasgem.trained_cells --device cuda --workers 8",
        "nasgem_correlation_nasbench101",
        "tau .55, .47, .46",
        tables_3_and_4,
        f"{DOES_NOT}: better than a plain autoencoder, worse than the adjacency itself",
        cost="90 d",
    ),
    Experiment(
        "NASGEM, Fig. 1",
        "python -m benchmarks.nasgem.embeddings",
        "nasgem_embeddings",
        "clearly negative with the kernel only (drawn)",
        similarity,
        DOES_NOT,
        cost="3 min",
    ),
    Experiment(
        "NASGEM, Fig. 4",
        "python -m benchmarks.nasgem.embeddings",
        "nasgem_embeddings",
        "a smooth surface (drawn)",
        smoothness,
        f"{CANNOT}: no smoother than a plain autoencoder's on these cells",
        cost="3 min",
    ),
    Experiment(
        "NASGEM, Fig. 5",
        "python -m benchmarks.nasgem.bias",
        "nasgem_bias_test",
        "about .2 points lower with the embedding",
        bias_with_and_without,
        f"{DOES_NOT}: the bias is higher",
        cost="12 min",
    ),
    Experiment(
        "NASGEM, Fig. 6",
        "python -m benchmarks.nasgem.similarity_loss",
        "nasgem_similarity_loss",
        "grows with the graphs, falls with the embedding (drawn)",
        loss_trend,
        "the second part repeats, the first does not",
        cost="1 h 29 min",
    ),
    Experiment(
        "GraphPNAS, Tables 1, 2 and 9",
        RANDWIRE,
        "graphpnas_randwire",
        "Table 1: 20.32 by the oracle, 62.57 trained",
        randwire_networks,
        f"{CANNOT}: so small networks differ by less than chance",
        cost="1,600 d",
    ),
    Experiment(
        "GraphPNAS, Figs. 3, 6 and 7",
        FIGURES,
        "graphpnas_randwire",
        "where the graphs of each method lie, and the best of them (drawn)",
        graphs_found,
        f"{CANNOT}: three small networks of each method",
    ),
    Experiment(
        "GraphPNAS, Table 3",
        ENAS,
        "graphpnas_enas_supernet",
        "3.73 % test error at best",
        enas_networks,
        CANNOT,
        cost="23 d",
    ),
    Experiment(
        "GraphPNAS, Table 4",
        f"{SEARCH} nasbench101-test",
        "table_search_nasbench101-test",
        "94.07 ± 0.14 at 150 queries, by validation",
        searched(BY_TEXT | OWN_DEFAULT, 150),
        f"{DOES_NOT} by its text: lower, and behind the RNN at 300; our default is ahead",
        cost=AS_HERE,
    ),
    *(
        Experiment(
            f"GraphPNAS, Table 5 ({name})",
            f"{SEARCH} {task}",
            f"table_search_{task}",
            f"{paper} (test)",
            searched(BY_TEXT | BY_CODE, 100, reported=True),
            verdict,
            cost=AS_HERE,
        )
        for name, task, paper, verdict in (
            ("CIFAR-10", "nasbench201-cifar10-12", "94.34 ± 0.04", REPEATS),
            ("CIFAR-100", "nasbench201-cifar100-200", "73.35 ± 0.21", REPEATS),
            (
                "ImageNet16-120",
                "nasbench201-imagenet16-120-12",
                "46.50 ± 0.20",
                f"{REPEATS} by its code; by its text lower, perhaps by chance",
            ),
        )
    ),
)
"""In the order of the papers."""


def table(records: Mapping[str, Record]) -> Table:
    """One row for each experiment; a verdict only where there is a record."""
    rows = []
    for experiment in EXPERIMENTS:
        record = records.get(experiment.record)
        here, ours, verdict = ("", "", "no record yet")
        if record is not None:
            here, ours, verdict = cost_of(record), experiment.ours(record), experiment.verdict
        rows.append(
            [
                experiment.item,
                f"`{experiment.command}`",
                experiment.cost,
                f"`{experiment.record}`",
                here,
                ours,
                experiment.paper,
                verdict,
            ]
        )
    return Table(
        "The command runs the experiment at its published size; all but `graphnas compare`, which takes "
        "seconds, say with `--dry-run` how long that takes, and its cost is what they estimate for one core "
        "of the machine here. The record is what was run here, in small if it must be; its cost is the core "
        "time of all its runs, where it tells that.",
        ("", "at full size", "cost", "record here", "cost here", "ours", "paper", "verdict"),
        rows,
    )


def records_in(results: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Record]:
    """The records of the experiments that are in a folder."""
    paths = {e.record: results / f"{e.record}.json" for e in EXPERIMENTS}
    return {name: read(path) for name, path in paths.items() if path.is_file()}
