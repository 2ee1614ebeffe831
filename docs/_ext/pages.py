"""Writes the pages that are made from the code, the records and other documents, into ``generated``."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path

from catalogue import write_catalogue
from messages import messages
from samplers import sampler_table
from scraper import copy_plotly

from graphnas.cli.main import build_parser

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def write_pages(docs: Path) -> None:
    """Write all of them; a file is touched only when its text changes, so that Sphinx reads less again.

    Args:
        docs: The folder of the documentation.
    """
    root, generated = docs.parent, docs / "generated"
    generated.mkdir(exist_ok=True)
    _write(generated / "samplers.md", sampler_table(root / "benchmarks" / "results"))
    _write(generated / "messages.md", message_lists(root))
    _write(generated / "commands.md", command_pages())
    for source, name in (("benchmarks/REPORT.md", "report.md"), ("CHANGELOG.md", "changelog.md")):
        text = (root / source).read_text(encoding="utf-8")
        _write(generated / name, moved(text, (root / source).parent, generated))
    readme = (root / "README.md").read_text(encoding="utf-8")
    for heading in ("A search in Optuna", "Two commands", "NNI", "Results"):
        name = f"readme-{heading.lower().replace(' ', '-')}.md"
        _write(generated / name, moved(section(readme, heading), root, docs))
    write_catalogue(generated)
    copy_plotly(docs / "_static")


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def section(document: str, heading: str) -> str:
    """What stands below ``## heading``."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", document, re.DOTALL | re.MULTILINE)
    if match is None:
        raise ValueError(f"no heading {heading!r}")
    return re.sub(r"<!--.*?-->\n", "", match[1]).strip() + "\n"


def moved(text: str, old: Path, new: Path) -> str:
    """A document of the folder ``old`` with its links as they are seen from the folder ``new``.

    Links to documents of the site lead there, those to other files download them, and the name of a folder
    stays without its link.
    """

    def rewrite(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        path, _, anchor = target.partition("#")
        file = (old / path).resolve()
        if file.is_dir() or not file.exists():
            return f"`{label.strip('`')}`"
        if file.name in _PAGES:
            file = new.parent / _PAGES[file.name] if new.name == "generated" else new / _PAGES[file.name]
        elif file.suffix == ".md" and "docs" not in file.parts:
            return f"`{label.strip('`')}`"
        relative = os.path.relpath(file, new)
        return f"{image}[{label}]({relative}{'#' + anchor if anchor else ''})"

    return LINK.sub(rewrite, text)


_PAGES = {"REPORT.md": "generated/report.md", "CHANGELOG.md": "generated/changelog.md"}
"""Documents of the repository that are pages of the site."""


def message_lists(root: Path) -> str:
    """Every message by its class, with the modules that raise it."""
    by_kind: dict[str, dict[str, list[str]]] = {}
    for message in messages(root):
        modules = by_kind.setdefault(message.kind, {}).setdefault(message.text, [])
        if message.module not in modules:
            modules.append(message.module)
    lines = ["# Every message", ""]
    lines += [
        "All errors that graphnas raises on purpose, read from its source when this page was built. `...`",
        "stands for what the program fills in. [Errors and their cures](../how-to/errors.md) says more about",
        "those that are met most.",
        "",
    ]
    for kind in sorted(by_kind):
        lines += [f"## {kind}", ""]
        for text, modules in sorted(by_kind[kind].items(), key=lambda item: item[0].lower()):
            lines.append(f"- {_code(text)} in {', '.join(f'`{module}`' for module in modules)}")
        lines.append("")
    return "\n".join(lines)


def _code(text: str) -> str:
    """``text`` as code, whatever backticks it has."""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def command_pages() -> str:
    """The help of every command of ``graphnas``."""
    parser = build_parser()
    lines = ["# The command line", "", "What `graphnas COMMAND --help` prints, for every command.", ""]
    for name, command in _commands(parser):
        lines += [f"## {name}", "", "```text", _help(command), "```", ""]
    return "\n".join(lines)


def _commands(parser: argparse.ArgumentParser) -> Iterable[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command.prog, command
                yield from _commands(command)


def _help(command: argparse.ArgumentParser) -> str:
    """The help, whatever the width of the terminal that builds."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "96"
    try:
        return command.format_help().strip()
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
