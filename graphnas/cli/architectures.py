"""The architecture that an argument names: of a study, its results, a model, a text, or by its name."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphnas.cli.arguments import make_space
from graphnas.cli.distributions import is_tensor_file
from graphnas.cli.storages import file_url, url_of
from graphnas.cli.studies import SETTINGS, load_studies, minimizes, read_outcome, search_the_same, space_of
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.graph.architecture import FORMAT as ARCHITECTURE
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.saved_space import described_space
from search_spaces.gemnet_imagenet import NAMES, gemnet_parts

MODEL = "graphnas.model"
RESULTS = "graphnas.results"

WHAT = (
    "the output directory of a search, a database or journal of studies (a file or a URL), a results.json, "
    "the directory of a saved model, the file of a distribution, a JSON file of an architecture, the text "
    f"itself (JSON, or the official string form of the space), or {' or '.join(NAMES)}"
)
"""Help of an argument that :func:`find_architecture` reads."""


@dataclass(frozen=True)
class Found:
    """An architecture, and what is known of how it was measured.

    Attributes:
        space: Its space.
        architecture: The architecture.
        where: Where it comes from, in a few words.
        shape: Arguments of ``space.build`` that it was measured with.
        dataset: The images that it was measured on; None if it was not trained.
        image_size: The side that those were scaled to.
        trial: Number of its trial; None if it is of no study.
    """

    space: GraphSpace
    architecture: Architecture
    where: str
    shape: Mapping[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    image_size: int | None = None
    trial: int | None = None


def find_architecture(args: argparse.Namespace) -> Found:
    """The architecture that ``args.what`` names: of a study the best, or that of ``args.trial``.

    Args:
        args: Also with ``study_name`` and the arguments of ``add_space_arguments``.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: A file holds something else.
        InvalidArgument: The space is needed and not given, or a study has nothing to choose from.
        InvalidArchitecture: The architecture is not in its space.
    """
    what = str(args.what)
    if what in NAMES:
        space, cell, shape = gemnet_parts(what)
        return Found(space, cell, what, shape)
    path = Path(what)
    if is_file(path) and is_tensor_file(path):
        raise InvalidArgument(f"{path} is a distribution: give --samples")
    url = file_url(path / "study.db") if is_file(path / "study.db") else url_of(what)
    if url is not None:
        return _of_study(args, url)
    found = described_architecture(args, path)
    if args.trial is not None and found.trial is None:
        raise InvalidArgument(f"--trial {args.trial} is for a study, not for {found.where}")
    return found


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file, False also for what is too long to be a path."""
    try:
        return path.is_file()
    except OSError:
        return False


# ---------------------------------------------------------------- studies


def _of_study(args: argparse.Namespace, url: str) -> Found:
    studies = load_studies(url, args.study_name)
    if not studies:
        raise InvalidArgument(f"no study in {url}")
    names = ", ".join(study.study_name for study in studies)
    # Those that a search compared are of one space and one measure: the best of all.
    if not search_the_same(studies):
        raise InvalidArgument(f"several studies; choose one with --study-name: {names}")
    space = space_of(studies[0], make_space(args) if args.space else None)
    ranked = [(read_outcome(study, space).best, study) for study in studies]
    if args.trial is not None:
        if len(studies) > 1:
            raise InvalidArgument(f"--trial {args.trial}: choose a study with --study-name: {names}")
        entries = [(entry, study) for best, study in ranked for entry in best if entry.trial == args.trial]
        if not entries:
            raise InvalidArgument(f"--trial {args.trial} is not an evaluated architecture of this study")
    else:
        entries = [(best[0], study) for best, study in ranked if best]
        if not entries:
            raise InvalidArgument("the study has no evaluated architecture")
    best_of = min if minimizes(studies[0]) else max
    entry, study = best_of(entries, key=lambda pair: pair[0].value)
    settings = study.user_attrs.get(SETTINGS) or {}
    return _of_trial(space, entry.architecture, entry.trial, study.study_name, settings)


def _of_trial(
    space: GraphSpace, architecture: Architecture, trial: int, study: str, settings: Mapping[str, Any]
) -> Found:
    where = f"trial {trial} of {study}"
    if settings.get("evaluator") not in ("train", "supernet"):
        return Found(space, architecture, where, trial=trial)
    return Found(
        space,
        architecture,
        where,
        _typed(settings.get("shape", {})),
        settings.get("dataset"),
        settings.get("image_size"),
        trial,
    )


def _typed(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``space.build`` without the one that the images decide."""
    return {name: value for name, value in shape.items() if name != "in_channels"}


# ---------------------------------------------------------------- files and texts


def described_architecture(args: argparse.Namespace, path: Path) -> Found:
    """The architecture in a JSON file, in the directory of a model, or in ``args.what`` itself.

    Raises:
        GraphNASError: As :func:`find_architecture`.
    """
    text = str(args.what)
    model = path / "model.json"
    if is_file(model):
        path = model
    if is_file(path):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptData(f"{path} cannot be read as text: {error}") from error
    elif not text.lstrip().startswith(("{", "|")):
        raise DataNotFound(
            f"{args.what!r} is no file, no directory of a search or a model, and no architecture"
        )
    if not text.lstrip().startswith("{"):
        return _from_string(args, text)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidArchitecture(f"not JSON: {error}") from error
    readers: dict[str, Callable[[], Found]] = {
        MODEL: lambda: _of_model(args, content),
        RESULTS: lambda: _of_results(args, content),
        ARCHITECTURE: lambda: _alone(args, content),
    }
    if content.get("format") not in readers:
        raise CorruptData(f"format {content.get('format')!r} is none of {', '.join(readers)}")
    try:
        found = readers[content["format"]]()
    except (KeyError, TypeError, IndexError) as error:
        raise CorruptData(f"{path} is an incomplete description: {error!r}") from error
    found.space.validate(found.architecture)
    return found


def _of_model(args: argparse.Namespace, content: dict[str, Any]) -> Found:
    where = f"a model trained on {content['dataset']}"
    space = described_space(content["space"], make_space(args) if args.space else None, where)
    architecture = Architecture.from_dict(content["architecture"])
    return Found(space, architecture, where, _typed(content["shape"]), content["dataset"])


def _of_results(args: argparse.Namespace, content: dict[str, Any]) -> Found:
    given = make_space(args) if args.space else None
    space = described_space(content["settings"]["space"], given, "the search")
    entries = [
        (entry, method)
        for method, outcome in content["methods"].items()
        if args.study_name in (None, outcome["study"])
        for entry in outcome["best"]
        if getattr(args, "trial", None) in (None, entry["trial"])
    ]
    if not entries:
        raise InvalidArgument("these results have no such study, trial or evaluated architecture")
    entry, method = max(entries, key=lambda pair: pair[0]["value"])
    architecture = Architecture.from_dict(entry["architecture"])
    return _of_trial(space, architecture, entry["trial"], method, content["settings"])


def _alone(args: argparse.Namespace, content: dict[str, Any]) -> Found:
    architecture = Architecture.from_dict(content)
    return Found(_space(args, architecture.num_nodes), architecture, "an architecture")


def _from_string(args: argparse.Namespace, text: str) -> Found:
    space = _space(args, None)
    if not hasattr(space, "from_string"):
        raise InvalidArgument(
            f"the space {space.name!r} has no string form; give JSON instead of {text[:60]!r}"
        )
    return Found(space, space.from_string(text), "an architecture")


def _space(args: argparse.Namespace, nodes: int | None) -> GraphSpace:
    if args.space is None:
        raise InvalidArgument("an architecture alone does not say what its labels mean: add --space")
    return make_space(args, default_nodes=nodes)
