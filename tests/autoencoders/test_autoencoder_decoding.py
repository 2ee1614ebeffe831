"""Decoding: random draws, the likelier choice, and masks that let only architectures of the space through."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas import Architecture, GraphSpace, autoencoders
from graphnas.autoencoders import DVAE, DVAEConfig, same_graphs
from graphnas.autoencoders.drawing import DrawingMasks, GraphDrawing
from graphnas.autoencoders.vertices import END, VertexAdapter
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire

SPACES = [
    ENASMacro6(),
    ENASMacro(3),
    NASBench101(),
    NASBench201(),
    GEMNet(5),
    RandWire(4),
    RandWire(3, stages=2),
]


def small(name, space, **changes):
    model_class = getattr(autoencoders, name)
    return model_class(space, model_class.config_class(hidden=6, latent=3, **changes), seed=1)


def latents(count, seed=0):
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("name", ["DVAE", "GCN", "SVAE", "GraphRNN", "VSGAE"])
def test_constrained_decoding_is_valid(name, space):
    """An untrained model draws mostly invalid graphs without the masks."""
    model = small(name, space)
    decoded = model.decode(latents(150), rng(), constrained=True)
    assert decoded.valid.all()
    for architecture in decoded.architectures:
        space.validate(architecture)
    assert len({space.key(a) for a in decoded.architectures}) > 10
    assert not model.decode(latents(150), rng()).valid.all()
    assert model.decode(latents(20), rng(), constrained=True, stochastic=False).valid.all()


class Picky(GraphSpace):
    """A rule that no mask knows: exactly three edges among four nodes."""

    name = "picky"
    node_ops = ("a", "b")
    max_nodes = 4

    def check(self, architecture):
        if architecture.num_edges != 3 or architecture.num_nodes != 4:
            raise InvalidArchitecture("not three edges among four nodes")

    def build(self, architecture, num_classes, **shape):
        raise NotImplementedError


def test_what_masks_cannot_know_is_drawn_again():
    model = small("DVAE", Picky())
    with torch.no_grad():  # this decoder wants every edge, and alone would never leave one out
        model.decoder.edge_scorer.output.bias += 50
    z = latents(100)
    assert not model.decode(z, rng()).valid.any()
    decoded = model.decode(z, rng(), constrained=True)
    assert decoded.valid.mean() > 0.95
    assert all(a.num_edges == 3 for a in decoded.architectures if a is not None)


def test_restricted_space_lets_only_its_own_through():
    space = ENASMacro(2)
    known = [space.sample(np.random.default_rng(k)) for k in range(30)]
    part = space.restricted_to(known)
    decoded = small("SVAE", part).decode(latents(60), rng(), constrained=True)
    keys = {space.key(a) for a in known}
    assert decoded.valid.mean() > 0.9
    assert all(space.key(a) in keys for a in decoded.architectures if a is not None)


@pytest.mark.parametrize("name", ["DVAE", "DVAEEmb", "GCN", "GCNEmb", "SVAE", "GraphRNN", "VSGAE"])
@pytest.mark.parametrize("constrained", [False, True])
def test_same_generator_same_graphs(name, constrained):
    model = small(name, NASBench101())
    first = model.decode(latents(30), rng(3), constrained=constrained)
    again = model.decode(latents(30), rng(3), constrained=constrained)
    other = model.decode(latents(30), rng(4), constrained=constrained)
    assert same_graphs(first.graphs, again.graphs).all()
    assert not same_graphs(first.graphs, other.graphs).all()
    assert len(first) == 30


def test_likelier_choices_need_no_luck():
    model = small("DVAE", ENASMacro6())
    first = model.decode(latents(30), rng(1), stochastic=False)
    second = model.decode(latents(30), rng(2), stochastic=False)
    assert same_graphs(first.graphs, second.graphs).all()


def test_draws_follow_the_scores():
    """Types and edges are drawn with their probabilities; a certain choice is always drawn."""
    adapter, count = VertexAdapter(ENASMacro(2)), 40_000
    drawing = GraphDrawing(adapter, count, rng(), torch.device("cpu"))
    logits = torch.tensor([-9.0, -1e9, 0.0, 1.0, 2.0, -1e9, 0.5, -1e9]).expand(count, -1)
    types = drawing.draw_types(1, logits)
    shares = torch.bincount(types, minlength=8) / count
    torch.testing.assert_close(shares, logits[0].softmax(0), atol=0.01, rtol=0)
    accepted = drawing.draw_edges(0, 1, torch.full((count,), 0.7))
    assert float(accepted.float().mean()) == pytest.approx(torch.sigmoid(torch.tensor(0.7)).item(), abs=0.01)
    drawing.draw_types(2, logits)
    assert drawing.draw_edges(1, 2, torch.full((count,), 40.0)).all()
    assert not drawing.draw_edges(0, 2, torch.full((count,), -40.0)).any()


def test_flattened_draws_are_uniform_over_what_is_allowed():
    adapter, count = VertexAdapter(ENASMacro(2)), 40_000
    masks = DrawingMasks(adapter)
    drawing = GraphDrawing(adapter, count, rng(), torch.device("cpu"), masks=masks, flatten=1.0)
    types = drawing.draw_types(1, torch.tensor([50.0, 50, 50, 0, 0, 0, 0, 0]).expand(count, -1))
    shares = torch.bincount(types, minlength=8) / count
    torch.testing.assert_close(shares, torch.tensor([0.0, 0] + [1 / 6] * 6), atol=0.01, rtol=0)
    assert drawing.draw_edges(0, 1, torch.full((count,), -50.0)).all()  # the chain is forced
    drawing.draw_types(2, torch.zeros(count, 8))
    drawing.draw_edges(1, 2, torch.zeros(count))
    assert float(drawing.draw_edges(0, 2, torch.full((count,), 50.0)).float().mean()) == pytest.approx(
        0.5, abs=0.01
    )


def test_the_end_takes_every_loose_vertex_and_stops_the_graph():
    """As in D-VAE's code: a vertex of type "end" is fed by the vertices that feed nothing else."""
    adapter = VertexAdapter(ENASMacro6())
    drawing = GraphDrawing(adapter, 2, rng(), torch.device("cpu"))
    script = {1: (2, 2), 2: (3, 2), 3: (END, 2)}
    for v in range(1, 8):
        wanted = torch.tensor(script.get(v, (2, 2)))
        drawing.draw_types(v, torch.nn.functional.one_hot(wanted, 8) * 100.0)
        for u in range(v - 1, -1, -1):
            drawing.draw_edges(u, v, torch.full((2,), 100.0 if u == 0 else -100.0))
    first, second = drawing.graphs().to_architectures()
    assert [(i, j) for i, j, _ in first.labelled_edges()] == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert first.operations.tolist() == [0, 2, 3, 1]
    assert second.num_nodes == 8
    assert np.flatnonzero(second.adjacency[:, 7]).tolist() == [1, 2, 3, 4, 5, 6]


def test_where_the_end_may_read_any_vertex_its_edges_are_drawn():
    """In a cell of NAS-Bench-101, the input may feed the output and another vertex too."""
    space = NASBench101()
    adapter = VertexAdapter(space)
    assert not adapter.connects_loose_ends
    for masks, leaves_out in ((None, True), (DrawingMasks(adapter), False)):
        drawing = GraphDrawing(adapter, 1, rng(), torch.device("cpu"), masks=masks)
        for v, wanted in enumerate((2, 3, END), start=1):
            drawing.draw_types(v, torch.nn.functional.one_hot(torch.tensor([wanted]), 5) * 100.0)
            for u in range(v - 1, -1, -1):
                drawing.draw_edges(u, v, torch.full((1,), 100.0 if u == 0 else -100.0))
        (graph,) = drawing.graphs().to_architectures()
        assert graph.adjacency[0, 3]
        assert graph.adjacency[1, 3] == graph.adjacency[2, 3] == (not leaves_out)


def test_every_pattern_of_nasbench201_can_be_drawn():
    """The masks of operations on edges leave exactly the vertex graphs of cells."""
    space = NASBench201()
    adapter = VertexAdapter(space)
    masks, count = DrawingMasks(adapter), 20_000
    drawing = GraphDrawing(adapter, count, rng(), torch.device("cpu"), masks=masks)
    for v in range(1, adapter.max_vertices):
        drawing.draw_types(v, torch.zeros(count, adapter.num_types))
        for u in range(v):  # upwards this time: the masks hold in any order
            drawing.draw_edges(u, v, torch.zeros(count))
    found = adapter.to_architectures(drawing.graphs())
    assert None not in found
    assert all(space.is_valid(a) for a in set(found))
    edges, sizes = adapter.pattern_graphs
    possible = {(int(n), edges[k, :n, :n].tobytes()) for k, n in enumerate(sizes)}
    drawn = {(g.num_nodes, g.adjacency.astype(bool).tobytes()) for g in drawing.graphs()}
    assert drawn == possible


def test_large_batches_are_cut_up(monkeypatch):
    import graphnas.autoencoders.base as base

    monkeypatch.setattr(base, "CHUNK", 7)
    model = small("SVAE", ENASMacro6())
    batch = ENASMacro6().sample_batch(np.random.default_rng(0), 20)
    assert model.encode(batch)[0].shape == (20, 3)
    assert len(model.decode(latents(20), rng(), constrained=True).graphs) == 20


@pytest.mark.parametrize("z", [torch.zeros(3), torch.zeros(2, 4), torch.zeros(0, 3)])
def test_bad_latents(z):
    with pytest.raises(InvalidArgument, match="z must have"):
        small("SVAE", ENASMacro6()).decode(z, rng())


def test_architectures_are_of_the_space():
    model = DVAE(NASBench201(), DVAEConfig(hidden=6, latent=3))
    decoded = model.decode(latents(50), rng())
    for architecture, valid in zip(decoded.architectures, decoded.valid, strict=True):
        assert (architecture is not None) == valid
        assert architecture is None or isinstance(architecture, Architecture)
