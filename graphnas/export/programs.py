"""ONNX, torch.export and TorchScript: one file each, written from a traced network and loaded again."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphnas.errors import ExportFailed, InvalidArgument
from graphnas.export.comparing import Network, Subject, compare
from graphnas.optional import require

METADATA = "graphnas.json"
"""Name of the file with the metadata inside of a pt2 or TorchScript file."""

OPSET = 18
"""The operator set of ONNX that torch translates to without a conversion; runtimes since 2023 have it."""

INPUT, OUTPUT = "images", "logits"


def exported_program(subject: Subject, *, guarded: bool = True) -> tuple[torch.export.ExportedProgram, bool]:
    """The network as torch.export traces it, with any batch and, if that is possible, any size.

    Args:
        subject: The network.
        guarded: Whether the program will be run with torch's guards. These refuse images for which a map has
            a single pixel, so that a network trained on such images gets a program of that size only.

    Returns:
        The program, and whether it takes other sizes than the one that the network was trained on.

    Raises:
        ExportFailed: The network cannot be traced, or the program computes something else.
    """
    failure: Exception | None = None
    for any_size in (True, False) if subject.other_size else (False,):
        size = subject.traced_size if any_size else subject.image_shape[1:]
        dynamic = torch.export.Dim.DYNAMIC
        dims: dict[int, Any] = {0: dynamic, **({2: dynamic, 3: dynamic} if any_size else {})}
        try:
            with _quietly():
                program = torch.export.export(
                    subject.module, (subject.images(2, size),), dynamic_shapes=(dims,)
                )
            sizes = subject.sizes() if any_size and guarded else [size]
            compare("the program", program.module(), subject, sizes)
            return program, any_size
        except Exception as error:
            failure = error
    raise ExportFailed(f"torch.export cannot trace the network: {failure}") from failure


# ---------------------------------------------------------------- torch.export


def write_pt2(subject: Subject, path: Path, metadata: Mapping[str, Any]) -> tuple[bool, str]:
    """Write the file of ``torch.export.save``; returns whether any size is taken, and a note."""
    program, any_size = exported_program(subject)
    with _quietly(), path.open("wb") as file:
        torch.export.save(program, file, extra_files={METADATA: json.dumps(metadata)})
    return any_size, f"torch {torch.__version__}"


def load_pt2(path: Path) -> Network:
    """The program in the file."""
    with path.open("rb") as file:  # of a path, torch complains unless it ends in .pt2
        network: Network = torch.export.load(file).module()
    return network


# ---------------------------------------------------------------- TorchScript


def write_torchscript(subject: Subject, path: Path, metadata: Mapping[str, Any]) -> tuple[bool, str]:
    """Write a traced TorchScript file; returns whether any size is taken, and a note."""
    with _quietly():
        try:
            example = subject.images(2, subject.traced_size)
            trace: Any = torch.jit.trace
            traced = trace(subject.module, example, check_trace=False)
        except Exception as error:
            raise ExportFailed(f"torch.jit cannot trace the network: {error}") from error
        torch.jit.save(traced, path, _extra_files={METADATA: json.dumps(metadata)})
    return subject.other_size is not None, f"torch {torch.__version__}"


def load_torchscript(path: Path) -> Network:
    """The module in the file."""
    with _quietly():
        network: Network = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return network


# ---------------------------------------------------------------- ONNX


def write_onnx(
    subject: Subject, path: Path, metadata: Mapping[str, Any], opset: int | None
) -> tuple[bool, str]:
    """Write an ONNX file with its metadata; returns whether any size is taken, and its operator set.

    Raises:
        MissingExtra: onnx, onnxscript or onnxruntime is not installed.
        InvalidArgument: torch cannot translate to this operator set.
        ExportFailed: The network cannot be translated.
    """
    onnx = require_onnx()
    wanted = OPSET if opset is None else opset
    newest = onnx.defs.onnx_opset_version()
    if not OPSET <= wanted <= newest:
        raise InvalidArgument(f"opset must be from {OPSET} to {newest}, got {wanted}")
    program, any_size = exported_program(subject, guarded=False)
    try:
        with _quietly():
            translated = torch.onnx.export(
                program,
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=wanted,
                external_data=False,
                verbose=False,
            )
        model = translated.model_proto  # type: ignore[union-attr]
    except Exception as error:
        raise ExportFailed(f"torch.onnx cannot translate the network: {error}") from error
    found = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if found != wanted:
        raise InvalidArgument(f"the network cannot be converted to opset {wanted}; {found} is possible")
    names = ("batch", None, "height", "width") if any_size else ("batch",)
    for axis, name in enumerate(names):
        if name:
            model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for name, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        model.metadata_props.add(key=name, value=text)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ExportFailed(f"what torch.onnx made of the network is not valid: {error}") from error
    onnx.save(model, path)
    return any_size, f"opset {found}"


def require_onnx() -> Any:
    """The package onnx; what else the export needs is there too.

    Raises:
        MissingExtra: One of them is not installed.
    """
    require("onnxscript", "export")
    require("onnxruntime", "export")
    return require("onnx", "export")


def load_onnx(path: Path) -> Network:
    """The file in onnxruntime."""
    runtime = require("onnxruntime", "export")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def network(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

    return network


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporters warn and print of themselves; their errors still come."""
    logger = logging.getLogger("torch")
    level = logger.level
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logger.setLevel(logging.ERROR)
            yield
    finally:
        logger.setLevel(level)
