"""Classification sets of torchvision, by the name of their class."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.training.images import ImageData, ImageSet, channel_statistics
from graphnas.training.splits import count_classes, held_out
from graphnas.training.user_data import image_set


def load_torchvision(
    name: str,
    directory: Path,
    *,
    image_size: int | None,
    download: bool,
    options: Mapping[str, Any] | None,
    limit: int,
) -> ImageData:
    """The set ``torchvision.datasets.NAME``, kept in the folder ``torchvision`` of ``directory``.

    A fixed fifth of every class is held out as test images if torchvision has none.

    Raises:
        InvalidArgument: torchvision has no such class, or it does not take ``options``.
        DataNotFound: The set is not there.
        MissingExtra: torchvision is not installed.
    """
    from graphnas.training.torchvision_compat import import_torchvision

    given = dict(options or {})
    datasets = import_torchvision().datasets
    kind = getattr(datasets, name, None)
    if not inspect.isclass(kind):
        near = difflib.get_close_matches(name, datasets.__all__, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InvalidArgument(f"torchvision.datasets has no class {name!r}{hint}")
    root = directory / "torchvision"
    train = _part(kind, root, True, download, given)
    what = f"torchvision:{name}"
    images, known = image_set(train, what, image_size=image_size, limit=limit)
    names = known or tuple(str(n) for n in getattr(train, "classes", ()))
    if _split_argument(kind, given) is None:
        return held_out(what, images, names)
    load_test = partial(_test, kind, root, download, given, image_size, limit, known, images.shape[0])
    classes = count_classes(images.labels, what)
    return ImageData(what, images, load_test, classes, channel_statistics(images), names)


def _test(
    kind: Any,
    root: Path,
    download: bool,
    options: dict[str, Any],
    image_size: int | None,
    limit: int,
    known: tuple[str, ...],
    channels: int,
) -> ImageSet:
    part = _part(kind, root, False, download, options)
    what = f"torchvision:{kind.__name__} test images"
    return image_set(part, what, image_size=image_size, limit=limit, known=known, channels=channels)[0]


def _split_argument(kind: Any, options: Mapping[str, Any]) -> str | None:
    """The argument by which a torchvision class selects training or test images; None if there is none."""
    named: set[str] = set()
    for base in inspect.getmro(kind)[:-1]:
        parameters = inspect.signature(base).parameters.values()
        named |= {p.name for p in parameters}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return next((name for name in ("train", "split") if name in named - set(options)), None)


def _part(kind: Any, root: Path, train: bool, download: bool, options: dict[str, Any]) -> Any:
    arguments: dict[str, Any] = dict(options)
    split = _split_argument(kind, options)
    if split is not None:
        arguments[split] = train if split == "train" else ("train" if train else "test")
    accepted = inspect.signature(kind).parameters
    if "root" in accepted:
        arguments["root"] = str(root)
    if "download" in accepted or any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
        arguments["download"] = download
    try:
        return kind(**arguments)
    except (RuntimeError, FileNotFoundError) as error:
        how = "" if download else "; download=True lets torchvision fetch it"
        raise DataNotFound(f"torchvision:{kind.__name__} is not usable in {root}: {error}{how}") from error
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            f"torchvision:{kind.__name__} could not be opened with {arguments}: {error}; give its further "
            "arguments as options, or the data as a pair (train, test) of data sets"
        ) from error
