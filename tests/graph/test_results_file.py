"""Files of results: every form of an architecture, and every kind of bad file and bad row."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from small_space import SmallSpace, quality

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.graph.results_file import read_results
from search_spaces import GEMNet, NASBench201

SPACE = SmallSpace()
ALL = list(SPACE.enumerate())[:6]
NB201 = NASBench201()
CELL = NB201.from_string("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")


def write(path, rows):
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(form):
    if form == "columns":
        return [{**SPACE.to_parameters(a), "value": quality(a)} for a in ALL]
    make = {
        "text": lambda a: a.to_json(),
        "object": lambda a: a.to_dict(),
        "parameters": lambda a: dict(SPACE.to_parameters(a)),
        "parameters as text": lambda a: json.dumps(SPACE.to_parameters(a)),
    }[form]
    return [{"name": f"net {k}", "architecture": make(a), "value": quality(a)} for k, a in enumerate(ALL)]


@pytest.mark.parametrize(
    ("ending", "form"),
    [
        *((".csv", form) for form in ("columns", "text", "parameters as text")),
        *((".json", form) for form in ("columns", "text", "object", "parameters", "parameters as text")),
    ],
)
def test_every_form_of_an_architecture(tmp_path, ending, form):
    results = read_results(write(tmp_path / f"known{ending}", rows_of(form)), SPACE)
    assert results.name == "known"
    assert [row.architecture for row in results.rows] == ALL
    assert [row.values for row in results.rows] == [(quality(a),) for a in ALL]
    assert results.rows[2].place == ("line 4" if ending == ".csv" else "entry 3")
    assert not results.skipped


@pytest.mark.parametrize("ending", [".csv", ".json"])
def test_the_official_string(tmp_path, ending):
    rows = [{"architecture": NB201.to_string(CELL), "value": 91, "size": "3e5", "loss": -0.5}] * 2
    path = write(tmp_path / f"known{ending}", rows)
    results = read_results(path, NB201, values=["value", "loss"], constraints=["size"])
    assert results.rows[1].architecture == CELL
    assert results.rows[1].values == (91.0, -0.5)
    assert results.rows[1].constraints == (3e5,)


def test_graphs_of_several_sizes_and_booleans(tmp_path):
    space = GEMNet(num_nodes=5)
    architectures = [space.sample(np.random.default_rng(k)) for k in range(4)]
    rows = [{**space.to_parameters(a), "value": k} for k, a in enumerate(architectures)]
    results = read_results(write(tmp_path / "known.csv", rows), space)
    assert [row.architecture for row in results.rows] == architectures


def test_a_quoted_line_break_and_a_mark_of_the_byte_order(tmp_path):
    path = tmp_path / "known.csv"
    text = '\ufeffvalue, note ,architecture\n1.5,"two\nlines","{}"\n\n2,x,"{}"\n'
    path.write_text(text.format(*(a.to_json().replace('"', '""') for a in ALL[:2])), encoding="utf-8")
    results = read_results(path, SPACE)
    assert [(row.values, row.place) for row in results.rows] == [((1.5,), "line 3"), ((2.0,), "line 5")]


GOOD = ALL[0].to_json()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"architecture": GOOD, "value": "x"}, "value must be a number, got 'x'"),
        ({"architecture": GOOD, "value": ""}, "value must be a number, got ''"),
        ({"architecture": GOOD, "value": "nan"}, "value must be finite, got 'nan'"),
        ({"architecture": GOOD, "value": "-inf"}, "value must be finite, got '-inf'"),
        ({"architecture": GOOD[:-4], "value": 1}, "not JSON"),
        ({"architecture": "", "value": 1}, "the space 'small' has no string form"),
        ({"architecture": "|a|", "value": 1}, r"no string form; got '\|a\|'"),
        ({"architecture": '{"format": "other"}', "value": 1}, "not a graphnas.architecture document"),
        ({"architecture": '{"small/op_1": "conv"}', "value": 1}, "neither 'architecture' nor the parameter"),
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".json"])
def test_bad_rows_are_named_before_anything_is_done(tmp_path, ending, bad, message):
    good = {"architecture": GOOD, "value": 1}
    path = write(tmp_path / f"known{ending}", [good, bad, good])
    place = "line 3" if ending == ".csv" else "entry 2"
    with pytest.raises(CorruptData, match=f"1 of 3 rows cannot be read: {place}: .*{message}.*skip-invalid"):
        read_results(path, SPACE)
    results = read_results(path, SPACE, skip_invalid=True)
    assert len(results.rows) == 2
    assert len(results.skipped) == 1
    assert results.skipped[0].startswith(place)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (["x"], "not an object"),
        ({"architecture": 3, "value": 1}, "an architecture is an object or a text, got 3"),
        ({"architecture": GOOD, "value": True}, "value must be a number, got True"),
        ({"architecture": GOOD, "value": None}, "value must be a number, got None"),
        ({"architecture": GOOD, "value": [1]}, r"value must be a number, got \[1\]"),
        ({"architecture": GOOD}, "value must be a number, got None"),
        ({"architecture": ALL[0].to_dict() | {"version": 99}, "value": 1}, "version 99"),
        (
            {"architecture": SPACE.to_parameters(ALL[0]) | {"small/op_1": "fly"}, "value": 1},
            "'fly' is not one",
        ),
    ],
)
def test_bad_entries_of_json(tmp_path, item, message):
    path = write(tmp_path / "known.json", [{"architecture": GOOD, "value": 1}, item])
    with pytest.raises(CorruptData, match=f"entry 2: .*{message}"):
        read_results(path, SPACE)


def test_many_bad_rows_are_counted(tmp_path):
    path = write(tmp_path / "known.csv", [{"architecture": "|", "value": k} for k in range(9)])
    with pytest.raises(CorruptData, match=r"9 of 9 rows .*line 6: .*; and 4 more"):
        read_results(path, SPACE)
    with pytest.raises(CorruptData, match="9 of 9 rows"):  # nothing would be left
        read_results(path, SPACE, skip_invalid=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[", "is not JSON"),
        ("a.json", '{"architecture": 1}', "must hold a list of objects, got dict"),
        ("a.json", "[]", "holds no results"),
        ("a.csv", "", "holds no results"),
        ("a.csv", "architecture,value\n", "holds no results"),
        ("a.csv", "value,value\n1,2\n", "names a column twice"),
        ("a.csv", 'value,architecture\n1,"open\n', "line 2: not CSV"),
    ],
)
def test_files_of_another_kind(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(CorruptData, match=message):
        read_results(tmp_path / name, SPACE)


def test_cells_that_are_missing(tmp_path):
    (tmp_path / "a.csv").write_text("value,architecture\n1\n")
    with pytest.raises(CorruptData, match="line 2: 1 cells, but the header has 2"):
        read_results(tmp_path / "a.csv", SPACE)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataNotFound, match=r"no file .*absent\.csv"):
        read_results(tmp_path / "absent.csv", SPACE)
    with pytest.raises(CorruptData, match="cannot be read as text"):
        read_results(tmp_path, SPACE)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptData, match="cannot be read as text"):
        read_results(tmp_path / "b.csv", SPACE)


def test_columns_that_are_not_there(tmp_path):
    path = write(tmp_path / "known.csv", rows_of("text"))
    with pytest.raises(InvalidArgument, match="no column 'valeu'; did you mean 'value'"):
        read_results(path, SPACE, values="valeu")
    with pytest.raises(InvalidArgument, match="no column 'size'"):
        read_results(path, SPACE, constraints=["size"])
    with pytest.raises(InvalidArgument, match="at least one column"):
        read_results(path, SPACE, values=[])
