"""Two processes that train one network give what one process gives."""

from __future__ import annotations

import json
import os
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

torch.set_num_threads(1)
with processes.joined("cpu"):
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
"""


def _run(tmp_path, processes: int) -> dict:
    script, output = tmp_path / "script.py", tmp_path / f"{processes}.json"
    script.write_text(SCRIPT)
    start = (
        [sys.executable]
        if processes == 1
        else [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    )
    subprocess.run(
        [*start, str(script), str(output)],
        check=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
    )
    return json.loads(output.read_text())


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path):
    one, two = _run(tmp_path, 1), _run(tmp_path, 2)
    for alone, shared in zip(one["results"], two["results"], strict=True):
        assert shared == pytest.approx(alone, rel=1e-4)
    for alone, shared in zip(one["w"], two["w"], strict=True):
        assert shared == pytest.approx(alone, abs=1e-5)
