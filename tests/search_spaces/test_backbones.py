"""Every network for images can be traced, exported, compiled and copied, and gives features."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from graphnas.errors import InvalidArgument
from graphnas.training.torchvision_compat import import_torchvision
from search_spaces import ENASMacro, ENASMacro6, GEMNet, NASBench101, NASBench201, RandWire, TransNASBench101
from search_spaces.backbone import Backbone
from search_spaces.complexity import unused_parameters
from search_spaces.gemnet_imagenet import gemnet_a

SMALL = {"stem_widths": (4, 5), "stem_strides": (1, 2), "widths": (6, 8), "head_width": 16}
RNG_SEED = 3


@dataclass
class Case:
    make: Callable[[], nn.Module]
    strides: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...] = ((32, 64), (65, 97))


def sampled(space, seed: int = RNG_SEED, **shape) -> nn.Module:
    return space.build(space.sample(np.random.default_rng(seed)), 5, **shape)


def of_string(space, text: str, **shape) -> nn.Module:
    return space.build(space.from_string(text), 5, **shape)


# Of cells with operations on edges: one without any path to the output, and one with dead operations.
EMPTY = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|none~2|"
DEAD = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|"
CASES = {
    "gemnet": Case(lambda: sampled(GEMNet(8), widths=(3, 5, 4), stem_stride=2), (2, 4, 8)),
    "gemnet_a": Case(lambda: gemnet_a(5), (4, 8, 16, 32), ((64, 96), (65, 97))),
    "randwire": Case(lambda: sampled(RandWire(6, stages=2), **SMALL), (4, 8)),
    "randwire_sum": Case(lambda: sampled(RandWire(5), aggregation="sum", **SMALL), (4, 8)),
    "enas": Case(lambda: sampled(ENASMacro(), width=3), (1, 2, 4)),
    "enas6": Case(lambda: sampled(ENASMacro6(), width=2, dropout=0.5), (1, 2, 4)),
    "nasbench101": Case(lambda: sampled(NASBench101(), channels=8, cells_per_stack=1), (1, 2, 4)),
    "nasbench201": Case(lambda: sampled(NASBench201(), channels=4, cells_per_stage=1), (1, 2, 4)),
    "nasbench201_dead": Case(
        lambda: of_string(NASBench201(), DEAD, channels=4, cells_per_stage=1), (1, 2, 4)
    ),
    "nasbench201_empty": Case(
        lambda: of_string(NASBench201(), EMPTY, channels=4, cells_per_stage=1), (1, 2, 4)
    ),
    "transnasbench101": Case(
        lambda: sampled(TransNASBench101(), channels=4, cells_per_module=1),
        (8, 8, 16, 16, 32),
        ((64, 96), (65, 97)),
    ),
}


@pytest.fixture(params=CASES, scope="module")
def case(request) -> Case:
    return CASES[request.param]


@pytest.fixture(scope="module")
def network(case) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return case.make().eval()


def images_of(case: Case) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(batch, 3, *size, generator=generator)
        for batch, size in zip((2, 3), case.sizes, strict=True)
    ]


@torch.no_grad()
def assert_same(one: Callable, other: Callable, case: Case) -> None:
    for images in images_of(case):
        expected = other(images)
        assert expected.shape == (len(images), 5)
        torch.testing.assert_close(one(images), expected, rtol=1e-4, atol=1e-4)


def test_every_map_has_the_channels_and_the_stride_that_are_stated(network, case):
    assert isinstance(network, Backbone)
    assert network.strides == case.strides
    with torch.no_grad():
        for images in images_of(case):
            maps = network.features(images)
            height, width = images.shape[2:]
            assert [tuple(m.shape) for m in maps] == [
                (len(images), channels, -(-height // stride), -(-width // stride))
                for channels, stride in zip(network.out_channels, network.strides, strict=True)
            ]
            assert torch.equal(network.forward_features(images), maps[-1])
            vector = network.forward_head(maps[-1], pre_logits=True)
            assert vector.shape == (len(images), network.num_features)
            assert torch.equal(network.classifier(vector), network(images))
            assert torch.equal(network.forward_head(maps[-1]), network(images))


def test_it_can_be_traced_and_features_taken_at_chosen_nodes(network, case):
    assert_same(torch.fx.symbolic_trace(network), network, case)
    pytest.importorskip("torchvision")
    import_torchvision()
    from torchvision.models.feature_extraction import create_feature_extractor

    extractor = create_feature_extractor(network, list(network.map_modules))
    with torch.no_grad():
        for images in images_of(case):
            taken = extractor(images)
            for name, expected in zip(network.map_modules, network.features(images), strict=True):
                torch.testing.assert_close(taken[name], expected, rtol=1e-4, atol=1e-4)


def test_it_can_be_exported_with_any_batch_and_size(network, case):
    images = images_of(case)[0]
    dynamic = torch.export.Dim.DYNAMIC
    program = torch.export.export(network, (images,), dynamic_shapes=({0: dynamic, 2: dynamic, 3: dynamic},))
    assert_same(program.module(), network, case)


def test_it_compiles_as_a_whole(network, case):
    torch._dynamo.reset()
    assert_same(torch.compile(network, backend="eager", fullgraph=True), network, case)


def test_copies_are_equal_and_independent(network, case):
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert_same(copied, network, case)
        assert copied.arguments == network.arguments
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.zero_()
        images = images_of(case)[0]
        assert not torch.equal(copied(images), network(images))


def test_its_arguments_build_it_again(network):
    again = type(network)(**network.arguments)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }


@pytest.fixture
def process_group(tmp_path) -> Iterator[None]:
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_it_trains_distributed(network, case):
    unused = unused_parameters(network, (3, *case.sizes[0]))
    replica = DistributedDataParallel(copy.deepcopy(network).train(), find_unused_parameters=bool(unused))
    images = images_of(case)[0]
    for _ in range(2):  # a parameter that got no gradient is complained of in the step after
        replica.zero_grad()
        replica(images).square().sum().backward()
    without = [name for name, parameter in replica.module.named_parameters() if parameter.grad is None]
    assert set(without) <= set(unused)


def test_cells_with_dead_edges_need_the_answer():
    dead, alive = CASES["nasbench201_dead"].make(), CASES["gemnet"].make()
    assert unused_parameters(dead, (3, 32, 32))
    assert not unused_parameters(alive, (3, 32, 32))


def test_chosen_maps(network, case):
    images = images_of(case)[0]
    with torch.no_grad():
        maps = network.features(images)
        last, chosen = network.forward_intermediates(images, [-1, 0])
        assert torch.equal(last, maps[-1])
        assert torch.equal(chosen[0], maps[-1])
        assert torch.equal(chosen[1], maps[0])
        (only,) = network.forward_intermediates(images, 1, intermediates_only=True)
        assert torch.equal(only, maps[-1])
        assert len(network.forward_intermediates(images, intermediates_only=True)) == len(maps)
    assert [info["num_chs"] for info in network.feature_info] == list(network.out_channels)
    assert [info["reduction"] for info in network.feature_info] == list(network.strides)
    for indices, named in (([len(maps)], str(len(maps))), (0, "last 0"), (len(maps) + 1, str(len(maps) + 1))):
        with pytest.raises(InvalidArgument, match=named):
            network.forward_intermediates(images, indices)
    with pytest.raises(InvalidArgument, match="NLC"):
        network.forward_intermediates(images, output_fmt="NLC")


def test_the_classifier_can_be_replaced(network, case):
    network = copy.deepcopy(network)
    images = images_of(case)[0]
    assert network.get_classifier().out_features == network.num_classes == 5
    network.reset_classifier(3)
    assert network(images).shape == (2, 3)
    assert network.num_classes == 3
    network.reset_classifier(0)
    assert network.num_classes == 0
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(images), pre_logits=True)
        assert torch.equal(network(images), expected)
    for wrong, match in (({"num_classes": -1}, "-1"), ({"num_classes": 2, "global_pool": "max"}, "max")):
        with pytest.raises(InvalidArgument, match=match):
            network.reset_classifier(**wrong)


@pytest.mark.parametrize("head", ["jigsaw", "segmentation", "image"])
def test_the_other_heads_can_be_traced_too(head):
    network = sampled(TransNASBench101(), channels=4, cells_per_module=1, head=head).eval()
    traced = torch.fx.symbolic_trace(network)
    for batch, size in ((2, 32), (3, 64)):
        images = torch.randn((batch, 9, 3, size, size) if head == "jigsaw" else (batch, 3, size, size))
        with torch.no_grad():
            torch.testing.assert_close(traced(images), network(images), rtol=1e-4, atol=1e-4)
