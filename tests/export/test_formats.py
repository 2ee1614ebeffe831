"""Every format of every space: loaded by the program that it is for, it gives the network's outputs."""

from __future__ import annotations

import dataclasses
import json

import onnx
import onnxruntime
import pytest
import torch

from graphnas.errors import ExportFailed, InvalidArgument, MissingExtra, StorageFailed
from graphnas.export import FORMATS, export_model
from graphnas.export import comparing as comparing_module
from graphnas.export import exporting as exporting_module
from graphnas.export import programs as programs_module
from search_spaces import GEMNet
from search_spaces.backbone import Backbone

BATCHES = ((1, 32, 32), (5, 32, 32), (2, 64, 80), (1, 97, 75))


def images(batch: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.randn(batch, channels, height, width, generator=torch.Generator().manual_seed(7))


def assert_same(loaded, trained, shapes=BATCHES) -> None:
    with torch.no_grad():
        for shape in shapes:
            batch = images(*shape, channels=trained.image_shape[0])
            torch.testing.assert_close(loaded(batch), trained.module(batch), rtol=1e-3, atol=1e-4)


def in_onnxruntime(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda batch: torch.from_numpy(session.run(["logits"], {"images": batch.numpy()})[0])


def test_onnx(trained, tmp_path):
    done = export_model(trained, "onnx", tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert done.note == "opset 18"
    assert done.any_size
    assert len(done.compared) == 4
    assert_same(in_onnxruntime(done.path), trained)
    model = onnx.load(done.path)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    dims = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert dims == ["batch", 3, "height", "width"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["class_names"]) == list(trained.class_names)
    assert json.loads(metadata["mean"]) == [0.4, 0.5, 0.6]
    assert json.loads(metadata["std"]) == [0.2, 0.3, 0.25]
    assert json.loads(metadata["scale"]) == 255
    assert metadata["dataset"] == "flowers"


def test_pt2(trained, tmp_path):
    done = export_model(trained, "pt2", tmp_path / "model.pt2")
    extra = {"graphnas.json": ""}
    program = torch.export.load(done.path, extra_files=extra)
    # Where the last map of the images trained on has one pixel, torch fixes their size.
    size = trained.image_shape[1:]
    fixed = trained.space.name == "transnasbench101"
    assert done.any_size != fixed
    shapes = [shape for shape in BATCHES if done.any_size or shape[1:] == size]
    assert len(shapes) >= 2
    assert_same(program.module(), trained, shapes)
    assert json.loads(extra["graphnas.json"])["class_names"] == list(trained.class_names)


def test_torchscript(trained, tmp_path):
    done = export_model(trained, "torchscript", tmp_path / "model.pt")
    extra = {"graphnas.json": ""}
    assert_same(torch.jit.load(done.path, _extra_files=extra), trained)
    assert json.loads(extra["graphnas.json"])["scale"] == 255


def test_timm(trained, tmp_path):
    done = export_model(trained, "timm", tmp_path / "timm")
    import timm

    assert sorted(path.name for path in done.path.iterdir()) == ["config.json", "model.safetensors"]
    path = done.path / "model.safetensors"
    assert_same(timm.create_model("graphnas", architecture=done.path, pretrained_path=path).eval(), trained)
    assert_same(timm.create_model(f"local-dir:{done.path}", pretrained=True).eval(), trained)


# ---------------------------------------------------------------- what goes wrong


def test_another_opset(small, tmp_path):
    done = export_model(small, "onnx", tmp_path / "model.onnx", opset=20)
    assert done.note == "opset 20"
    assert_same(in_onnxruntime(done.path), small, [(1, 8, 8), (3, 9, 30)])
    for opset in (6, 17, 99):
        with pytest.raises(InvalidArgument, match=rf"opset must be from 18 to \d+, got {opset}"):
            export_model(small, "onnx", tmp_path / "other.onnx", opset=opset)
    with pytest.raises(InvalidArgument, match="opset=20 is for the format onnx, not for pt2"):
        export_model(small, "pt2", tmp_path / "other.pt2", opset=20)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_an_unknown_format(small, tmp_path):
    with pytest.raises(InvalidArgument, match=r"onnx, pt2, torchscript, timm, folder, got 'tflite'"):
        export_model(small, "tflite", tmp_path / "x")


LOADERS = {
    "onnx": (programs_module, "load_onnx"),
    "torchscript": (programs_module, "load_torchscript"),
    "timm": ("graphnas.export.folders", "load_timm"),
    "folder": ("graphnas.export.folders", "load_folder"),
}


@pytest.mark.parametrize("format", LOADERS)
def test_what_differs_is_not_kept(small, tmp_path, monkeypatch, format):
    """As if the file computed something slightly different: by a hundredth in one output of one image."""

    def other(batch):
        with torch.no_grad():
            output = small.module(batch).clone()
        output[-1, -1] += 0.01 * max(1.0, float(output.abs().max()))
        return output

    home, name = LOADERS[format]
    monkeypatch.setattr(
        f"{home}.{name}" if isinstance(home, str) else f"{home.__name__}.{name}", lambda *_: other
    )
    target = tmp_path / "made" / "model"
    with pytest.raises(ExportFailed, match=rf"the {format} that was written differs from the network by"):
        export_model(small, format, target)
    assert list(target.parent.iterdir()) == []


def test_an_earlier_export_stays_where_the_new_one_fails(small, tmp_path, monkeypatch):
    target = tmp_path / "model.pt"
    export_model(small, "torchscript", target)
    before = target.read_bytes()

    def broken(path):
        raise RuntimeError("not this time")

    monkeypatch.setattr(programs_module, "load_torchscript", broken)
    with pytest.raises(ExportFailed, match="cannot be loaded: not this time"):
        export_model(small, "torchscript", target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_no_export_is_left_alone(small, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(InvalidArgument, match="not empty and no earlier export"):
        export_model(small, "timm", tmp_path / "mine")
    with pytest.raises(InvalidArgument, match="is a folder, but is to be a file"):
        export_model(small, "torchscript", tmp_path / "mine")
    with pytest.raises(InvalidArgument, match="is a file, but is to be a folder"):
        export_model(small, "timm", tmp_path / "mine" / "thesis.tex")
    with pytest.raises(StorageFailed, match="cannot write"):
        export_model(small, "torchscript", tmp_path / "mine" / "thesis.tex" / "model.pt")
    again = [export_model(small, "timm", tmp_path / "ours").path for _ in range(2)]
    assert sorted(path.name for path in again[0].iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("format", "package", "extra"),
    [
        ("onnx", "onnxscript", "export"),
        ("onnx", "onnxruntime", "export"),
        ("timm", "safetensors", "export"),
        ("folder", "matplotlib", "plots"),
    ],
)
def test_a_missing_package_is_named_before_any_work(small, tmp_path, monkeypatch, format, package, extra):
    from graphnas import optional

    real = optional.importlib.import_module

    def without(name):
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name)

    monkeypatch.setattr(optional.importlib, "import_module", without)
    monkeypatch.setattr(exporting_module, "subject", lambda *_: pytest.fail("work was done"))
    with pytest.raises(
        MissingExtra, match=rf'{package} is not installed; run: pip install "graphnas\[{extra}\]"'
    ):
        export_model(small, format, tmp_path / "x")


class OneSize(torch.nn.Module):
    """Takes images of 8x8 only."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 3)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class OwnSpace(GEMNet):
    """A space that get_space does not know."""

    name = "own"


def test_a_users_own_space_with_a_network_of_ours(small, tmp_path):
    import timm

    own = dataclasses.replace(small, space=OwnSpace(5))
    done = export_model(own, "timm", tmp_path / "timm")
    with pytest.raises(InvalidArgument, match="'own', which is not one of graphnas"):
        timm.create_model("graphnas", architecture=done.path)
    model = timm.create_model("graphnas", architecture=done.path, space=own.space, pretrained=True).eval()
    assert_same(model, small, [(2, 8, 8)])


@pytest.mark.parametrize("format", ["onnx", "pt2", "torchscript"])
def test_a_users_own_network_of_one_size(small, tmp_path, format):
    object.__setattr__(small, "module", OneSize().eval())
    assert not isinstance(small.module, Backbone)
    done = export_model(small, format, tmp_path / "model")
    assert not done.any_size
    assert done.compared == ("1x1x8x8", "3x1x8x8")
    if format == "onnx":
        assert_same(in_onnxruntime(done.path), small, [(1, 8, 8), (6, 8, 8)])


def test_networks_in_other_precisions_and_modes_are_written_in_float32(small, tmp_path):
    reference = small.module
    object.__setattr__(small, "module", small.module.bfloat16().train())
    done = export_model(small, "torchscript", tmp_path / "model.pt")
    assert small.module.training
    assert next(small.module.parameters()).dtype == torch.bfloat16
    object.__setattr__(small, "module", reference.float().eval())
    assert_same(torch.jit.load(done.path), small, [(2, 8, 8)])


def test_the_tolerance_is_far_below_a_difference_that_matters():
    assert comparing_module.TOLERANCE <= 1e-4
    assert FORMATS == ("onnx", "pt2", "torchscript", "timm", "folder")
