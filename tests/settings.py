"""The sandbox's settings, made quick and harmless for tests."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from sandbox.settings import *  # noqa: F403
from sandbox.settings import INSTALLED_APPS, MIDDLEWARE

from .support import databases

# Removed when the interpreter exits; one per process, so that runs don't collide.
_scratch = tempfile.TemporaryDirectory(prefix="training-credits-")
SCRATCH = Path(_scratch.name)

DEBUG = False
ROOT_URLCONF = "tests.urls"
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]

DATABASES = {"default": databases.chosen(scratch=SCRATCH)}

# A site's own classes come after ours, which extend them.
INSTALLED_APPS += ["oscarapi"]
OSCARAPI_OVERRIDE_MODULES = ["oscar_training_credits.rest", "tests.sites.api"]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
MIDDLEWARE = [*MIDDLEWARE, "tests.support.policy.StrictPolicy"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
    },
}
MEDIA_ROOT = SCRATCH / "media"
MEDIA_ROOT.mkdir()

# Oscar's listings are searches. Indexing on every save would double the time of the
# tests: one that needs a listing calls `rebuild_index` itself.
HAYSTACK_CONNECTIONS = {
    "default": {
        "ENGINE": "haystack.backends.whoosh_backend.WhooshEngine",
        "PATH": str(SCRATCH / "index"),
        # Ours stands in for it: sorting by price puts no credit-only product first.
        "EXCLUDED_INDEXES": ["oscar.apps.search.search_indexes.ProductIndex"],
    },
}
HAYSTACK_SIGNAL_PROCESSOR = "haystack.signals.BaseSignalProcessor"

# Nor does Wagtail index each page that is saved, for its search and for what refers to
# it: one that searches calls `wagtail_update_index` itself.
TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}

# More than the sandbox sells: refunds and races are tried with whole classes.
TRAINING_CREDITS_MOST_PLACES = 100

# Tests that ask for credits say whom.
TRAINING_CREDITS_REQUESTS_ADDRESS = ""
TRAINING_CREDITS_WEBHOOKS = False

INSTALLED_APPS += ["django.contrib.sitemaps", "wagtail.contrib.sitemaps"]
if find_spec("wagtail.api.v3"):
    INSTALLED_APPS += ["wagtail.api.v3"]
if find_spec("wagtail_localize"):
    INSTALLED_APPS += ["wagtail_localize", "wagtail_localize.locales"]
if find_spec("wagtail_personalisation"):
    INSTALLED_APPS += [
        "wagtail_modeladmin",
        "wagtail_personalisation",
        "wagtailfontawesomesvg",
    ]
if find_spec("wagtail_machine_readable"):
    INSTALLED_APPS += ["wagtail_machine_readable"]
if find_spec("wagtail_transfer"):
    INSTALLED_APPS += ["wagtail_transfer"]
    MIDDLEWARE += ["oscar_training_credits.cms.transfer.TransferMiddleware"]
    WAGTAILTRANSFER_SECRET_KEY = "shared by the sites"
