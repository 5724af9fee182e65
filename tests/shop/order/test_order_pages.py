"""What Oscar's own pages and mails show: credits for training, the rest as ever."""

from __future__ import annotations

import re
from contextlib import contextmanager
from copy import deepcopy
from decimal import Decimal
from pathlib import Path

import oscar
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.module_loading import import_string
from oscar.core.loading import get_class, get_model
from oscar.test.factories import create_product

import oscar_training_credits
from oscar_training_credits import api
from oscar_training_credits.shop import loading
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.order.settlements import contents_of, settlement_of
from oscar_training_credits.shop.partner import strategy
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import confirm, place_order
from ...support.shop import Learner, text_of, words

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
MONEY = re.compile(r"£|\bFree\b|Unavailable")
ADDED = re.compile(r"Voucher/promo code.*?cancel|Enter promotion.*?Apply|My training ")
"""What is different for all: the box for codes, in Oscar's place, and a menu item."""
OURS = Path(oscar_training_credits.__file__).parent / "templates"
OSCARS = Path(oscar.__file__).parent / "templates"


@pytest.fixture
def learner() -> Learner:
    make_code(100, text=TEXT)
    return Learner(make_learner())


@pytest.fixture
def security():
    """Secure by Design, for 35 credits and no money."""
    return make_training("Secure by Design", credits=35, credit_only=True).product


@pytest.fixture
def foundations():
    """Django Foundations, for £240 or 20 credits."""
    return make_training("Django Foundations", price="240.00", credits=20).product


@pytest.fixture
def book():
    return make_product("A book", "25.00")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(
        get_user_model().objects.create_superuser("boss", "boss@example.com", "x"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client


@contextmanager
def templates_from(*folders: Path):
    """Look for templates here before the apps, and so before the sandbox's own."""
    configured = deepcopy(settings.TEMPLATES)
    configured[0]["DIRS"] = [str(folder) for folder in folders]
    with override_settings(TEMPLATES=configured):
        yield


@contextmanager
def oscar_alone(monkeypatch):
    """Oscar as if this package were not there."""
    mixins = [f"{loading.__package__}.{path}" for path in loading.MIXINS.values()]
    with monkeypatch.context() as patch, templates_from(OSCARS):
        for mixin in [*map(import_string, mixins), strategy.StrategyMixin]:
            for name in [name for name in vars(mixin) if callable(vars(mixin)[name])]:
                if not name.startswith("__"):
                    patch.delattr(mixin, name)
        yield


def page(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return words(text_of(response))


def buy(learner: Learner, *products, code: str = TEXT):
    for product in products:
        learner.add(product)
    if code:
        learner.apply(code)
    assert learner.place().status_code == 302
    return learner.order()


def order_pages(order) -> list[str]:
    return [
        reverse("checkout:thank-you"),
        reverse("customer:order", args=[order.number]),
        reverse("customer:order-list"),
    ]


def staff_pages(order) -> list[str]:
    return [
        reverse("dashboard:order-detail", args=[order.number]),
        # A search for an order number would lead to the order.
        reverse("dashboard:order-list"),
    ]


# Before the order


@pytest.mark.parametrize("path", ["catalogue:index", "search:search"])
def test_a_list_shows_credits_where_there_is_no_price(client, security, path):
    call_command("rebuild_index", interactive=False, verbosity=0)

    text = page(client, reverse(path) + "?q=Secure")

    assert "Secure by Design 35 credits" in text
    assert not MONEY.search(text)


def test_a_product_page_shows_credits_where_there_is_no_price(client, security):
    text = page(client, security.get_absolute_url())

    assert "Price 35 credits" in text
    assert "Add to basket" in text
    assert not MONEY.search(text)


def test_a_product_says_so_if_nobody_can_buy_it_now(client, security):
    security.product_class.track_stock = True
    security.product_class.save()

    text = page(client, security.get_absolute_url())

    assert "Secure by Design 35 credits Unavailable" in text


def test_both_prices_are_shown(client, foundations):
    text = page(client, foundations.get_absolute_url())

    assert "£240.00 Available or 20 credits" in text


def test_variants_for_credits_alone_have_no_price_in_money(client, book):
    parent = create_product(structure="parent", product_class="Course", title="Both")
    child = create_product(
        structure="child", parent=parent, title="Half", price=Decimal("90.00")
    )
    sell_as_training(child, credits=12, credit_only=True)

    text = page(client, parent.get_absolute_url())

    assert "Both 12 credits" in text
    assert not MONEY.search(text)


@pytest.mark.parametrize("code", ["", TEXT], ids=["without-code", "with-code"])
def test_a_basket_for_credits_alone_has_no_total_in_money(learner, security, code):
    with templates_from(OURS, OSCARS):
        learner.add(security, 2)
        message = page(learner.client, security.get_absolute_url())
        if code:
            learner.apply(code)
        basket = words(learner.basket_page())
        shop = page(learner.client, security.get_absolute_url())

    assert "Your basket total is now 70 credits" in message
    assert "Basket total 70 credits Order total 70 credits" in basket
    assert "Basket total: 70 credits View basket" in shop
    assert "Qty 2 35 credits Total: 70 credits" in shop
    for text in (message, basket, shop):
        assert not MONEY.search(text)


def test_a_mixed_basket_adds_money_and_credits(learner, security, book):
    learner.add(security)
    learner.add(book)

    text = words(learner.basket_page())

    assert "Basket total £25.00 + 35 credits Order total £25.00 + 35 credits" in text


def test_shipping_is_shown_where_something_is_shipped(learner, security):
    mug = create_product(product_class="Mugs", title="Mug", price=9, num_in_stock=5)
    learner.add(security)
    learner.add(mug)

    assert "Shipping" in words(learner.basket_page())


def test_discounts_are_shown_beside_credits(learner, security, book, voucher):
    learner.add(security)
    learner.add(book)
    learner.apply("SPRING10")

    text = words(learner.basket_page())

    assert "Basket total (after discounts) £22.50 + 35 credits" in text


def test_what_is_saved_for_later_is_shown_in_credits(learner, security):
    learner.add(make_product())
    saved = get_model("basket", "Basket").saved.create(owner=learner.user)
    saved.strategy = get_class("partner.strategy", "Selector")().strategy()
    saved.add_product(security)

    text = words(learner.basket_page())

    assert "Secure by Design Remove 35 credits Move to basket" in text


# After the order


def test_an_order_for_credits_alone_shows_no_money(learner, security, staff):
    order = buy(learner, security)

    for url in order_pages(order):
        text = page(learner.client, url)
        assert "35 credits" in text
        assert not MONEY.search(text), url
    for url in staff_pages(order):
        text = page(staff, url)
        assert "35 credits" in text
        assert not MONEY.search(text), url


def test_an_order_says_how_it_was_paid(learner, foundations, staff):
    order = buy(learner, foundations)

    for url in order_pages(order)[:2]:
        assert "20 credits, ACME (code ending 2026)" in page(learner.client, url)
    text = page(staff, staff_pages(order)[0])
    assert "ACME 20 credits 20 credits - code ending 2026" in text
    assert "20 credits instead of £240.00" in text


def test_a_mixed_order_adds_money_and_credits(learner, foundations, book, staff):
    order = buy(learner, foundations, book)

    for url in order_pages(order):
        assert "£25.00 + 20 credits" in page(learner.client, url), url
    for url in staff_pages(order):
        assert "£25.00 + 20 credits" in page(staff, url), url


def test_other_sources_are_shown_as_ever(learner, foundations, book, staff):
    order = buy(learner, foundations, book)
    card = get_model("payment", "SourceType").objects.create(name="Card")
    order.sources.create(
        source_type=card, currency="GBP", amount_allocated=25, reference="4711"
    )

    text = page(learner.client, reverse("checkout:thank-you"))

    assert "Allocation of £25.00 from type Card (reference: 4711)" in text
    assert "Card £25.00 £0.00 £0.00 4711" in page(staff, staff_pages(order)[0])


def test_staff_can_still_act_on_lines(learner, security, staff):
    order = buy(learner, security)
    line = order.lines.get()
    url = reverse("dashboard:order-detail", args=[order.number])

    confirm(
        staff,
        url,
        {
            "line_action": "change_line_statuses",
            "selected_line": line.pk,
            f"selected_line_qty_{line.pk}": 1,
            "new_status": "Cancelled",
        },
    )

    assert f'name="selected_line" value="{line.pk}"' in text_of(staff.get(url))
    line.refresh_from_db()
    assert line.status == "Cancelled"


@pytest.mark.parametrize("code", ["", TEXT], ids=["for-money", "for-credits"])
def test_an_order_leads_to_its_training(learner, course, code):
    buy(learner, course.product, code=code)

    response = learner.client.get(reverse("checkout:thank-you"))

    link = f'href="{course.get_url()}">Go to Django Foundations</a>'
    assert link in text_of(response)
    body, html = mail.outbox[-1].body, mail.outbox[-1].alternatives[0][0]
    assert f"://{mail_domain()}{course.get_url()}" in body
    assert f"://{mail_domain()}{course.get_url()}" in html


def mail_domain() -> str:
    return get_model("sites", "Site").objects.get_current().domain


def test_the_mail_shows_credits(learner, foundations, book):
    buy(learner, foundations, book)

    body, html = mail.outbox[-1].body, mail.outbox[-1].alternatives[0][0]
    assert "price: 20 credits" in body
    assert "Order Total: £25.00 + 20 credits" in body
    assert "Paid with: 20 credits, ACME (code ending 2026)" in body
    assert "Order Total: £25.00 + 20 credits" in words(html)


ALIKE = [("ACME & Sons, spring", "SPRING-AA-7777"), ("Beta, autumn", "AUTUMN-BB-7777")]


def test_codes_that_end_alike_are_told_apart(learner, staff):
    """In the order, its mails, on the receipt, and in the payment sources."""
    both = make_training("Both", credits=35, credit_only=True)
    for (label, text), credits in zip(ALIKE, (20, 30), strict=True):
        make_code(credits, label=label, text=text)
    learner.add(both.product)
    for _label, text in ALIKE:
        learner.apply(text)
    learner.place()
    order = learner.order()

    names = {
        "20 credits, ACME & Sons, spring (code ending 7777)",
        "15 credits, Beta, autumn (code ending 7777)",
    }
    assert set(order.sources.values_list("label", flat=True)) == names
    body, html = mail.outbox[-1].body, mail.outbox[-1].alternatives[0][0]
    shown = [page(learner.client, url) for url in order_pages(order)[:2]]
    for name in names:
        assert all(name in text for text in [*shown, body, words(html)])
    text = page(staff, staff_pages(order)[0])
    for label, _text in ALIKE:
        assert label in text


@pytest.mark.parametrize("back", [None, 20])
def test_the_longest_label_leaves_the_ending_in_a_payment_source(foundations, back):
    code = make_code(label="A" * 200, text=TEXT)
    order = place_order(make_learner(), (foundations, 1), text=TEXT)

    if back:
        api.refund_order(order, idempotency_key="a")

    label = order.sources.get().label
    assert len(label) == 128
    assert label.startswith("20 credits, ")
    assert label.endswith("A… (code ending 2026)")
    assert code.label == "A" * 200


def test_the_mail_of_an_order_for_credits_alone_shows_no_money(learner, security):
    buy(learner, security)

    sent = mail.outbox[-1]
    assert not MONEY.search(sent.body)
    assert not MONEY.search(words(sent.alternatives[0][0]))


@pytest.mark.parametrize("code", ["", TEXT], ids=["for-money", "for-credits"])
def test_the_mail_names_the_training_before_it_ends(learner, foundations, code):
    buy(learner, foundations, code=code)

    body = mail.outbox[-1].body
    assert body.rstrip().endswith("The team")
    assert body.count("Your training:") == 1
    assert "Shipping" not in body + words(mail.outbox[-1].alternatives[0][0])


def test_the_mail_says_when_access_ends(learner):
    buy(learner, make_training("Shortly", access_days=30).product)

    assert "Access until" in mail.outbox[-1].body
    assert "Access until" in mail.outbox[-1].alternatives[0][0]


def test_titles_are_not_escaped_in_plain_text(learner):
    buy(learner, make_training("Bits & Bytes").product)

    assert " * Bits & Bytes - " in mail.outbox[-1].body


def test_a_site_has_its_own_word_for_credits(learner, security, settings):
    settings.TRAINING_CREDITS_AMOUNT_TEXT = (
        "tests.shop.order.test_order_pages.in_tokens"
    )

    order = buy(learner, security)

    for url in order_pages(order):
        text = page(learner.client, url)
        assert "35 tokens" in text
        assert "credits" not in text.replace("promotion, license or credit", "")


def in_tokens(credits: int) -> str:
    return f"{credits} tokens"


# Without credits


def test_an_ordinary_order_has_no_settlement(learner, book, django_assert_num_queries):
    order = buy(learner, book, code="")

    with django_assert_num_queries(1):
        assert settlement_of(order) is None
        assert contents_of(order) == []
        assert [line.product_id for line in order.lines.all()] == [book.pk]


def test_the_mail_leaves_no_lines_behind(learner, foundations):
    order = buy(learner, foundations)
    Dispatcher = get_class("order.utils", "OrderDispatcher")

    Dispatcher().send_order_placed_email_for_user(order, {"order": order})

    order.lines.all().update(title="Changed")
    assert order.lines.all()[0].title == "Changed"


@pytest.fixture
def ordinary(book):
    """Visit every page with ordinary products only: (url, text, queries) of each."""
    parent = create_product(structure="parent", product_class="Course", title="Set")
    for number in range(3):
        create_product(
            structure="child", parent=parent, title=f"Volume {number}", price=9
        )
    call_command("rebuild_index", interactive=False, verbosity=0)

    def visit(staff: Client):
        learner = Learner(make_learner())
        visited = [
            look(learner.client, book.get_absolute_url()),
            look(learner.client, parent.get_absolute_url()),
            look(learner.client, reverse("catalogue:index")),
            look(learner.client, reverse("search:search") + "?q=book"),
        ]
        saved = get_model("basket", "Basket").saved.create(owner=learner.user)
        saved.strategy = get_class("partner.strategy", "Selector")().strategy()
        saved.add_product(parent.children.first())
        learner.add(book)
        visited += [
            look(learner.client, book.get_absolute_url()),
            look(learner.client, reverse("basket:summary")),
        ]
        preview = learner.preview()
        with CaptureQueriesContext(connection) as queries:
            learner.place(preview)
        order = learner.order()
        visited.append(("mail", mail.outbox[-1].body, len(queries)))
        visited.append(("html mail", mail.outbox[-1].alternatives[0][0], 0))
        visited += [look(learner.client, url) for url in order_pages(order)]
        visited += [look(staff, url) for url in staff_pages(order)]
        return order, visited

    return visit


def look(client: Client, url: str) -> tuple[str, str, int]:
    client.get(url)  # the second visit is the one without first-time extras
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url)
    return url, text_of(response), len(queries)


def plain(text: str, order) -> str:
    """Return a page without what differs from one order and session to the next."""
    text = text.replace(order.number, "NUMBER").replace(order.user.email, "EMAIL")
    text = re.sub(r"#\d+|\d+(:\d+)? [ap]\.m\.|midnight|noon", "", text)
    return ADDED.sub("", words(text))


def test_ordinary_pages_are_oscars_and_cost_no_query_more(ordinary, staff, monkeypatch):
    with oscar_alone(monkeypatch):
        oscars_order, oscars = ordinary(staff)
    with templates_from(OURS, OSCARS):
        order, ours = ordinary(staff)

    for (url, text, queries), (_url, oscar_text, oscar_queries) in zip(
        ours, oscars, strict=True
    ):
        assert queries <= oscar_queries, url
        if not url.endswith("/orders/"):  # lists hold the other one's order too
            assert plain(text, order) == plain(oscar_text, oscars_order), url


def test_the_comparison_is_with_oscar_alone(client, security, monkeypatch):
    with oscar_alone(monkeypatch):
        assert "Unavailable" in page(client, security.get_absolute_url())


# The tag that renders the next template


@pytest.fixture
def site(tmp_path):
    """A site with templates of its own before ours."""
    folder = tmp_path / "oscar" / "partials"
    folder.mkdir(parents=True)
    (folder / "mini_basket.html").write_text(
        '{% extends "oscar/partials/mini_basket.html" %}'
        "{% block mini_basket_btn_classes %}site {{ block.super }}{% endblock %}"
    )
    return tmp_path


def test_a_sites_blocks_reach_the_template_behind_ours(client, book, site):
    with templates_from(site, OURS, OSCARS):
        client.get(book.get_absolute_url())
        text = text_of(client.get(book.get_absolute_url()))

    assert 'class="site btn btn-outline-secondary"' in text


def test_the_next_template_is_found_again_and_again(client, book, tmp_path):
    folder = tmp_path / "oscar" / "catalogue" / "partials"
    folder.mkdir(parents=True)
    (folder / "stock_record.html").write_text(
        "{% load training_credits %}Only {% next_template %}"
    )

    with templates_from(tmp_path, OURS, OSCARS):
        first = page(client, book.get_absolute_url())
        second = page(client, book.get_absolute_url())

    assert "Only £25.00 Available" in first
    assert "Only £25.00 Available" in second
