"""export_model: write a trained network in a format, load it back, and compare before anything is kept."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from graphnas.errors import ExportFailed, InvalidArgument, StorageFailed
from graphnas.export import FORMATS
from graphnas.export.comparing import Network, Subject, compare, subject
from graphnas.training import TrainedModel
from graphnas.training.saved_space import describe_space

MARK = "config.json"
"""The file by which a folder is known as an export, which may be replaced."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file or folder.
        format: One of :data:`graphnas.export.FORMATS`.
        note: The version of the format, such as ``"opset 18"``.
        any_size: Whether it takes images of any height and width, or only those that it was trained on.
        compared: Shapes of the random images on which it gave the network's output.
    """

    path: Path
    format: str
    note: str
    any_size: bool
    compared: tuple[str, ...]


def export_model(
    trained: TrainedModel, format: str, path: str | os.PathLike[str], *, opset: int | None = None
) -> Exported:
    """Write ``trained`` in a format that other programs load.

    What was written is loaded again and compared with the network on random images of two batch sizes and,
    where the network allows, two image sizes; only then it appears at ``path``. The network takes normalised
    images and gives logits; normalisation and class names are in the file or folder.

    Args:
        trained: A trained model.
        format: ``"onnx"``, ``"pt2"`` (torch.export) or ``"torchscript"``: one file; ``"timm"``: a folder for
            ``timm.create_model``; ``"folder"``: weights, description, model card, drawing and a Python file
            that builds the network without graphnas.
        path: The file or folder; an earlier export there is replaced.
        opset: Operator set of ONNX; by default 18.

    Raises:
        InvalidArgument: An unknown format, an ``opset`` that is out of range or for another format, or
            ``path`` is something else than an earlier export.
        MissingExtra: A package for the format is not installed.
        ExportFailed: The network cannot be written in the format, or what was written differs from it.
        StorageFailed: ``path`` cannot be written.
    """
    if format not in FORMATS:
        raise InvalidArgument(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if opset is not None and format != "onnx":
        raise InvalidArgument(f"opset={opset} is for the format onnx, not for {format}")
    target = Path(path)
    folder = format in ("timm", "folder")
    _check_target(target, folder)
    write, load = _format(trained, format, opset)
    module = copy.deepcopy(trained.module).cpu().float().eval()
    network = subject(trained, module)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise StorageFailed(f"cannot write {target}: {error.strerror}") from error
    try:
        written = staging / target.name
        any_size, note = write(trained, network, written)
        sizes = network.sizes() if any_size else network.sizes()[:1]
        try:
            loaded = load(written)
        except Exception as error:
            raise ExportFailed(f"the {format} that was written cannot be loaded: {error}") from error
        compared = compare(f"the {format} that was written", loaded, network, sizes)
        _keep(written, target)
    except OSError as error:
        raise StorageFailed(f"cannot write {target}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Exported(target, format, note, any_size, compared)


Write = Callable[[TrainedModel, Subject, Path], tuple[bool, str]]


def _format(trained: TrainedModel, format: str, opset: int | None) -> tuple[Write, Callable[[Path], Network]]:
    """What writes and what loads a format; fails before any work if a package is missing."""
    from graphnas.export import folders, programs

    if format == "onnx":
        programs.require_onnx()
        return (
            lambda trained, network, path: programs.write_onnx(network, path, metadata(trained), opset),
            programs.load_onnx,
        )
    if format == "pt2":
        return (
            lambda trained, network, path: programs.write_pt2(network, path, metadata(trained)),
            programs.load_pt2,
        )
    if format == "torchscript":
        return (
            lambda trained, network, path: programs.write_torchscript(network, path, metadata(trained)),
            programs.load_torchscript,
        )
    if format == "timm":
        folders.require_timm()
        known = describe_space(trained.space)["arguments"] is not None
        return folders.write_timm, lambda path: folders.load_timm(path, None if known else trained.space)
    folders.require_folder()
    return folders.write_folder, folders.load_folder


def metadata(trained: TrainedModel) -> dict[str, Any]:
    """What a program needs beside the network: how images are normalised, and what the outputs mean."""
    return {
        "mean": list(trained.normalisation.mean),
        "std": list(trained.normalisation.std),
        "scale": trained.normalisation.scale,
        "class_names": list(trained.class_names),
        "image_shape": list(trained.image_shape),
        "dataset": trained.dataset,
        "space": trained.space.name,
        "architecture": trained.architecture.to_dict(),
        "metrics": dict(trained.evaluation.metrics),
        "torch": torch.__version__,
    }


def _check_target(path: Path, folder: bool) -> None:
    if folder and path.exists():
        if not path.is_dir():
            raise InvalidArgument(f"{path} is a file, but is to be a folder")
        if any(path.iterdir()) and not (path / MARK).is_file():
            raise InvalidArgument(f"{path} is not empty and no earlier export; choose another folder")
    if not folder and path.is_dir():
        raise InvalidArgument(f"{path} is a folder, but is to be a file")


def _keep(written: Path, target: Path) -> None:
    if written.is_file():
        os.replace(written, target)
        return
    target.mkdir(exist_ok=True)
    # The file that marks an export comes last: a folder with it is complete.
    for path in sorted(written.iterdir(), key=lambda path: path.name == MARK):
        os.replace(path, target / path.name)
