"""Checks a built site: links and anchors in it, links to elsewhere by their form, tutorials by their time.

Run as ``python docs/_ext/check_site.py docs/_build/html``; the exit code is 1 where something is wrong.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SLOWEST, ALL = 180.0, 600.0
"""Seconds that one tutorial, and all of them together, may take on one core."""
TIME = re.compile(r"Total running time of the script:\s*\*?\*?\s*\(?(\d+) minutes? ([\d.]+) seconds?")


class _Page(HTMLParser):
    """Targets and identifiers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        for name in ("id", "name"):
            if values.get(name):
                self.names.add(str(values[name]))
        for name in ("href", "src"):
            if values.get(name):
                self.targets.add(str(values[name]))


def broken_links(site: Path) -> list[str]:
    """What is wrong with the links of the pages below ``site``, one line each."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        for target in sorted(page.targets):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1"):
                    wrong.append(f"{path.relative_to(site)}: {target} is not https")
                continue
            if parts.scheme:  # mailto:, data:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if file.is_dir():
                file /= "index.html"
            if not file.exists():
                wrong.append(f"{path.relative_to(site)}: {target} leads nowhere")
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].names:
                wrong.append(f"{path.relative_to(site)}: {target} names no place of that page")
    return wrong


def running_times(generated: Path) -> dict[str, float]:
    """Seconds that each tutorial took, by its name; those that were not run are left out."""
    times = {}
    for path in sorted(generated.glob("[0-9]*.rst")):
        match = TIME.search(path.read_text(encoding="utf-8"))
        if match:
            times[path.stem] = 60 * int(match[1]) + float(match[2])
    return times


def too_slow(times: dict[str, float]) -> list[str]:
    """Which tutorials take longer than they may, one line each."""
    wrong = [
        f"{name} takes {t:.0f} s, at most {SLOWEST:.0f} are allowed"
        for name, t in times.items()
        if t > SLOWEST
    ]
    if sum(times.values()) > ALL:
        wrong.append(f"all tutorials take {sum(times.values()):.0f} s, at most {ALL:.0f} are allowed")
    return wrong


def main(site: Path) -> int:
    """Print what is wrong and how long the tutorials took."""
    times = running_times(site.parents[1] / "generated" / "tutorials")
    wrong = broken_links(site)
    for line in wrong:
        print(line, file=sys.stderr)
    for line in too_slow(times):  # a busy machine is no fault of the pages
        print(f"note: {line}", file=sys.stderr)
    for name, seconds in times.items():
        print(f"{seconds:6.1f} s  {name}")
    print(f"{len(wrong)} broken links in {sum(1 for _ in site.rglob('*.html'))} pages")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
