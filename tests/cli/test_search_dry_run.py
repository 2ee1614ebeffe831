"""graphnas search --dry-run: counts, sizes and an estimate, and nothing else."""

from __future__ import annotations

import math
import re
import time

import numpy as np
import pytest
from small_search import TINY

from graphnas.cli.main import main
from graphnas.cli.methods import make_search_method
from graphnas.errors import InvalidArgument
from graphnas.evaluate import OracleEvaluator
from graphnas.evaluate.dry_run import evaluation_work
from graphnas.methods import GraphPNAS, RandomSearch
from graphnas.methods.dry_run import proposal_work
from search_spaces import GEMNet, NASBench201


def test_a_dry_run_prints_counts_and_keeps_nothing(tmp_path, capsys):
    output = tmp_path / "run"
    command = ["search", *TINY, "--method", "random", "--trials", "50", "--output", str(output), "--dry-run"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "Dry run of a search of gemnet on digits" in text
    assert re.search(r"trials +50\n", text)
    assert re.search(r"training step of [0-9]+ images +250 ", text)  # 5 steps in the one epoch
    assert re.search(r"random: proposal +50 ", text)
    assert "Estimate, measured on this machine" in text
    assert not output.exists()


def test_the_work_of_training_counts_epochs_steps_and_measured_images():
    space = GEMNet(4)
    evaluator = OracleEvaluator(
        space,
        "digits",
        shape={"width": 2, "stages": 1},
        epochs=7,
        train_fraction=0.1,
        validation_limit=100,
        reward_epochs=3,
    )
    rng = np.random.default_rng(0)
    training, measuring = evaluation_work(evaluator, space.sample(rng), 10)
    steps = -(-len(evaluator.train_indices) // evaluator.config.batch_size)
    assert training.times == 10 * 7 * steps
    assert measuring.times == 10 * 3 * 100  # the last three epochs make the value
    watched = evaluation_work(evaluator, space.sample(rng), 10, watched=True)[1]
    assert watched.times == 10 * 7 * 100
    assert 0 < measuring.seconds < training.seconds


def test_the_estimate_is_of_the_size_of_the_search():
    space = GEMNet(4)
    evaluator = OracleEvaluator(space, "digits", shape={"width": 2, "stages": 1}, epochs=3)
    architecture = space.sample(np.random.default_rng(0))
    estimate = sum(work.together for work in evaluation_work(evaluator, architecture, 1))
    started = time.perf_counter()
    evaluator.evaluate(architecture)
    taken = time.perf_counter() - started
    assert taken / 10 < estimate < 10 * taken


def test_the_work_of_proposals_counts_every_trial():
    (work,) = proposal_work(RandomSearch(NASBench201(), seed=0), 40)
    assert work.times == 40
    assert 0 < work.seconds < 1


@pytest.mark.parametrize("method", ["random", "graphpnas"])
def test_a_method_is_made_without_optuna(method):
    made = make_search_method(method, NASBench201(), seed=3)
    assert made.seed == 3


def test_single_settings_of_a_method_replace_those_of_its_preset():
    settings = {"generator": "rnn", "epsilon": [0.5, 0.1]}
    made = make_search_method("graphpnas", NASBench201(), seed=0, preset="paper", settings=settings)
    assert isinstance(made, GraphPNAS)
    assert (made.config.generator, made.config.epsilon) == ("rnn", (0.5, 0.1))
    assert made.config.hidden_size == 128
    with pytest.raises(InvalidArgument, match="--config generator is for"):
        make_search_method("random", NASBench201(), seed=0, settings=settings)
    with pytest.raises(InvalidArgument, match="has no 'generators'; did you mean 'generator'"):
        make_search_method("graphpnas", NASBench201(), seed=0, settings={"generators": "rnn"})


def write_tiny_imagenet(root):
    """Three classes of 20 training images and 2 others each, of 16 x 16, in the official layout."""
    image = pytest.importorskip("PIL.Image")
    names = ("n01", "n02", "n03")
    (root / "val" / "images").mkdir(parents=True)
    lines = []
    for label, name in enumerate(names):
        folder = root / "train" / name / "images"
        folder.mkdir(parents=True)
        for k in range(20):
            image.new("RGB", (16, 16), (80 * label, 10 * k, 0)).save(folder / f"{name}_{k}.JPEG")
        for k in range(2):
            image.new("RGB", (16, 16), (80 * label, 0, 9)).save(root / f"val/images/{name}_{k}.JPEG")
            lines.append(f"{name}_{k}.JPEG\t{name}\t0\t0\t7\t7\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "wnids.txt").write_text("\n".join(names))


def test_the_published_search_of_randwire_by_one_command(tmp_path, capsys):
    """Its counts, on a small set in Tiny-ImageNet's layout with a small generator and small networks."""
    write_tiny_imagenet(tmp_path / "tiny-imagenet-200")
    command = [
        *("search", "--space", "randwire", "--method", "graphpnas", "--preset", "randwire", "--nodes", "6"),
        *("--dataset", "tiny-imagenet", "--data-dir", str(tmp_path), "--image-size", "32"),
        *("--recipe", "oracle", "--trials", "320", "--config", "hidden_size=16", "--config", "steps=2"),
        *("--shape", "widths=[4, 6]", "--shape", "stem_widths=[4, 4]", "--shape", "head_width=8"),
        *("--device", "cpu", "--dry-run"),
    ]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert re.search(r"images +3x32x32\n", text)
    assert re.search(r"images trained on +6\n", text)  # a tenth
    assert re.search(r"images measured on +54\n", text)  # all others
    assert re.search(r"epochs +300\n", text)
    assert re.search(r"training step of 6 images +96,000 ", text)  # 320 networks, 300 epochs, 1 step
    assert re.search(r"validation image +51,840 ", text)  # the last 3 epochs alone
    steps = 2000 * sum(-(-max(1, math.ceil(share * n)) // 16) for n, share in randwire_shares())
    assert re.search(rf"gradient step of 16 graphs +{steps:,} ", text)


def randwire_shares():
    """The evaluations of each update and the share that is kept, from 30 % down to 10 %."""
    for n in range(8, 320, 8):
        yield n, (0.3, 0.25, 0.2, 0.15)[n // 80]
