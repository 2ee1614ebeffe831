"""NNI: an experiment of nnictl
============================

``examples/nnictl`` of the repository: a configuration, a search space and a trial. This page runs it with
four trials.
"""

# %%
# The configuration names the tuner and its space; ``search_space.json``, which ``graphnas nni
# export-space`` wrote, lists the parameters of the space, and beside them a learning rate, which one of
# NNI's own tuners chooses.

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import graphnas
import nni_graphnas

root = Path(graphnas.__file__).parents[1]
example = root / "examples" / "nnictl"
print((example / "config.yml").read_text())

# %%
# The trial asks for parameters, builds the network, trains, and reports:

print((example / "trial.py").read_text().split('"""')[2].strip())

# %%
# Run it
# ------
# In a shell that is ``nnictl create --config config.yml``, to be watched at http://localhost:8080. Here
# everything that NNI keeps goes into a folder of its own, and the number of trials is smaller.

home = Path(tempfile.mkdtemp())
for file in ("config.yml", "trial.py", "search_space.json"):
    shutil.copy(example / file, home)
config = (home / "config.yml").read_text().replace("maxTrialNumber: 20", "maxTrialNumber: 4")
(home / "config.yml").write_text(config)
paths = [str(root), os.environ.get("PYTHONPATH", "")]
environment = os.environ | {
    "HOME": str(home),
    "NNI_CONFIG_DIR": str(home / "config"),
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": os.pathsep.join(filter(None, paths)),
}
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    port = str(listener.getsockname()[1])


def nnictl(*arguments):
    """The command, with the repairs of nni_graphnas, by which it has time to start on a busy machine."""
    program = (
        "from nni_graphnas import repairs; repairs.apply(); from nni.tools.nnictl.nnictl import parse_args; "
        "parse_args()"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    subprocess.run(
        command, cwd=home, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
    )


def status():
    """What NNI's web page shows."""
    address = f"http://127.0.0.1:{port}/api/v1/nni/check-status"
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)["status"]


nnictl("create", "--config", "config.yml", "--port", port)
directory = (home / "nni-experiments" / "_latest").resolve()
try:
    end = time.monotonic() + 900
    while status() != "DONE" and time.monotonic() < end:
        time.sleep(1)
finally:
    nnictl("stop", directory.name)

# %%
# The results
# -----------
# NNI may pair a result with another trial's parameters as soon as two run at once. Ours are paired by what
# the trial reported, and kept in a journal. ``graphnas nni results EXPERIMENT`` prints the same.

for result in nni_graphnas.results(directory):
    print(
        f"{result.value:.2f} %  learning rate {result.parameters['learning_rate']:.3f}  {result.architecture}"
    )
print("the best:", nni_graphnas.best(directory).architecture.to_json())
