"""Which database, which browser, and in what order."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
import time_machine
from hypothesis import settings as hypothesis_settings

from .support import browsers, databases
from .support.racing import at_once, at_once_in_processes
from .support.receiver import Receiver, receiving

NO_BROWSER = (
    "no Chromium or Chrome was found, and none could be installed; "
    "install one (Debian: apt-get install chromium) and run again"
)
NO_ROW_LOCKS = "races need row locks: `make test` runs this on a PostgreSQL of its own"
THIS_MACHINE_ONLY = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
MIGRATED_KEPT = 3

# Django makes many objects and few cycles. To look for those less often saves a tenth.
gc.set_threshold(100_000, 50, 50)

hypothesis_settings.register_profile("unhurried", deadline=None)
hypothesis_settings.load_profile("unhurried")
hypothesis_settings.register_profile(
    "thorough", deadline=None, max_examples=2_000, stateful_step_count=50
)

skipped_for_browser = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--guesses",
        type=int,
        default=3000,
        help="how many wrong codes the attacks in test_throttling.py try",
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    from django.db import connection

    has_row_locks = connection.features.has_select_for_update
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if item.get_closest_marker("races") and not has_row_locks:
            item.add_marker(pytest.mark.skip(reason=NO_ROW_LOCKS))
        if item.get_closest_marker("sqlite") and connection.vendor != "sqlite":
            item.add_marker(pytest.mark.skip(reason="about SQLite's lock on its file"))
    # Last, because Playwright's event loop stays in this thread from its first test
    # on. A stable sort keeps pytest-django's order otherwise.
    items.sort(key=is_browser_test)


def is_browser_test(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not is_browser_test(item):
        return
    if browsers.whole() is None:
        skipped = item.config.stash.get(skipped_for_browser, 0)
        item.config.stash[skipped_for_browser] = skipped + 1
        pytest.skip(f"browser test: {NO_BROWSER}")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_unconfigure(config: pytest.Config) -> None:
    # After pytest's own last line, where it can't be overlooked.
    if skipped := config.stash.get(skipped_for_browser, 0):
        reporter = config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(f"{skipped} browser tests were SKIPPED: {NO_BROWSER}.")


# The 361 migrations of Django, Oscar and Wagtail take half a minute. On SQLite their
# result is a file, kept in pytest's cache until a migration or a version changes.


@pytest.fixture(scope="session")
def migrated_sqlite(
    request: pytest.FixtureRequest, django_db_use_migrations: bool
) -> Path | None:
    from django.db import connection

    if connection.vendor != "sqlite" or not django_db_use_migrations:
        return None
    folder = request.config.cache.mkdir("migrated")
    return Path(folder) / f"{databases.migrations_digest()}.sqlite3"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, migrated_sqlite: Path | None
) -> None:
    from django.db import connection

    if migrated_sqlite and migrated_sqlite.exists():
        shutil.copyfile(migrated_sqlite, connection.settings_dict["TEST"]["NAME"])


@pytest.fixture(scope="session")
def django_db_keepdb(
    django_db_keepdb: bool,
    django_db_createdb: bool,
    migrated_sqlite: Path | None,
) -> bool:
    # The file lies in the run's scratch folder and goes away with it.
    return django_db_keepdb or migrated_sqlite is not None


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_blocker, migrated_sqlite: Path | None
) -> None:
    from django.apps import apps

    with django_db_blocker.unblock():
        if migrated_sqlite:
            if not migrated_sqlite.exists():
                keep_migrated(migrated_sqlite)
            databases.spread_keys()
        if apps.is_installed("sandbox.academy"):
            # Here once, and not in each test that has a page of a course.
            from .support.pages import course_index

            course_index()


@pytest.fixture(scope="session", autouse=True)
def quick_flush() -> Iterator[None]:
    """Empty the tables that have rows, and no others, after a test that committed."""
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            TransactionTestCase,
            "_fixture_teardown",
            lambda self: databases.empty_tables(),
        )
        yield


def keep_migrated(file: Path) -> None:
    from django.db import connection
    from django.db.migrations.recorder import MigrationRecorder

    unfinished = file.with_suffix(f".{os.getpid()}")
    with connection.cursor() as cursor:
        if MigrationRecorder(connection).has_table():
            cursor.execute("VACUUM INTO %s", [str(unfinished)])
            unfinished.replace(file)
    keep_newest(file.parent)


def keep_newest(folder: Path) -> None:
    files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
    for file in files[:-MIGRATED_KEPT]:
        file.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict) -> dict:
    return {
        **browser_type_launch_args,
        "executable_path": browsers.executable(),
        "args": [
            # Not by Playwright's routes, which switch off the browser's cache.
            f"--host-resolver-rules={THIS_MACHINE_ONLY}",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-quic",
            "--disable-sync",
            "--no-first-run",
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict, live_server) -> dict:
    return {
        **browser_context_args,
        "base_url": live_server.url,
        "locale": "en-GB",
        "reduced_motion": "reduce",
    }


@pytest.fixture(autouse=True)
def site_urls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the URLconf that `@pytest.mark.urlconf` names.

    What Django has read of a URLconf it keeps by the URLconf's name, so nothing need be
    forgotten. The marker of pytest-django forgets all, twice, which takes a second.
    """
    from django.conf import settings
    from django.urls import set_urlconf

    if marker := request.node.get_closest_marker("urlconf"):
        [name] = marker.args
        monkeypatch.setattr(settings._wrapped, "ROOT_URLCONF", name)
        monkeypatch.setitem(settings.__dict__, "ROOT_URLCONF", name)
        set_urlconf(None)


@pytest.fixture(autouse=True)
def nothing_counted():
    """Start with no wrong code counted."""
    from django.core.cache import cache

    from oscar_training_credits.credits.codes import throttling

    cache.clear()
    throttling._fallback.clear()


@pytest.fixture(params=[True, False], ids=["atomic requests", "no atomic requests"])
def atomic_requests(request, monkeypatch):
    """Whether each request is one transaction."""
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return request.param


@pytest.fixture(params=[at_once, at_once_in_processes], ids=["threads", "processes"])
def race(request):
    """What takes steps at the same moment: in threads, and in processes."""
    return request.param


@pytest.fixture
def other_range(db):
    """A range that holds none of the test's products."""
    from oscar.core.loading import get_model

    return get_model("offer", "Range").objects.create(name="Something else")


@pytest.fixture
def voucher(db):
    """SPRING10: ten per cent off everything."""
    from oscar.core.loading import get_model
    from oscar.test.factories import create_offer, create_voucher

    Range = get_model("offer", "Range")
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
    offer = create_offer(
        name="Ten per cent",
        offer_type="Voucher",
        condition=Condition.objects.create(range=everything, type="Count", value=1),
        benefit=Benefit.objects.create(range=everything, type="Percentage", value=10),
        max_basket_applications=None,
    )
    voucher = create_voucher(code="SPRING10")
    voucher.offers.set([offer])
    return voucher


@pytest.fixture
def course(db):
    """A live course page that sells a product for 20 credits or £240."""
    from oscar_training_credits.test.factories import make_product

    from .support.pages import make_course

    return make_course(make_product("Django Foundations", "240.00"), credits=20)


@pytest.fixture
def new_hour() -> Iterator[None]:
    """Begin with an hour, and so with a window of each limit of wrong codes."""
    begun = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    with time_machine.travel(begun):
        yield


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """Another system that webhooks are sent to, and that the site lets be reached."""
    with receiving() as receiver:
        settings.TRAINING_CREDITS_WEBHOOKS = True
        settings.TRAINING_CREDITS_WEBHOOK_HOSTS = [receiver.host]
        yield receiver
