"""Every benchmark: its script, how it is run quickly and in full, and the records that it makes.

The order is that of the report. A benchmark is one entry of ``CATALOG``; CONTRIBUTING.md says what its script
must have. This module imports nothing of graphnas, so that listing the benchmarks takes no time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Benchmark:
    """One script and its command lines.

    Attributes:
        name: Its name for ``graphnas bench``, with which its records' names begin.
        script: Its module in ``benchmarks``, such as ``graphs.wl_kernel``.
        quick: Arguments of the short form by the record that they make. The runner adds ``--output``.
        full: The same for the figures of the report, one entry for each stored record.
        gpu: As ``full``, for records that need a CUDA device; without one they are left as they are.
        tables: Search spaces whose tables of results it needs; if one is missing, it cannot be run.
        needs: What else it needs: ``"cifar10"``, ``"coco_mini"``, ``"mmdet"``.
    """

    name: str
    script: str
    quick: Mapping[str, str]
    full: Mapping[str, str]
    gpu: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module that ``python -m`` runs."""
        return f"benchmarks.{self.script}"

    @property
    def records(self) -> tuple[str, ...]:
        """The records it makes for the report, without ``.json``."""
        return (*self.full, *self.gpu)


def _one(name: str, script: str, quick: str, full: str = "", tables: tuple[str, ...] = ()) -> Benchmark:
    """A benchmark with a single record of its own name."""
    return Benchmark(name, script, quick={name: quick}, full={name: full}, tables=tables)


def _by_variant(
    name: str, script: str, quick: str, full: Mapping[str, str], tables: tuple[str, ...]
) -> Benchmark:
    """A benchmark whose records are ``<name>_<variant>``; the short form makes the first of them."""
    records = {f"{name}_{variant}": arguments for variant, arguments in full.items()}
    return Benchmark(name, script, quick={next(iter(records)): quick}, full=records, tables=tables)


_SEARCHES = {
    **{
        f"nasbench201-{dataset}-{epochs}": ""
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
        for epochs in (200, 12)
    },
    "nasbench201-cifar10-mean": "",
    # Optuna's GP is slow on these, so that it gets fewer seeds.
    "nasbench101-validation": " --slow-seeds 3",
    "nasbench101-test": " --slow-seeds 2",
    "nasbench201-latency": "",
    "nasbench201-latency-limit": "",
}

NASGEM_BENCH = "--cells 380 --epochs 6 --train-fraction 0.2 --width 8 --image-size 16"
"""What three hours of a core allow."""

CATALOG = (
    # What a method needs: kernels, samples, properties.
    _one("wl_kernel", "graphs.wl_kernel", "--graphs 500 --repeats 3", "--repeats 7"),
    _one("sampling_speed", "graphs.sampling_speed", "--size 10000"),
    _one("graph_properties", "graphs.graph_properties", "", tables=("nasbench101", "enas6")),
    _one("gemnet_widths", "graphs.gemnet_widths", ""),
    # NASGEM.
    _one("nasgem_speed", "nasgem.speed", "--iterations 500 --repeats 2", "--repeats 3"),
    Benchmark(
        "nasgem_bench",
        "nasgem.trained_cells",
        quick={"nasgem_bench": "--cells 6 --repeats 2 --epochs 1 --train-fraction 0.02 --width 4"},
        full={"nasgem_bench": NASGEM_BENCH},
        needs=("cifar10",),
    ),
    _one(
        "nasgem_guidance",
        "nasgem.guidance",
        "--seeds 1 --iterations 60 --pairs 1000 --spaces nasbench201 --fresh",
    ),
    _by_variant(
        "nasgem_correlation",
        "nasgem.correlation",
        "--seeds 2 --iterations 300 --fresh",
        {"nasbench101": "", "nasgem_bench": "--cells nasgem_bench"},
        tables=("nasbench101",),
    ),
    _by_variant(
        "nasgem_bias",
        "nasgem.bias",
        "--seeds 2 --iterations 300 --sizes 200 500 --fresh",
        {"test": ""},
        tables=("nasbench101",),
    ),
    _one(
        "nasgem_embeddings",
        "nasgem.embeddings",
        "--seeds 2 --iterations 300 --fresh",
        tables=("nasbench101",),
    ),
    _one(
        "nasgem_similarity_loss",
        "nasgem.similarity_loss",
        "--nodes 10 30 --dimensions 10 50 --iterations 60 --fresh",
    ),
    _by_variant(
        "predictor_quality",
        "surrogates.predictor_quality",
        "--space nasbench201 --seeds 2 --fresh",
        {"nasbench201": "--space nasbench201", "nasbench101": "--space nasbench101"},
        tables=("nasbench201", "nasbench101"),
    ),
    _one(
        "motif_effects",
        "surrogates.motif_effects",
        "--arms 'random search' --seeds 1 --fresh",
        tables=("nasbench201",),
    ),
    _one("lucky_best", "surrogates.lucky_best", "--seeds 2 --sizes 100", tables=("nasbench101",)),
    # Searches of tables.
    _by_variant(
        "table_search",
        "searches.table_search",
        "--task nasbench201-cifar10-200 --seeds 2 --slow-seeds 0 --queries 50 --fresh",
        {task: f"--task {task}{more}" for task, more in _SEARCHES.items()},
        tables=("nasbench201", "nasbench101"),
    ),
    Benchmark(
        "suite",
        "suite.search",
        quick={
            "suite_tuning": "--part tuning --tasks nasbench201-cifar100-200 enas6 --methods 'random search' "
            "'regularised evolution' 'Optuna TPE' --seeds 2 --queries 30 --fresh"
        },
        full={f"suite_{part}": f"--part {part}" for part in ("tuning", "validation")},
        tables=("nasbench201", "nasbench101", "enas6", "transnasbench101", "nasbenchgraph"),
    ),
    _one(
        "suite_optimum",
        "suite.optimum",
        "--methods 'random search' 'local search' --seeds 2 --queries 20 --fresh",
        tables=("nasbench201",),
    ),
    _one(
        "suite_ingredients",
        "suite.ingredients",
        "--tasks enas6 --arms 'as it is' 'no operation features' --seeds 2 --queries 20 --fresh",
        tables=("nasbench201", "nasbench101", "enas6", "transnasbench101", "nasbenchgraph"),
    ),
    _one(
        "suite_zero_cost",
        "suite.zero_cost",
        "--tasks nasbench201-cifar100-200 --seeds 1 --queries 8 --fresh",
        tables=("nasbench201", "transnasbench101"),
    ),
    _one(
        "transfer",
        "searches.transfer",
        "--tasks jigsaw --seeds 2 --queries 20 --fresh",
        tables=("transnasbench101",),
    ),
    _one(
        "sampling_seconds",
        "searches.sampling_seconds",
        "--samplers GraphBOSampler RegularizedEvolutionSampler --sizes 100 500 --repeats 2 --fresh",
        tables=("nasbench201",),
    ),
    _one(
        "pruning",
        "searches.pruning",
        "--samplers GraphBOSampler --datasets cifar10 --seeds 1 --trials 40 --fresh",
        tables=("nasbench201",),
    ),
    _one(
        "own_spaces",
        "searches.own_spaces",
        "--trials 12 --rules '5 nodes, at most 6 edges, different operations' '8 nodes, at most 11 edges'",
    ),
    _one(
        "hyperparameters",
        "searches.hyperparameters",
        "--samplers GraphBOSampler 'Optuna TPE' --datasets cifar10 --seeds 1 --trials 30 --fresh",
        tables=("nasbench201",),
    ),
    _one(
        "latent_spaces",
        "searches.latent_spaces",
        "--tasks enas6 --arms S-VAE 'raw bits' 'random search' --seeds 1 --queries 20 --hidden 16 "
        "--graphs 300 --fresh --folder runs/bench/latent_spaces",
        tables=("nasbench201", "nasbench101", "enas6"),
    ),
    _one("storage_seconds", "searches.storage_seconds", "--trials 4 --slow-trials 1"),
    _one(
        "many_workers",
        "searches.many_workers",
        "--workers 8 --samplers random --trials 60 --fresh",
        tables=("nasbench201",),
    ),
    # GraphPNAS.
    Benchmark(
        "graphpnas_speed",
        "graphpnas.speed",
        quick={"graphpnas_speed": "--hidden-size 64 --repeats 3 --samples 50 --queries 0"},
        full={"graphpnas_speed": "--queries 0", "graphpnas_speed_search": "--only-search --searches 3"},
        tables=("nasbench101",),
    ),
    Benchmark(
        "graphpnas_enas_supernet",
        "graphpnas.enas_supernet",
        quick={
            "graphpnas_enas_supernet": "--seeds 1 --steps 4 --batches 3 --final-epochs 1 --images 1000 "
            "--test-images 200 --fresh"
        },
        full={"graphpnas_enas_supernet": ""},
        needs=("cifar10",),
    ),
    Benchmark(
        "graphpnas_randwire",
        "graphpnas.randwire",
        quick={
            "graphpnas_randwire": "--arms WS-TopK WS-BEST GraphPNAS --seeds 1 --evaluations 6 --epochs 1 "
            "--final-epochs 1 --images 500 --test-images 200 --fresh"
        },
        full={"graphpnas_randwire": ""},
        needs=("cifar10",),
    ),
    # Graph autoencoders and Bayesian optimisation in their latent space.
    _one(
        "enas6_autoencoders",
        "autoencoders.enas6_autoencoders",
        "--arms S-VAE D-VAE --seeds 1 --epochs 2 --hidden 64 --graphs 600 --latents 100 --gp-seeds 1 "
        "--gpytorch-seeds 0 --fresh --folder runs/bench/enas6_autoencoders",
        tables=("enas6",),
    ),
    # The next three need the models and latents of the benchmark before.
    _one(
        "enas6_figures",
        "autoencoders.enas6_figures",
        "--arms D-VAE --folder runs/bench/enas6_autoencoders",
        tables=("enas6",),
    ),
    _one(
        "enas6_search",
        "autoencoders.enas6_search",
        "--models runs/bench/enas6_autoencoders/D-VAE-0.round-1.pt --seeds 1 --rounds 2 --batch-size 5 "
        "--known 300 --trees 50 --decodings 20 --climbs 20 --fresh",
        tables=("enas6",),
    ),
    Benchmark(
        "enas6_supernet",
        "autoencoders.enas6_supernet",
        quick={
            "enas6_supernet": "--models runs/bench/enas6_autoencoders/D-VAE-0.round-1.pt --seeds 1 "
            "--rounds 2 --batch-size 5 --known 40 --epochs 1 --steps 20 --images 200 --decodings 20 --fresh "
            "--folder runs/bench/enas6_supernet"
        },
        full={"enas6_supernet": ""},
        tables=("enas6",),
        needs=("cifar10",),
    ),
    _one(
        "enas6_latent_regression",
        "autoencoders.enas6_latent_regression",
        "--graphs 1000 --seeds 2 --fresh",
        "--seeds 10",
        tables=("enas6",),
    ),
    _one(
        "vsgae_abilities",
        "autoencoders.vsgae_abilities",
        "--arms 'as printed' --seeds 1 --cells 5000 --test-cells 200 --epochs 1 --hidden 64 --fresh "
        "--folder runs/bench/vsgae_abilities",
        tables=("nasbench101",),
    ),
    Benchmark(
        "vsgae_prediction",
        "autoencoders.vsgae_prediction",
        quick={
            "vsgae_prediction": "--tasks interpolation zero-shot-7 sampling --shares 0.2 0.8 --cells 1000 "
            "--seeds 2 --epochs 3 --hidden 32 --latent 16 --autoencoder-hidden 32 --updates 20 --fresh "
            "--folder runs/bench/vsgae_prediction"
        },
        full={
            "vsgae_prediction": "--cells 20000 --seeds 3 --epochs 10 --adam-epochs 30",
            "vsgae_prediction_sampling": "--tasks sampling --cells 20000 --seeds 2 --updates 500 "
            "--shares 0.01 0.05 0.2 0.9 --folder runs/vsgae_prediction_sampling",
        },
        tables=("nasbench101",),
    ),
    Benchmark(
        "latent_speed",
        "autoencoders.latent_speed",
        quick={"latent_speed": "--models DVAE --repeats 2"},
        full={
            "latent_speed": "--repeats 3 --models DVAE DVAEEmb GCN GCNEmb SVAE GraphRNN",
            "latent_speed_vsgae": "--repeats 3 --models VSGAE VSGAE-nasbench101",
        },
        gpu={"latent_speed_gpu": "--device cuda --batch-sizes 32 128 1024"},
    ),
    # Training of one network.
    Benchmark(
        "cifar10_final",
        "training.cifar10_final",
        quick={
            "cifar10_final_gemnet": "gemnet --trials 2 --search-epochs 1 --epochs 1 --seeds 1 --images 2000 "
            "--fresh --folder runs/bench/cifar10_final"
        },
        full={
            "cifar10_final_enas": "enas --images 50000 --epochs 4",
            "cifar10_final_gemnet": "gemnet --images 50000 --epochs 4",
        },
        needs=("cifar10",),
    ),
    Benchmark(
        "images_per_second",
        "training.images_per_second",
        quick={"images_per_second": "--images 512 --turns 1"},
        full={"images_per_second": "--images 1024 --turns 3"},
        needs=("cifar10",),
    ),
    Benchmark(
        "training_gpu", "training.gpu", quick={}, full={}, gpu={"training_gpu": ""}, needs=("cifar10",)
    ),
    # Detectors with found networks.
    Benchmark(
        "detector_sizes",
        "detection.detector_sizes",
        quick={"detector_sizes": "--step 20"},
        full={"detector_sizes": ""},
        needs=("coco_mini", "mmdet"),
    ),
    Benchmark(
        "detection_coco_mini",
        "detection.coco_mini",
        quick={
            "detection_coco_mini": "--model runs/bench/cifar10_final/gemnet/1-epochs/found-0 --epochs 1 "
            "--seeds 1 --fresh"
        },
        full={"detection_coco_mini": ""},
        needs=("cifar10", "coco_mini"),
    ),
)
