"""``examples/cluster``: two workers through the gRPC proxy, and templates whose commands we understand."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from graphnas.cli.main import build_parser
from graphnas.cli.storages import open_storage
from search_spaces import get_space

CLUSTER = Path(__file__).parents[2] / "examples" / "cluster"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_two_workers_through_the_proxy(command, needs_table, tmp_path):
    pytest.importorskip("grpc", reason='grpcio is not installed: pip install "graphnas[grpc]"')
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    url = f"sqlite:///{tmp_path}/study.db"
    proxy = subprocess.Popen(
        [sys.executable, CLUSTER / "storage_proxy.py", url, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert proxy.stdout is not None
        assert f"grpc://localhost:{port}" in proxy.stdout.readline()
        run = ["search", "--space", "nasbench201", "--method", "random", "--trials", 12]
        done = command(*run, "--storage", f"grpc://localhost:{port}", "--workers", 2)
        assert done.code == 0, done.err
        shown = command("show", f"grpc://localhost:{port}")
        assert "12 evaluations" in shown.out
    finally:
        proxy.kill()
        proxy.communicate()
    (study,) = optuna.get_all_study_names(open_storage(url))
    trials = optuna.load_study(study_name=study, storage=open_storage(url)).trials
    space = get_space("nasbench201")
    complete = [trial for trial in trials if trial.state == optuna.trial.TrialState.COMPLETE]
    keys = {space.key(space.from_parameters(trial.params)) for trial in complete}
    assert len(keys) == len(complete) == 12
    assert len({trial.system_attrs["graphnas:worker"]["pid"] for trial in complete}) == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [("grpc://localhost", "grpc://HOST:PORT"), ("grpc://localhost:99999", "grpc://HOST:PORT")],
)
def test_an_address_of_no_proxy_is_refused(command, url, said):
    pytest.importorskip("grpc", reason='grpcio is not installed: pip install "graphnas[grpc]"')
    done = command("show", url)
    assert done.code == 2
    assert said in done.err


def test_without_grpcio_the_command_that_installs_it_is_named(command, monkeypatch):
    monkeypatch.setitem(sys.modules, "grpc", None)
    done = command("show", "grpc://localhost:13000")
    assert done.code == 2
    assert 'pip install "graphnas[grpc]"' in done.err


def test_the_slurm_template_runs_the_command_in_each_job(tmp_path):
    script = (CLUSTER / "slurm_array.sh").read_text(encoding="utf-8")
    shown = tmp_path / "graphnas"
    shown.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    shown.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": "3"}
    without = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True)
    assert without.returncode != 0
    assert "STORAGE: is not set" in without.stderr
    environment["STORAGE"] = "postgresql://somewhere/studies"
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    args = build_parser().parse_args(done.stdout.splitlines())
    assert (args.workers, args.storage) == (4, environment["STORAGE"])
    assert args.output.name == "3"  # a directory of its own


def test_the_kubernetes_template_runs_the_command_in_each_pod():
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    job = yaml.safe_load((CLUSTER / "kubernetes_job.yaml").read_text(encoding="utf-8"))
    assert job["kind"] == "Job"
    (container,) = job["spec"]["template"]["spec"]["containers"]
    args = build_parser().parse_args([*container["command"][1:], *container["args"]])
    assert args.workers == container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert args.storage == "$(STORAGE)"
    assert {variable["name"] for variable in container["env"]} == {"STORAGE", "GRAPHNAS_DATA"}


def test_every_file_is_described():
    described = re.findall(
        r"^\| `(.*?)` \|", (CLUSTER / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    here = {path.name for path in CLUSTER.iterdir() if path.is_file()} - {"README.md"}
    assert set(described) == here
