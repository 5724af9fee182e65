"""The Chromium that the browser tests drive; run as a program, it gets one."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


@functools.cache
def executable() -> str | None:
    """Return the path of a Chromium that starts, the system's before Playwright's."""
    paths = [path for name in NAMES if (path := shutil.which(name))]
    return next(filter(starts, [*paths, bundled()]), None)


def starts(path: str) -> bool:
    # Ubuntu's chromium-browser is a stub that only says where to get the snap.
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def bundled() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def install() -> None:
    """Try Debian's Chromium, then Playwright's."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", environment=environment)
        packages = ["install", "-y", "-qq", "--no-install-recommends", "chromium"]
        run("apt-get", *packages, environment=environment)
        if any(shutil.which(name) for name in NAMES):
            return
    run(sys.executable, "-m", "playwright", "install", "chromium")


def run(*command: str, environment: dict[str, str] | None = None) -> None:
    print("+", *(Path(command[0]).name, *command[1:]), flush=True)
    try:
        subprocess.run(
            command, check=False, env=environment, stdin=subprocess.DEVNULL, timeout=600
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error)


if __name__ == "__main__":
    if executable() is None:
        print("No Chromium here; trying to install one for the browser tests …")
        install()
