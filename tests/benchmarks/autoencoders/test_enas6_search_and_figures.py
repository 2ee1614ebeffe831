"""Searches and figures of ENAS-6 run on what the training benchmark leaves; their parts do what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmark_run import run

from benchmarks.autoencoders.enas6_figures import agreement, by_performance
from benchmarks.autoencoders.enas6_surrogate import SPACE, EnasSurrogate, neighbours
from search_spaces.tables import open_enas6


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of tiny models, trained as the benchmark trains them."""
    folder = tmp_path_factory.mktemp("trained")
    sizes = ["--epochs", "3", "--hidden", "8", "--graphs", "60", "--latents", "5", "--gp-seeds", "1"]
    sizes += ["--gpytorch-seeds", "0", "--folder", str(folder), "--seeds", "1"]
    run(
        "autoencoders.enas6_autoencoders",
        *sizes,
        "--arms",
        "D-VAE",
        "DVAE-EMB",
        output=folder / "training.json",
    )
    return folder


# ---------------------------------------------------------------- parts


def test_neighbours_are_those_of_the_space():
    batch = SPACE.sample_batch(np.random.default_rng(0), 3)
    codes, skips = SPACE.to_codes(batch)
    near_codes, near_skips = neighbours(codes, skips)
    for k, architecture in enumerate(batch.to_architectures()):
        graphs = zip(*SPACE.to_codes(SPACE.neighbors(architecture)), strict=True)
        wanted = {(*c.tolist(), *s.tolist()) for c, s in graphs}
        found = {(*c.tolist(), *s.tolist()) for c, s in zip(near_codes[k], near_skips[k], strict=True)}
        assert found == wanted
        assert len(near_codes[k]) == len(wanted)


@pytest.mark.usefixtures("enas_table")
def test_the_surrogate_starts_with_the_training_set_and_predicts_what_it_was_not_fitted_on():
    surrogate, table = EnasSurrogate(trees=60, known=200), open_enas6()
    rows = table.split()[0][:200]
    assert {SPACE.key(a) for a in surrogate.start} == {SPACE.key(table.architecture(r)) for r in rows}
    known = table.figures("cifar10", 0, "validation_accuracy")[table.rows(surrogate.start)]
    np.testing.assert_array_equal(surrogate.start_values, known)
    assert (np.diff(known) >= 0).all()
    assert np.corrcoef(surrogate(surrogate.start), known)[0, 1] > 0.9
    fit = surrogate.held_out_fit()
    assert 0.85 < fit["pearson"] < np.corrcoef(surrogate(table.architectures()), surrogate.accuracies)[0, 1]
    assert fit["rmse"] < 0.6 * fit["deviation"]
    assert fit["of_start"] == surrogate(surrogate.start).max()


@pytest.mark.usefixtures("enas_table")
def test_climbing_is_steepest_ascent_to_where_no_neighbour_is_better():
    surrogate = EnasSurrogate(trees=100, known=50)
    current, evaluations = surrogate.start[-1], 1
    value = surrogate([current])[0]
    while True:
        near = SPACE.neighbors(current)
        evaluations += len(near)
        values = surrogate(near)
        if values.max() <= value:
            break
        current, value = near[int(values.argmax())], values.max()
    assert evaluations > 1 + 45  # the start is no optimum
    assert surrogate.climbed(1) == {"best": value, "evaluations": evaluations, "starts": 1}


def test_groups_are_of_equal_size_from_the_worst_to_the_best():
    accuracy = np.random.default_rng(0).permutation(60).astype(float)
    found = by_performance(2 * accuracy, accuracy)
    assert [sum(histogram) for histogram in found["histograms"]] == [10] * 6
    np.testing.assert_allclose(found["mean"], 2 * (np.arange(6) * 10 + 4.5))
    assert np.array(found["histograms"]).sum() == 60


def test_neighbours_agree_where_values_follow_the_points():
    points = np.random.default_rng(0).standard_normal((300, 2))
    assert agreement(points, points[:, 0]) > 0.95
    assert abs(agreement(points, np.random.default_rng(1).standard_normal(300))) < 0.2


# ---------------------------------------------------------------- scripts


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_search_benchmark_goes_on_where_it_stopped(trained, tmp_path):
    models = [str(trained / name) for name in ("D-VAE-0.round-1.pt", "DVAE-EMB-0.round-4.pt")]
    sizes = ["--rounds", "2", "--batch-size", "4", "--known", "40", "--trees", "20", "--decodings", "10"]
    sizes += ["--climbs", "5", "--models"]
    script, output = "autoencoders.enas6_search", tmp_path / "search.json"
    _, first = run(script, *sizes, *models, "--arms", "D-VAE", "evolution", "--seeds", "1", output=output)
    assert [found["arm"] for found in first["runs"]] == ["D-VAE", "evolution"]
    searched = first["runs"][0]
    assert (searched["model"]["model"], searched["model"]["hidden"], searched["model"]["epochs"]) == (
        "DVAE",
        8,
        3,
    )
    assert len(searched["values"]) == 8
    surrogate = EnasSurrogate(trees=20, known=40)
    for text, value in searched["top"]:
        architecture = SPACE.from_string(text)
        assert surrogate([architecture])[0] == pytest.approx(value, abs=1e-4)
        assert SPACE.key(architecture) not in {SPACE.key(a) for a in surrogate.start}
    assert searched["top"][0][1] == max(searched["values"])

    printed, both = run(script, *sizes, *models, "--seeds", "1", output=output)
    arms = ["D-VAE", "DVAE-EMB", "random search", "evolution"]
    assert [found["arm"] for found in both["runs"]] == arms
    assert [both["runs"][k] for k in (0, 3)] == first["runs"]  # not run again
    assert both["runs"][1]["model"]["rounds"] == 4
    best = max(both["runs"][1]["values"])
    assert f"{best:.3f}" in next(x for x in printed.splitlines() if x.startswith("DVAE-EMB  "))

    # A search of another model of that name does not count.
    other = both["runs"][0]
    other["model"]["sha256"] = "of another"
    output.write_text(json.dumps(both))
    _, again = run(script, *sizes, *models, "--seeds", "1", output=output)
    assert [{**r, "cpu_seconds": 0} for r in again["runs"][:1]] == [{**searched, "cpu_seconds": 0}]
    assert again["runs"][1:] == both["runs"][1:]


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table", "cifar10")
def test_search_by_shared_weights_keeps_its_supernet(trained, tmp_path):
    sizes = ["--rounds", "2", "--batch-size", "3", "--known", "12", "--decodings", "10", "--seeds", "1"]
    sizes += ["--width", "2", "--epochs", "2", "--steps", "1", "--images", "50", "--folder", str(tmp_path)]
    sizes += ["--models", str(trained / "D-VAE-0.round-1.pt")]
    script, output = "autoencoders.enas6_supernet", tmp_path / "supernet.json"
    _, first = run(script, *sizes, "--arms", "evolution", output=output)
    (file,) = tmp_path.glob("supernet-*.pt")
    written = file.stat().st_mtime_ns
    printed, both = run(script, *sizes, output=output)
    assert file.stat().st_mtime_ns == written  # not trained again
    assert [found["arm"] for found in both["runs"]] == ["D-VAE", "random search", "evolution"]
    assert both["runs"][2] == first["runs"][0]
    assert both["supernet"] == first["supernet"]
    values = [value for found in both["runs"] for value in found["values"]]
    assert all(value == round(value / 2) * 2 for value in values)  # of 50 images
    assert f"best {both['supernet']['of_start']:.2f} %" in printed


@pytest.mark.slow
@pytest.mark.usefixtures("enas_table")
def test_figures_benchmark(trained, tmp_path):
    script, folder = "autoencoders.enas6_figures", ["--folder", str(trained)]
    printed, record = run(script, *folder, output=tmp_path / "figures.json")
    assert list(record["courses"]) == ["D-VAE", "DVAE-EMB"]
    accuracy = np.array(record["accuracy"])
    for stem, last, found in (
        ("D-VAE-0", 1, record["courses"]["D-VAE"]),
        ("DVAE-EMB-0", 4, record["courses"]["DVAE-EMB"]),
    ):
        assert found["round"] == last
        assert [epoch["epoch"] for epoch in found["epochs"]] == [1, 2, 3]
        for number, epoch in zip(range(3 * last - 2, 3 * last + 1), found["epochs"], strict=True):
            latents = np.load(trained / f"{stem}.latents-{number}.npy")
            assert epoch["latents"] == pytest.approx(agreement(latents.astype(float), accuracy[:60]))
            assert len(epoch["x"]) == len(epoch["y"]) == 60
            assert (min(epoch["x"]), max(epoch["x"])) == (0, 999)
    assert record["bounds"] == sorted(record["bounds"])
    assert record["properties"]["average_path_length"]["mean"][0] < 0.9
    assert f"{record['courses']['D-VAE']['epochs'][-1]['plane']:.3f}" in printed
