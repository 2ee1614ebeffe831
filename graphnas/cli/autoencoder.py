"""``graphnas autoencoder``: train a graph autoencoder, measure it, encode architectures, decode latents."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphnas.cli.arguments import add_assignments, add_space_arguments, integer, make_space
from graphnas.cli.text import table
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.files import replacing
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace

if TYPE_CHECKING:
    from graphnas.autoencoders import GraphAutoencoder
    from graphnas.graph.batch import ArchitectureBatch

HELD_OUT = 0.1
"""Share of the architectures of a table that are measured on, where no split was published."""


class Graphs(NamedTuple):
    """Architectures to train on and to measure on, with targets if they come from a table."""

    train: ArchitectureBatch
    test: ArchitectureBatch
    train_targets: np.ndarray[Any, Any] | None = None
    test_targets: np.ndarray[Any, Any] | None = None


def add_parser(commands: Any) -> None:
    """Add the command to ``commands``, the sub-parsers of ``graphnas``."""
    parser = commands.add_parser(
        "autoencoder", help="train, measure and use a graph autoencoder", description=__doc__
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=type(parser))
    train = actions.add_parser("train", help="train a model on architectures, without accuracies")
    add_space_arguments(train, required=True)
    train.add_argument("--model", required=True, metavar="NAME", help="dvae, dvae_emb, gcn, vsgae, ...")
    train.add_argument("--preset", metavar="NAME", help="settings: default or paper")
    add_assignments(train, "--set", "other settings of the model, such as hidden=128")
    add_assignments(train, "--training", "other settings of its training, such as epochs=5")
    _add_graphs(train)
    train.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of everything random")
    train.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda ...")
    train.add_argument("--output", type=Path, required=True, metavar="FILE", help="file of the model")
    train.set_defaults(run=run_train)

    measure = actions.add_parser("measure", help="exact reconstruction, validity, regression on latents")
    _add_model(measure)
    _add_graphs(measure)
    measure.add_argument(
        "--likeliest", action="store_true", help="decode the likeliest graph; default: draw, as the papers do"
    )
    measure.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of all draws")
    measure.set_defaults(run=run_measure)

    encode = actions.add_parser("encode", help="write the latents of architectures")
    _add_model(encode)
    encode.add_argument("architectures", type=Path, metavar="JSON", help="an architecture or a list of them")
    encode.add_argument("--output", type=Path, required=True, metavar="FILE", help="a .npy file (B, d)")
    encode.set_defaults(run=run_encode)

    decode = actions.add_parser("decode", help="write the architectures of latents")
    _add_model(decode)
    decode.add_argument("latents", type=Path, metavar="NPY", help="a .npy file (B, d)")
    decode.add_argument("--output", type=Path, required=True, metavar="FILE", help="a JSON file")
    decode.add_argument("--draw", action="store_true", help="draw graphs; default: the likeliest ones")
    decode.add_argument("--seed", type=integer(0), default=0, metavar="N", help="seed of all draws")
    decode.set_defaults(run=run_decode)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="file that train wrote")
    add_space_arguments(parser, required=False)


def _add_graphs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples",
        type=integer(2),
        metavar="N",
        help="random architectures (default: those of the space's table if there is one, otherwise 4000)",
    )
    parser.add_argument("--data-dir", metavar="DIR", help="tables (default: $GRAPHNAS_DATA)")


# ---------------------------------------------------------------- actions


def run_train(args: argparse.Namespace) -> int:
    """Train and save; started again, it continues from its checkpoint.

    Raises:
        GraphNASError: Unknown models or settings, or a training that failed.
    """
    from graphnas import autoencoders
    from graphnas.autoencoders.config import TrainingConfig
    from graphnas.configuration import replaced

    make = _model_class(args.model)
    config = make.config_class.preset(args.preset or "default")
    training = replaced(config.training, **dict(args.training))
    assert isinstance(training, TrainingConfig)
    config = replaced(config, **{**dict(args.set), "training": training})
    space = make_space(args)
    graphs = _graphs(args, space)
    model: autoencoders.GraphAutoencoder = make(space, config, seed=args.seed, device=args.device)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    print(
        f"{args.model} of {space.name}: {model.parameter_count():,} parameters, {len(graphs.train):,} graphs"
    )
    checkpoint = args.output.with_name(args.output.name + ".checkpoint")
    model.fit(graphs.train, progress=True, checkpoint=checkpoint)
    model.save(args.output)
    checkpoint.unlink(missing_ok=True)
    last = ", ".join(f"{name} {value:.4g}" for name, value in model.history[-1].items())
    print(f"Written to {args.output}; the last epoch: {last}")
    return 0


def run_measure(args: argparse.Namespace) -> int:
    """Print the papers' measures.

    Raises:
        GraphNASError: There is no such model, or its space is not known.
    """
    from graphnas.autoencoders.measures import abilities, latent_regression

    model = _load(args)
    graphs = _graphs(args, model.space)
    found = abilities(model, graphs.train, graphs.test, seed=args.seed, stochastic=not args.likeliest)
    figures = [[name.replace("_", " ") + " (%)", f"{value:.2f}"] for name, value in found.to_dict().items()]
    if graphs.train_targets is not None and graphs.test_targets is not None:
        latents = [model.encode(part)[0].cpu().double().numpy() for part in (graphs.train, graphs.test)]
        fitted = latent_regression(
            latents[0], graphs.train_targets, latents[1], graphs.test_targets, seeds=[args.seed]
        )
        figures += [
            ["RMSE (deviations)", f"{fitted.rmse[0]:.3f}"],
            ["Pearson's r", f"{fitted.pearson[0]:.3f}"],
        ]
    print(f"{len(graphs.test):,} architectures held out of {len(graphs.train) + len(graphs.test):,}")
    print(table(["measure", "value"], figures, right=[False, True]))
    return 0


def run_encode(args: argparse.Namespace) -> int:
    """Write the posterior means.

    Raises:
        GraphNASError: A file is missing or damaged, or an architecture is not in the model's space.
    """
    model = _load(args)
    architectures = _read_architectures(args.architectures)
    for architecture in architectures:
        model.space.validate(architecture)
    means = model.encode(architectures)[0].cpu().numpy()
    with replacing(args.output) as part, part.open("wb") as file:
        np.save(file, means)
    print(f"Written to {args.output}: {len(means)} latents of {means.shape[1]} dimensions")
    return 0


def run_decode(args: argparse.Namespace) -> int:
    """Write an architecture per latent, null where the decoded graph is not one of the space.

    Raises:
        GraphNASError: A file is missing or damaged, or the latents have another dimension.
    """
    import torch

    model = _load(args)
    try:
        latents = np.load(args.latents, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataNotFound(f"there is no file {args.latents}") from error
    except (ValueError, EOFError, OSError) as error:
        raise CorruptData(f"{args.latents} is no array of numpy: {error}") from error
    rng = torch.Generator().manual_seed(args.seed)
    decoded = model.decode(torch.as_tensor(np.asarray(latents, np.float32)), rng, stochastic=args.draw)
    found = [None if a is None else a.to_dict() for a in decoded.architectures]
    with replacing(args.output) as part:
        part.write_text(json.dumps(found) + "\n", encoding="utf-8")
    valid = sum(entry is not None for entry in found)
    print(f"Written to {args.output}: {valid} of {len(found)} are architectures of {model.space.name}")
    return 0


# ---------------------------------------------------------------- parts


def _model_class(name: str) -> Any:
    from graphnas import autoencoders

    known = autoencoders.MODELS
    if name not in known:
        raise InvalidArgument(f"--model must be one of {', '.join(known)}, got {name!r}")
    return getattr(autoencoders, known[name])


def _load(args: argparse.Namespace) -> GraphAutoencoder:
    from graphnas.autoencoders import load_autoencoder

    return load_autoencoder(args.model, space=make_space(args) if args.space else None)


def _graphs(args: argparse.Namespace, space: GraphSpace) -> Graphs:
    """Random architectures, or those of the space's table with the published split if it has one."""
    from graphnas.graph.batch import ArchitectureBatch
    from search_spaces.tables import open_table

    if args.samples is None:
        try:
            rows = open_table(space, args.data_dir)
        except (DataNotFound, InvalidArgument):
            rows = None
        if rows is not None:
            dataset = rows.datasets[0]
            targets = rows.figures(dataset, max(rows.budgets_of(dataset)), rows.metrics[0])
            everything = ArchitectureBatch.from_architectures(rows.architectures())
            train, test = rows.split() if hasattr(rows, "split") else _split(len(rows))
            return Graphs(everything[train], everything[test], targets[train], targets[test])
    batch = space.sample_batch(np.random.default_rng(0), args.samples or 4000)
    train, test = _split(len(batch))
    return Graphs(batch[train], batch[test])


def _split(count: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    order = np.random.default_rng(0).permutation(count)
    held = max(1, round(HELD_OUT * count))
    return order[held:], order[:held]


def _read_architectures(path: Path) -> list[Architecture]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataNotFound(f"there is no file {path}") from error
    except (ValueError, OSError) as error:
        raise CorruptData(f"{path} is not JSON: {error}") from error
    entries = content if isinstance(content, list) else [content]
    if not entries:
        raise CorruptData(f"{path} holds no architecture")
    return [Architecture.from_dict(entry) for entry in entries]
