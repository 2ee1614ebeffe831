"""Storages that several processes can share: SQLite, a journal file, and a real PostgreSQL server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend


def open_storage(url: str) -> BaseStorage:
    """The storage behind ``sqlite:///PATH``, ``journal://PATH`` or ``postgresql://...``."""
    if url.startswith("journal://"):
        return JournalStorage(JournalFileBackend(url.removeprefix("journal://")))
    # The other workers may keep the file locked for longer than usual when the machine is busy.
    arguments = {"timeout": 120} if url.startswith("sqlite") else {}
    return RDBStorage(url, engine_kwargs={"connect_args": arguments})


def create_study(url: str, name: str) -> optuna.Study:
    return optuna.create_study(study_name=name, storage=open_storage(url), direction="maximize")


def postgresql_binaries() -> Path | None:
    """The folder of initdb, pg_ctl and postgres, if they are installed."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in folders if all((f / b).exists() for b in ("initdb", "pg_ctl", "postgres"))), None)


@contextmanager
def postgresql_server(binaries: Path) -> Iterator[str]:
    """Run a server on a socket in a folder of its own while the body runs; gives its URL."""
    folder = Path(tempfile.mkdtemp(prefix="graphnas-pg-"))
    identity: dict[str, int | list[int]] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        user = next(pwd.getpwnam(name) for name in ("postgres", "nobody") if _is_user(name))
        os.chown(folder, user.pw_uid, user.pw_gid)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def run(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **identity)  # type: ignore[call-overload]
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    data = folder / "data"
    try:
        run(binaries / "initdb", "-D", data, "-U", "graphnas", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run(binaries / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield f"postgresql+psycopg2://graphnas@/postgres?host={folder}"
        finally:
            run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
