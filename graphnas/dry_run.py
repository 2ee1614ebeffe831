"""Dry runs: what a long run would do and how long it would take, from short measurements on this machine."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
"""Units of a duration in words, with their seconds."""


@dataclass(frozen=True)
class Work:
    """One kind of work of a run.

    Attributes:
        name: What is done each time, such as ``"training step of 256 images"``.
        times: How often it is done.
        seconds: Wall-clock seconds of one time, measured here; None where that cannot be told in advance.
    """

    name: str
    times: float
    seconds: float | None

    @property
    def together(self) -> float:
        """Seconds of all of it; 0 where one time was not measured."""
        return 0.0 if self.seconds is None else self.times * self.seconds


@dataclass(frozen=True)
class DryRun:
    """What a run would do, printed by ``str``.

    Attributes:
        title: The run, in one line.
        facts: Its counts and sizes by name, in the order of printing.
        work: What takes its time.
        notes: What the estimate leaves out or assumes.
    """

    title: str
    facts: Mapping[str, object]
    work: Sequence[Work]
    notes: Sequence[str] = field(default=())

    @property
    def seconds(self) -> float:
        """Estimate of the whole in wall-clock seconds, without what was not measured."""
        return math.fsum(work.together for work in self.work)

    def __str__(self) -> str:
        width = max((len(name) for name in self.facts), default=0)
        lines = [f"Dry run of {self.title}: nothing is run or kept.", ""]
        lines += [f"  {name.ljust(width)}  {_text(value)}" for name, value in self.facts.items()]
        rows = [("work", "times", "each", "together")]
        for work in self.work:
            each = "not measured" if work.seconds is None else _short(work.seconds)
            rows.append(
                (work.name, _text(work.times), each, duration(work.together) if work.seconds else "-")
            )
        widths = [max(len(row[k]) for row in rows) for k in range(4)]
        lines.append("")
        for name, *cells in rows:
            numbers = (cell.rjust(size) for cell, size in zip(cells, widths[1:], strict=True))
            lines.append("  ".join(["", name.ljust(widths[0]), *numbers]).rstrip())
        lines += ["", f"Estimate, measured on this machine as it is now: {duration(self.seconds)}."]
        notes = [*self.notes, *([busy] if (busy := _others()) else [])]
        return "\n".join([*lines, *(f"- {note}" for note in notes)])


def measured_seconds(
    work: Callable[[], object], *, calls: int = 5, enough: float = 2.0, warm_up: bool = True
) -> float:
    """Median wall-clock seconds of one call of ``work``.

    Args:
        work: What is measured; it is called two or more times, or once or more without ``warm_up``.
        calls: Measured calls at most.
        enough: Seconds of measuring after which no further call begins.
        warm_up: Whether a first call is not counted.
    """
    if warm_up:
        work()
    taken: list[float] = []
    while len(taken) < calls and (not taken or sum(taken) < enough):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _others() -> str:
    """What to say of a machine on which other programs run; empty if it is idle or does not tell."""
    try:
        load, cores = os.getloadavg()[0], os.cpu_count() or 1
    except (AttributeError, OSError):  # no such figure on this system
        return ""
    if load < cores + 0.5:
        return ""
    return f"Other programs run: {load:.1f} of them for {cores} cores, so that an idle machine is faster."


def duration(seconds: float) -> str:
    """Seconds in words, in the two largest units that apply: ``"2 d 5 h"``, ``"3 min 20 s"``, ``"0.4 s"``."""
    if seconds < 10:
        return _short(seconds)
    whole = round(seconds)
    largest = next(k for k, (_, size) in enumerate(UNITS) if whole >= size)
    name, size = UNITS[largest]
    if largest + 1 == len(UNITS):
        return f"{whole} {name}"
    smaller, part = UNITS[largest + 1]
    first, rest = divmod(round(whole / part), size // part)
    return f"{first:,} {name}" + (f" {rest} {smaller}" if rest else "")


def _short(seconds: float) -> str:
    """A short time in three digits: ``"1.25 s"``, ``"12.5 ms"``, ``"80 us"``."""
    if seconds <= 0:
        return "0 s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            value = seconds / size
            break
    return f"{value:,.{max(0, 2 - math.floor(math.log10(max(value, 1))))}f} {unit}"


def _text(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{round(value):,}" if float(value).is_integer() or abs(value) >= 100 else f"{value:g}"
    return str(value)
