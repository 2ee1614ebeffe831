"""The ENAS macro spaces: the chain and its skips, text, identity, and the network that is built."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from graphnas import Architecture, ArchitectureBatch
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import ENASMacro, ENASMacro6, get_space
from search_spaces.complexity import count_complexity
from search_spaces.enas_codes import OPERATIONS, reductions

FIRST_LINE = "[[1], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]]"


def test_vertices_of_a_line_of_the_table():
    """D-VAE's reading: type = code + 2, bit j of a row is the edge from vertex j, the chain is implied."""
    space = ENASMacro6()
    graph = space.from_string(FIRST_LINE)
    assert graph.operations.tolist() == [0, 3, 6, 7, 2, 4, 5, 1]
    chain = {(i, i + 1) for i in range(7)}
    skips = {(0, 4), (1, 4), (2, 4), (0, 5), (1, 5), (2, 5), (3, 5), (4, 6)}
    assert {(i, j) for i, j, _ in graph.labelled_edges()} == chain | skips
    assert space.to_string(graph) == FIRST_LINE
    assert space.key(graph) == "145023-" + "0" + "00" + "111" + "1111" + "00001"
    values = space.to_parameters(graph)
    assert values["enas6/op_4"] == "conv3x3"
    assert values["enas6/skip_1_4"] is True
    assert values["enas6/skip_1_3"] is False


@pytest.mark.parametrize("layers", [1, 2, 3, 12])
def test_strings_and_sizes(layers):
    space = ENASMacro(layers)
    assert space.size() == 6**layers * 2 ** (layers * (layers - 1) // 2)
    assert len(space.parameters()) == layers + layers * (layers - 1) // 2
    rng = np.random.default_rng(0)
    for architecture in space.sample_batch(rng, 20):
        assert space.from_string(space.to_string(architecture)) == architecture
        assert architecture.adjacency[:, -1].tolist() == [0] * layers + [1, 0]


def test_the_names_of_the_parameters():
    names = list(ENASMacro().parameters())
    assert names[:6] == [
        f"enas/{name}" for name in ("op_1", "op_2", "skip_0_2", "op_3", "skip_0_3", "skip_1_3")
    ]
    assert ENASMacro().parameters()["enas/op_4"] == OPERATIONS
    assert ENASMacro().parameters()["enas/skip_1_4"] == (False, True)
    assert isinstance(get_space("enas-6"), ENASMacro6)
    assert isinstance(get_space("ENASMacro", num_layers=3), ENASMacro)


def test_small_space_has_one_key_for_each_architecture():
    space = ENASMacro(3)
    everything = list(space.enumerate())
    assert len(everything) == space.size() == 1728
    assert len({space.key(architecture) for architecture in everything}) == 1728


@pytest.mark.parametrize("probability", [0.5, 0.4, 0.0, 1.0])
def test_samples_are_uniform(probability):
    space = ENASMacro(skip_probability=probability)
    started = time.process_time()
    batch = space.sample_batch(np.random.default_rng(1), 50_000)
    assert time.process_time() - started < 5.0
    adjacency, operations, _ = batch.to_arrays()
    for code in range(6):
        assert abs((operations[:, 1:-1] == code + 2).mean(0) - 1 / 6).max() < 0.01
    free = np.array([(j, i) for i in range(2, 13) for j in range(i - 1)])
    rates = adjacency[:, free[:, 0], free[:, 1]].mean(0)
    assert abs(rates - probability).max() < 0.012
    assert (adjacency.sum((1, 2)) >= 13).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, o: a.__setitem__((2, 3), 0), "edge 2 -> 3 is 'none', allowed: edge"),
        (lambda a, o: a.__setitem__((1, 7), 1), "edge 1 -> 7 is 'edge', allowed: none"),
        (lambda a, o: o.__setitem__(3, 1), "node 3 is 'output', allowed: conv3x3"),
        (lambda a, o: o.__setitem__(0, 2), "node 0 is 'conv3x3', allowed: input"),
    ],
)
def test_broken_rules(change, message):
    space = ENASMacro6()
    architecture = space.sample(np.random.default_rng(2))
    adjacency, operations = architecture.adjacency.copy(), architecture.operations.copy()
    change(adjacency, operations)
    with pytest.raises(InvalidArchitecture, match=message):
        space.validate(Architecture(adjacency, operations))


@pytest.mark.parametrize(
    "text", ["", "[[1]]", "[1, 2]", "null", "[[6], [0, 0]]", "[[0], [0, 2]]", "[[0], [0.5, 1]]"]
)
def test_text_that_is_no_architecture(text):
    with pytest.raises(InvalidArchitecture, match="enas"):
        ENASMacro(2).from_string(text)


def test_codes_of_many():
    space = ENASMacro(4)
    batch = space.sample_batch(np.random.default_rng(7), 30)
    codes, skips = space.to_codes(batch)
    assert codes.shape == (30, 4)
    assert skips.shape == (30, 6)
    assert list(ArchitectureBatch.from_arrays(*space.arrays_from_codes(codes, skips))) == list(batch)
    assert [part.tolist() for part in space.to_codes(list(batch))] == [codes.tolist(), skips.tolist()]
    assert [part.shape for part in space.to_codes([])] == [(0, 4), (0, 6)]
    with pytest.raises(InvalidArchitecture, match="expected graphs of 6 nodes, the batch has 5"):
        space.to_codes(ENASMacro(3).sample_batch(np.random.default_rng(0), 2))
    batch.adjacency[3, 1, 2] = 0
    with pytest.raises(InvalidArchitecture, match="without the chain"):
        space.to_codes(batch)
    with pytest.raises(InvalidArchitecture, match="1 -> 2"):
        space.to_codes(list(batch))


def test_bad_arguments():
    with pytest.raises(InvalidArgument, match=r"num_layers.*0"):
        ENASMacro(0)
    with pytest.raises(InvalidArgument, match=r"skip_probability.*1\.5"):
        ENASMacro6(skip_probability=1.5)
    space = ENASMacro(2)
    architecture = space.sample(np.random.default_rng(0))
    for arguments, message in (
        ({"width": 1}, r"width.*1"),
        ({"in_channels": 0}, r"in_channels.*0"),
        ({"dropout": 2.0}, r"dropout.*2\.0"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            space.build(architecture, 10, **arguments)
    with pytest.raises(InvalidArchitecture, match=r"expected 4 nodes.*got 3"):
        space.validate(
            Architecture(np.triu(np.ones((3, 3), int), 1) * [[0, 1, 0], [0, 0, 1], [0, 0, 0]], [0, 2, 2])
        )
    with pytest.raises(InvalidArchitecture, match="operation code 6"):
        space.arrays_from_codes([[6, 0]], [[0]])
    with pytest.raises(InvalidArchitecture, match="shapes"):
        space.arrays_from_codes([[1, 0]], [[0, 1]])


def test_resolution_is_halved_at_one_and_two_thirds():
    assert reductions(12) == (4, 8)
    assert reductions(6) == (2, 4)
    assert reductions(2) == ()
    space = ENASMacro()
    network = space.build(space.sample(np.random.default_rng(3)), 10)
    shapes = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[1:])))
    network(torch.zeros(2, 3, 9, 9))
    assert shapes == [(24, 9, 9)] * 4 + [(24, 5, 5)] * 4 + [(24, 3, 3)] * 4


def test_the_forward_pass_computes_the_graph():
    """With identities for weights, a constant image is multiplied by the number of paths from the input."""
    space = ENASMacro(7)
    for architecture in space.sample_batch(np.random.default_rng(4), 5):
        pooled = Architecture(architecture.adjacency, [0, *([7, 6, 7, 6, 7, 6, 7]), 1])
        network = space.build(pooled, 1, in_channels=1, width=2, dropout=0.0).eval()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = 0.0
                elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
                    module.weight.copy_(torch.eye(2)[: module.out_channels, :, None, None])
            network.stem[0].weight.zero_()
            network.stem[0].weight[:, :, 1, 1] = 1
            for reduction in network.reductions:
                reduction.odd.weight.copy_(torch.eye(2)[1:, :, None, None])
            features = network.features(torch.full((1, 1, 8, 8), 0.5))[-1]
        paths = [1]
        for i in range(1, 8):
            paths.append(int(architecture.adjacency[:i, i] @ paths))
        assert features.flatten().tolist() == [0.5 * paths[7]] * 8
        assert len(set(paths)) > 2


def reference(network: nn.Module, architecture: Architecture, images: torch.Tensor) -> torch.Tensor:
    """The features in training mode, written down once more from the description of the network."""

    def norm(x: torch.Tensor) -> torch.Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
        return (x - mean) / torch.sqrt(variance + 1e-5)

    def conv(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        depthwise = weight.shape[1] == 1 < x.shape[1]
        padding = weight.shape[-1] // 2
        return F.conv2d(x, weight, padding=padding, groups=x.shape[1] if depthwise else 1)

    stored = [norm(conv(images, network.stem[0].weight))]
    count = len(network.layers)
    for i in range(1, count + 1):
        weights = [m.weight for m in network.layers[i - 1].branch if isinstance(m, nn.Conv2d)]
        x = torch.relu(norm(conv(stored[i - 1], weights[0])))
        name = OPERATIONS[architecture.operations[i] - 2]
        if name == "maxpool3x3":
            x = norm(F.max_pool2d(x, 3, 1, 1))
        elif name == "avgpool3x3":
            x = norm(F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        else:
            for weight in weights[1:]:
                x = conv(x, weight)
            x = torch.relu(norm(x))
        stored.append(norm(x + sum(stored[j] for j in range(i - 1) if architecture.adjacency[j, i])))
        if i in (count // 3, 2 * (count // 3)):
            halving = network.reductions[0 if i == count // 3 else 1]
            stored = [
                norm(
                    torch.cat(
                        [
                            conv(y[:, :, ::2, ::2], halving.even.weight),
                            conv(y[:, :, 1::2, 1::2], halving.odd.weight),
                        ],
                        1,
                    )
                )
                for y in stored
            ]
    return stored[-1]


@pytest.mark.parametrize("space", [ENASMacro(), ENASMacro6(), ENASMacro(2)], ids=repr)
def test_the_forward_pass_equals_a_second_writing(space):
    generator = torch.Generator().manual_seed(1)
    for architecture in space.sample_batch(np.random.default_rng(8), 6):
        network = space.build(architecture, 3, in_channels=2, width=6).double()
        images = torch.randn(3, 2, 8, 12, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            features = network.features(images)[-1]
            assert torch.allclose(features, reference(network, architecture, images), atol=1e-9)
            logits = F.linear(features.mean((2, 3)), network.classifier.weight, network.classifier.bias)
            assert torch.allclose(network(images), logits, atol=1e-9)


def test_a_reduction_reads_every_second_pixel_and_its_diagonal_neighbour():
    space = ENASMacro(3)
    reduction = space.build(space.sample(np.random.default_rng(0)), 2, width=2).reductions[0].eval()
    reduction.norm.eps = 0.0
    with torch.no_grad():
        reduction.even.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
        reduction.odd.weight.copy_(torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
        x = torch.arange(50.0).view(1, 2, 5, 5)
        out = reduction(x)
    assert out[0, 0].tolist() == [[0, 2, 4], [10, 12, 14], [20, 22, 24]]
    assert out[0, 1].tolist() == [[6, 8, 0], [16, 18, 0], [0, 0, 0]]


def test_the_branches():
    """The order of the layers in each branch, and which BN have a scale: only the stem's."""
    space = ENASMacro(6)
    graph = space.from_string("[[0], [1, 0], [2, 0, 0], [3, 0, 0, 0], [4, 0, 0, 0, 0], [5, 0, 0, 0, 0, 0]]")
    network = space.build(graph, 10, width=4)
    names = [" ".join(type(module).__name__ for module in layer.branch) for layer in network.layers]
    start = "Conv2d BatchNorm2d ReLU "
    assert names == [
        start + "Conv2d BatchNorm2d ReLU",
        start + "Conv2d Conv2d BatchNorm2d ReLU",
        start + "Conv2d BatchNorm2d ReLU",
        start + "Conv2d Conv2d BatchNorm2d ReLU",
        start + "AvgPool2d BatchNorm2d",
        start + "MaxPool2d BatchNorm2d",
    ]
    assert [layer.branch[3].kernel_size for layer in network.layers] == [(3, 3), (3, 3), (5, 5), (5, 5), 3, 3]
    affine = [name for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d) and m.affine]
    assert affine == ["stem.1"]
    assert network.layers[4].branch[3].count_include_pad is False


@pytest.mark.parametrize("space", [ENASMacro(), ENASMacro6(), ENASMacro(2)], ids=repr)
def test_size_in_closed_form(space):
    for k, architecture in enumerate(space.sample_batch(np.random.default_rng(5), 6)):
        side, classes = (32, 16, 9)[k % 3], (10, 100)[k % 2]
        counted = count_complexity(lambda a=architecture, c=classes: space.build(a, c), (3, side, side))
        assert space.complexity(architecture, classes, side) == counted
    shape = {"in_channels": 1, "width": 7}
    counted = count_complexity(lambda: space.build(architecture, 4, **shape), (1, 9, 14))
    assert space.complexity(architecture, 4, (9, 14), **shape) == counted


def test_fifty_networks_learn_at_several_sizes():
    """Gradients reach every parameter of 50 random networks."""
    space = ENASMacro()
    generator = torch.Generator().manual_seed(0)
    for k, architecture in enumerate(space.sample_batch(np.random.default_rng(6), 50)):
        side, width, classes = (8, 11, 16)[k % 3], (4, 7)[k % 2], (2, 10, 37)[k % 3]
        network = space.build(
            architecture, classes, in_channels=1 + k % 3, width=width, dropout=0.1 * (k % 2)
        )
        logits = network(torch.randn(3, 1 + k % 3, side, side, generator=generator))
        assert logits.shape == (3, classes)
        nn.functional.cross_entropy(logits, torch.arange(3) % classes).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.any(), name


# ---------------------------------------------------------------- other operations


def test_the_operations_of_the_footnote():
    space = ENASMacro(3, operations="graphpnas-footnote")
    assert space.node_ops[2:] == (
        *("conv1x1", "sepconv1x1", "conv5x5", "sepconv5x5"),
        *("avgpool3x3", "maxpool3x3"),
    )
    assert get_space("enas", **space.arguments()).node_ops == space.node_ops
    assert "operations" not in ENASMacro().arguments()
    rng = np.random.default_rng(0)
    for architecture in space.sample_batch(rng, 5):
        counted = count_complexity(lambda a=architecture: space.build(a, 10, width=6), (3, 9, 9))
        assert space.complexity(architecture, 10, 9, width=6) == (counted.parameters, counted.macs)
        shared = space.supernet(10, width=6)
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        alone = shared.extract(architecture)
        torch.testing.assert_close(shared.eval()(images, architecture), alone.eval()(images))


@pytest.mark.parametrize("operations", ["footnote", ("conv3x3",), ("conv3x3", "conv3x3"), ("conv7x7", "x")])
def test_operations_that_are_unknown(operations):
    with pytest.raises(InvalidArgument, match="operations"):
        ENASMacro(operations=operations)
