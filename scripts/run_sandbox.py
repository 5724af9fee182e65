"""Bring the sandbox's database up to date, serve it, then say where to look.

A worker beside the server issues and imports many codes.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PORT = int(os.environ.setdefault("PORT", "8000"))
SERVER = ("runserver", f"{HOST}:{PORT}")
WORKER = ("db_worker", "--no-reload", "--interval", "2", "--verbosity", "0")
PAUSE = 5
"""Seconds between two looks at the worker; one that can't start makes no more noise."""
PATIENCE = 5
"""Seconds until a process that was asked to end is made to. No job is lost by that."""
os.environ["SANDBOX_WORKER"] = "yes"


def main() -> int:
    if not is_free(PORT):
        print(f"Port {PORT} is taken. Try: make sandbox PORT={PORT + 1}")
        return 1
    # Whoosh is older than Python's stricter view of its syntax.
    warnings.simplefilter("ignore", SyntaxWarning)
    prepare()
    # So that a `kill` of this program ends the server as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running = {"server": start(*SERVER), "worker": start(*WORKER)}
    try:
        if answers(running["server"]):
            welcome()
        return watch(running)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in running.values():
            end(process)


def watch(running: dict[str, subprocess.Popen[bytes]]) -> int:
    """Return the server's exit status, and until then start dead workers again."""
    while True:
        try:
            return running["server"].wait(PAUSE)
        except subprocess.TimeoutExpired:
            if running["worker"].poll() is not None:
                print("The worker has died and is started again.", flush=True)
                running["worker"] = start(*WORKER)


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "sandbox/manage.py", *command],
        cwd=ROOT,
        env={**os.environ, "DJANGO_RUNSERVER_HIDE_WARNING": "true"},
    )


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def prepare() -> None:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    import django
    from django.core.management import call_command

    print("Preparing the database …", flush=True)
    django.setup()
    if has_pending_migrations():
        call_command("migrate", interactive=False)
    call_command("seed_sandbox")
    call_command("seed_history")


def has_pending_migrations() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def answers(server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server has sent its first page, or is gone."""
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"http://{HOST}:{PORT}/", timeout=60).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.2)
        else:
            return True
    return False


def welcome() -> None:
    from django.core.management import call_command

    print(flush=True)
    call_command("sandbox_welcome")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
