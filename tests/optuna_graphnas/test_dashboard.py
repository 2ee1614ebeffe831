"""DashboardCallback: what it stores, and what Optuna's dashboard shows of it in a browser."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from browser import chromium, free_port, wait_until_served
from optuna.artifacts import FileSystemArtifactStore
from small_space import SmallSpace

from graphnas.cli.main import main
from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Evaluation
from optuna_graphnas import DashboardCallback, Objective, RandomArchitectureSampler, suggest_architecture
from search_spaces import GEMNet

dashboard = pytest.importorskip("optuna_dashboard")
SPACE = GEMNet(num_nodes=6)


class Counted:
    """An evaluator that reports, and counts edges."""

    def evaluate(self, architecture, *, report=None):
        for epoch in range(3):
            if report is not None:
                report(epoch, float(architecture.num_edges + epoch))
        return Evaluation(float(architecture.num_edges + 2), parameters=1234567, macs=89, seconds=0.5)


def attributes(study):
    return study._storage.get_study_system_attrs(study._study_id)


def drawings(study, trial):
    from optuna_dashboard.artifact._backend import list_trial_artifacts

    return list_trial_artifacts(attributes(study), trial.system_attrs, trial)


def note(study, trial):
    from optuna_dashboard._note import get_note_from_system_attrs

    return get_note_from_system_attrs(attributes(study), trial._trial_id)["body"]


@pytest.fixture
def store(tmp_path):
    (tmp_path / "artifacts").mkdir()
    return FileSystemArtifactStore(tmp_path / "artifacts")


def searched(callback, trials=6, storage=None, pruner=None, **options):
    study = optuna.create_study(
        direction="maximize",
        sampler=RandomArchitectureSampler(SPACE, seed=0),
        pruner=pruner or optuna.pruners.MedianPruner(n_startup_trials=100),
        storage=storage,
    )
    study.optimize(Objective(SPACE, Counted()), n_trials=trials, callbacks=[callback], **options)
    return study


@pytest.mark.parametrize("storage", ["memory", "sqlite", "journal"])
def test_each_trial_has_its_drawing_and_note(store, tmp_path, storage):
    backend = {
        "memory": lambda: None,
        "sqlite": lambda: f"sqlite:///{tmp_path}/study.db",
        "journal": lambda: optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(tmp_path / "study.log"))
        ),
    }[storage]()
    study = searched(DashboardCallback(store), storage=backend)
    for trial in study.trials:
        files = drawings(study, trial)
        assert sorted(file["filename"] for file in files) == ["architecture.png", "curve.png"]
        for file in files:
            assert store.open_reader(file["artifact_id"]).read(4) == b"\x89PNG"
        text = note(study, trial)
        assert f"/artifacts/{study._study_id}/{trial._trial_id}/{files[0]['artifact_id']}" in text
        assert "| parameters | 1,234,567 |" in text
        assert "| multiply-accumulates | 89 |" in text
        assert f"| value | {trial.value:.6g} |" in text


def test_the_study_has_plots_that_are_replaced(store):
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    callback = DashboardCallback(store, plots_every=8)
    study = searched(callback, trials=16)
    plots = get_plotly_graph_objects(attributes(study))
    assert set(plots) == {
        f"graphnas-{name}" for name in ("regret", "best", "latent-space", "motifs", "generations")
    }
    assert all(text.startswith("{") for text in plots.values())
    study.optimize(Objective(SPACE, Counted()), n_trials=2)
    callback.publish(study)
    later = get_plotly_graph_objects(attributes(study))
    assert set(later) == set(plots)
    assert later["graphnas-regret"] != plots["graphnas-regret"]


def test_a_study_that_ran_without_it_can_be_published(store):
    study = searched(lambda study, trial: None)
    assert not any("dashboard" in key for key in attributes(study))
    DashboardCallback(store).publish(study)
    assert all(drawings(study, trial) for trial in study.trials)
    before = dict(attributes(study))
    DashboardCallback(store).publish(study)  # of another process: nothing twice
    assert {k for k in attributes(study) if "artifacts" in k} == {k for k in before if "artifacts" in k}


def test_several_objectives_have_a_front_instead_of_a_regret(store):
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=RandomArchitectureSampler(SPACE, seed=0)
    )
    study.set_metric_names(["edges", "nodes used"])

    def objective(trial):
        architecture = suggest_architecture(trial, SPACE)
        return float(architecture.num_edges), float(architecture.adjacency[0].sum())

    callback = DashboardCallback(store)
    study.optimize(objective, n_trials=8, callbacks=[callback])
    plots = callback.plots(study)
    assert "front" in plots
    assert "regret" not in plots
    assert "| nodes used |" in note(study, study.trials[0])


def test_failed_and_pruned_trials_have_a_note_too(store):
    callback = DashboardCallback(store, SPACE)
    study = optuna.create_study(sampler=RandomArchitectureSampler(SPACE, seed=0))

    def objective(trial):
        suggest_architecture(trial, SPACE)
        trial.report(1.0, 0)
        trial.report(2.0, 4)
        if trial.number == 0:
            raise optuna.TrialPruned
        trial.set_user_attr("reason", "out of | memory")
        return float("nan")

    study.optimize(objective, n_trials=2, callbacks=[callback])
    assert "Pruned after step 4." in note(study, study.trials[0])
    assert "| reason | out of / memory |" in note(study, study.trials[1])


def test_the_space_must_be_known(store):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    with pytest.raises(InvalidArgument, match="RandomSampler does not say the space"):
        study.optimize(lambda trial: 0.0, n_trials=1, callbacks=[DashboardCallback(store)])
    with pytest.raises(InvalidArgument, match="plots_every must be at least 1, got 0"):
        DashboardCallback(store, plots_every=0)


def test_trials_of_something_else_are_left_alone(store):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    callback = DashboardCallback(store, SmallSpace())
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2, callbacks=[callback])
    callback.publish(study)
    assert not drawings(study, study.trials[0])


def test_a_store_that_cannot_be_written_to_costs_a_warning(tmp_path, caplog):
    missing = FileSystemArtifactStore(tmp_path / "nowhere")
    with caplog.at_level(logging.WARNING):
        study = searched(DashboardCallback(missing), trials=3)
    assert len(study.trials) == 3
    assert "Nothing of trial 2 is in the dashboard" in caplog.text


def test_several_threads_write_at_once(store):
    study = searched(DashboardCallback(store), trials=8, n_jobs=4)
    assert all(len(drawings(study, trial)) == 2 for trial in study.trials)


def test_search_keeps_what_the_dashboard_shows(tmp_path, capsys):
    output = tmp_path / "run"
    command = ["search", "--space", "gemnet", "--nodes", "5", "--dataset", "digits", "--trials", "3"]
    command += ["--epochs", "1", "--shape", "width=4", "--retrain-epochs", "0", "--method", "random"]
    assert main([*command, "--output", str(output), "--dashboard"]) == 0
    assert f"--artifact-dir {output / 'artifacts'}" in capsys.readouterr().out
    assert len(list((output / "artifacts").iterdir())) == 3
    assert main([*command, "--dashboard"]) != 0
    assert "--dashboard needs --output" in capsys.readouterr().err


def test_it_needs_no_more_than_its_extra(monkeypatch, store):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(ImportError, match=r'pip install "graphnas\[dashboard\]"'):
        DashboardCallback(store)


# ---------------------------------------------------------------- in a browser


@contextlib.contextmanager
def served(storage: str, artifacts: Path):
    port = free_port()
    program = "from optuna_dashboard._cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, storage, "--artifact-dir", str(artifacts), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_served(f"{address}/api/studies")
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.e2e
def test_the_dashboard_shows_drawing_note_and_plots(tmp_path, store):
    storage = f"sqlite:///{tmp_path}/study.db"
    with chromium(tmp_path / "profile") as browser:
        callback = DashboardCallback(store)
        study = searched(callback, trials=12, storage=storage)
        callback.publish(study)
        trial = study.best_trial
        (drawing,) = (f for f in drawings(study, trial) if f["filename"] == "architecture.png")
        with served(storage, tmp_path / "artifacts") as address:
            browser.open(f"{address}/dashboard/studies/{study._study_id}/trials?numbers={trial.number}")
            image = f"[...document.images].find(i => i.src.endsWith('{drawing['artifact_id']}'))"
            browser.wait_for(f"{image}?.naturalWidth > 100 && {image}.getBoundingClientRect().width > 50")
            text = browser.value("document.body.innerText")
            assert "1,234,567" in text
            browser.open(f"{address}/dashboard/studies/{study._study_id}")
            browser.wait_for("document.body.textContent.includes('Latent space')")
            shown = browser.wait_for("document.querySelectorAll('.js-plotly-plot').length >= 6")
            assert shown
