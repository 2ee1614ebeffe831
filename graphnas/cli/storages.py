"""Storages of the command line: what a file or a URL names, opening it, and errors of it in one line."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from graphnas.errors import DataNotFound, InvalidArgument, MissingExtra, StorageFailed
from graphnas.optional import require

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

SQLITE = b"SQLite format 3\x00"
ATTEMPTS = 20
"""How often a storage is opened that another process is making at the same time, with a pause in between."""
PAUSE = 0.1
LOCK_SECONDS = 60.0
"""How long a writer waits for others on the same file."""
HEARTBEAT_SECONDS = 60
"""How often a trial shows that its process lives, where a heartbeat is asked for."""
GRACE_SECONDS = 300
"""How long none may be seen before the trial is freed: a busy machine or database delays a few."""
GRPC_SECONDS = 20.0
"""How long a proxy may take to answer."""
FULL = {errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EDQUOT, errno.EIO, errno.EACCES}


def without_password(url: str) -> str:
    """``url`` as it may be printed."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


def file_url(path: Path) -> str:
    """The URL of the SQLite database in the file ``path``, whatever characters its name has."""
    from sqlalchemy.engine import make_url

    for url in (f"sqlite:///{path}", f"sqlite:///{quote(str(path))}"):
        read = make_url(url)
        # Optuna formats the URL, so that it may hold no braces.
        if read.database == str(path) and not read.query and not {"{", "}"} & set(url):
            return url
    return f"sqlite:///file:{quote(str(path))}?uri=true"  # SQLite itself takes the quotes away


def in_memory(url: str | None) -> bool:
    """Whether nothing of the storage is left when the process ends."""
    return url is None or re.fullmatch(r"sqlite(\+\w+)?://(/?|/:memory:)", url) is not None


def url_of(what: str) -> str | None:
    """The URL of the storage that ``what`` names: a URL, or a file with studies; None if it names none."""
    if re.match(r"[a-z][a-z0-9+]*://", what):
        return what
    try:
        with open(what, "rb") as file:
            start = file.read(200)
    except OSError:
        return None
    if start.startswith(SQLITE):
        return file_url(Path(what))
    return f"journal://{what}" if start.startswith(b'{"op_code"') else None


def existing_file(url: str) -> str | None:
    """The file behind ``url``, None where it is none.

    Raises:
        DataNotFound: There is no such file; to open it would make an empty one.
    """
    if url.startswith("journal://"):
        path = url.removeprefix("journal://")
    else:
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            read = make_url(url)
        except ArgumentError:
            return None  # open_storage says so
        if read.get_backend_name() != "sqlite" or in_memory(url) or str(read.database).startswith("file:"):
            return None
        path = str(read.database)
    if not os.path.isfile(path):
        raise DataNotFound(f"no study database {path}")
    return path


def open_storage(url: str | None, *, heartbeat: bool = False) -> BaseStorage:
    """Optuna's storage at ``url``, in memory if None.

    Args:
        url: ``journal://FILE`` is a journal file, ``grpc://HOST:PORT`` Optuna's proxy for a storage, anything
            else the URL of a database.
        heartbeat: Let running trials show that their process lives, so that the others free those of one that
            was killed. Databases only: journals and proxies have none.

    Raises:
        InvalidArgument: It is no database URL, or the database cannot be opened.
        MissingExtra: Optuna is not installed, or grpcio for a proxy.
    """
    optuna = require("optuna", "optuna")
    if url is None:
        memory: BaseStorage = optuna.storages.InMemoryStorage()
        return memory
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

    shown = without_password(url)
    for attempt in range(ATTEMPTS):
        try:
            return _open(url, heartbeat)
        except (OperationalError, ProgrammingError, IntegrityError) as error:
            # Two processes that make a new database at once: one of them finds its tables there already.
            if attempt + 1 < ATTEMPTS and re.search(r"already exists|UNIQUE|duplicate|locked", str(error)):
                time.sleep(PAUSE)
                continue
            raise InvalidArgument(f"cannot open the storage {shown!r}: {reason(error)}") from error
        except MissingExtra:
            raise
        except (SQLAlchemyError, ImportError, RuntimeError, ValueError, OSError) as error:
            raise InvalidArgument(
                f"cannot open the storage {shown!r}: {reason(error)}; expected a database URL such as "
                "sqlite:///study.db"
            ) from error
        except optuna.exceptions.OptunaError as error:
            raise InvalidArgument(f"cannot open the storage {shown!r}: {reason(error)}") from error
    raise AssertionError("the last attempt returns or raises")


def _open(url: str, heartbeat: bool) -> BaseStorage:
    storages = require("optuna.storages", "optuna")
    storage: BaseStorage
    if url.startswith("journal://"):
        journal = require("optuna.storages.journal", "optuna")
        storage = storages.JournalStorage(journal.JournalFileBackend(url.removeprefix("journal://")))
        return storage
    if url.startswith("grpc://"):
        return _proxy(url)
    options: dict[str, Any] = {}
    if url.startswith("sqlite") and not in_memory(url):
        options["engine_kwargs"] = {"connect_args": {"timeout": LOCK_SECONDS}}
    if heartbeat and not in_memory(url):
        options |= {"heartbeat_interval": HEARTBEAT_SECONDS, "grace_period": GRACE_SECONDS}
    with _without_experimental_warning():
        storage = storages.get_storage(storages.RDBStorage(url, **options) if options else url)
    return storage


def _proxy(url: str) -> BaseStorage:
    require("grpc", "grpc")
    storages = require("optuna.storages", "optuna")
    found = re.fullmatch(r"grpc://(\[[0-9a-fA-F:.]+\]|[^:/@\[\]]+):(\d+)/?", url)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError("a proxy's address is grpc://HOST:PORT")
    with _without_experimental_warning():
        storage: BaseStorage = storages.GrpcStorageProxy(host=found[1], port=int(found[2]))
    try:
        storage.wait_server_ready(timeout=GRPC_SECONDS)  # type: ignore[attr-defined]
    except ConnectionError as error:
        raise OSError(f"no storage proxy answers there within {GRPC_SECONDS:.0f} s") from error
    return storage


@contextlib.contextmanager
def _without_experimental_warning() -> Iterator[None]:
    """Keep to ourselves that Optuna may change what we ask for."""
    category = require("optuna.exceptions", "optuna").ExperimentalWarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


# ---------------------------------------------------------------- errors


@contextlib.contextmanager
def storage_errors(what: str, kept: str) -> Iterator[None]:
    """Turn errors of a storage or of the disk inside the body into one that says what is lost and kept.

    Args:
        what: What the body writes.
        kept: What there is in spite of the error.

    Raises:
        StorageFailed: Such an error, or another one that it led to.
    """
    try:
        yield
    except Exception as error:
        cause = _storage_error(error)
        if cause is None:
            raise
        raise StorageFailed(f"{what} cannot be written: {reason(cause)}; {kept}") from error


def _storage_error(error: BaseException | None) -> BaseException | None:
    """The error of a storage that ``error`` is or came from: Optuna stumbles over its own after one."""
    from sqlalchemy.exc import SQLAlchemyError

    optuna = require("optuna", "optuna")
    while error is not None:
        if isinstance(error, SQLAlchemyError | optuna.exceptions.StorageInternalError):
            return error.__cause__ if isinstance(error.__cause__, SQLAlchemyError) else error
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        if type(error).__module__.partition(".")[0] == "grpc":  # a proxy, and not imported without one
            return error
        if isinstance(error, RuntimeError) and "file write failed" in str(error):  # torch.save
            return error
        error = error.__cause__ or error.__context__
    return None


def of_database(error: BaseException) -> bool:
    """Whether a database is to blame for ``error``."""
    return "sqlalchemy" in sys.modules and _storage_error(error) is not None


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    original = getattr(error, "orig", None) or error  # SQLAlchemy adds the statement and a link
    return str(original).strip().splitlines()[0] if str(original).strip() else type(original).__name__
