"""Oscar alone, with or without the package: nothing else differs between the two.

`tests/support/count_queries.py` runs on it.
"""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import (
    HAYSTACK_CONNECTIONS,
    INSTALLED_APPS,
    MIDDLEWARE,
    SCRATCH,
)

WITH_CREDITS = bool(os.environ.get("WITH_CREDITS"))
OURS = ["oscar_training_credits", "oscar_training_credits.credits"]
LEFT_OUT = (
    "oscar_training_credits",
    "sandbox.",
    "wagtail",
    "modelcluster",
    "taggit",
    "rest_framework",
    "oscarapi",
)

ROOT_URLCONF = "tests.plain_urls"
INSTALLED_APPS = [
    *(OURS if WITH_CREDITS else []),
    *(app for app in INSTALLED_APPS if not app.startswith(LEFT_OUT)),
]
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("wagtail")]
if not WITH_CREDITS:
    OSCAR_DYNAMIC_CLASS_LOADER = "oscar.core.loading.default_class_loader"
    HAYSTACK_CONNECTIONS["default"].pop("EXCLUDED_INDEXES")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(SCRATCH / "plain.sqlite3"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE"},
    }
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
OSCAR_PRODUCTS_PER_PAGE = 100


class NoMigrations:
    """Builds the tables from the models, in seconds."""

    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


MIGRATION_MODULES = NoMigrations()
