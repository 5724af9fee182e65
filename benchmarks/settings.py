"""The sites that are measured: the sandbox, or Oscar with the package or without."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

from tests.support import databases

if os.environ.get("BENCHMARK_SITE") == "shop":
    from tests.plain_settings import *  # noqa: F403
else:
    from tests.plain_settings import NoMigrations
    from tests.settings import *  # noqa: F403

    MIGRATION_MODULES = NoMigrations()

url = os.environ.get("BENCHMARK_DATABASE", "sqlite:///benchmark.sqlite3")
if url.startswith("sqlite"):
    DATABASES = {"default": databases.sqlite(Path(url.removeprefix("sqlite:///")))}
else:
    DATABASES = {"default": dict(dj_database_url.parse(url))}
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("tests.")]  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
