"""``graphnas detect``: train a detector with a found network as its backbone; run again, it continues."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnas.cli.architectures import find_architecture
from graphnas.cli.arguments import add_assignments, add_dry_run, add_space_arguments, integer, make_space
from graphnas.cli.text import count, table
from graphnas.errors import DataNotFound, GraphNASError, MissingExtra

if TYPE_CHECKING:
    from graphnas.detection.report import DetectionReport
    from graphnas.detection.settings import DetectorSettings

FIGURES = "detections.png"


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "detect",
        help="train a detector with a found network as its backbone",
        description="Train RetinaNet or Faster R-CNN with a found network as the backbone, by mmdet or by "
        "torchvision, and report COCO's average precision. With mmdet, a complete configuration is written "
        "first, which its own tools run, too. Interrupted and run again, it continues.",
    )
    parser.add_argument(
        "--backbone",
        dest="what",
        required=True,
        metavar="WHAT",
        help="the directory of a trained model or of a search, a study, a JSON file, gemnet-a or gemnet-b",
    )
    parser.add_argument("--study-name", metavar="NAME", help="which study, if there are several")
    parser.add_argument("--trial", type=integer(0), metavar="N", help="which of its trials")
    add_space_arguments(parser, required=False)
    add_assignments(parser, "--shape", "arguments of the space's build, such as stem_stride=4")
    parser.add_argument("--data", required=True, metavar="DIR", help="images in COCO's layout, or coco_mini")
    parser.add_argument(
        "--detector", choices=("retinanet", "faster-rcnn"), default="retinanet", help="(default: retinanet)"
    )
    parser.add_argument(
        "--library",
        choices=("mmdet", "torchvision"),
        help="whose detectors (default: mmdet if it is installed)",
    )
    parser.add_argument("--epochs", type=integer(1), default=12, metavar="N", help="epochs (default: 12)")
    parser.add_argument(
        "--batch-size", type=integer(1), default=2, metavar="N", help="images per step (default: 2)"
    )
    parser.add_argument(
        "--image-size",
        type=integer(32),
        nargs=2,
        default=(800, 1333),
        metavar=("SHORT", "LONG"),
        help="sides that images are scaled into (default: 800 1333)",
    )
    add_assignments(
        parser, "--setting", "other settings, such as learning_rate=0.01, normalisation=group, warmup=100"
    )
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="weights of the network to start from; none: new ones (default: those beside the model)",
    )
    parser.add_argument("--config-only", action="store_true", help="write mmdet's configuration and stop")
    add_dry_run(parser)
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of everything random")
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda ...")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the detector")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the configuration, train, and print the figures.

    Raises:
        GraphNASError: Arguments that do not fit, data that is missing or malformed, a training that failed.
    """
    library = args.library or ("mmdet" if importlib.util.find_spec("mmdet") else "torchvision")
    if args.config_only and library != "mmdet":
        raise MissingExtra(
            '--config-only writes a configuration of mmdet; run: pip install "graphnas[detection]"'
        )
    from graphnas.detection.coco import load_coco
    from graphnas.training.checkpoints import make_folder

    settings = _settings(args)
    data = load_coco(args.data)
    network = _network(args)
    if args.dry_run:
        from graphnas.detection.dry_run import dry_run_of_detector

        print(dry_run_of_detector(library, settings=settings, data=data, device=args.device, **network))
        return 0
    make_folder(args.output)
    if library == "mmdet":
        from graphnas.detection.mmdet_config import write_config

        config = args.output / "config.py"
        if not config.is_file():
            write_config(config, network.pop("architecture"), settings, data, **network)
            print(f"Written to {config}")
        else:
            print(f"{config} is there and is used as it is; remove it for other arguments to count")
        if args.config_only:
            return 0
        from graphnas.detection.mmdet_training import train_mmdet

        report = train_mmdet(config, args.output, device=args.device)
    else:
        from graphnas.detection.torchvision_training import train_torchvision

        architecture = network.pop("architecture")
        report = train_torchvision(
            architecture, settings, data, output=args.output, device=args.device, **network
        )
    report.save(args.output)
    _print(report)
    _draw(data, args.output)
    return 0


def _settings(args: argparse.Namespace) -> DetectorSettings:
    from graphnas.configuration import replaced
    from graphnas.detection.settings import DetectorSettings

    given = {
        name: tuple(value) if isinstance(value, list) else value for name, value in dict(args.setting).items()
    }
    settings = DetectorSettings(
        detector=args.detector,
        epochs=args.epochs,
        batch_size=args.batch_size,
        image_size=tuple(args.image_size),
        seed=args.seed,
    )
    return replaced(settings, **given)


def _network(args: argparse.Namespace) -> dict[str, Any]:
    """What names the network: a model with its weights, or the architecture of a study."""
    from graphnas.training.described import describe

    weights = {None: None, "none": False}.get(args.weights, args.weights)
    space = make_space(args) if args.space else None
    options = {"space": space, "shape": dict(args.shape) or None, "weights": weights}
    try:
        describe(args.what, space)
    except GraphNASError as first:
        try:
            found = find_architecture(args)
        except DataNotFound:
            raise first from None
        shape = {**found.shape, **dict(args.shape)} or None
        return {**options, "architecture": found.architecture, "space": found.space, "shape": shape}
    return {**options, "architecture": args.what}


def _print(report: DetectionReport) -> None:
    from graphnas.detection.report import NAMES

    values = [getattr(report, name) for name in NAMES]
    header = ["AP", "AP50", "AP75", "AP small", "AP medium", "AP large"]
    print(table(header, [["-" if v is None else f"{v:.1f}" for v in values]], right=[True] * 6))
    height, width = report.counted_at
    rows = [
        ["backbone", count(report.backbone_parameters), count(report.backbone_macs)],
        [report.detector, count(report.parameters), count(report.macs)],
    ]
    print(table([f"at {height} x {width}", "parameters", "MACs"], rows, right=[False, True, True]))
    print(f"{report.library}, {report.epochs} epochs, {report.seconds:.0f} s")


def _draw(data: Any, output: Path) -> None:
    from graphnas.detection.drawing import plot_detections
    from graphnas.detection.report import DETECTIONS

    try:
        plot_detections(data, output / DETECTIONS).savefig(output / FIGURES, dpi=120)
    except (MissingExtra, DataNotFound) as error:  # a detector that found nothing writes no file
        print(f"no drawing: {error}")
    else:
        print(f"Detections are drawn in {output / FIGURES}")
