"""GraphPNAS's explorers, streams of candidates and the search loop, beyond the contract of all methods."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from graphnas import Architecture, ArchitectureBatch
from graphnas.configuration import configured
from graphnas.errors import InvalidArgument, SpaceExhausted
from graphnas.methods import GraphPNAS, GraphPNASConfig
from graphnas.methods.graphpnas import RNNGenerator, sample_valid
from graphnas.methods.graphpnas.explorers import EXPLORERS, epsilon_at, make_explorer
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.graph_generator import GraphGenerator
from graphnas.methods.graphpnas.sampling import CandidateStream, generator_stream
from graphnas.methods.graphpnas.stages import StagedGenerator
from graphnas.seeds import torch_generator
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire

# The published loop; test_graphpnas_critic.py has what a critic changes.
SMALL = {
    "generator": "rnn",
    "hidden_size": 16,
    "n_startup_trials": 8,
    "batch_size": 4,
    "epochs": 5,
    "critic": None,
}


def quality(architecture: Architecture) -> float:
    """Number of 3x3 convolutions of a NAS-Bench-201 cell, with a tie-breaker."""
    return float((architecture.adjacency == 3).sum() + 0.01 * architecture.adjacency.sum())


def drive(method, steps, value=quality):
    found = []
    for _ in range(steps):
        (architecture,) = method.ask()
        method.tell(architecture, value(architecture))
        found.append(architecture)
    return found


# ---------------------------------------------------------------- exploration


def test_epsilon_schedules():
    def at(schedule, start, end, steps, factor=1.0):
        return [epsilon_at(t, schedule, start, end, steps, factor) for t in (0, 1, 2, 4, 5, 100)]

    assert at("step", 1.0, 0.1, 2) == [1.0, 1.0, 0.1, 0.1, 0.1, 0.1]
    assert at("linear", 1.0, 0.0, 4) == [1.0, 0.75, 0.5, 0.0, 0.0, 0.0]
    assert at("linear", 1.0, 0.5, 0) == [0.5] * 6
    # RandWire: 0.6, times 0.2 every 10 updates.
    assert at("geometric", 0.6, 0.01, 2, 0.2) == pytest.approx([0.6, 0.6, 0.12, 0.024, 0.024, 0.01])
    with pytest.raises(InvalidArgument, match="'cosine'"):
        epsilon_at(0, "cosine", 1, 0, 1, 1)


@pytest.mark.parametrize("name", EXPLORERS)
@pytest.mark.parametrize(
    "space", [NASBench101(), NASBench201(), GEMNet(6), ENASMacro(5), RandWire(9)], ids=lambda s: s.name
)
def test_explorers_keep_to_the_choices_of_the_space(space, name):
    explorer = make_explorer(space, name, edge_probability=(0.4, 0.4))
    drawn = explorer(np.random.default_rng(0), 60)
    assert len(drawn) == 60
    assert sum(space.is_valid(a) for a in drawn) >= 1
    for architecture in drawn:
        space.layout.check(architecture)
    assert drawn == explorer(np.random.default_rng(0), 60)
    assert len(set(drawn)) > 20


def test_the_explorers_of_the_paper():
    rng = np.random.default_rng(0)
    # NAS-Bench-201: the six labels uniform in 1..4, never none.
    cells = make_explorer(NASBench201(), "labels")(rng, 2000)
    labels = np.array([a.adjacency[np.triu_indices(4, 1)] for a in cells])
    assert np.bincount(labels.ravel(), minlength=5)[0] == 0
    assert np.bincount(labels.ravel())[1:] / labels.size == pytest.approx(0.25, abs=0.02)
    # Erdos-Renyi: independent edges of probability p.
    graphs = make_explorer(RandWire(12), "erdos-renyi", edge_probability=(0.3, 0.3))(rng, 400)
    assert np.mean([a.num_edges for a in graphs]) == pytest.approx(0.3 * 66, rel=0.05)
    # Watts-Strogatz: N k / 2 edges, k even.
    graphs = make_explorer(RandWire(12), "watts-strogatz", neighbors=(2, 6))(rng, 100)
    assert {a.num_edges for a in graphs} == {12, 24, 36}


def test_the_explorer_of_nasbench101_draws_all_sizes_alike():
    space = NASBench101()
    drawn = make_explorer(space, "erdos-renyi", sizes=(3, 7))(np.random.default_rng(0), 150)
    assert {a.num_nodes for a in drawn} == {7}  # completed
    sizes = [space.prune(a).num_nodes for a in drawn]
    counts = np.bincount(sizes, minlength=8)[3:]
    assert counts.sum() == 150
    assert counts.min() > 14  # 30 of each are expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "barabasi"}, "'barabasi'"),
        ({"name": "erdos-renyi", "edge_probability": (0.5, 1.2)}, "edge_probability"),
        ({"name": "watts-strogatz", "rewiring_probability": (0.5, 0.2)}, "rewiring_probability"),
        ({"name": "erdos-renyi", "sizes": (1, 7)}, "2..7"),
        ({"name": "erdos-renyi", "sizes": (3, 8)}, "2..7"),
        ({"name": "watts-strogatz", "neighbors": (3, 3)}, "even"),
    ],
)
def test_explorers_that_cannot_be(options, message):
    with pytest.raises(InvalidArgument, match=message):
        make_explorer(NASBench101(), **options)


# ---------------------------------------------------------------- candidates


def test_a_stream_gives_valid_architectures_of_new_keys_and_ends():
    space = NASBench201()
    cells = [space.at(k) for k in (7, 7, 3, 9)]
    foreign = Architecture(np.zeros((3, 3), int))
    asked = []

    def draw(chunk):
        asked.append(chunk)
        return (5, [foreign, *cells]) if chunk == 1 else (1, cells[:1])

    stream = CandidateStream(space, draw, patience=3)
    assert [a for a, _ in stream] == [cells[0], cells[2], cells[3]]
    assert asked == [0, 1, 2, 3, 4]  # the last three held nothing new
    seen = {space.key(cells[0]), space.key(cells[3])}
    assert stream.first_unseen(seen) == cells[2]
    assert stream.first_unseen(seen | {space.key(cells[2])}) is None
    assert asked == [0, 1, 2, 3, 4]


def test_isomorphic_samples_are_one():
    space = NASBench201(identity="graph")
    cell = space.from_string("|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|none~2|")
    mirror = space.from_string("|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|nor_conv_1x1~2|")
    assert cell != mirror
    assert [a for a, _ in CandidateStream(space, lambda _: (2, [cell, mirror]), patience=2)] == [cell]


def test_sample_valid():
    space = NASBench101()
    generator = RNNGenerator(space, hidden_size=8, generator=torch_generator(0))
    found = sample_valid(generator, 40, seed=1)
    assert len({space.key(a) for a in found}) == 40
    assert all(map(space.is_valid, found))
    assert found == sample_valid(generator, 40, seed=1)
    excluded = {space.key(a) for a in found[:20]}
    assert sample_valid(generator, 20, seed=1, exclude=excluded) == found[20:]
    tiny = RNNGenerator(RandWire(3), hidden_size=8, generator=torch_generator(0))
    assert len(sample_valid(tiny, 6, candidates=5000)) == 6
    with pytest.raises(SpaceExhausted, match="6 of 7 valid"):
        sample_valid(tiny, 7, candidates=5000)
    with pytest.raises(InvalidArgument, match="got 0"):
        sample_valid(generator, 0)


def test_the_likeliest_of_the_samples_come_first():
    space = RandWire(4)
    generator = RNNGenerator(space, hidden_size=8, generator=torch_generator(0))
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter *= 3
    options = {"chunk": 50, "candidates": 50}
    count, plain = generator_stream(space, lambda: generator, [1], **options)._draw(0)
    _, ordered = generator_stream(space, lambda: generator, [1], likeliest=True, **options)._draw(0)
    plain, ordered = list(plain), list(ordered)
    assert count == 50
    assert len(set(plain)) == len(plain) < 50
    assert Counter(plain) == Counter(ordered)
    likelihood = generator.log_prob(ArchitectureBatch.from_architectures(ordered)).tolist()
    assert likelihood == pytest.approx(sorted(likelihood, reverse=True))
    assert likelihood[0] > likelihood[-1]


@pytest.mark.parametrize("name", ["watts-strogatz", "erdos-renyi"])
def test_each_stage_of_randwire_is_drawn_by_itself(name):
    """One ring over all 96 nodes, cut between the stages, has 39 edges a stage where the prior has 64."""
    space = RandWire(32, stages=3, prior=name)
    explorer = make_explorer(space, name, edge_probability=(0.1, 0.5))
    graphs = explorer(np.random.default_rng(0), 200)
    assert all(space.is_valid(graph) for graph in graphs)
    stages = [[stage.num_edges for stage in space.stage_graphs(graph)] for graph in graphs]
    prior = space.sample_batch(np.random.default_rng(1), 200).to_architectures()
    expected = [[stage.num_edges for stage in space.stage_graphs(graph)] for graph in prior]
    # Watts-Strogatz: N k / 2 with k = 2, 4 or 6. Erdos-Renyi: 0.3 of 496 pairs.
    mean = 64 if name == "watts-strogatz" else 0.3 * 496
    for found in (stages, expected):
        assert np.mean(found, 0) == pytest.approx([mean] * 3, rel=0.1)
    if name == "watts-strogatz":
        assert {edges for graph in stages for edges in graph} == {32, 64, 96}
    # Each stage has parameters of its own.
    assert abs(np.corrcoef(np.array(stages).T)[0, 1]) < 0.3
    isolated = [
        int(((stage.adjacency.any(0)) | (stage.adjacency.any(1)) == 0).sum())
        for graph in graphs
        for stage in space.stage_graphs(graph)
    ]
    assert np.mean(isolated) < 0.6


# ---------------------------------------------------------------- the loop


def test_it_learns_what_is_good():
    values = []
    config = GraphPNASConfig(**SMALL, keep_top=8, learning_rate=5e-3, warm_epochs=10)
    for seed in range(3):
        method = GraphPNAS(NASBench201(), config, seed=seed)
        values.append([quality(a) for a in drive(method, 60)])
    first, last = np.mean(values, 0)[:8].mean(), np.mean(values, 0)[-15:].mean()
    assert last > first + 1.0


def test_proposals_of_a_step_do_not_depend_on_the_values_told_within_it():
    """Told one by one or asked for together: within a step the distribution stays the same."""
    one_by_one = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL), seed=0)
    together = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL), seed=0)
    drive(one_by_one, 8)
    drive(together, 8)
    step = together.ask(4)
    assert drive(one_by_one, 4) == step
    for architecture in step:
        together.tell(architecture, quality(architecture))
    assert one_by_one.ask(4) == together.ask(4)


def test_epsilon_one_is_pure_exploration_and_zero_none():
    explored = {"explorer": "labels", "epsilon": (1.0, 1.0)}
    method = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL, **explored), seed=0)
    for architecture in drive(method, 30):
        assert (architecture.adjacency[np.triu_indices(4, 1)] > 0).all()
    method = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL, explorer="labels"), seed=0)
    cells = drive(method, 30, value=lambda a: float((a.adjacency == 0).sum()))
    assert any((a.adjacency[np.triu_indices(4, 1)] == 0).any() for a in cells[8:])


@pytest.mark.parametrize("unit", ["sample", "step"])
def test_epsilon_is_drawn_by_sample_or_by_step(unit):
    config = GraphPNASConfig(**SMALL, epsilon=(0.5, 0.5), epsilon_per=unit)
    method = GraphPNAS(NASBench201(), config, seed=0)
    updates = range(8, 808, 4)
    coins = np.array([[method._explores(update, update + k) for k in range(4)] for update in updates])
    assert coins.mean() == pytest.approx(0.5, abs=0.1)
    assert (np.ptp(coins.astype(int), axis=1) == 0).all() == (unit == "step")


def test_the_share_of_the_likeliest():
    """All proposals are from the same samples: the likeliest of them, the next ones, or some of both."""
    proposals = {}
    for share in (0.0, 0.5, 1.0):
        settings = SMALL | {"batch_size": 30, "chunk": 200}
        method = GraphPNAS(NASBench201(), GraphPNASConfig(**settings, likeliest=share), seed=0)
        drive(method, 8)
        generator = method.generator
        found = method.ask(20)
        likelihood = generator.log_prob(ArchitectureBatch.from_architectures(found))
        proposals[share] = likelihood.mean().item()
    assert proposals[1.0] > proposals[0.5] > proposals[0.0]


def test_failed_and_infeasible_architectures_are_not_what_it_learns_from():
    space = NASBench201()
    method = GraphPNAS(space, GraphPNASConfig(**SMALL), seed=0)
    for k in range(12):
        (architecture,) = method.ask()
        method.tell(architecture, None if k % 3 == 0 else quality(architecture), constraints=[k % 2])
    buffer = method._buffer(tuple(o for o in method.observations if o.values is not None))
    assert len(buffer.scores) == 8
    observations = [o for o in method.observations if o.values is not None]
    feasible = np.array([o.feasible for o in observations])
    assert buffer.scores[feasible].min() > buffer.scores[~feasible].max()


def test_smaller_graphs_are_learned_in_the_form_the_parameters_describe():
    space = NASBench101()
    method = GraphPNAS(space, GraphPNASConfig(**SMALL), seed=0)
    cell = space.from_matrix([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 1, 4])
    for architecture in (cell, *(space.sample(np.random.default_rng(k)) for k in range(8))):
        method.tell(architecture, 1.0)
    assert method.ask()[0].num_nodes == 7


def test_a_restricted_space():
    space = NASBench101()
    part = space.restricted_to(space.sample_batch(np.random.default_rng(0), 300).to_architectures())
    method = GraphPNAS(part, GraphPNASConfig(**SMALL), seed=0)
    found = drive(method, 20, value=lambda a: float(a.adjacency.sum()))
    assert len({part.key(a) for a in found}) == 20


def test_each_stage_of_randwire_has_a_generator_of_its_own():
    config = GraphPNASConfig(**(SMALL | {"generator": "graph", "steps": 2, "mixtures": 2}))
    space = RandWire(4, stages=2)
    method = GraphPNAS(space, config, seed=0)
    found = drive(method, 14, value=lambda a: float(a.num_edges))
    assert isinstance(method.generator, StagedGenerator)
    assert len({space.key(a) for a in found}) == 14
    assert isinstance(make_generator(RandWire(4), config, torch_generator(0)), GraphGenerator)


def test_the_papers_text_and_the_released_code_are_different_generators():
    for name, expected in (
        ("paper", ("printed", "operation", 2, "sum", False, 128)),
        ("released", ("released", "inputs", 3, "mean", True, 24)),
    ):
        for preset in (name, f"{name}-nasbench201-cifar10"):
            config = GraphPNASConfig.preset(preset)
            made = make_generator(NASBench201(), config, torch_generator(0)).config
            found = (made.message_passing, made.node_input, made.head_layers, made.mixture_logits)
            assert (*found, made.self_pair, made.hidden_size) == expected
            assert (made.steps, made.mixtures) == (7, 10)


def test_the_papers_text_and_the_released_code_learn_differently():
    text, code = GraphPNASConfig.preset("paper"), GraphPNASConfig.preset("released")
    assert (text.reward, text.clip_norm, text.warm_start, text.probability) == (
        "standardised",
        1.0,
        True,
        "graph",
    )
    assert (code.reward, code.clip_norm, code.warm_start) == ("cdf", None, False)
    assert (text.keep_top, text.epsilon_schedule, text.epsilon_per) == (30, "linear", "sample")
    assert (code.keep_top, code.epsilon_schedule, code.epsilon_per) == (15, "step", "step")


TINY_NETWORK = {"hidden_size": 16, "steps": 1, "mixtures": 1, "epochs": 1, "warm_epochs": 1, "chunk": 8}


@pytest.mark.parametrize("preset", list(GraphPNASConfig.presets))
def test_every_preset_searches_the_space_that_it_is_for(preset):
    """With a tiny network; those of RandWire with a graph for each stage, too (appendix B)."""
    config = GraphPNASConfig.preset(preset, **TINY_NETWORK, n_startup_trials=4, batch_size=2)
    spaces = {"randwire": [RandWire(5), RandWire(4, stages=3)], "enas": [ENASMacro(3)]}
    cells = [NASBench201()] if "nasbench201" in preset else [NASBench101()]
    for space in spaces.get(preset.partition("-")[0], cells):
        found = drive(GraphPNAS(space, config, seed=0), 8, value=lambda a: float(a.num_edges))
        assert len({space.key(architecture) for architecture in found}) == 8


def test_the_explorer_of_appendix_e_prunes_and_the_released_one_draws_sizes():
    """Appendix E: a DAG of 7 nodes, without what is on no path, so that its size varies by what is pruned."""
    space = NASBench101()
    method = GraphPNAS(space, preset="paper", seed=0)
    cells = method.ask(200)
    assert {cell.num_nodes for cell in cells} == {7}
    pruned = [space.prune(cell) for cell in cells]
    assert {cell.num_nodes for cell in pruned} >= {4, 5, 6}
    assert max(cell.num_edges for cell in pruned) <= 9
    released = GraphPNAS(space, preset="released", seed=0)
    sizes = {space.prune(cell).num_nodes for cell in released.ask(60)}
    assert sizes == {3, 4, 5, 6, 7}


def test_the_generator_is_what_was_learned():
    method = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL), seed=0)
    with pytest.raises(InvalidArgument, match="at least 2 values, got 0"):
        _ = method.generator
    drive(method, 12)
    generator = method.generator
    assert generator is method.generator
    again = GraphPNAS(NASBench201(), GraphPNASConfig(**SMALL), seed=0)
    again.load_state_dict(method.state_dict())
    cells = NASBench201().sample_batch(np.random.default_rng(0), 9)
    assert again.generator.log_prob(cells).tolist() == generator.log_prob(cells).tolist()


# ---------------------------------------------------------------- configuration


def test_presets_are_the_published_settings():
    for name in GraphPNASConfig.presets:
        GraphPNASConfig.preset(name)
    paper = GraphPNASConfig.preset("paper")
    assert (paper.hidden_size, paper.steps, paper.mixtures) == (128, 7, 10)
    assert (paper.epochs, paper.warm_epochs, paper.training_batch_size) == (70, 70, 2)
    for name in ("paper", "released"):
        assert GraphPNASConfig.preset(f"{name}-nasbench201-cifar100").keep_top == 10
    assert GraphPNASConfig.preset("paper", epochs=3).epochs == 3
    assert configured(GraphPNASConfig, None, "paper", 4).n_startup_trials == 4
    with pytest.raises(InvalidArgument, match="'papers'"):
        GraphPNASConfig.preset("papers")
    with pytest.raises(InvalidArgument, match="either config or preset"):
        configured(GraphPNASConfig, paper, "paper")
    with pytest.raises(InvalidArgument, match="either config or preset"):
        GraphPNAS(NASBench201(), paper, preset="paper")


@pytest.mark.parametrize(
    "wrong",
    [
        {"generator": "tree"},
        {"reward": "rank"},
        {"head_layers": 1},
        {"mixture_logits": "max"},
        {"epsilon": (1.5, 0.0)},
        {"likeliest": 1.5},
        {"epsilon_schedule": "cosine"},
        {"epochs": -1},
        {"learning_rate": 0.0},
        {"clip_norm": 0.0},
        {"batch_size": 0},
        {"beta": -1.0},
        {"buffer": 1},
        {"device": "abacus"},
        {"message_passing": "mixed"},
        {"node_input": "inputs", "message_passing": "printed"},
        {"critic": "forest"},
        {"screened": -1},
        {"screened": 0, "screened_random": 0},
    ],
    ids=str,
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(InvalidArgument, match=next(iter(wrong))):
        GraphPNASConfig(**wrong)


def test_a_stream_of_an_earlier_update_samples_that_update_again():
    """Warm starts train one network on; samples drawn later must not come from its later weights."""
    space = GEMNet(6)
    config = GraphPNASConfig(
        hidden_size=8,
        steps=1,
        mixtures=1,
        n_startup_trials=4,
        batch_size=4,
        learning_rate=0.05,
        critic=None,
        likeliest=0.0,
        chunk=1,
    )
    method = GraphPNAS(space, config)
    for k in range(8):
        architecture = space.sample(np.random.default_rng(k))
        method.tell(architecture, float(architecture.num_edges))
    known = method.observations[:4]
    seen = {space.key(observation.architecture) for observation in known}

    def proposals(method, between=lambda: None):
        pending = []
        for _ in range(5):
            keys = seen | {space.key(architecture) for architecture in pending}
            pending.append(method.propose(known, pending, keys))
            between()
        return pending

    assert proposals(method, between=lambda: method.generator) == proposals(GraphPNAS(space, config))
