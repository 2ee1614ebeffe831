"""The WL kernel against grakel, and against a slow reference that cannot be misread."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from graphnas.graph import Architecture, ArchitectureBatch, WeisfeilerLehman, canonical_key, wl_hash

# A label is the nested tuple of everything that was seen: nothing is hashed, nothing can collide.
ReferenceCounts = Counter[tuple[object, ...]]


def reference_counts(
    graph: Architecture,
    iterations: int,
    direction: str,
    include_initial: bool,
    node_labels: bool,
    edge_labels: bool,
) -> ReferenceCounts:
    nodes = range(graph.num_nodes)
    labels: list[object] = [int(op) if node_labels else 0 for op in graph.operations]
    counts: ReferenceCounts = Counter()
    if include_initial:
        counts.update((0, label) for label in labels)
    for iteration in range(1, iterations + 1):
        refined: list[object] = []
        for v in nodes:
            seen: list[object] = [labels[v]]
            if direction in ("in", "both"):
                edges = [(u, int(graph.adjacency[u, v])) for u in nodes if graph.adjacency[u, v]]
                seen.append(tuple(sorted(repr((edge if edge_labels else 1, labels[u])) for u, edge in edges)))
            if direction in ("out", "both"):
                edges = [(u, int(graph.adjacency[v, u])) for u in nodes if graph.adjacency[v, u]]
                seen.append(tuple(sorted(repr((edge if edge_labels else 1, labels[u])) for u, edge in edges)))
            refined.append(tuple(seen))
        labels = refined
        counts.update((iteration, label) for label in labels)
    return counts


def reference_kernel(a: ReferenceCounts, b: ReferenceCounts) -> float:
    return float(sum(count * b[label] for label, count in a.items()))


def grakel_graphs(graphs: list[Architecture]) -> list[object]:
    grakel = pytest.importorskip("grakel")
    return [
        grakel.Graph(
            {v: {int(u): 1.0 for u in np.flatnonzero(graph.adjacency[v])} for v in range(graph.num_nodes)},
            node_labels={v: int(op) for v, op in enumerate(graph.operations)},
            graph_format="dictionary",
        )
        for graph in graphs
    ]


def grakel_kernel(iterations: int, normalize: bool) -> Any:
    grakel = pytest.importorskip("grakel")
    if iterations == 0:
        return grakel.VertexHistogram(normalize=normalize)
    return grakel.WeisfeilerLehman(
        n_iter=iterations, normalize=normalize, base_graph_kernel=grakel.VertexHistogram
    )


@pytest.fixture
def graphs(make_architecture) -> list[Architecture]:
    """Graphs of several sizes, densities and edge labels, two of them without any edge."""
    rng = np.random.default_rng(5)
    made = [
        make_architecture(
            rng, int(rng.integers(1, 9)), density=rng.uniform(0.1, 0.9), operations=3, edge_labels=2
        )
        for _ in range(40)
    ]
    return [*made, Architecture(np.zeros((1, 1))), Architecture(np.zeros((5, 5)), [0, 1, 2, 2, 2])]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("iterations", range(6))
def test_gram_equals_grakel(graphs, iterations, normalize):
    ours = WeisfeilerLehman(
        iterations, direction="out", include_initial=True, edge_labels=False, normalize=normalize
    )
    fitted, new = graphs[:25], graphs[25:]
    oracle = grakel_kernel(iterations, normalize)
    np.testing.assert_allclose(
        ours.gram(fitted), oracle.fit_transform(grakel_graphs(fitted)), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        ours.gram(new, fitted), oracle.transform(grakel_graphs(new)), rtol=0, atol=1e-12
    )


def test_gram_equals_grakel_on_30_nodes(make_architecture):
    rng = np.random.default_rng(6)
    graphs = [make_architecture(rng, 30, density=rng.uniform(0.05, 0.9)) for _ in range(60)]
    ours = WeisfeilerLehman(3, direction="out", include_initial=True)
    oracle = grakel_kernel(3, True).fit_transform(grakel_graphs(graphs))
    np.testing.assert_allclose(ours.gram(graphs), oracle, rtol=0, atol=1e-12)


def test_unseen_labels_count_nothing_but_belong_to_the_norm_as_in_grakel():
    """Operation 7 is unknown to the fit: k(x, y) ignores it, k(x, x) does not."""
    fitted = [Architecture([[0, 1], [0, 0]], [0, 1])]
    new = [Architecture([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 1, 7])]
    for iterations in (1, 3):
        ours = WeisfeilerLehman(iterations, direction="out", include_initial=True)
        oracle = grakel_kernel(iterations, True)
        oracle.fit(grakel_graphs(fitted))
        expected = oracle.transform(grakel_graphs(new))
        np.testing.assert_allclose(ours.gram(new, fitted), expected, rtol=0, atol=1e-12)
        ours.fit(fitted)
        # Operations 0 and 1, and that 0 is followed by 1; whatever has seen operation 7 is new.
        assert ours.transform(new).sum() == 3
        from_features = ours.transform(new) @ ours.transform(fitted).T
        norm = np.sqrt(ours.self_kernel(new) * ours.self_kernel(fitted))
        np.testing.assert_allclose(from_features.toarray() / norm, expected, rtol=0, atol=1e-12)


OPTIONS = [
    dict(zip(("direction", "include_initial", "node_labels", "edge_labels"), values, strict=True))
    for values in itertools.product(("in", "out", "both"), (False, True), (False, True), (False, True))
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
@pytest.mark.parametrize("iterations", [1, 2, 4])
def test_every_option_equals_the_reference(graphs, options, iterations):
    counts = [reference_counts(graph, iterations, **options) for graph in graphs]
    expected = np.array([[reference_kernel(a, b) for b in counts] for a in counts])
    kernel = WeisfeilerLehman(iterations, **options, normalize=False)
    np.testing.assert_array_equal(kernel.gram(graphs), expected)
    np.testing.assert_array_equal(kernel.gram(graphs[:10], graphs[5:]), expected[:10, 5:])
    np.testing.assert_array_equal(kernel.self_kernel(graphs), np.diag(expected))
    np.testing.assert_array_equal(kernel.pairwise(graphs[:20], graphs[20:40]), np.diag(expected[:20, 20:40]))

    features = kernel.fit_transform(graphs)
    assert features.shape == (len(graphs), len(set().union(*counts)))
    np.testing.assert_array_equal((features @ features.T).toarray(), expected)
    for row, of_graph in zip(features.toarray(), counts, strict=True):
        assert sorted(row[row > 0]) == sorted(of_graph.values())

    normalized = WeisfeilerLehman(iterations, **options)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(normalized.gram(graphs), expected / scale, rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        normalized.pairwise(graphs, graphs[::-1]), np.diag((expected / scale)[:, ::-1]), rtol=0, atol=1e-15
    )


def test_edge_labels_and_directions_matter():
    plain, labelled = Architecture([[0, 1], [0, 0]]), Architecture([[0, 2], [0, 0]])
    assert WeisfeilerLehman(1).pairwise([plain], [labelled])[0] < 1
    assert WeisfeilerLehman(1, edge_labels=False).pairwise([plain], [labelled])[0] == 1
    fork = Architecture([[0, 1, 1], [0, 0, 0], [0, 0, 0]])
    join = Architecture([[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    assert WeisfeilerLehman(2, direction="both").pairwise([fork], [join])[0] < 1
    # Which edge carries which label matters, not only how many edges carry it.
    first = Architecture([[0, 0, 1], [0, 0, 2], [0, 0, 0]], [0, 1, 0])
    second = Architecture([[0, 0, 2], [0, 0, 1], [0, 0, 0]], [0, 1, 0])
    assert WeisfeilerLehman(1, direction="in").pairwise([first], [second])[0] < 1


def test_padding_counts_for_nothing(graphs):
    kernel = WeisfeilerLehman(3, include_initial=True)
    narrow = ArchitectureBatch.from_architectures(graphs)
    wide = ArchitectureBatch.from_architectures(graphs, max_nodes=20)
    np.testing.assert_array_equal(kernel.gram(narrow), kernel.gram(wide))
    np.testing.assert_array_equal(kernel.pairwise(narrow, wide), np.ones(len(graphs)))
    np.testing.assert_array_equal(wl_hash(narrow), wl_hash(wide))
    alone = np.concatenate([wl_hash([graph]) for graph in graphs])
    np.testing.assert_array_equal(wl_hash(wide), alone)

    dirty = wide.adjacency.clone()
    dirty[~wide.mask] = 1
    dirty.transpose(1, 2)[~wide.mask] = 1
    operations = torch.where(wide.mask, wide.operations, torch.tensor(9, dtype=torch.int16))
    junk = ArchitectureBatch(dirty, operations, wide.num_nodes)
    np.testing.assert_array_equal(wl_hash(junk), alone)


def test_transform_uses_the_columns_of_the_fit(graphs):
    kernel = WeisfeilerLehman(2).fit(graphs[:30])
    known, new = kernel.transform(graphs[:30]), kernel.transform(graphs[30:])
    assert known.shape[1] == new.shape[1] == len(kernel.vocabulary)
    assert (np.diff(kernel.vocabulary.astype(object)) > 0).all()
    np.testing.assert_array_equal(
        (new @ known.T).toarray(), WeisfeilerLehman(2, normalize=False).gram(graphs[30:], graphs[:30])
    )
    same = WeisfeilerLehman(2).fit_transform(graphs[:30])
    np.testing.assert_array_equal(same.toarray(), known.toarray())
    restored = pickle.loads(pickle.dumps(kernel))
    np.testing.assert_array_equal(restored.transform(graphs).toarray(), kernel.transform(graphs).toarray())


def test_pieces_of_a_large_batch_agree_with_small_batches(make_architecture):
    """More pairs than one piece holds, of unequal widths."""
    rng = np.random.default_rng(8)
    a = [make_architecture(rng, int(rng.integers(2, 8))) for _ in range(5000)]
    b = [make_architecture(rng, int(rng.integers(2, 6))) for _ in range(5000)]
    kernel = WeisfeilerLehman(2, include_initial=True)
    together = kernel.pairwise(a, b)
    np.testing.assert_array_equal(together[4090:4110], kernel.pairwise(a[4090:4110], b[4090:4110]))
    np.testing.assert_array_equal(together[-30:], np.diag(kernel.gram(a[-30:], b[-30:])))


def test_kernel_is_invariant_under_isomorphism(make_architecture, relabel):
    rng = np.random.default_rng(9)
    originals = [make_architecture(rng, 12, edge_labels=3) for _ in range(30)]
    copies = [relabel(graph, rng) for graph in originals]
    assert any(a != b for a, b in zip(originals, copies, strict=True))
    np.testing.assert_array_equal(WeisfeilerLehman(4).pairwise(originals, copies), np.ones(30))


# ---------------------------------------------------------------- hashes of graphs


def test_hash_is_equal_for_isomorphic_graphs(make_architecture, relabel):
    rng = np.random.default_rng(10)
    originals = [make_architecture(rng, int(rng.integers(2, 31)), edge_labels=2) for _ in range(200)]
    copies = [relabel(graph, rng) for graph in originals]
    np.testing.assert_array_equal(wl_hash(originals), wl_hash(copies))


def test_hash_separates_what_the_canonical_key_separates(make_architecture):
    rng = np.random.default_rng(11)
    graphs = [make_architecture(rng, 5, operations=2, edge_labels=2) for _ in range(4000)]
    hashes = wl_hash(graphs)
    keys = [canonical_key(graph) for graph in graphs]
    by_key = dict(zip(keys, hashes.tolist(), strict=True))
    assert [by_key[key] for key in keys] == hashes.tolist()
    assert len(set(hashes.tolist())) == len(set(keys))


def test_hash_reads_operations_edges_labels_and_size():
    base = Architecture([[0, 1], [0, 0]], [0, 1])
    others = [
        Architecture([[0, 1], [0, 0]], [1, 0]),
        Architecture([[0, 2], [0, 0]], [0, 1]),
        Architecture([[0, 0], [0, 0]], [0, 1]),
        Architecture([[0, 1, 0], [0, 0, 0], [0, 0, 0]], [0, 1, 0]),
    ]
    assert len(set(wl_hash([base, *others]).tolist())) == 5
    # Two chains of four nodes: which beginning goes with which end shows after two rounds, not after one.
    chains = np.zeros((8, 8), int)
    chains[[0, 1, 2, 4, 5, 6], [1, 2, 3, 5, 6, 7]] = 1
    straight, crossed = (
        Architecture(chains, [1, 0, 0, 2, 3, 0, 0, 4]),
        Architecture(chains, [1, 0, 0, 4, 3, 0, 0, 2]),
    )
    assert wl_hash([straight], 1)[0] == wl_hash([crossed], 1)[0]
    assert wl_hash([straight], 2)[0] != wl_hash([crossed], 2)[0]


SCRIPT = """
import numpy as np
from graphnas.graph import Architecture, WeisfeilerLehman, wl_hash
graphs = [Architecture([[0, 1, 2], [0, 0, 1], [0, 0, 0]], [0, 3, 1]), Architecture(np.eye(6, k=1))]
print(*(hex(h) for h in wl_hash(graphs)), hex(int(WeisfeilerLehman(2).fit(graphs).vocabulary[0])))
"""


def test_hashes_are_the_same_in_every_process():
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    # Stored keys must stay readable: a change of these numbers breaks what users have saved.
    assert outputs == [["0x758a93383394b2a8", "0x6d119f125238aafa", "0x1354e3c9c65cf3a0"]] * 2


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iterations": 0}, "at least 1 with include_initial=False, got 0"),
        ({"iterations": -1, "include_initial": True}, "at least 0 with include_initial=True, got -1"),
        ({"iterations": 1.5}, "must be an integer .* got 1.5"),
        ({"direction": "up"}, "direction must be one of .* got 'up'"),
    ],
)
def test_bad_options(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        WeisfeilerLehman(**arguments)


def test_bad_calls(graphs):
    kernel = WeisfeilerLehman(1)
    with pytest.raises(InvalidArgument, match="not fitted"):
        kernel.transform(graphs)
    with pytest.raises(InvalidArgument, match="same length, got 3 and 2"):
        kernel.pairwise(graphs[:3], graphs[:2])
    with pytest.raises(InvalidArgument, match="at least one architecture"):
        kernel.gram([])
    with pytest.raises(InvalidArgument, match="the batch is empty"):
        kernel.gram(ArchitectureBatch.from_architectures(graphs)[:0])
    with pytest.raises(InvalidArgument, match="sequence of Architecture, got list"):
        kernel.gram([np.zeros((3, 3))])
    with pytest.raises(InvalidArgument, match="at least 0, got -1"):
        wl_hash(graphs, -1)
