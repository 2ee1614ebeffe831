"""graphnas show, spaces and doctor."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import optuna
import pytest

from graphnas.cli import doctor
from graphnas.methods import GraphPNAS, GraphPNASConfig
from search_spaces import GEMNet, NASBench201, space_names

ROOT = Path(__file__).parents[2]
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
CELL_TEXT = """\
node  inputs
   0  -
   1  0:nor_conv_3x3
   2  1:skip_connect
   3  0:avg_pool_3x3 2:nor_conv_1x1
"""


# ---------------------------------------------------------------- show


def test_the_output_of_a_search(command, searched):
    done = command("show", searched)
    assert done.code == 0
    assert "Best architectures of gemnet by validation accuracy (%) on digits" in done.out
    assert "graphbo, 3 evaluations" in done.out
    assert "random, 3 evaluations" in done.out
    assert "   0  input" in done.out


def test_one_study_of_several(command, searched):
    done = command(
        *("show", "--storage", f"sqlite:///{searched / 'study.db'}"),
        *("--study-name", "gemnet-digits-random", "--top", 2),
    )
    assert done.code == 0
    assert "graphbo" not in done.out
    assert "\n   2  " in done.out
    assert "\n   3  sepconv" not in done.out.split("The best")[0]
    missing = command("show", searched, "--study-name", "x")
    assert missing.code == 2
    assert "no study 'x'; there are: gemnet-digits-graphbo, gemnet-digits-random" in missing.err


def test_studies_of_different_things_are_listed(command, tmp_path):
    url = f"sqlite:///{tmp_path / 's.db'}"
    for name in ("one", "two"):
        study = optuna.create_study(storage=url, study_name=name)
        study.set_user_attr("graphnas", {"space": name})
    done = command("show", "--storage", url)
    assert done.code == 0
    assert "2 studies" in done.out
    assert "one" in done.out
    foreign = optuna.create_study(storage=url, study_name="foreign")
    assert foreign.user_attrs == {}
    refused = command("show", "--storage", url, "--study-name", "foreign")
    assert refused.code == 2
    assert "not made by graphnas search" in refused.err


def test_looking_at_a_database_that_is_not_there_makes_none(command, tmp_path):
    assert command("show", "--storage", f"sqlite:///{tmp_path / 's.db'}").code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_official_string_of_a_cell(command):
    done = command("show", CELL, "--space", "nasbench201")
    assert done == (0, CELL_TEXT, "")


@pytest.mark.parametrize("as_file", [True, False])
def test_json_of_an_architecture(command, tmp_path, as_file):
    text = NASBench201().from_string(CELL).to_json()
    (tmp_path / "cell.json").write_text(text)
    done = command("show", tmp_path / "cell.json" if as_file else text, "--space", "nasbench201")
    assert done == (0, CELL_TEXT, "")


def test_the_number_of_nodes_is_that_of_the_architecture(command):
    architecture = GEMNet(5).sample(np.random.default_rng(0))
    done = command("show", architecture.to_json(), "--space", "gemnet")
    assert done.code == 0
    assert len(done.out.splitlines()) == 6
    assert done.out.splitlines()[1].split() == ["0", "input", "-"]


def test_a_saved_model_knows_its_space(command, searched, tmp_path):
    done = command("show", searched / "best", "--plot", tmp_path / "cell.svg")
    assert done.code == 0
    assert done.out.startswith("gemnet, trained on digits\nnode  operation")
    assert "<svg" in (tmp_path / "cell.svg").read_text()
    content = json.loads((searched / "best" / "model.json").read_text())
    del content["architecture"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    damaged = command("show", tmp_path)
    assert damaged.code == 2
    assert "incomplete" in damaged.err


@pytest.mark.parametrize("name", ["cell.nonsense", "no/such/folder/cell.png"])
def test_a_drawing_that_cannot_be_written(command, tmp_path, name):
    done = command("show", CELL, "--space", "nasbench201", "--plot", tmp_path / name)
    assert done.code == 2
    assert name in done.err
    assert done.err.count("\n") == 1


def test_what_is_no_text(command, tmp_path):
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    done = command("show", tmp_path / "x.json", "--space", "gemnet")
    assert done.code == 2
    assert "x.json" in done.err


def test_a_learned_distribution(command, tmp_path):
    space = NASBench201()
    config = GraphPNASConfig(hidden_size=16, steps=2, n_startup_trials=4, batch_size=4, epochs=2)
    method = GraphPNAS(space, config)
    for architecture in method.ask(4):
        method.tell(architecture, float(architecture.num_edges))
    path = method.distribution().save(tmp_path / "distribution.pt")
    done = command("show", path, "--top", 3, "--plot", tmp_path / "samples.svg")
    assert done.code == 0
    assert "Distribution over nasbench201; the most probable of 1000 samples" in done.out
    ranked = method.distribution().top_k(3)
    for rank, entry in enumerate(ranked, start=1):
        assert f"{rank}  {entry.log_prob:.2f}" in done.out
        assert space.to_string(entry.architecture) in done.out
    assert "node  inputs" in done.out
    assert "<svg" in (tmp_path / "samples.svg").read_text()
    refused = command("show", path, "--space", "enas")
    assert refused.code == 2
    assert "'nasbench201', not 'enas'" in refused.err
    path.write_bytes(path.read_bytes()[:500])
    damaged = command("show", path)
    assert damaged.code == 2
    assert "distribution.pt" in damaged.err
    assert damaged.err.count("\n") == 1


# ---------------------------------------------------------------- spaces


def test_spaces_lists_every_space(command):
    done = command("spaces")
    assert done.code == 0
    lines = {line.split()[0]: line for line in done.out.splitlines() if line}
    assert set(space_names()) <= set(lines)
    assert "4.7e139" in lines["gemnet"]
    assert "15,625" in lines["nasbench201"]
    assert "423,624" in lines["nasbench101"]
    assert "1.6e29" in lines["enas"]
    assert "num_nodes=30" in done.out


@pytest.mark.parametrize(("content", "word"), [(None, "not found"), (b"no table", "damaged")])
def test_spaces_tells_whether_the_table_is_there(command, monkeypatch, tmp_path, content, word):
    monkeypatch.setattr("graphnas.data_directory.installed_file", lambda *_: None)
    if content is not None:
        (tmp_path / "nasbench201.csv.gz").write_bytes(content)
    monkeypatch.setenv("GRAPHNAS_DATA", str(tmp_path))
    (line,) = (line for line in command("spaces").out.splitlines() if line.startswith("nasbench201 "))
    assert f" {word} " in line


# ---------------------------------------------------------------- doctor


def test_doctor_tells_versions_and_where_data_is(command, tmp_path):
    (tmp_path / "nasbench201.csv.gz").write_bytes(b"")
    done = command("doctor", "--data-dir", tmp_path)
    assert done.code == 0
    for package in ("torch", "numpy", "optuna"):
        (line,) = (line for line in done.out.splitlines() if line.startswith(f"{package} "))
        assert line.split()[1] == metadata.version(package)
    assert f"data directory: {tmp_path} " in done.out
    (row,) = (line for line in done.out.splitlines() if line.startswith("nasbench201 "))
    assert row.endswith(f" {tmp_path / 'nasbench201.csv.gz'}")
    assert "enas6: ENAS 6-layer table not found; run: curl " in done.out
    assert "nasbench101: NAS-Bench-101 table not found; run: curl " in done.out
    assert "cifar10: CIFAR-10 not found" in done.out
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in done.out


def test_doctor_names_the_command_for_what_is_missing(command, monkeypatch, tmp_path):
    there = {"torch": "2.13.0"}
    monkeypatch.setattr(doctor, "_version", there.get)
    done = command("doctor", "--data-dir", tmp_path / "nowhere")
    assert done.code == 1
    assert "which does not exist" in done.out
    lines = {line.split()[0]: line for line in done.out.splitlines() if line}
    assert lines["optuna"].endswith('pip install "graphnas[optuna]"')
    assert lines["torchvision"].endswith('pip install --no-deps "torchvision==0.28.*"')
    assert lines["numpy"].endswith("pip install graphnas")
    assert "missing" not in lines["torch"]


def test_doctor_knows_of_the_setuptools_that_nni_needs(monkeypatch):
    versions = dict.fromkeys((part.package for part in doctor.PARTS), None)
    monkeypatch.setattr(doctor, "_version", {"setuptools": "82.0.1"}.get)
    assert doctor._notes(versions) == []
    whole = {**versions, "nni": "3.0", "pytorch-lightning": "2.6.6"}
    (note,) = doctor._notes(whole)
    assert "setuptools<81" in note
    monkeypatch.setattr(doctor, "_version", {"setuptools": "80.9.0"}.get)
    assert doctor._notes(whole) == []


@pytest.mark.parametrize(
    ("changed", "cure"),
    [
        ({"pytorch-lightning": None}, 'is missing.*pip install "pytorch-lightning>=2.6,<3"'),
        ({"pytorch-lightning": "2.5.1"}, 'is 2.5.1.*pip install "pytorch-lightning>=2.6,<3"'),
        ({"nni": "2.10"}, r"2\.10 is not the 3\.0.*pip install nni==3\.0"),
    ],
)
def test_doctor_knows_what_else_nni_needs(monkeypatch, changed, cure):
    monkeypatch.setattr(doctor, "_version", {"setuptools": "80.9.0"}.get)
    versions = dict.fromkeys((part.package for part in doctor.PARTS), None)
    (note,) = doctor._notes({**versions, "nni": "3.0", "pytorch-lightning": "2.6.6", **changed})
    assert re.search(cure, note)


def test_doctor_knows_the_forks_of_mmdet(monkeypatch):
    def version(name):
        if name not in {"onedl-mmcv": "2.3.6", "torch": "2.13.0"}:
            raise metadata.PackageNotFoundError(name)
        return {"onedl-mmcv": "2.3.6", "torch": "2.13.0"}[name]

    monkeypatch.setattr(doctor.metadata, "version", version)
    assert doctor._version("mmcv") == "2.3.6 (onedl-mmcv)"
    assert doctor._version("torch") == "2.13.0"
    assert doctor._version("mmdet") is None


def test_doctor_knows_every_package_that_users_may_need():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {("", requirement) for requirement in project["dependencies"]}
    for extra, requirements in project["optional-dependencies"].items():
        if extra not in ("all", "docs", "dev"):
            declared |= {(extra, requirement) for requirement in requirements}
    wanted = {(extra, re.match(r"[\w-]+", requirement)[0]) for extra, requirement in declared}
    named = [(part.extra, part.package) for part in doctor.PARTS]
    assert set(named) <= wanted
    # A package that several extras bring has one line.
    assert sorted(package for _, package in named) == sorted(
        {package for _, package in wanted} - {"setuptools"}
    )
