"""``graphnas export``: write a trained network as a file or folder that other programs load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from graphnas.cli.arguments import add_space_arguments, integer, make_space
from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.export import FORMATS

NAMES = {
    "onnx": "model.onnx",
    "pt2": "model.pt2",
    "torchscript": "model.torchscript",
    "timm": "timm",
    "folder": "network",
}
"""What a format is called beside the model, unless ``--output`` says."""


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "export",
        help="write a trained network for other programs",
        description="Write a trained network as ONNX, torch.export, TorchScript, a model of timm, or a "
        "folder that builds it without graphnas. What was written is loaded again and compared with the "
        "network before it is kept.",
    )
    parser.add_argument(
        "what",
        metavar="STUDY_OR_MODEL",
        help="the directory of a trained model, or the output directory of a search or a training",
    )
    parser.add_argument("--format", choices=FORMATS, required=True, help="what to write")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help=f"the file or folder (default: beside the model: {', '.join(NAMES.values())})",
    )
    parser.add_argument("--opset", type=integer(1), metavar="N", help="operator set of ONNX (default: 18)")
    add_space_arguments(parser, required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and print what was written.

    Raises:
        GraphNASError: There is no trained model, or it cannot be exported.
    """
    folder = _model_folder(args.what)
    if args.opset is not None and args.format != "onnx":
        raise InvalidArgument(f"--opset {args.opset} is for --format onnx, not for {args.format}")
    space = make_space(args) if args.space else None
    from graphnas.export import export_model
    from graphnas.training import load_model

    trained = load_model(folder, space=space)
    output = args.output or folder / NAMES[args.format]
    done = export_model(trained, args.format, output, opset=args.opset)
    sizes = "any height and width" if done.any_size else "x".join(map(str, trained.image_shape[1:])) + " only"
    print(f"Written to {done.path} ({done.format}, {done.note}): any batch, {sizes}")
    print(f"Loaded again, it gives the network's outputs on random images {', '.join(done.compared)}")
    return 0


def _model_folder(what: str) -> Path:
    """The folder of the trained model: ``what`` itself, or ``best`` in it.

    Raises:
        DataNotFound: There is none.
    """
    path = Path(what)
    for folder in (path, path / "best"):
        if (folder / "model.json").is_file():
            return folder
    if path.is_file() and path.name == "model.json":
        return path.parent
    if not path.exists() and "://" not in what:
        raise DataNotFound(f"{what!r} does not exist; give the directory of a search or of a trained model")
    models = sorted(path.glob("network-*/model.json")) if path.is_dir() else []
    if models:
        choices = ", ".join(str(model.parent) for model in models)
        raise DataNotFound(f"{what} holds several trained models; give one of {choices}")
    raise DataNotFound(f"{what} has no trained weights; train first: graphnas train {what}")
