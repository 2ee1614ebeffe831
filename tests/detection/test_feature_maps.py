"""The found network inside a detector: maps, frozen layers, normalisation, weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphnas.detection.feature_maps import FeatureMaps
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.training.described import describe
from search_spaces import GEMNet, RandWire

SHAPE = {"widths": (8, 8, 16, 16), "stem_stride": 4}


def cell(seed: int = 0):
    import numpy as np

    return GEMNet(6).sample(np.random.default_rng(seed))


def make(**arguments) -> FeatureMaps:
    return FeatureMaps(cell(), space=GEMNet(6), **{"shape": SHAPE, **arguments})


def test_maps_have_the_channels_and_strides_that_are_said():
    maps = make(out_indices=(1, 3))
    assert (maps.out_channels, maps.strides) == ((8, 16), (8, 32)) or maps.strides == (8, 32)
    outputs = maps(torch.rand(2, 3, 65, 96))
    assert [tuple(o.shape) for o in outputs] == [
        (2, channels, -(-65 // stride), -(-96 // stride))
        for channels, stride in zip(maps.out_channels, maps.strides, strict=True)
    ]


def test_nothing_is_left_that_no_map_needs():
    maps = make(out_indices=(0, 1))
    sum(output.sum() for output in maps(torch.rand(2, 3, 64, 64))).backward()
    assert all(parameter.grad is not None for parameter in maps.parameters())


def test_a_randwire_network_without_its_head():
    space = RandWire(8)
    import numpy as np

    maps = FeatureMaps(space.sample(np.random.default_rng(0)), space=space)
    assert maps.strides == (8, 16, 32)
    assert not any("head" in name for name, _ in maps.named_parameters())


@pytest.mark.parametrize("frozen", [-1, 0, 1, 2, 4])
def test_frozen_stages_do_not_change_in_training(frozen):
    maps = make(frozen_stages=frozen).train()
    before = {name: value.clone() for name, value in maps.state_dict().items()}
    optimiser = torch.optim.SGD(
        [p for p in maps.parameters() if p.requires_grad] or [nn.Parameter(torch.ones(1))], 0.1
    )
    images = torch.rand(2, 3, 64, 64)
    early = [m.detach() for m in maps(images)][: max(frozen, 0)]
    outputs = maps(images)
    loss = sum(o.square().sum() for o in outputs)
    if loss.requires_grad:
        loss.backward()
        optimiser.step()
    late = [m.detach() for m in maps(images)]
    for one, other in zip(early, late[: max(frozen, 0)], strict=True):
        assert torch.equal(one, other)
    changed = {name for name, value in maps.state_dict().items() if not torch.equal(value, before[name])}
    assert bool(changed) == (frozen < 4)


def test_kept_statistics_of_batch_normalisation():
    maps = make(norm_eval=True).train()
    before = {name: value.clone() for name, value in maps.named_buffers()}
    maps(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(before[name], value) for name, value in maps.named_buffers())
    changed = make().train()
    before = {name: value.clone() for name, value in changed.named_buffers()}
    changed(torch.rand(2, 3, 64, 64))
    assert not all(torch.equal(before[name], value) for name, value in changed.named_buffers())


def test_group_and_synchronised_normalisation():
    group = make(normalisation="group")
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in group.modules())
    one = group(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    two = group(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).repeat(3, 1, 1, 1))
    assert torch.allclose(one[-1], two[-1][:1], atol=1e-3)  # an image does not depend on its batch
    sync = make(normalisation="sync")
    assert any(isinstance(m, nn.SyncBatchNorm) for m in sync.modules())


@pytest.mark.parametrize("prefix", ["", "backbone.network.", "module.", "backbone.body.network."])
def test_weights_of_classifiers_and_detectors(tmp_path, prefix):
    classifier = describe(cell(), GEMNet(6))
    network = classifier.space.build(cell(), 7, **SHAPE)
    weights = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save({"state_dict": {**weights, "neck.weight": torch.ones(2)}}, tmp_path / "model.pt")
    maps = make()
    loaded = maps.load_weights(tmp_path / "model.pt")
    assert (loaded.missing, loaded.other_shape) == ((), ())
    assert loaded.taken == len(maps.state_dict())
    network.eval(), maps.eval()
    images = torch.rand(1, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(maps(images), network.features(images), strict=True))


def test_what_did_not_load_is_said(tmp_path):
    network = GEMNet(6).build(cell(), 7, widths=(8, 8, 16, 24), stem_stride=4)
    weights = network.state_dict()
    gone = next(iter(weights))
    del weights[gone]
    torch.save({**weights, "other": torch.ones(1)}, tmp_path / "model.pt")
    loaded = make().load_weights(tmp_path / "model.pt")
    assert loaded.missing == (gone,)
    assert loaded.left == ("other",)
    assert loaded.other_shape
    assert "1 not in the checkpoint" in str(loaded)


def test_kept_statistics_that_no_weights_have_are_warned_of(tmp_path, caplog):
    """A network of small images has another stem."""
    network = GEMNet(6).build(cell(), 7, widths=(8, 8, 16, 16), stem_stride=1)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    make().load_weights(tmp_path / "model.pt")
    assert not caplog.records
    make(norm_eval=True).load_weights(tmp_path / "model.pt")
    assert "has no statistics of stem.1.1.running_mean" in caplog.text


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match="normalisation must be one of batch, group, sync, got 'layer'"):
        make(normalisation="layer")
    with pytest.raises(InvalidArgument, match="feature maps 0 to 3, asked for 4"):
        make(out_indices=(1, 2, 3, 4))
    with pytest.raises(InvalidArgument, match="from -1 to 4, got 5"):
        make(frozen_stages=5)
    with pytest.raises(DataNotFound, match="no weights lie beside"):
        make().load_weights()
    torch.save({"a": torch.ones(1)}, tmp_path / "other.pt")
    with pytest.raises(CorruptData, match="none of its 1 tensors fits"):
        make().load_weights(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no")
    with pytest.raises(CorruptData, match="cannot be read as tensors"):
        make().load_weights(tmp_path / "text.pt")
