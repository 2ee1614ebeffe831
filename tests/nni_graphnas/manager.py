"""A real NNI experiment for the tests: on a free port, in a directory of its own, with everything ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from browser import free_port

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATIENCE = float(os.environ.get("GRAPHNAS_E2E_SECONDS", "500"))
"""How long a test waits for an experiment; a busy machine may need longer, and pytest's --timeout too."""
# With the repair that lets NNI's server take longer than three seconds to start, as on a busy machine.
NNICTL = (
    "from nni_graphnas import repairs; repairs.apply(); "
    "from nni.tools.nnictl.nnictl import parse_args; parse_args()"
)


def environment(home: Path) -> dict[str, str]:
    """In which NNI keeps everything in ``home``, and processes find our modules and this Python."""
    paths = [str(ROOT), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "HOME": str(home),
        "NNI_CONFIG_DIR": str(home / "config"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "GRAPHNAS_TEST_HOME": str(home),
    }


class Manager:
    """One experiment of ``nnictl``.

    Args:
        home: Directory for everything that NNI writes.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.id = ""
        home.mkdir(parents=True, exist_ok=True)

    @property
    def directory(self) -> Path:
        """The directory of the experiment."""
        return self.home / "nni-experiments" / self.id

    def nnictl(self, *arguments: str) -> str:
        """Run ``nnictl`` and return what it prints."""
        command = [sys.executable, "-W", "ignore", "-c", NNICTL, *arguments]
        done = subprocess.run(
            command,
            env=environment(self.home),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"nnictl {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def create(self, config: dict[str, Any]) -> None:
        """Start an experiment."""
        path = self.home / "config.json"
        path.write_text(json.dumps(config))  # JSON is YAML
        self.create_from(path)

    def create_from(self, path: Path) -> None:
        """Start the experiment of a configuration file."""
        self.nnictl("create", "--config", str(path), "--port", str(self.port))
        self.id = (self.home / "nni-experiments" / "_latest").resolve().name

    def get(self, path: str) -> Any:
        """What the manager answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=60) as answer:
            text = answer.read().decode()
        return json.loads(text) if path.startswith("api/") else text

    def status(self) -> str:
        """The status of the experiment, as the web page shows it."""
        return str(self.get("api/v1/nni/check-status")["status"])

    def trials(self) -> list[dict[str, Any]]:
        """What the web page lists."""
        found: list[dict[str, Any]] = self.get("api/v1/nni/trial-jobs")
        return found

    def wait(self, reached: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait until something is reached.

        Raises:
            AssertionError: It was not, with the ends of the logs.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if reached():
                return
            time.sleep(0.3)
        raise AssertionError(f"not reached in {seconds} seconds:\n{self.logs()}")

    def wait_for(self, status: str, seconds: float = PATIENCE) -> None:
        """Wait for a status."""

        def reached() -> bool:
            now = self.status()
            assert now == status or now != "ERROR", self.logs()
            return now == status

        self.wait(reached, seconds)

    def logs(self) -> str:
        """The ends of the logs."""
        files = [
            *self.directory.glob("log/*.log"),
            *self.directory.glob("environments/*/trials/*/trial.std*"),
        ]
        return "\n".join(f"== {file.name}\n{file.read_text()[-3000:]}" for file in files)

    def processes(self) -> list[psutil.Process]:
        """Those of this experiment that are alive: they carry its directory in their environment."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get("GRAPHNAS_TEST_HOME") == str(self.home)
                if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def kill(self) -> None:
        """End every process at once, as a machine that loses power does."""
        killed = self.processes()
        # To nnictl a process lives as long as its number is taken, be it by a zombie. Ours it does not know.
        others = [process.pid for process in killed if process.ppid() != os.getpid()]
        for process in killed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.end_processes()
        self.wait(lambda: not any(psutil.pid_exists(pid) for pid in others), seconds=60)

    def resume(self) -> None:
        """Resume the experiment."""
        self.nnictl("resume", self.id, "--port", str(self.port))

    def stop(self) -> None:
        """Stop as a user does, and see that nothing is left running."""
        if self.id:
            self.nnictl("stop", self.id)

    def end_processes(self) -> None:
        """See to it that nothing is left running."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(self.processes(), timeout=20)


@contextlib.contextmanager
def experiment(home: Path) -> Iterator[Manager]:
    """An experiment, of which nothing is left afterwards, however it went."""
    manager = Manager(home)
    try:
        yield manager
    finally:
        manager.end_processes()


def wait_until_gone(manager: Manager, seconds: float = 30) -> list[psutil.Process]:
    """The processes that are still there after a while; none, if all ends as it should."""
    deadline = time.monotonic() + seconds
    while manager.processes() and time.monotonic() < deadline:
        time.sleep(0.2)
    return manager.processes()
