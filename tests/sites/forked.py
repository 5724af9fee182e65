"""A site that has forked Oscar's apps: the package `myshop`, in the current folder.

With WIRED_BY_HAND it leaves Oscar's class loader alone.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

PACKAGE = "myshop"


def fork_of(app: str) -> str:
    """Return the fork of an app of Oscar's, if there is one."""
    fork = app.replace("oscar.apps.", f"{PACKAGE}.", 1)
    folder = Path(*fork.split(".apps.")[0].split("."))
    return fork if Path(folder, "apps.py").exists() else app


INSTALLED_APPS = [fork_of(app) for app in INSTALLED_APPS]
if os.environ.get("WIRED_BY_HAND"):
    OSCAR_DYNAMIC_CLASS_LOADER = "oscar.core.loading.default_class_loader"
