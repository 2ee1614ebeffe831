"""The folder that stands on its own: its Python file needs no graphnas, its card says what is known."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from graphnas import Architecture
from graphnas.errors import ExportFailed
from graphnas.export import export_model, network_source
from graphnas.export.folders import require_timm
from search_spaces.gemnet_imagenet import gemnet_a

WITHOUT_GRAPHNAS = """
import importlib.util, sys
from pathlib import Path

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("graphnas", "search_spaces", "timm", "networkx", "scipy", "sklearn"):
            raise ImportError(f"{name} is not installed")

sys.meta_path.insert(0, Blocked())
import torch
for folder in sorted(Path(sys.argv[1]).iterdir()):
    spec = importlib.util.spec_from_file_location("network", folder / "network.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    images = torch.load(Path(sys.argv[2]))
    with torch.no_grad():
        result = {
            "logits": network(module.normalise(images)),
            "maps": network.features(module.normalise(images)),
            "classes": list(module.CLASS_NAMES),
        }
    torch.save(result, folder / "result.pt")
assert not any(name.split(".")[0] in ("graphnas", "search_spaces") for name in sys.modules)
"""


def test_every_network_is_built_without_graphnas(models, tmp_path):
    folders = tmp_path / "folders"
    for name, trained in models.items():
        export_model(trained, "folder", folders / name)
    pixels = torch.randint(0, 256, (3, 3, 40, 52), generator=torch.Generator().manual_seed(2)).byte()
    torch.save(pixels, tmp_path / "images.pt")
    command = [sys.executable, "-c", WITHOUT_GRAPHNAS, str(folders), str(tmp_path / "images.pt")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, trained in models.items():
        result = torch.load(folders / name / "result.pt")
        with torch.no_grad():
            images = trained.normalisation(pixels)
            expected = trained.module(images)
            torch.testing.assert_close(result["logits"], expected, rtol=1e-4, atol=1e-4)
            for ours, theirs in zip(result["maps"], trained.module.features(images), strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        assert result["classes"] == list(trained.class_names)


def test_the_source_is_readable_python(trained):
    source = network_source(trained)
    tree = ast.parse(source)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= {"__future__", "collections.abc", "pathlib", "torch", "safetensors.torch"}
    assert "graphnas;" in source  # where it comes from
    for word in (
        "Backbone",
        "InvalidArgument",
        "NDArray",
        "type: ignore",
        ":class:",
        "search_spaces",
        "timm",
    ):
        assert word not in source, word
    names = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert {"build", "load", "normalise", type(trained.module).__name__} <= names
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names - used <= {"build", "load", "normalise"}, "a definition that nothing uses"
    assert max(map(len, source.splitlines())) <= 110
    compile(source, "network.py", "exec")


def test_the_literal_call_has_the_architecture(models):
    source = network_source(models["enas6"])
    (call,) = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ENASNetwork"
    )
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    space, architecture = models["enas6"].space, models["enas6"].architecture
    assert given["operations"] == [space.node_ops[label] for label in architecture.operations[1:-1]]
    skips = [[j for j in range(i - 1) if architecture.adjacency[j, i]] for i in range(1, 7)]
    assert given["skips"] == skips
    assert given["width"] == 2


def test_a_large_network_stays_readable(models):
    trained = models["gemnet"]
    before = trained.module
    object.__setattr__(trained, "module", gemnet_a(3))
    try:
        source = network_source(trained)
    finally:
        object.__setattr__(trained, "module", before)
    assert len(source.splitlines()) < 250
    namespace = {"__name__": "network", "__file__": "network.py"}
    exec(compile(source, "network.py", "exec"), namespace)
    built = {name: value.shape for name, value in namespace["build"]().state_dict().items()}
    assert built == {name: value.shape for name, value in gemnet_a(3).state_dict().items()}


def test_what_the_folder_holds(small, tmp_path):
    done = export_model(small, "folder", tmp_path / "network")
    assert sorted(path.name for path in done.path.iterdir()) == [
        "README.md",
        "architecture.png",
        "config.json",
        "model.safetensors",
        "network.py",
    ]
    assert load_file(done.path / "model.safetensors").keys() == small.module.state_dict().keys()
    assert (done.path / "architecture.png").read_bytes().startswith(b"\x89PNG")
    content = json.loads((done.path / "config.json").read_text())
    description = content["model_args"]["architecture"]
    assert Architecture.from_dict(description["architecture"]) == small.architecture
    card = (done.path / "README.md").read_text()
    for text in (
        "| test accuracy | 91.25 |",
        "| parameters | 1,234 |",
        "| multiply-accumulates | 56,789 |",
        "| epochs | 4 |",
        "| learning rate | 0.05 |",
        "![The architecture](architecture.png)",
        'daisy, the "other", rose',
        "flowers",
    ):
        assert text in card
    for index, (channels, stride) in enumerate(
        zip(small.module.out_channels, small.module.strides, strict=True)
    ):
        assert f"| {index} | {channels} | {stride} |" in card


def test_a_folder_is_a_timm_model_too(small, tmp_path):
    require_timm()
    import timm

    folder = export_model(small, "folder", tmp_path / "network").path
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model = timm.create_model("graphnas", architecture=folder, pretrained=True).eval()
    from_folder = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.no_grad():
        assert torch.equal(model(images), small.module(images))
        assert torch.equal(from_folder(images), small.module(images))


def test_a_users_own_network_has_no_source(small, tmp_path):
    object.__setattr__(small, "module", torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3)))
    with pytest.raises(ExportFailed, match=r"networks of graphnas, not for torch\.nn.*Sequential"):
        export_model(small, "folder", tmp_path / "network")
    assert list(tmp_path.iterdir()) == []
