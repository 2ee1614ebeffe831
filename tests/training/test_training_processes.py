"""Two processes that train one network give what one process gives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
import torch
from torch import nn
from graphnas.training.images import MemoryImages, Normalisation
from graphnas.training.loop import Training, train_epochs
from graphnas.training import processes
from graphnas.training.training_config import TrainingConfig

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(16, 2)
        self.dead = nn.Linear(16, 2)
    def forward(self, x):
        return self.used(x.flatten(1))

def main():
    torch.manual_seed(0)
    labels = torch.arange(63) % 2
    noise = torch.randn(63, 1, 4, 4)
    images = MemoryImages(noise + labels[:, None, None, None], labels)
    config = TrainingConfig(epochs=3, batch_size=10, learning_rate=.1, flip=False, crop_padding=0)
    everything = torch.arange(63)
    t = Training(Net(), images, everything, config, Normalisation((0.,), (1.,), 1.), seed=0)
    results = [vars(r) for r in train_epochs(t, validation=everything)]
    for r in results:
        r.pop("seconds"), r.pop("validation_top5")
    if processes.rank() == 0:
        open(sys.argv[1], "w").write(json.dumps({"results": results, "w": t.module.used.weight.tolist()}))

torch.set_num_threads(1)
with processes.joined("cpu"):
    main()
"""


def _run(tmp_path, count: int, program: str = SCRIPT) -> dict:
    """Run the script in so many processes, which find each other as those of torchrun do."""
    script, output = tmp_path / "script.py", tmp_path / f"{count}.json"
    script.write_text(program)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(count),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(output)],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(count)
    ]
    for process in started:
        _, error = process.communicate(timeout=300)
        assert process.returncode == 0, error
    return json.loads(output.read_text())


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    one, two = _run(tmp_path, 1), _run(tmp_path, 2)
    for alone, shared in zip(one["results"], two["results"], strict=True):
        assert shared == pytest.approx(alone, rel=1e-4)
    for alone, shared in zip(one["w"], two["w"], strict=True):
        assert shared == pytest.approx(alone, abs=1e-5)


SLOW_FIRST = """
import sys, time
from graphnas.training import processes, train
from graphnas.training.checkpoints import Checkpoints
from search_spaces import GEMNet
import numpy as np

save = Checkpoints.save
def late(self, training, result):
    time.sleep(2 * (result.epoch == 2))
    save(self, training, result)
Checkpoints.save = late
space = GEMNet(4)
with processes.joined("cpu") as device:
    trained = train(
        space, space.sample(np.random.default_rng(0)), output=sys.argv[1] + "-files", holdout=0.5, epochs=2,
        recipe="digits", shape={"width": 2, "stages": 1}, batch_size=256, device=device, progress=False,
    )
    weights = sum(float(p.double().sum()) for p in trained.module.parameters())
    with open(f"{sys.argv[1]}-{processes.rank()}", "w") as file:
        file.write(f"[{weights}]")
    if processes.rank() == 0:
        open(sys.argv[1], "w").write("{}")
"""


@pytest.mark.slow
def test_all_processes_keep_the_epoch_that_the_first_one_writes(tmp_path):
    _run(tmp_path, 2, SLOW_FIRST)
    first, second = ((tmp_path / f"2.json-{rank}").read_text() for rank in (0, 1))
    assert first == second
