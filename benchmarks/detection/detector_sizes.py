"""Parameters and multiply-accumulates of detectors with GEMNet-A and -B, beside NASGEM's Table 2.

They are counted in mmdet's 1x configurations at 800 x 1333, RetinaNet on the maps of stride 8, 16 and 32 and
Faster R-CNN on all four. It also asks which widths of the stages would give GEMNet-B the printed parameters
as a classifier (Table 1) and in both detectors (Table 2) at once.

    python -m benchmarks.detection.detector_sizes
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.graphs.gemnet_widths import all_counts
from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from graphnas.detection import DetectorSettings, detector_sizes, load_coco, write_config
from graphnas.detection.settings import DETECTORS
from search_spaces.gemnet_imagenet import TARGETS, WIDTHS

PAPER = {
    ("GEMNet-A", "retinanet"): (13.5, 166.9),
    ("GEMNet-A", "faster-rcnn"): (21.4, 133.1),
    ("GEMNet-B", "retinanet"): (14.2, 169.2),
    ("GEMNet-B", "faster-rcnn"): (22.0, 133.6),
}
"""Millions of parameters and billions of multiply-accumulates in Table 2."""

ROUNDING = 0.05
"""Half of the last digit printed, in millions of parameters."""

CLASSIFIER = 1000
"""Classes of the network of Table 1, whose last layer the detector does not have."""


def beyond_the_classifier(widths: np.ndarray, detector: str) -> np.ndarray:
    """What a detector has more than the classifier, ``(K,)``, but for what does not depend on the widths.

    Lateral convolutions of 256 channels, and in RetinaNet the convolution of P6, which reads the last map;
    less the classifier's last layer.
    """
    if detector == "retinanet":
        return 256 * widths[:, 1:].sum(1) + 9 * 256 * widths[:, 3] - CLASSIFIER * (widths[:, 3] + 1)
    return 256 * widths.sum(1) - CLASSIFIER * (widths[:, 3] + 1)


def possible(counted: dict[str, Any], step: int, largest: int, tolerance: float) -> dict[str, Any]:
    """The range of both detectors' parameters over all widths that fit GEMNet-B's row of Table 1."""
    grid = np.arange(step, largest + 1, step)
    widths = np.stack(np.meshgrid(*[grid] * 4, indexing="ij"), -1).reshape(-1, 4).astype(np.int64)
    counts = all_counts(widths, np.random.default_rng(0))
    target = TARGETS["GEMNet-B"]
    fits = np.abs(counts[:, 0] - target.parameters) <= ROUNDING * 1e6
    fits &= np.abs(counts[:, 1] / target.macs - 1) <= tolerance
    found: dict[str, Any] = {"step": step, "largest": largest, "tolerance": tolerance}
    found |= {"tried": len(widths), "fit": int(fits.sum())}
    own = {name: np.array([WIDTHS[name]], np.int64) for name in WIDTHS}
    for detector in DETECTORS:
        constants = {
            counted[f"{name}, {detector}"]["parameters"]
            - int(all_counts(np.vstack([widths[:50], own[name]]), np.random.default_rng(1))[-1, 0])
            - int(beyond_the_classifier(own[name], detector)[0])
            for name in own
        }
        (constant,) = constants  # the same for both networks, or the formula is wrong
        parameters = counts[fits, 0] + beyond_the_classifier(widths[fits], detector) + constant
        found[detector] = [int(parameters.min()), int(parameters.max())]
        found[f"{detector} constant"] = constant
    return found


def section(record: dict[str, Any]) -> Section:
    """Counts beside the paper's, and what widths allow."""
    rows = []
    for (name, detector), (parameters, macs) in PAPER.items():
        ours = record["counted"][f"{name}, {detector}"]
        rows.append(
            [
                name,
                detector,
                f"{ours['parameters'] / 1e6:.2f}",
                f"{parameters:.1f}",
                f"{ours['macs'] / 1e9:.1f}",
                f"{macs:.1f}",
                f"{ours['backbone_parameters'] / 1e6:.2f}",
                f"{ours['backbone_macs'] / 1e9:.1f}",
            ]
        )
    widths = record["widths"]
    ranges = {d: " to ".join(f"{v / 1e6:.2f}" for v in widths[d]) for d in DETECTORS}
    return Section(
        "Detectors with GEMNet-A and -B: NASGEM, Table 2",
        [
            Table(
                "Millions of parameters and billions of multiply-accumulates at 800 x 1333; Faster R-CNN "
                "with 1,000 regions.",
                (
                    "network",
                    "detector",
                    "parameters",
                    "paper",
                    "MACs",
                    "paper",
                    "backbone's parameters",
                    "its MACs",
                ),
                rows,
            )
        ],
        "cell and widths are ours (the paper prints neither), chosen for Table 1; detectors are mmdet's.",
        [
            "A's parameters agree with Table 2 to the digit printed. B's do not: the paper's B has .2 M more "
            "than its A as a classifier and .6 to .7 M more in a detector.",
            f"No widths give that with this cell. Of {widths['tried']:,} combinations, rising or not, "
            f"{widths['fit']} fit B's row of Table 1 (parameters to the digit, multiply-accumulates within "
            f"{widths['tolerance']:.0%}); they have {ranges['retinanet']} M in RetinaNet and "
            f"{ranges['faster-rcnn']} M in Faster R-CNN, where Table 2 prints 14.2 and 22.0.",
            "Nor does another cell, if channels rise from stage to stage: Faster R-CNN has "
            f"{widths['faster-rcnn constant'] / 1e6:.2f} M more than the classifier, and 256 for each "
            "channel of the four maps, less 1,000 for each of the last: at most 24 for each of the last. "
            "Tables 2 and 1 differ by 17.5 M, for which the last map would need thousands of channels. So "
            "B's detectors were not made of the network that Table 1 describes, or have another neck.",
            "Multiply-accumulates differ by up to 2 %: the paper does not say for how many regions, and "
            "whether for padded images, it counts.",
        ],
    )


def main() -> int:
    """Count, print and store."""
    parser = script_parser(__doc__, "detector_sizes")
    parser.add_argument("--step", type=int, default=8, help="widths that are tried are multiples of this")
    parser.add_argument("--largest", type=int, default=420)
    parser.add_argument("--tolerance", type=float, default=0.01, help="relative, of multiply-accumulates")
    options = parser.parse_args()
    data = load_coco("coco_mini")
    counted: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, detector in PAPER:
            config = write_config(Path(folder) / "config.py", name.lower(), DetectorSettings(detector), data)
            backbone, whole = detector_sizes(config)
            counted[f"{name}, {detector}"] = {
                "backbone_parameters": backbone.parameters,
                "backbone_macs": backbone.macs,
                "parameters": whole.parameters,
                "macs": whole.macs,
            }
    widths = possible(counted, options.step, options.largest, options.tolerance)
    publish(
        options.output,
        {"counted": counted, "widths": widths},
        section,
        ("graphnas", "torch", "mmdet", "mmcv"),
    )
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
