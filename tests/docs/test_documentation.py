"""What the documentation is generated from: quoted errors, the table of samplers, links, running times."""

from __future__ import annotations

import re
from pathlib import Path

import check_site
import messages as collected
import pages
import pytest
import samplers

from graphnas import errors
from graphnas.cli.main import build_parser
from search_spaces import get_space

ROOT = Path(__file__).parents[2]
ERRORS = (ROOT / "docs" / "how-to" / "errors.md").read_text(encoding="utf-8")
KNOWN = collected.messages(ROOT)
RESULTS = ROOT / "benchmarks" / "results"


# ---------------------------------------------------------------- errors


def quoted() -> list[str]:
    return [
        line for block in re.findall(r"```text\n(.*?)```", ERRORS, re.DOTALL) for line in block.splitlines()
    ]


@pytest.mark.parametrize("line", quoted())
def test_an_error_that_the_documentation_quotes_is_raised_somewhere(line):
    assert collected.is_raised(line, KNOWN), line


def test_every_quoted_error_has_a_cure():
    for part in ERRORS.split("\n### ")[1:]:
        title, _, rest = part.partition("\n")
        assert "```text" in rest, title
        assert len(rest.rsplit("```", 1)[1].strip()) > 20, title


def test_the_messages_are_read_from_the_source():
    assert len(KNOWN) > 500
    assert {message.kind for message in KNOWN} <= collected.CLASSES
    assert "GraphNASError" in collected.CLASSES
    source = "def f(n):\n    raise InvalidArgument(f'n is {n}, ' 'not 2')\n"
    assert list(collected._raised(source)) == [("InvalidArgument", "n is ..., not 2")]
    assert not collected.is_raised("n is ..., not 3", KNOWN)


def test_a_message_that_was_raised_is_recognised_by_its_template():
    with pytest.raises(errors.InvalidArgument) as caught:
        get_space("nowhere")
    assert any(
        collected.pattern(m.text).fullmatch(str(caught.value)) for m in KNOWN if m.kind == "InvalidArgument"
    )


# ---------------------------------------------------------------- the table of samplers


def test_measured_figures_are_those_of_the_records():
    lines = samplers.sampler_table(RESULTS).splitlines()
    report = (ROOT / "benchmarks" / "REPORT.md").read_text(encoding="utf-8")
    suite, measured = report[report.index("## The suite: validation tasks") :], 0
    for sampler in samplers.SAMPLERS:
        rows = [line for line in lines if line.startswith(f"| `{sampler.name}` |")]
        assert len(rows) == 2
        cells = [cell.strip() for cell in rows[1].strip("|").split("|")]
        reported = re.search(rf"^\| {sampler.search} +\|(.*\[.*)\|$", suite, re.MULTILINE)
        measured += reported is not None
        # The report has the figures after 20, 30, 50, 100 and 150 queries, and the seconds.
        seeds, _, *regrets, _, _ = reported[1].split("|") if reported else [""] * 7
        assert cells[1:5] == [cell.strip() for cell in (seeds, *regrets)]
    assert measured >= 5
    for row in (line for line in lines if line.startswith("|")):
        assert row.count("|") == 8


def test_every_sampler_of_ours_is_in_the_table():
    import optuna_graphnas

    ours = {name for name in optuna_graphnas.__all__ if name.endswith("Sampler")} - {"GraphSampler"}
    assert ours <= {sampler.name for sampler in samplers.SAMPLERS}


# ---------------------------------------------------------------- pages


def test_links_move_with_a_document(tmp_path):
    new = ROOT / "docs" / "generated"
    text = "[report](benchmarks/REPORT.md) [own](docs/how-to/own-space.md#a-rule) [x](https://a.b) "
    text += "[d](examples/nnictl)"
    assert pages.moved(text, ROOT, new) == (
        "[report](report.md) [own](../how-to/own-space.md#a-rule) [x](https://a.b) `d`"
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "GraphBOSampler" in pages.section(readme, "A search in Optuna")


def test_the_help_of_every_command_is_there():
    text = pages.command_pages()
    names = [name for name, _ in pages._commands(build_parser())]
    assert len(names) > 10
    assert all(f"## {name}\n" in text for name in names)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "tutorials").glob("*.py")), ids=lambda path: path.stem
)
def test_tutorials_are_programs_with_a_title(path):
    source = path.read_text(encoding="utf-8")
    compile(source, str(path), "exec")
    title, underline, *_ = source.removeprefix('"""').strip().splitlines()
    assert set(underline) == {"="}
    assert len(underline) >= len(title)
    assert "\n# %%\n" in source


def test_every_page_is_in_a_list_of_contents():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md")]:
        name = page.relative_to(ROOT / "docs").with_suffix("").as_posix()
        assert name == "index" or f"\n{name}\n" in index, name


# ---------------------------------------------------------------- the check of the built site


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">x</a> <a href="b.html#not">x</a> <a href="c.html">x</a>'
    )
    (tmp_path / "b.html").write_text(
        '<h1 id="there">b</h1> <img src="https://a.b/c.png"> <a href="http://a.b">x</a>'
    )
    assert check_site.broken_links(tmp_path) == [
        "a.html: b.html#not names no place of that page",
        "a.html: c.html leads nowhere",
        "b.html: http://a.b is not https",
    ]


def test_a_slow_tutorial_is_found(tmp_path):
    line = "   **Total running time of the script:** ({} minutes {} seconds)\n"
    (tmp_path / "01_a.rst").write_text(line.format(3, "12.500"))
    (tmp_path / "02_b.rst").write_text(line.format(0, "1.000"))
    (tmp_path / "03_not_run.rst").write_text("nothing")
    times = check_site.running_times(tmp_path)
    assert times == {"01_a": 192.5, "02_b": 1.0}
    assert check_site.too_slow(times) == ["01_a takes 192 s, at most 180 are allowed"]
