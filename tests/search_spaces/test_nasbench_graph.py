"""NAS-Bench-Graph: the benchmark's numbers, its tables, and networks with its numbers of parameters."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
import torch

from graphnas import ArchitectureBatch
from graphnas.data_directory import installed_file
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from search_spaces import NASBenchGraph
from search_spaces.nasbench_graph_codes import ALL_LINKS, OPERATIONS, codes_of, decoded, known_codes
from search_spaces.nasbench_graph_network import SHAPES
from search_spaces.tables import open_table
from search_spaces.tables.nasbench_graph import DATASETS, PACKAGE, ROWS

needs_package = pytest.mark.skipif(
    installed_file(PACKAGE, "nas_bench_graph/light/cora.bench") is None, reason=f"{PACKAGE} is not installed"
)
EXAMPLE = '[[0, 1, 2, 1], ["gcn", "gin", "fc", "cheb"]]'


# ---------------------------------------------------------------- the benchmark's numbers


def test_every_way_to_write_a_tree_has_the_benchmarks_number():
    """The digest is that of the numbers that the benchmark's own code gives for all 157,464."""
    links = np.repeat(np.array(ALL_LINKS), 9**4, axis=0)
    operations = np.tile(np.indices((9, 9, 9, 9)).reshape(4, -1).T, (24, 1))
    codes = codes_of(links, operations).astype("<i4")
    assert len(codes) == 157_464
    digest = "878db61e0ecc2f39d607cf4137595cfa27677fb2337f68708851129c8ede297f"
    assert hashlib.sha256(codes.tobytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (EXAMPLE, "61237"),
        ('[[0, 1, 1, 2], ["gcn", "gin", "cheb", "fc"]]', "61237"),  # the same tree
        ('[[0, 1, 1, 2], ["gcn", "cheb", "gin", "fc"]]', "61327"),  # fc reads cheb, not gin
        ('[[0, 0, 0, 0], ["gat", "gat", "gat", "gat"]]', "00000"),
        ('[[0, 1, 2, 3], ["gcn", "skip", "gat", "skip"]]', "88810"),  # skips only copy: they come first
        ('[[0, 0, 1, 1], ["skip", "gcn", "gat", "gin"]]', "58012"),
        ('[[0, 1, 1, 1], ["gcn", "skip", "gat", "gin"]]', "51028"),  # a residual connection stays
    ],
)
def test_keys(text, key):
    space = NASBenchGraph()
    architecture = space.from_string(text)
    assert space.key(architecture) == key
    assert space.key(space.from_code(int(key))) == key


def test_the_space_is_walked_through():
    space = NASBenchGraph()
    everything = list(space.enumerate())
    assert len(everything) == space.size() == 26_206
    assert space.keys(everything) == [f"{code:05d}" for code in known_codes()]
    sampled = space.sample_batch(np.random.default_rng(0), 300)
    assert set(space.keys(sampled)) <= set(space.keys(everything))
    assert space.keys(sampled) == [space.key(architecture) for architecture in sampled]


def test_architectures_of_one_key_are_one_active_graph():
    space = NASBenchGraph()
    batch = space.sample_batch(np.random.default_rng(1), 200)
    active = space.active_batch(batch)
    assert space.keys(active) == space.keys(batch)
    by_key = dict(zip(space.keys(batch), active, strict=True))
    assert all(by_key[key] == graph for key, graph in zip(space.keys(batch), active, strict=True))
    links, operations = decoded(space.codes(batch))
    assert (operations[:, 0] >= 0).all()
    assert (links[:, 0] == 0).all()


def test_rules():
    space = NASBenchGraph()
    with pytest.raises(InvalidArchitecture, match="skip connections"):
        space.from_string('[[0, 1, 1, 2], ["skip", "skip", "skip", "skip"]]')
    member = space.from_string(EXAMPLE)
    two = member.adjacency.astype(int).copy()
    two[0, 3] = 1
    with pytest.raises(InvalidArchitecture, match="node 3 reads 2 nodes"):
        space.from_matrix(two, member.operations.tolist())
    batch = ArchitectureBatch.from_arrays(
        np.stack([two, member.adjacency]).astype(np.int8), np.stack([member.operations] * 2)
    )
    with pytest.raises(InvalidArchitecture, match="node 3 reads 2 nodes"):
        space.keys(batch)
    assert space.check_batch(batch).tolist() == [False, True]
    broken, whole = space.active_batch(batch)  # a search scores candidates before it checks them
    assert np.array_equal(broken.adjacency, two)
    assert space.key(whole) == space.key(member)


def test_the_vectorised_rule_is_the_rule():
    space, rng = NASBenchGraph(), np.random.default_rng(2)
    adjacency, operations, _ = (array.copy() for array in space.sample_batch(rng, 400).to_arrays())
    rows = np.arange(0, 400, 2)
    adjacency[rows, rng.integers(0, 2, 200), rng.integers(2, 5, 200)] ^= 1
    operations[rng.integers(0, 400, 40), 1:] = 9
    operations[rng.integers(0, 400, 10), 2] = 0
    batch = ArchitectureBatch.from_arrays(adjacency, operations)
    fits = space.check_batch(batch).tolist()
    assert fits == [space.is_valid(architecture) for architecture in batch]
    assert 100 < sum(fits) < 300
    for text in ("", "[]", '[[0, 2, 0, 0], ["gcn", "gcn", "gcn", "gcn"]]', '[[0, 0, 0, 0], ["gcn"]]'):
        with pytest.raises(InvalidArchitecture, match="nasbenchgraph"):
            space.from_string(text)
    for code in (88888, -1, 99999, 88888.0):
        with pytest.raises(InvalidArgument, match="not the code"):
            space.from_code(code)


def test_parameters_are_inputs_and_operations():
    space = NASBenchGraph()
    assert space.to_parameters(space.from_string(EXAMPLE)) == {
        "nasbenchgraph/input_2": 1,
        "nasbenchgraph/input_3": 2,
        "nasbenchgraph/input_4": 1,
        "nasbenchgraph/op_1": "gcn",
        "nasbenchgraph/op_2": "gin",
        "nasbenchgraph/op_3": "fc",
        "nasbenchgraph/op_4": "cheb",
    }
    assert len(space.neighbors(space.from_string(EXAMPLE))) == 1 + 2 + 3 + 4 * 8


# ---------------------------------------------------------------- networks


def small_graph() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(12, 6, generator=generator)
    edges = torch.tensor([[*range(12), *range(12)], [*range(1, 12), 0, *range(2, 12), 0, 1]])
    return features, torch.cat([edges, edges.flip(0)], 1)


@pytest.mark.parametrize("pre_layer", [False, True])
@pytest.mark.parametrize("post_layer", [False, True])
def test_networks_run_forwards_and_backwards(pre_layer, post_layer):
    pytest.importorskip("torch_geometric")
    space = NASBenchGraph()
    features, edges = small_graph()
    rng = np.random.default_rng(0)
    wanted = [space.from_code(int(f"8{k}{k}{k}{k}")) for k in range(8)]
    for architecture in [*wanted, *(space.sample(rng) for _ in range(12))]:
        network = space.build(
            architecture, 3, in_channels=6, width=8, pre_layer=pre_layer, post_layer=post_layer
        )
        logits = network(features, edges)
        assert logits.shape == (12, 3)
        logits.square().sum().backward()
        for name, parameter in network.named_parameters():
            if parameter.grad is None:  # ARMA of one layer has a weight between layers that it does not use
                assert name.endswith(".weight")
                assert ".layers." in f".{name}"
                continue
            assert torch.isfinite(parameter.grad).all()


def test_a_tree_learns():
    """Which half of a ring a node is in, from noisy features of its neighbourhood."""
    pytest.importorskip("torch_geometric")
    space = NASBenchGraph()
    _, edges = small_graph()
    labels = (torch.arange(12) >= 6).long()
    features = labels[:, None] + 0.3 * torch.randn(12, 6, generator=torch.Generator().manual_seed(1))
    torch_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    network = space.build(space.from_string(EXAMPLE), 2, in_channels=6, width=8)
    torch.random.set_rng_state(torch_state)
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(features, edges), labels)
        loss.backward()
        optimiser.step()
    assert (network(features, edges).argmax(1) == labels).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 7}, "even"),
        ({"width": 0}, "width"),
        ({"dropout": 1.0}, "dropout"),
        ({"in_channels": 0}, "in_channels"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    space = NASBenchGraph()
    with pytest.raises(InvalidArgument, match=message):
        space.build(space.from_string(EXAMPLE), 3, **{"in_channels": 6, **settings})


@needs_package
@pytest.mark.parametrize("dataset", ["cora", "arxiv", "computers"])
def test_parameters_are_those_of_the_benchmark(dataset):
    """The benchmark also counts a normalisation for each skip connection."""
    pytest.importorskip("torch_geometric")
    space, shape = NASBenchGraph(), SHAPES[dataset]
    table = open_table(space)
    for row in range(0, 26_206, 997):
        architecture = table.architecture(row)
        with torch.device("meta"):
            network = space.build(architecture, **shape._asdict())
        ours = sum(parameter.numel() for parameter in network.parameters())
        skips = int((architecture.operations == 1 + OPERATIONS.index("skip")).sum())
        assert table.complexity(dataset, row) == (ours + 2 * shape.width * skips, None)


# ---------------------------------------------------------------- tables


@needs_package
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_row_of_every_table(dataset):
    space = NASBenchGraph()
    evaluator = TabularEvaluator(space, dataset)
    values = evaluator.values(list(space.enumerate()))
    known = ~np.isnan(values)
    assert known.sum() == ROWS[dataset] == len(evaluator.architectures())
    assert evaluator.knows_all == (dataset != "proteins")
    assert values[known].min() > 5
    assert evaluator.optimum == np.nanmax(values) < 100


@needs_package
def test_a_row_by_hand(tmp_path):
    """The first entry of the file of cora: four attention layers side by side."""
    space = NASBenchGraph()
    evaluator = TabularEvaluator(space, "cora", device="gpu_cora")
    result = evaluator.evaluate(space.from_string('[[0, 0, 0, 0], ["gat", "gat", "gat", "gat"]]'))
    assert result.value == pytest.approx(77.3333333)
    assert result.metrics["test_accuracy"] == pytest.approx(79.7)
    assert result.metrics["latency"] == pytest.approx(5.922238)
    assert result.parameters == 1_736_711
    assert result.macs is None
    assert evaluator.unit == "%"


@needs_package
def test_a_search_on_proteins_uses_the_known_part():
    space = NASBenchGraph()
    evaluator = TabularEvaluator(space, "proteins")
    part = space.restricted_to(evaluator)
    assert part.size() == 2021
    assert not evaluator.evaluate(part.sample(np.random.default_rng(0))).failed
    unknown = evaluator.evaluate(space.from_string('[[0, 0, 0, 0], ["gat", "gat", "gat", "gat"]]'))
    assert unknown.failed
    assert "proteins" in unknown.reason


def write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cora.bench").write_bytes(pickle.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(0), "26205 entries"),
        (lambda rows: rows.update({88888: rows.pop(0)}), "88888"),
        (lambda rows: rows.update({"x": rows.pop(0)}), "'x'"),
        (lambda rows: rows[5].update(perf=7.0), "perf"),
        (lambda rows: rows[5].pop("para"), "para"),
    ],
)
def test_files_that_are_damaged(tmp_path, change, message):
    row = {"valid_perf": 0.5, "perf": np.float64(0.4), "latency": 0.01, "para": 1.0}
    rows = {int(code): dict(row) for code in known_codes()}
    write(tmp_path / "nasbenchgraph", rows)
    assert TabularEvaluator(NASBenchGraph(), data_dir=tmp_path).optimum == 50
    change(rows)
    write(tmp_path / "damaged", rows)
    with pytest.raises(CorruptData, match=message):
        _ = TabularEvaluator(NASBenchGraph(), data_dir=tmp_path / "damaged").optimum
    with pytest.raises(DataNotFound, match=r"arxiv\.bench"):
        _ = TabularEvaluator(NASBenchGraph(), "arxiv", data_dir=tmp_path).optimum
