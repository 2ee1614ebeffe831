"""A headless Chromium for the tests, spoken to by its own protocol; tests skip where there is none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Browser:
    """One page."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._calls = 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the browser answers to a command of the DevTools protocol."""
        self._calls += 1
        self._connection.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=120))
            if answer.get("id") == self._calls:
                return answer.get("result", answer)

    def value(self, expression: str) -> Any:
        """What a piece of JavaScript gives."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def open(self, address: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=address)

    def wait_for(self, expression: str, seconds: float = 120) -> Any:
        """The value of ``expression`` as soon as it is true.

        Raises:
            AssertionError: It did not become true; with the text of the page.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.value(expression)
            if value:
                return value
            time.sleep(0.3)
        raise AssertionError(f"{expression} is not true; the page: {self.value('document.body.innerText')}")


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser with its profile in ``folder``; skips where there is none, and in continuous integration."""
    if os.environ.get("CI"):
        pytest.skip("no browser is started in continuous integration")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed; on Debian and Ubuntu it is the package chromium")
    client = pytest.importorskip("websockets.sync.client", reason="the package websockets is not installed")
    port = free_port()
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", f"--remote-debugging-port={port}"]
    process = subprocess.Popen(
        [*command, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        pages = _wait_for_json(f"http://127.0.0.1:{port}/json")
        (page,) = (page for page in pages if page["type"] == "page")
        with client.connect(page["webSocketDebuggerUrl"], max_size=None) as connection:
            browser = Browser(connection)
            browser.call("Page.enable")
            yield browser
    finally:
        process.terminate()
        process.wait(30)


def _wait_for_json(address: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def wait_until_served(address: str, seconds: float = 60) -> None:
    """Wait until somebody answers at ``address`` with JSON."""
    _wait_for_json(address, seconds)
