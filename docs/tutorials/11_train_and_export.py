"""Train what was found, and export it
===================================

A search ends with a graph. Its network is trained by a recipe and written in formats that other programs
load.
"""

# %%
# Training
# --------
# A recipe is a named configuration; single settings are replaced by name.

import tempfile
from pathlib import Path

import numpy as np

from graphnas.export import export_model
from graphnas.plots import plot_architecture
from graphnas.training import RECIPES, train
from search_spaces import GEMNet

space = GEMNet(num_nodes=6)
architecture = space.sample(np.random.default_rng(0))
figure = plot_architecture(architecture, space)
print(*RECIPES, sep=", ")

# %%
folder = Path(tempfile.mkdtemp())
model = train(
    space,
    architecture,
    recipe="digits",
    output=folder / "network",
    epochs=8,
    shape={"width": 8},
    progress=False,
)
metrics = model.evaluation.metrics
print(f"{metrics['test_accuracy']:.2f} % top-1, {metrics['test_top5']:.2f} % top-5")
print(f"{model.evaluation.parameters:,} parameters, {model.evaluation.macs:,} multiply-accumulates")
print(sorted(path.name for path in (folder / "network").iterdir()))

# %%
# Export
# ------
# Each format is loaded again and its outputs are compared before the call returns.

for name, file in (("onnx", "model.onnx"), ("pt2", "model.pt2"), ("folder", "folder")):
    print(export_model(model, name, folder / file))

# %%
# ``folder`` needs no graphnas: one Python file builds and loads the network.

print(sorted(path.name for path in (folder / "folder").iterdir()))
print("\n".join((folder / "folder" / "network.py").read_text().splitlines()[:12]))

# %%
# With ONNX Runtime:

import onnxruntime

session = onnxruntime.InferenceSession(folder / "model.onnx")
images = np.zeros((2, 1, 8, 8), np.float32)
print(session.run(None, {session.get_inputs()[0].name: images})[0].shape)

# %%
# :doc:`/how-to/train-and-export` has ImageNet, your own images, several cards, and timm.
