"""A found network, MobileNetV2 and ResNet-18 in a detector, on the persons in 156 images of COCO.

The found network is the one that a search by GraphBO on GEMNet found with CIFAR-10 (the study of
benchmarks.training.cifar10_final), from scratch and from weights of its training there. All are trained alike
and evaluated on the 66 validation images, and on those that they were trained on. One class, since 90 images
do not teach 80. It can be stopped at any time: finished trainings are kept.

    python -m benchmarks.detection.coco_mini
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.harness.records import (
    RESULTS,
    missing_runs,
    publish,
    run_on_one_thread,
    script_parser,
    stored_runs,
    write_record,
)
from benchmarks.harness.sections import Section, Table, by_arm, counted, mean_sd
from graphnas.detection import CocoData, DetectorSettings, FeatureMaps, load_coco, torchvision_detector
from graphnas.detection.average_precision import average_precision
from graphnas.detection.coco import CocoSplit
from graphnas.detection.coco_images import CocoImages
from graphnas.detection.feature_maps import use_group_norm
from graphnas.detection.settings import DETECTORS, FINEST
from graphnas.detection.torchvision_training import detections, train_detector
from graphnas.seeds import derived_seed
from graphnas.training.randomness import SeededRandomness
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces.complexity import count_complexity

PACKAGES = ("graphnas", "torch", "torchvision", "timm", "pycocotools")
ARMS = ("found", "found, CIFAR-10 weights", "MobileNetV2", "ResNet-18")
PERSON = 1
MODEL = Path("runs/cifar10_final/gemnet/4-epochs/found-0")
"""Where benchmarks.training.cifar10_final leaves the first network that it trains."""
MOBILE = ("mobilenetv2_035", "mobilenetv2_050", "mobilenetv2_075", "mobilenetv2_100")
SAMPLED = 64
"""Regions of an image that Faster R-CNN's head is trained on, of 512 for larger images with more objects."""
FOUND_STRIDES = (4, 8, 16)
"""Of the found network's maps, with a stem of stride 4."""
FIGURES = ("ap", "ap50", "backbone_parameters", "backbone_macs", "parameters", "macs", "seconds")


class TimmMaps(nn.Module):
    """The maps of a network of timm from a stride on."""

    def __init__(self, name: str, finest: int) -> None:
        super().__init__()
        import_torchvision()
        import timm

        network = timm.create_model(name, features_only=True)
        info = network.feature_info
        chosen = [index for index, stride in enumerate(info.reduction()) if stride >= finest]
        self.network = timm.create_model(name, features_only=True, out_indices=chosen)
        self.out_channels = tuple(info.channels()[index] for index in chosen)
        self.strides = tuple(info.reduction()[index] for index in chosen)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """One map per stride."""
        return tuple(self.network(images))


def persons(data: CocoData) -> CocoData:
    """Only the boxes of persons, and all images."""

    def kept(split: CocoSplit) -> CocoSplit:
        boxes = {
            number: tuple(box for box in found if box["category_id"] == PERSON)
            for number, found in split.boxes.items()
        }
        return dataclasses.replace(split, boxes=boxes)

    return dataclasses.replace(
        data, train=kept(data.train), val=kept(data.val), categories=(PERSON,), classes=("person",)
    )


def backbone(arm: str, model: Path, image_size: tuple[int, int], finest: int) -> nn.Module:
    """The network of an arm, with group normalisation unless it has trained weights."""
    shape = {"stem_stride": 4}
    indices = tuple(range(FOUND_STRIDES.index(finest), len(FOUND_STRIDES)))
    if arm.startswith("found"):
        trained = arm != "found"
        maps = FeatureMaps(
            str(model),
            shape=shape,
            out_indices=indices,
            # The stem is new, since images are larger: kept statistics would not be those of what it gives.
            normalisation="batch" if trained else "group",
        )
        if trained:
            print(maps.load_weights())
        return maps
    if arm == "ResNet-18":
        network: nn.Module = TimmMaps("resnet18", finest)
    else:
        wanted = FeatureMaps(str(model), shape=shape, out_indices=indices)
        macs = count_complexity(lambda: wanted, (3, *image_size)).macs
        sizes = {
            name: count_complexity(lambda n=name: TimmMaps(n, finest), (3, *image_size)).macs
            for name in MOBILE
        }
        network = TimmMaps(min(sizes, key=lambda name: abs(sizes[name] - macs)), finest)
    use_group_norm(network)
    return network


def section(record: dict[str, Any]) -> Section:
    """Average precision and sizes of the four."""
    rows = []
    for arm, runs in by_arm(record, ARMS).items():
        first = runs[0]
        rows.append(
            [
                arm,
                str(len(runs)),
                mean_sd([run["ap"] for run in runs]),
                mean_sd([run["ap50"] for run in runs]),
                mean_sd([run["train_ap"] for run in runs]),
                mean_sd([run["train_ap50"] for run in runs]),
                f"{first['backbone_parameters'] / 1e3:,.0f} k",
                f"{first['backbone_macs'] / 1e6:,.0f} M",
                f"{first['macs'] / 1e9:.2f} G",
                f"{np.mean([run['seconds'] for run in runs]):.0f}",
            ]
        )
    short, long = record["image_size"]
    name = {"retinanet": "RetinaNet", "faster-rcnn": "Faster R-CNN"}[record["detector"]]
    columns = ("backbone", "seeds", "AP", "AP50", "AP, trained on", "AP50, trained on", "parameters", "MACs")
    return Section(
        "Found networks in a detector: persons in a small part of COCO",
        [
            Table(
                f"{name} of torchvision, {counted(record['epochs'], 'epoch')} at {short} x {long} pixels: AP "
                "and AP50 in percent on 66 new images and on the 90 that it was trained on, mean ± deviation "
                "over seeds.",
                (*columns, "MACs of all", "seconds"),
                rows,
            )
        ],
        "NASGEM trains on all of COCO at 800 x 1333 from ImageNet's weights and prints 35.7 AP. Here 90 "
        "images at an eighth of the side, from nothing or from a few minutes of CIFAR-10.",
        [
            f"{_leader(record, 'train_ap')} fits the images that it was trained on best, and "
            f"{_leader(record, 'ap')} has the largest AP on new ones.",
            "The figures on the images that a detector was trained on show that found networks train in it, "
            "with their weights, as others do. Nobody learns COCO's persons from 90 images: the figures on "
            "new ones are near nothing for all, and cannot show which backbone is better for COCO. The found "
            "network has no map of stride 32, and was searched for images of 32 x 32.",
        ],
    )


def _leader(record: dict[str, Any], key: str) -> str:
    means = {arm: float(np.mean([run[key] for run in runs])) for arm, runs in by_arm(record, ARMS).items()}
    best = max(means, key=lambda arm: means[arm])
    return f"{best[0].upper()}{best[1:]} ({means[best]:.2f} %)"


def main() -> int:
    """Train what the record does not hold, and store it after each training."""
    parser = script_parser(__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the found and trained network")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS, help="only these")
    parser.add_argument("--detector", choices=DETECTORS, default="faster-rcnn")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--image-size", type=int, nargs=2, default=(96, 160))
    parser.add_argument("--fresh", action="store_true", help="train again what the record holds")
    options = parser.parse_args()
    output = options.output or RESULTS / "detection_coco_mini.json"
    size = tuple(options.image_size)
    data = persons(load_coco("coco_mini"))
    settings = {"detector": options.detector, "epochs": options.epochs, "image_size": list(size)}
    runs = stored_runs(output, settings, "trainings", fresh=options.fresh)
    todo = missing_runs(runs, options.arms, options.seeds)
    for arm, seed in tqdm(todo, unit="training", disable=None):
        config = DetectorSettings(
            options.detector,
            epochs=options.epochs,
            batch_size=4,
            learning_rate=0.02,
            clip=5.0,
            warmup=50,
            image_size=size,
            validate_every=options.epochs,
            seed=seed,
        )
        with SeededRandomness(derived_seed(seed, "weights")):
            detector = torchvision_detector(
                backbone(arm, options.model, size, FINEST[options.detector]), config, 1
            )
        if options.detector == "faster-rcnn":
            detector.roi_heads.fg_bg_sampler.batch_size_per_image = SAMPLED
        report = train_detector(detector, config, data, {"arm": arm}, device="cpu", progress=False)
        learned = detections(detector, CocoImages(data, data.train, empty=True))
        fit = average_precision(data.train, learned, data.categories)
        figures = {name: getattr(report, name) for name in FIGURES}
        runs.append({"arm": arm, "seed": seed, **figures, "train_ap": fit["ap"], "train_ap50": fit["ap50"]})
        write_record(output, {**settings, "runs": runs}, PACKAGES, quiet=True)
    publish(output, {**settings, "runs": runs}, section, PACKAGES)
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_on_one_thread(main)
