"""The Chromium that the browser tests drive; run as a program, it gets one.

Tests run in its headless shell where there is one: it has no window to draw, and saves
a fifth of their time. It keeps no pages for the Back button either, so tests about that
ask for the whole browser.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
WHOLE = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


def executable() -> str | None:
    """Return the path of a headless shell that starts, or of a whole Chromium."""
    return first_of(SHELL, *WHOLE)


def whole() -> str | None:
    """Return the path of a Chromium that starts and does all that people's do."""
    return first_of(*WHOLE)


@functools.cache
def first_of(*names: str) -> str | None:
    # The system's before Playwright's.
    for path in map(shutil.which, names):
        if path and starts(path):
            return path
    return bundled() if starts(bundled()) else None


def starts(path: str) -> bool:
    # Ubuntu's chromium-browser is a stub that only says where to get the snap.
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@functools.cache
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
        if any(shutil.which(name) for name in WHOLE):
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
    if whole() is None:
        print("No Chromium here; trying to install one for the browser tests …")
        install()
