"""Optuna's gRPC proxy: one process reaches the database, and any number of workers reach that process.

Run ``python examples/cluster/storage_proxy.py sqlite:///study.db --port 13000`` after
``pip install "graphnas[optuna,grpc]"``, and on each machine
``graphnas search ... --workers 4 --storage grpc://HOST:13000``. The proxy neither encrypts nor asks who you
are: listen where only your own machines come, or through a tunnel.
"""

from __future__ import annotations

import argparse

from optuna.storages import RDBStorage, get_storage, run_grpc_proxy_server

LOCK_SECONDS = 60
"""How long a writer waits for others on an SQLite file."""


def main() -> None:
    """Serve the storage until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Serve one of Optuna's databases to many workers.")
    parser.add_argument(
        "storage", metavar="URL", help="database, such as sqlite:///study.db or postgresql://..."
    )
    parser.add_argument("--host", default="localhost", help="address to listen on (default: localhost)")
    parser.add_argument("--port", type=int, default=13000, help="port to listen on (default: 13000)")
    args = parser.parse_args()
    options = {"connect_args": {"timeout": LOCK_SECONDS}} if args.storage.startswith("sqlite") else None
    storage = get_storage(
        RDBStorage(args.storage, engine_kwargs=options)
    )  # with a cache, which the proxy needs
    print(f"grpc://{args.host}:{args.port} until Ctrl-C", flush=True)
    try:
        run_grpc_proxy_server(storage, host=args.host, port=args.port)
    except KeyboardInterrupt:
        print("ended; the study stays in the database")


if __name__ == "__main__":
    main()
