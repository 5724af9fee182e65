"""Wherever a request with a code fails, nothing that is sent to anybody shows it."""

from __future__ import annotations

import logging

import django
import pytest
from django.core import mail
from django.core.signals import got_request_exception
from django.db import OperationalError, connection
from django.urls import reverse
from django.utils.log import AdminEmailHandler
from django.views.debug import get_default_exception_reporter_filter
from oscar.test.factories import VoucherFactory

from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.models import Place
from oscar_training_credits.shop.error_reports import takes_code
from oscar_training_credits.test.factories import make_code, make_learner

from ..support.shop import Learner, answer

TEXT = "VZ55-DWB6-8YYD-SM73-ANEM"
SLIP = "VZ55-DWB7-8YYD-SM73-ANEM"
ALIKE = "AB12-CDE3-4FGH-JK56-MNPQ"  # a voucher of the same shape: SQL holds the text

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    pytest.mark.urlconf("tests.api_urls"),
]


FILTERS = {
    "Django's filter": "django.views.debug.SafeExceptionReporterFilter",
    "the site's filter": "tests.support.broken.OpenFilter",
    "our filter": "oscar_training_credits.shop.error_reports.ErrorReportFilter",
}


@pytest.fixture
def filtered_by(settings):
    """Let the site name a filter of error reports: Django's to begin with."""

    def name(path):
        settings.DEFAULT_EXCEPTION_REPORTER_FILTER = path
        get_default_exception_reporter_filter.cache_clear()

    name(FILTERS["Django's filter"])
    yield name
    get_default_exception_reporter_filter.cache_clear()


@pytest.fixture
def sent(settings, filtered_by):
    """Let errors be mailed as on a live site, with all that Django would show."""
    address = "staff@northlight.example"
    settings.ADMINS = [address if django.VERSION >= (6,) else ("Staff", address)]
    handler = AdminEmailHandler(include_html=True)
    loggers = [logging.getLogger(f"django.{name}") for name in ("request", "security")]
    for logger in loggers:
        logger.addHandler(handler)
    yield mail.outbox
    for logger in loggers:
        logger.removeHandler(handler)


def said_in(sent):
    """Return all that was mailed."""
    parts = []
    for message in sent:
        html = [content for content, _kind in message.alternatives]
        parts += [message.subject, message.body, *html]
    return "\n".join(map(str, parts))


def shows(sent, text):
    return code_text.canonical(text) in code_text.canonical(said_in(sent))


@pytest.fixture
def learner(course):
    learner = Learner(make_learner(is_staff=True, is_superuser=True))
    learner.add(course.product)
    learner.client.raise_request_exception = False
    return learner


@pytest.fixture
def ways(learner, course):
    """Each address that takes a code, and what is posted there."""
    post = learner.client.post
    apply = reverse("training_credits:purchase-apply", args=[course.training.pk])
    api = reverse("api-basket-add-voucher")
    add = reverse("admin:training_credits_creditcode_add")
    search = reverse("admin:training_credits_creditcode_changelist")
    new = {"label": "New", "credits": "5", "email_domains": ""}
    return {
        "basket": lambda text: post(reverse("training_credits:apply"), {"code": text}),
        "voucher": lambda text: post(reverse("basket:vouchers-add"), {"code": text}),
        "express": lambda text: post(apply, {"code": text}),
        "api": lambda text: post(api, {"vouchercode": text}),
        "api, JSON": lambda text: post(
            api, {"vouchercode": text}, content_type="application/json"
        ),
        "admin": lambda text: post(add, {**new, "text": text}),
        "admin's search": lambda text: learner.client.get(search, {"q": text}),
    }


WAYS = ["basket", "voucher", "express", "api", "api, JSON", "admin", "admin's search"]


@pytest.fixture(params=WAYS)
def way(request, ways):
    return ways[request.param]


def failing_at(number):
    """Let the database fail at the n-th statement of a request, and count them."""
    counted = []

    def fail(execute, sql, params, many, context):
        counted.append(sql)
        if len(counted) == number:
            raise OperationalError("The database is away.")
        return execute(sql, params, many, context)

    return counted, connection.execute_wrapper(fail)


def test_no_mail_shows_a_code_at_whatever_statement_the_database_fails(sent, way):
    make_code(100, text=TEXT)
    VoucherFactory(code=ALIKE)
    text = SLIP
    counted, spy = failing_at(0)
    with spy:
        way(text)

    for number in range(1, len(counted) + 1):
        _, failure = failing_at(number)
        with failure:
            way(text)

    assert sent
    assert "The database is away." in said_in(sent)
    assert not shows(sent, text)


@pytest.fixture(params=["first", "last"])
def broken_middleware(request, settings, learner):
    """Where a middleware fails from now on: after all that a test needs before."""
    broken = "tests.support.broken.Middleware"
    before = list(settings.MIDDLEWARE)
    is_first = request.param == "first"
    settings.MIDDLEWARE = [broken, *before] if is_first else [*before, broken]
    learner.client.handler._middleware_chain = None


@pytest.fixture(params=FILTERS)
def site_filter(request, filtered_by):
    filtered_by(FILTERS[request.param])


def test_no_mail_shows_a_code_when_a_middleware_fails(
    sent, site_filter, broken_middleware, way
):
    way(TEXT)

    assert "A middleware of the site has a mistake." in said_in(sent)
    assert not shows(sent, TEXT)


def test_nor_does_whoever_reads_the_request_after_it_failed(broken_middleware, way):
    read = []

    def collect(sender, request, **kwargs):
        read.append(f"{request.POST} {request.GET} {request.body} {request.META}")

    got_request_exception.connect(collect)
    try:
        way(TEXT)
    finally:
        got_request_exception.disconnect(collect)

    [text] = read
    assert code_text.canonical(TEXT) not in code_text.canonical(text)


def test_an_address_that_takes_no_code_is_reported_as_ever(
    sent, site_filter, broken_middleware, learner
):
    """Without this the tests above might look at mails that show nothing at all."""
    learner.client.post(reverse("basket:summary"), {"quantity": "SHOWN-1"})

    assert said_in(sent).count("SHOWN-1") >= 3


@pytest.mark.urlconf("tests.sites.translated_urls")
def test_a_code_at_an_address_in_another_language_is_not_shown(
    sent, broken_middleware, learner
):
    """Before the middleware that finds out which language it is."""
    learner.client.post("/de/lernen/codes/apply/", {"code": TEXT})

    assert "A middleware of the site has a mistake." in said_in(sent)
    assert not shows(sent, TEXT)


def test_an_address_that_nobody_knows_may_take_a_code(rf):
    request = rf.post("/nowhere/")
    request.urlconf = "oscar_training_credits.urls"

    assert takes_code(request)


def test_a_suspicious_request_shows_no_code_where_the_filter_is_ours(
    sent, filtered_by, settings, ways
):
    """Django mails these without a signal, so the site names our filter."""
    filtered_by(FILTERS["our filter"])
    settings.ALLOWED_HOSTS = ["elsewhere.example"]

    for name in set(WAYS) - {"admin's search"}:
        ways[name](TEXT)

    assert said_in(sent).count("Invalid HTTP_HOST header") >= len(WAYS) - 1
    assert not shows(sent, TEXT)


# Links to places


@pytest.fixture
def link(learner, course):
    make_code(100, text=TEXT)
    learner.add(course.product)
    learner.apply(TEXT)
    learner.place()
    return places.link_text(Place.objects.get(number=1))


def test_no_mail_shows_a_link_to_a_place(sent, link, broken_middleware, learner):
    address = reverse("training_credits:claim", args=[link])

    learner.client.get(address)
    learner.client.post(address)

    assert said_in(sent).count("has a mistake") >= 2
    assert "Internal Server Error: /training/claim/" in said_in(sent)
    assert link not in said_in(sent)


def test_no_mail_shows_a_link_at_whatever_statement_the_database_fails(
    sent, link, learner
):
    address = reverse("training_credits:claim", args=[link])
    counted, spy = failing_at(0)
    with spy:
        learner.client.get(address)

    for number in range(1, len(counted) + 1):
        _, failure = failing_at(number)
        with failure:
            learner.client.get(address)

    assert "The database is away." in said_in(sent)
    assert link not in said_in(sent)


def test_the_box_still_works(learner):
    make_code(100, text=TEXT)

    assert "100 credits available" in learner.apply(TEXT)
    assert answer(learner.basket_page()) == ""
