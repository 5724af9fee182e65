"""The system checks: silent on a well-wired site, else by name and with the fix."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import oscar
import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from oscar.apps.checkout import mixins as checkout_mixins
from oscar.apps.order import utils as order_utils
from oscar.core.loading import get_model
from wagtail.api import APIField
from wagtail.models import Page
from wagtail.search import index

from oscar_training_credits import checks
from oscar_training_credits.cms import checks as cms_checks
from oscar_training_credits.cms.models import TrainingPageMixin
from oscar_training_credits.conf import Settings
from oscar_training_credits.shop import loading
from sandbox.academy.models import CoursePage

pytestmark = pytest.mark.any_database

PREFIX = "TRAINING_CREDITS_"
ROOT = Path(__file__).parent.parent.parent


def graphql(source: str):
    """Return a field as wagtail-grapple's functions make it: when it is asked for."""

    def make():
        return SimpleNamespace(field_name="shown_as", field_source=source)

    return make


def found() -> dict[str, list]:
    """Return the messages of our checks by the end of their ids."""
    messages: dict[str, list] = {}
    for message in run_checks(tags=["training_credits"]):
        messages.setdefault(message.id.removeprefix("training_credits."), []).append(
            message
        )
    return messages


def manage_check(settings_module: str) -> str:
    """Return what `manage.py check` says of another site."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings_module}
    command = [sys.executable, "-W", "ignore", "-m", "django", "check"]
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_a_well_wired_site_is_silent():
    assert found() == {}


def test_a_site_without_the_class_loader_hears_of_every_open_door():
    said = manage_check("tests.sites.unwired")

    assert set(re.findall(r"training_credits\.(\w\d+)", said)) == {
        "E001",
        "E002",
        "E003",
        "W003",
    }
    assert said.count(f'Set OSCAR_DYNAMIC_CLASS_LOADER = "{checks.LOADER}"') > 4
    for name in ("Selector", "OrderCreator", "PaymentDetailsView"):
        assert f"{name}Mixin into your own class" in said


def test_a_strategy_without_credits_is_an_error(monkeypatch):
    monkeypatch.delitem(loading.MIXINS, ("partner.strategy", "Selector"))

    (message,) = found().pop("E001")

    assert "partner.strategy.Selector does not know" in message.msg
    assert "oscar_training_credits.shop.partner.strategy.SelectorMixin" in message.hint
    assert set(found()) == {"E001"}


def test_an_order_creator_without_credits_is_an_error(monkeypatch):
    monkeypatch.setattr(checkout_mixins, "OrderCreator", order_utils.OrderCreator)

    (message,) = found()["E002"]

    assert "order.utils.OrderCreator does not know" in message.msg
    assert "oscar_training_credits.shop.order.creator.OrderCreatorMixin" in message.hint
    assert set(found()) == {"E002"}


def test_a_class_that_a_site_mixed_by_hand_is_enough(monkeypatch):
    from oscar_training_credits.shop.order.creator import OrderCreatorMixin

    class OrderCreator(OrderCreatorMixin, order_utils.OrderCreator):
        pass

    monkeypatch.setattr(checkout_mixins, "OrderCreator", OrderCreator)

    assert found() == {}


def test_a_checkout_without_our_guard_is_an_error(settings):
    settings.ROOT_URLCONF = "tests.sites.shop_without_training"

    payment, preview = found()["E003"]

    assert "checkout:payment-details does not know" in payment.msg
    assert "checkout:preview does not know" in preview.msg
    assert "PaymentDetailsViewMixin" in payment.hint


def test_missing_addresses_are_an_error(settings):
    settings.ROOT_URLCONF = "tests.sites.shop_without_training"

    (message,) = found()["E004"]

    assert 'include("oscar_training_credits.urls")' in message.hint


def test_a_site_without_oscars_checkout_has_nothing_to_guard_there(settings):
    settings.ROOT_URLCONF = "oscar_training_credits.urls"

    assert "E003" not in found()


def test_an_api_without_credits_is_an_error():
    said = manage_check("tests.sites.api_without_training")

    assert re.findall(r"training_credits\.(\w\d+)\) (\S+)", said) == [
        ("E005", "api-basket-add-voucher"),
        ("E005", "api-checkout"),
        ("E005", "api-checkout"),
        ("W005", "A"),
    ]
    for mixin in ("AddVoucherView", "CheckoutView", "CheckoutSerializer"):
        assert f"{mixin}Mixin into your own class" in said
    assert 'include("oscar_training_credits.rest.urls")' in said


def test_a_well_wired_api_is_silent(settings):
    settings.ROOT_URLCONF = "tests.sites.api_with_training_urls"

    assert found() == {}


def test_every_checkout_by_api_is_looked_at(settings):
    settings.ROOT_URLCONF = "tests.api_urls"

    messages = found()["E005"]

    assert {message.msg.partition(" ")[0] for message in messages} == {"unwired"}
    hints = " ".join(message.hint for message in messages)
    assert "CheckoutViewMixin" in hints
    assert "CheckoutSerializerMixin" in hints


def test_a_search_index_that_makes_credit_only_products_free_is_named():
    said = manage_check("tests.sites.search_of_oscars")

    assert set(re.findall(r"training_credits\.(\w\d+)", said)) == {"W009"}
    assert "HAYSTACK_CONNECTIONS['default']" in said


def test_api_checkout_is_refused(monkeypatch, tmp_path):
    """By its name: it needs Python 3.12, so an empty module stands in elsewhere."""
    if not find_spec(checks.API_CHECKOUT):
        (tmp_path / f"{checks.API_CHECKOUT}.py").touch()
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    said = manage_check("tests.sites.with_api_checkout")

    assert re.findall(r"training_credits\.(\w\d+)\)", said) == ["E007"]
    assert f'Take "{checks.API_CHECKOUT}" out of INSTALLED_APPS' in said


def test_a_view_based_on_api_checkout_is_refused(monkeypatch, settings):
    from ..api_urls import UnwiredCheckoutView

    monkeypatch.setattr(UnwiredCheckoutView, "__module__", "oscarapicheckout.views")
    settings.ROOT_URLCONF = "tests.api_urls"

    assert set(found()) == {"E007"}


@pytest.mark.parametrize("first", [None, 1, "yes"])
def test_whether_an_api_is_paid_first_is_a_yes_or_no(settings, first):
    settings.TRAINING_CREDITS_API_IS_PAID_FIRST = first

    (message,) = found()["E018"]

    assert "API_IS_PAID_FIRST must be True or False" in message.msg
    assert message.hint


def test_templates_of_oscar_in_front_of_ours_are_warned_of(settings):
    oscars = Path(oscar.__file__).parent / "templates"
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [oscars]}]

    (message,) = found()["W001"]

    assert "nobody sees a code box" in message.msg
    assert "INSTALLED_APPS" in message.hint


def test_a_sites_own_template_is_not_taken_for_one_of_oscars(settings, tmp_path):
    own = tmp_path / "oscar" / "checkout" / "preview.html"
    own.parent.mkdir(parents=True)
    own.write_text("Ours")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    assert "W001" not in found()


def test_a_site_without_templates_has_none_to_hide(settings):
    settings.TEMPLATES = [{"BACKEND": settings.TEMPLATES[0]["BACKEND"]}]

    assert "W001" not in found()


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        pytest.param({}, {"W002"}, id="no options"),
        pytest.param({"OPTIONS": {"timeout": 20}}, {"W002"}, id="patience only"),
        pytest.param(
            {"OPTIONS": {"transaction_mode": "DEFERRED"}}, {"W002"}, id="deferred"
        ),
        pytest.param(
            {"OPTIONS": {"transaction_mode": "IMMEDIATE"}}, set(), id="immediate"
        ),
        pytest.param(
            {"ENGINE": "django.db.backends.postgresql"}, set(), id="PostgreSQL"
        ),
    ],
)
def test_sqlite_must_take_its_lock_at_once(monkeypatch, options, ids):
    database = {"ENGINE": "django.db.backends.sqlite3", **options}
    monkeypatch.setitem(django_settings.DATABASES, "another", database)

    messages = found()

    assert set(messages) == ids
    for message in messages.get("W002", []):
        assert "'another'" in message.msg
        assert '"transaction_mode": "IMMEDIATE"' in message.hint


PATHS = [*checks.DOTTED_PATHS, *checks.LISTS_OF_PATHS]
LISTS = checks.LISTS_OF_PATHS


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "path",
    [
        pytest.param("no.such.module", id="no module"),
        pytest.param("oscar_training_credits.rules.gone", id="no name"),
        pytest.param("rules", id="no dot"),
        pytest.param("", id="nothing"),
        pytest.param(".rules", id="no package"),
        pytest.param(None, id="None"),
        pytest.param(len, id="a function"),
        pytest.param("oscar_training_credits.checks.LOADER", id="not callable"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(settings, name, path):
    setattr(settings, PREFIX + name, [path] if name in LISTS else path)

    (message,) = checks.check_settings(None)

    assert message.id == "training_credits.E011"
    assert f"{PREFIX}{name} names {path!r}" in message.msg
    assert message.hint


@pytest.mark.parametrize("path", ["no.such.module", "", "tests.support.enrolment.PATH"])
def test_a_backend_that_is_none_is_an_error(settings, path):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = path

    (message,) = found()["E011"]

    assert f"ENROLMENT_BACKEND names {path!r}" in message.msg


def test_a_backend_that_can_be_called_is_none_of_our_business(settings):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = "tests.support.enrolment.backend"

    assert found() == {}


def test_every_wrong_path_of_a_list_is_named(settings):
    settings.TRAINING_CREDITS_CODE_RULES = [
        "a.b",
        "oscar_training_credits.rules.enabled",
        "c.d",
    ]

    first, second = found()["E011"]

    assert "'a.b'" in first.msg
    assert "'c.d'" in second.msg


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("paths", ["oscar_training_credits.rules.enabled", None])
def test_a_list_of_paths_must_be_a_list(settings, name, paths):
    setattr(settings, PREFIX + name, paths)

    (message,) = found()["E010"]

    assert f"{PREFIX}{name} must be a list" in message.msg
    assert message.hint


@pytest.mark.parametrize("name", LISTS)
def test_a_tuple_will_do_for_a_list(settings, name):
    setattr(settings, PREFIX + name, tuple(getattr(Settings(), name)))

    assert found() == {}


@pytest.mark.parametrize(
    "keys", ["a secret", [], [""], ["a secret", ""], None, {"a": "b"}, [None]]
)
def test_keys_must_be_a_list_of_secrets(settings, keys):
    settings.TRAINING_CREDITS_CODE_KEYS = keys

    (message,) = found()["E012"]

    assert "CODE_KEYS must be a list with at least one secret" in message.msg
    assert message.hint


@pytest.mark.parametrize("keys", [["new", "old"], ("new", b"old")])
def test_any_list_of_secrets_will_do(settings, keys):
    settings.TRAINING_CREDITS_CODE_KEYS = keys

    assert found() == {}


def test_the_sites_secret_keys_are_keys_enough(settings):
    settings.SECRET_KEY_FALLBACKS = ["an older one"]

    assert found() == {}


@pytest.mark.parametrize("name", ["", None, 5, ["Credits"], "A" * 129])
def test_the_source_type_must_have_a_name(settings, name):
    settings.TRAINING_CREDITS_SOURCE_TYPE = name

    (message,) = found()["E013"]

    assert "SOURCE_TYPE must be a name" in message.msg
    assert message.hint


@pytest.mark.parametrize("minutes", [0, -1, 1.5, "30", None, True])
def test_a_hold_lasts_a_number_of_minutes(settings, minutes):
    settings.TRAINING_CREDITS_HOLD_MINUTES = minutes

    (message,) = found()["E014"]

    assert "HOLD_MINUTES must be a number of minutes" in message.msg
    assert message.hint


def test_a_backend_of_tasks_that_is_not_there(settings):
    settings.TRAINING_CREDITS_TASK_BACKEND = "workers"

    (message,) = found()["E033"]

    assert "'workers', which is not in TASKS" in message.msg


@pytest.mark.parametrize("statuses", ["Paid", None, {"Paid": 1}, [1]])
def test_paid_statuses_must_be_a_list_of_names(settings, statuses):
    settings.TRAINING_CREDITS_PAID_STATUSES = statuses

    (message,) = found()["E024"]

    assert "PAID_STATUSES must be a list of statuses" in message.msg
    assert message.hint


def test_a_status_cannot_mean_paid_and_given_back(settings):
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Complete", "Cancelled"]

    (message,) = found()["E025"]

    assert message.msg.startswith("Cancelled stands in")


def test_a_paid_status_that_no_order_can_have_is_named(settings):
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Complete", "Payed"]

    (message,) = found()["W007"]

    assert "status Payed of" in message.msg
    assert "Complete" in message.hint


@pytest.mark.parametrize("statuses", ["Cancelled", None, {"Cancelled": 1}, [1]])
def test_refund_statuses_must_be_a_list_of_names(settings, statuses):
    settings.TRAINING_CREDITS_REFUND_STATUSES = statuses

    (message,) = found()["E015"]

    assert "REFUND_STATUSES must be a list of statuses" in message.msg
    assert message.hint


@pytest.mark.parametrize("statuses", [[], ("Cancelled",)])
def test_any_list_of_statuses_will_do(settings, statuses):
    settings.TRAINING_CREDITS_REFUND_STATUSES = statuses

    assert found() == {}


PIPELINE = {"Pending": ("Complete", "Canceled"), "Complete": ("Canceled",)}


def test_statuses_that_no_order_can_have_are_warned_of(settings):
    settings.OSCAR_ORDER_STATUS_PIPELINE = settings.OSCAR_LINE_STATUS_PIPELINE = (
        PIPELINE
    )

    (message,) = found()["W006"]

    assert "REFUND_STATUSES (Cancelled, Refunded)" in message.msg
    assert "(Canceled, Complete, Pending)" in message.hint


@pytest.mark.parametrize("empty", [{}, None])
def test_a_shop_whose_orders_have_one_status_for_ever_is_warned(settings, empty):
    settings.OSCAR_ORDER_STATUS_PIPELINE = settings.OSCAR_LINE_STATUS_PIPELINE = empty

    (message,) = found()["W006"]

    assert "both are empty" in message.hint


@pytest.mark.parametrize(
    ("pipelines", "statuses"),
    [
        pytest.param({"ORDER": PIPELINE}, ["Canceled"], id="an order's"),
        pytest.param({"LINE": PIPELINE}, ["Refunded", "Canceled"], id="a line's"),
        pytest.param({"ORDER": PIPELINE}, ["Pending"], id="a first one"),
        pytest.param({}, [], id="none wanted"),
    ],
)
def test_one_status_that_can_occur_is_enough(settings, pipelines, statuses):
    settings.TRAINING_CREDITS_REFUND_STATUSES = statuses
    for of in ("ORDER", "LINE"):
        setattr(settings, f"OSCAR_{of}_STATUS_PIPELINE", pipelines.get(of, {}))

    assert found() == {}


def test_a_pipeline_of_the_sites_own_model_counts(settings, monkeypatch):
    settings.OSCAR_ORDER_STATUS_PIPELINE = settings.OSCAR_LINE_STATUS_PIPELINE = {}
    Order = get_model("order", "Order")
    monkeypatch.setattr(Order, "pipeline", {"Complete": ("Cancelled",)})

    assert found() == {}


@pytest.mark.parametrize("days", [-1, 1.5, "30", True, 36_501])
def test_days_of_grace_must_be_a_number(settings, days):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = days

    (message,) = found()["E016"]

    assert "REFUND_GRACE_DAYS must be a number of days" in message.msg
    assert message.hint


@pytest.mark.parametrize("days", [None, 0, 1, 36_500])
def test_any_number_of_days_will_do(settings, days):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = days

    assert found() == {}


@pytest.mark.parametrize("ends", [None, 1, "no"])
def test_whether_a_refund_ends_access_is_a_yes_or_no(settings, ends):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = ends

    (message,) = found()["E017"]

    assert "REFUND_ENDS_ACCESS must be True or False" in message.msg
    assert message.hint


@pytest.mark.parametrize("most", [0, -1, "25", None, True, 2.5])
def test_the_most_places_are_a_number_above_zero(settings, most):
    settings.TRAINING_CREDITS_MOST_PLACES = most

    (message,) = found()["E019"]

    assert "MOST_PLACES must be a number of places" in message.msg
    assert message.hint


@pytest.mark.parametrize(
    ("name", "wrong", "number"),
    [
        *(("REQUEST_DAYS", days, "E034") for days in (0, "14", None, True)),
        *(("REQUESTS_ADDRESS", each, "E035") for each in ("desk", None, ["a@b.c"])),
    ],
)
def test_who_answers_requests_and_how_long_they_wait(settings, name, wrong, number):
    setattr(settings, f"TRAINING_CREDITS_{name}", wrong)

    (message,) = found()[number]

    assert f"{name} must be" in message.msg
    assert message.hint


@pytest.mark.parametrize("address", ["", "desk@shop.example"])
def test_a_deployment_is_told_that_nobody_answers_requests(settings, address):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = address

    assert len(checks.check_requests(None)) == (not address)


@pytest.mark.parametrize("rule", ["after", "", None, True, ["never"]])
def test_whether_training_is_sold_again_is_one_of_three_words(settings, rule):
    settings.TRAINING_CREDITS_BUY_AGAIN = rule

    (message,) = found()["E009"]

    assert "BUY_AGAIN" in message.msg
    assert "'after end'" in message.hint


def test_a_restricted_field_that_a_page_does_not_have_is_an_error(monkeypatch):
    monkeypatch.setattr(CoursePage, "restricted_fields", ("lessons", "leszons"))

    (message,) = found()["E020"]

    assert "CoursePage.restricted_fields names 'leszons'" in message.msg
    assert message.obj is CoursePage
    assert message.hint


@pytest.mark.parametrize(
    ("attribute", "field", "place"),
    [
        pytest.param(
            "search_fields", index.SearchField("lessons"), "searches", id="search"
        ),
        pytest.param(
            "search_fields",
            index.AutocompleteField("lessons"),
            "searches",
            id="autocomplete",
        ),
        pytest.param(
            "search_fields", index.FilterField("lessons"), "searches", id="filter"
        ),
        pytest.param("api_fields", APIField("lessons"), "the API", id="API"),
        pytest.param("api_fields", "lessons", "the API", id="API, by name"),
        pytest.param("api_meta_fields", "lessons", "the API", id="API, details"),
        pytest.param("graphql_fields", graphql("lessons"), "GraphQL", id="GraphQL"),
    ],
)
def test_a_restricted_field_open_to_everybody_is_an_error(
    monkeypatch, attribute, field, place
):
    listed = [*getattr(CoursePage, attribute, []), field]
    monkeypatch.setattr(CoursePage, attribute, listed, raising=False)

    (message,) = found()["E021"]

    assert f"CoursePage.{attribute} holds the restricted field 'lessons'" in message.msg
    assert place in message.msg
    assert message.hint == f"Take 'lessons' out of {attribute}."


def test_a_mixin_after_the_page_is_an_error(monkeypatch):
    class Backwards(Page, TrainingPageMixin):
        class Meta:
            abstract = True

    monkeypatch.setattr(cms_checks, "training_page_models", lambda: [Backwards])

    (message,) = found()["E023"]

    assert "Backwards has Wagtail's page before TrainingPageMixin" in message.msg


def test_webhooks_that_cannot_be_sent_are_an_error(settings, monkeypatch):
    assert "E045" not in found()
    settings.TRAINING_CREDITS_WEBHOOKS = True
    assert "E045" not in found()

    # As a path entry that is None: Python then finds no such package.
    monkeypatch.setitem(sys.modules, "standardwebhooks", None)

    (message,) = found()["E045"]
    assert "[webhooks]" in message.hint


@pytest.mark.parametrize("hosts", ["crm:443", ["crm"], [443], [":443"]])
def test_receivers_that_are_none_are_an_error(hosts, settings):
    settings.TRAINING_CREDITS_WEBHOOK_HOSTS = hosts

    assert "E046" in found()
