"""How many places are sold, and what becomes of each of them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from unittest import mock
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api, conf
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.access.places import ClaimReason
from oscar_training_credits.credits.access.status import has_access
from oscar_training_credits.credits.models import Access, Place
from oscar_training_credits.exceptions import PlaceRefused
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.frames import shown_by
from ...support.orders import place_order
from ...support.shop import Learner, text_of, words

Order = get_model("order", "Order")
Line = get_model("basket", "Line")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

TEXT = "ACME-TEAM-2026"
DAY = timedelta(days=1)
UTC = timezone.utc
ONCE = "You can buy this only once in one order."


@pytest.fixture
def one(settings):
    """A site that sells to each learner alone: the default."""
    del settings.TRAINING_CREDITS_MOST_PLACES


@pytest.fixture
def few(settings):
    settings.TRAINING_CREDITS_MOST_PLACES = 3


@pytest.fixture
def training():
    return make_training("Django Foundations")


@pytest.fixture
def buyer():
    return Learner(make_learner(email="buyer@acme.example"))


@pytest.fixture
def ann():
    return Learner(make_learner(email="ann@acme.example"))


@pytest.fixture
def ben():
    return Learner(make_learner(email="ben@acme.example"))


@pytest.fixture
def order(buyer, training):
    """Three places for 60 credits."""
    make_code(100, text=TEXT)
    return place_order(buyer.user, (training.product, 3), text=TEXT)


@pytest.fixture
def line(order):
    return order.lines.get()


def order_page(learner: Learner, order) -> str:
    return text_of(learner.client.get(reverse("customer:order", args=[order.number])))


def links_in(page: str) -> list[str]:
    """Return the paths of the claim links that a page shows."""
    links = re.findall(r'value="(http[^"]+/claim/[^"]+)"', page)
    return [urlsplit(link).path for link in links]


def link_of(line, number: int = 1) -> str:
    text = places.link_text(line.training_places.get(number=number))
    return reverse("training_credits:claim", args=[text])


def look(learner: Learner, link: str) -> str:
    return words(text_of(learner.client.get(link)))


def accept(learner: Learner, link: str) -> str:
    return words(text_of(learner.client.post(link, follow=True)))


def revoke(learner: Learner, place: Place, *, salt: str | None = None):
    address = reverse("training_credits:revoke-link", args=[place.pk])
    return learner.client.post(address, {"salt": salt or place.salt})


def take(learner: Learner, place: Place):
    return learner.client.post(reverse("training_credits:take-place", args=[place.pk]))


def states(line) -> str:
    """Return what each place is: free, claimed or gone."""
    rows = line.training_places.order_by("number")
    return "".join("g" if p.revoked_at else "c" if p.claimed_at else "f" for p in rows)


# How many


def test_one_place_is_the_default(one, buyer, training):
    page = text_of(buyer.client.get(training.product.get_absolute_url()))
    assert 'type="hidden" name="quantity" value="1"' in page

    buyer.add(training.product)
    again = buyer.client.post(
        reverse("basket:add", args=[training.product.pk]), {"quantity": 1}, follow=True
    )

    assert ONCE in words(text_of(again))
    assert Line.objects.get().quantity == 1


def test_more_than_one_can_not_be_added(one, buyer, training):
    buyer.add(training.product, quantity=2)

    assert not Line.objects.exists()


def test_the_basket_refuses_a_higher_quantity(few, buyer, training):
    buyer.add(training.product, quantity=2)
    line = Line.objects.get()
    form = {
        "form-TOTAL_FORMS": 1,
        "form-INITIAL_FORMS": 1,
        "form-0-id": line.pk,
        "form-0-quantity": 4,
    }

    page = text_of(buyer.client.post(reverse("basket:summary"), form, follow=True))

    assert "You can buy at most 3 places of this in one order." in words(page)
    assert "Available stock" not in page
    assert re.search(r'name="form-0-quantity"[^>]* max="3"', page)
    line.refresh_from_db()
    assert line.quantity == 2


@pytest.mark.parametrize(
    ("most", "shown"),
    [
        (1, '<input type="hidden" name="quantity" value="1"'),
        (3, "One place for each learner, 3 at most."),
    ],
)
def test_a_quantity_field_says_how_many_there_may_be(settings, training, most, shown):
    settings.TRAINING_CREDITS_MOST_PLACES = most
    AddToBasketForm = get_class("basket.forms", "AddToBasketForm")

    form = AddToBasketForm(make_basket(), training.product).as_p()

    assert shown in form
    assert ('max="3"' in form) is (most == 3)


def test_what_is_no_training_is_sold_in_any_number(one, buyer):
    buyer.add(make_product("A book"), quantity=7)

    assert Line.objects.get().quantity == 7


def test_stock_still_counts(few, training):
    training.product.product_class.track_stock = True
    training.product.product_class.save()
    training.product.stockrecords.update(num_in_stock=2)
    product = type(training.product).objects.get(pk=training.product.pk)
    strategy = get_class("partner.strategy", "Selector")().strategy()

    availability = strategy.fetch_for_product(product).availability

    assert availability.is_purchase_permitted(2) == (True, "")
    assert availability.is_purchase_permitted(3) == (
        False,
        "a maximum of 2 can be bought",
    )
    assert isinstance(availability, get_class("partner.availability", "StockRequired"))


def test_the_checkout_says_what_is_wrong_with_a_basket_that_code_has_filled(
    one, buyer, training
):
    buyer.add(training.product)
    Line.objects.update(quantity=2)

    page = buyer.client.get(reverse("checkout:preview"), follow=True)

    said = words(text_of(page))
    assert f"“Django Foundations” can't be ordered as it is. {ONCE}" in said
    assert "no longer available" not in said


def test_as_many_as_may_be_sold_are_sold(few, training):
    order = place_order(make_learner(), (training.product, 3))

    assert order.lines.get().training_places.count() == 3


def test_no_order_is_written_for_more_than_may_be_sold(one, training):
    learner = make_learner()
    basket_line = (training.product, 2)

    with pytest.raises(OrderRefused, match="only once"):
        place_order(learner, basket_line)

    assert not Order.objects.exists()


def test_lines_of_one_product_count_together(few, training):
    learner = make_learner()
    basket = make_basket(learner, (training.product, 2))
    first = basket.lines.get()
    Line.objects.create(
        basket=basket,
        product=training.product,
        stockrecord=first.stockrecord,
        quantity=2,
        line_reference="with an option",
        price_currency=first.price_currency,
    )

    with pytest.raises(OrderRefused, match="at most 3"):
        place_order_of(basket, learner)


def place_order_of(basket, learner):
    from ...support.orders import place

    basket.reset_offer_applications()
    return place(basket, learner)


def test_a_basket_merged_at_log_in_is_brought_back_to_what_is_sold(settings, training):
    book = make_product("A book")
    guest = Learner()
    guest.add(training.product, quantity=3)
    guest.add(book, quantity=2)
    settings.TRAINING_CREDITS_MOST_PLACES = 1
    learner = make_learner()

    page = guest.client.post(
        reverse("customer:login"),
        {
            "login_submit": "Log In",
            "login-username": learner.email,
            "login-password": "password",
            "login-redirect_url": reverse("basket:summary"),
        },
        follow=True,
    )

    quantities = Line.objects.filter(basket__owner=learner)
    assert dict(quantities.values_list("product__title", "quantity")) == {
        "Django Foundations": 1,
        "A book": 2,
    }
    assert "is in your basket once" in words(text_of(page))


# What is over


@pytest.fixture
def over():
    return make_training("Spring Cohort", access_until=date(2026, 5, 3))


OVER = "Access to this ended on 3 May 2026."


def test_what_is_over_is_not_for_sale(over, buyer):
    page = text_of(buyer.client.get(over.product.get_absolute_url()))
    said = buyer.client.post(
        reverse("basket:add", args=[over.product.pk]), {"quantity": 1}, follow=True
    )

    assert OVER in words(page)
    assert "back in stock" not in page
    assert reverse("basket:add", args=[over.product.pk]) not in page
    assert OVER in words(text_of(said))
    assert not Line.objects.exists()


def test_what_is_over_meanwhile_blocks_the_order(buyer):
    later = make_training("Spring Cohort", access_until=date(2099, 5, 3))
    buyer.add(later.product)
    later.access_until = date(2026, 5, 3)
    later.save()

    basket = buyer.basket_page()
    checkout = text_of(buyer.client.get(reverse("checkout:preview"), follow=True))

    assert "Spring Cohort' is no longer available" in words(basket)
    assert OVER in words(checkout)
    with pytest.raises(OrderRefused, match="3 May 2026"):
        place_order_of(make_basket_of(buyer), buyer.user)


def make_basket_of(learner: Learner):
    basket = get_model("basket", "Basket").open.get(owner=learner.user)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy()
    return basket


def test_the_last_day_counts_until_midnight_of_the_site(settings):
    settings.TIME_ZONE = "America/New_York"
    training = make_training(access_until=date(2026, 5, 3))
    midnight = datetime(2026, 5, 4, 4, tzinfo=UTC)

    for moment, is_over in [(midnight - timedelta(seconds=1), False), (midnight, True)]:
        with mock.patch("django.utils.timezone.now", return_value=moment):
            assert training.is_over is is_over


def test_a_course_page_does_not_sell_what_is_over(course, client):
    course.access_until = date(2026, 5, 3)
    training = api.training_of(course.product)
    type(training).objects.update(access_until=date(2026, 5, 3))

    page = text_of(client.get(course.url))

    assert OVER in words(page)
    assert "Purchase with" not in page
    assert reverse("basket:add", args=[course.product.pk]) not in page


# An order for several


def test_who_buys_for_several_is_told_so_and_not_that_it_is_theirs(buyer, training):
    place_order(buyer.user, (training.product, 1))
    buyer.add(training.product, quantity=3)

    for page in (buyer.basket_page(), text_of(buyer.preview())):
        assert "You get 3 places, with a link for each learner." in words(page)
        assert "adds nothing" not in page


def test_one_is_access_for_the_buyer(buyer, training):
    order = place_order(buyer.user, (training.product, 1))

    assert has_access(buyer.user, training)
    assert not order.lines.get().training_places.exists()


def test_several_are_places_and_no_access_for_the_buyer(buyer, training, order, line):
    assert states(line) == "fff"
    assert not has_access(buyer.user, training)
    assert line.settled_line.credits == 60
    assert list(api.audit()) == []


def test_the_buyer_is_shown_the_links_after_the_checkout(buyer, training):
    make_code(100, text=TEXT)
    buyer.add(training.product, quantity=2)
    buyer.apply(TEXT)

    placed = buyer.place()
    page = text_of(buyer.client.get(placed.url))

    assert len(set(links_in(page))) == 2
    assert links_in(page) == links_in(order_page(buyer, buyer.order()))
    assert links_in(page) == links_in(my_training(buyer))
    sent = mail.outbox[-1]
    for body in (sent.body, sent.alternatives[0][0]):
        assert "and out 2 places" in body
        assert reverse("customer:order", args=[buyer.order().number]) in body
        assert "/claim/" not in body


def my_training(learner: Learner) -> str:
    return text_of(learner.client.get(reverse("training_credits:my-training")))


def test_nobody_else_is_shown_the_links(order, ann, rf):
    staff = Learner(make_learner(is_staff=True, is_superuser=True))
    thanks = reverse("checkout:thank-you") + f"?order_number={order.number}"

    assert links_in(text_of(staff.client.get(thanks))) == []
    assert links_in(my_training(ann)) == []


def test_the_database_alone_does_not_open_a_link(line):
    place = line.training_places.first()

    text = places.link_text(place)

    stored = [
        str(value) for value in Place.objects.filter(pk=place.pk).values_list()[0]
    ]
    assert text not in stored
    assert places.salt_of(place.salt) is None
    assert places.salt_of(f"{place.salt}.{'A' * 43}") is None
    assert len(place.salt) >= 16  # letters of 6 random bits


def test_an_error_anywhere_would_report_no_link(line):
    place = line.training_places.first()
    link = places.link_text(place)
    secrets = (place.salt, *conf.settings.CODE_KEYS)

    for call in (lambda: places.link_text(place), lambda: places.salt_of(link)):
        assert not shown_by(call, lambda said: any(each in said for each in secrets))


def test_links_outlive_a_change_of_keys(line, settings, ann):
    settings.TRAINING_CREDITS_CODE_KEYS = ["old"]
    link = link_of(line)
    settings.TRAINING_CREDITS_CODE_KEYS = ["new", "old"]
    assert link_of(line) != link
    assert "Accept" in look(ann, link)

    settings.TRAINING_CREDITS_CODE_KEYS = ["new"]

    assert ann.client.get(link).status_code == 404


def test_a_link_is_the_same_in_every_version(settings):
    """Links that buyers have handed on must still work after an upgrade."""
    settings.TRAINING_CREDITS_CODE_KEYS = ["a key"]
    link = "abcdefgh12345678.RgP_Fbj--qobquRVs8dHEDRaFi2XPnASe5X30jqm1Gw"

    assert places.link_text(Place(salt="abcdefgh12345678")) == link
    assert places.salt_of(link) == "abcdefgh12345678"


# Claiming


def test_a_learner_accepts_a_place(line, training, ann):
    page = look(ann, link_of(line))
    assert "A place for you: Django Foundations" in page
    assert "without an end" in page
    assert not has_access(ann.user, training)

    page = accept(ann, link_of(line))

    assert "You have accepted this place." in page
    assert "Go to Django Foundations" in page
    assert has_access(ann.user, training)
    assert Access.objects.get().place.number == 1


def test_a_visitor_logs_in_or_registers_and_comes_back(line, training):
    visitor = Client()
    link = link_of(line)
    page = text_of(visitor.get(link))
    login = re.search(r'href="([^"]+)"[^>]*>Log in or register to accept', page)
    address = login.group(1).replace("&amp;", "&")
    form = {
        "registration_submit": "1",
        "registration-email": "new@acme.example",
        "registration-password1": "a-long-secret-4711",
        "registration-password2": "a-long-secret-4711",
        "registration-redirect_url": re.search(
            r'name="registration-redirect_url"[^>]*value="([^"]+)"',
            text_of(visitor.get(address)),
        ).group(1),
    }

    back = visitor.post(address, form)
    visitor.post(back.url)

    assert back.url == link
    access = Access.objects.get()
    assert access.learner.email == "new@acme.example"
    assert has_access(access.learner, training)


def test_a_visitor_claims_nothing(line):
    answer = Client().post(link_of(line))

    assert answer.url.startswith(reverse("customer:login"))
    assert states(line) == "fff"


def test_looking_claims_nothing_and_the_address_goes_nowhere(line, ann):
    answer = ann.client.get(link_of(line))

    assert states(line) == "fff"
    assert answer["Referrer-Policy"] == "strict-origin"
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex"


def test_a_place_is_for_one_learner(line, training, ann, ben):
    accept(ann, link_of(line))

    page = accept(ben, link_of(line))

    assert "Somebody has accepted this place already." in page
    assert not has_access(ben.user, training)
    assert "ann@" not in page


def test_a_place_of_another_is_nobodys_who_has_something_else(line, ann, ben):
    api.give_access(ben.user, make_training("Another"), reason="Goodwill")
    accept(ann, link_of(line))

    for visitor in (ben, Learner()):
        assert "Somebody has accepted this place already." in look(
            visitor, link_of(line)
        )


def test_accepting_twice_is_accepting_once(line, ann):
    accept(ann, link_of(line))

    page = accept(ann, link_of(line))

    assert "You have accepted this place." in page
    again = places.claim(line.training_places.get(number=1), ann.user)
    assert again == Access.objects.get()


def test_a_learner_whose_place_has_ended_takes_another(line, training, ann):
    accept(ann, link_of(line, 1))
    api.end_access(Access.objects.get(), reason="A mistake")

    accept(ann, link_of(line, 2))

    assert states(line) == "ccf"
    assert has_access(ann.user, training)


def test_a_learner_has_one_place_of_an_order(line, ann):
    accept(ann, link_of(line, 1))

    page = accept(ann, link_of(line, 2))

    assert "You have accepted a place of this order already." in page
    assert states(line) == "cff"


def test_a_learner_has_one_place_of_an_order_while_it_lasts(buyer, ann):
    training = make_training("Shortly", access_days=10)
    line = place_order(buyer.user, (training.product, 2)).lines.get()
    accept(ann, link_of(line, 1))

    page = accept(ann, link_of(line, 2))

    assert "You have accepted a place of this order already." in page
    assert states(line) == "cf"


def test_who_has_it_for_ever_leaves_the_place_to_others(line, training, ann, ben):
    place_order(ann.user, (training.product, 1))

    page = accept(ann, link_of(line))

    assert "You have this already, and would gain nothing." in page
    assert states(line) == "fff"
    assert "You have accepted" in accept(ben, link_of(line))


def test_who_has_it_for_a_while_is_told_and_may_go_on(buyer, ann):
    training = make_training("Shortly", access_days=10)
    line = place_order(buyer.user, (training.product, 2)).lines.get()
    first = api.give_access(ann.user, training, reason="Goodwill")

    assert "You have it already, until" in look(ann, link_of(line))
    accept(ann, link_of(line))

    second = Access.objects.get(place__number=1)
    assert second.starts_at == first.ends_at
    assert second.ends_at - second.starts_at == 10 * DAY


def test_a_mutilated_link_says_so(line, ann):
    answer = ann.client.get(link_of(line)[:-2] + "/")

    assert answer.status_code == 404
    assert "This link is not complete." in words(text_of(answer))


# The period is that of the day of purchase


def test_days_begin_when_the_place_is_claimed(buyer, ann):
    training = make_training(access_days=30)
    line = place_order(buyer.user, (training.product, 2)).lines.get()
    training.access_days = 5
    training.save()

    access = places.claim(line.training_places.get(number=1), ann.user)

    assert access.ends_at - access.starts_at == 30 * DAY


def test_dates_are_those_of_the_purchase(buyer, ann):
    terms = {"access_from": date(2098, 1, 1), "access_until": date(2099, 1, 1)}
    training = make_training(**terms)
    line = place_order(buyer.user, (training.product, 2)).lines.get()
    training.access_from = training.access_until = None
    training.save()

    access = places.claim(line.training_places.get(number=1), ann.user)

    assert access.starts_at == datetime(2098, 1, 1, tzinfo=UTC)
    assert access.ends_at == datetime(2099, 1, 2, tzinfo=UTC)


def test_a_place_ends_with_the_code_that_paid_for_it(buyer, training, ann):
    end = datetime.now(UTC) + 9 * DAY
    make_code(100, text=TEXT, expires_at=end, ends_access=True)
    line = place_order(buyer.user, (training.product, 2), text=TEXT).lines.get()

    assert places.claim(line.training_places.get(number=1), ann.user).ends_at == end
    late, last = make_learner(), line.training_places.get(number=2)
    with (
        mock.patch("django.utils.timezone.now", return_value=end),
        pytest.raises(PlaceRefused) as refused,
    ):
        places.claim(last, late)
    assert refused.value.reason == ClaimReason.EXPIRED


@pytest.mark.parametrize(("training_days", "code_days"), [(5, 9), (9, 5)])
def test_a_place_ends_with_whatever_ends_first(buyer, training_days, code_days):
    last = date.today() + training_days * DAY  # noqa: DTZ011
    training = make_training(credits=20, access_until=last)
    end = datetime.now(UTC) + code_days * DAY
    make_code(100, text=TEXT, expires_at=end, ends_access=True)

    line = place_order(buyer.user, (training.product, 2), text=TEXT).lines.get()

    assert {place.ends_at for place in line.training_places.all()} == {
        min(training.closes_at, end)
    }


def test_an_expired_place_says_so(line, ann):
    line.training_places.update(ends_at=datetime.now(UTC) - DAY)

    page = accept(ann, link_of(line))

    assert "The time in which this place could be used is over." in page
    assert states(line) == "fff"


# What the buyer does


def test_the_buyer_takes_a_place_in_one_click(line, training, buyer, order):
    take(buyer, line.training_places.get(number=1))

    assert has_access(buyer.user, training)
    page = words(order_page(buyer, order))
    assert "Taken by you on" in page
    assert "Take a place yourself" not in page
    assert "2 of 3 places are free." in page


def test_a_buyer_who_has_it_already_takes_no_place(line, training, buyer, order):
    assert "Take a place yourself" in words(order_page(buyer, order))
    place_order(buyer.user, (training.product, 1))

    take(buyer, line.training_places.get(number=1))

    assert states(line) == "fff"
    assert "Take a place yourself" not in words(order_page(buyer, order))


@pytest.mark.parametrize(
    ("place", "has", "offered"),
    [
        ({"access_days": 30}, None, True),
        ({"access_days": 30}, {}, False),
        ({"access_days": 30}, {"until": 10}, True),
        ({"ends": 20}, {"until": 10}, True),
        ({"ends": 20}, {"until": 20}, False),
        ({"ends": 20}, {"until": 30}, False),
        ({"ends": -1}, None, False),
        ({"starts": 10, "ends": 20}, {"until": 5}, True),
        ({"starts": 10, "ends": 20}, {"until": 20}, False),
    ],
    ids=str,
)
def test_the_buyer_is_offered_a_place_that_gives_them_something(
    line, training, buyer, order, place, has, offered
):
    moments = {"starts": "starts_at", "ends": "ends_at"}
    now = datetime.now(UTC)
    line.training_places.update(
        **{
            moments.get(name, name): now + days * DAY if name in moments else days
            for name, days in place.items()
        }
    )
    if has is not None:
        until = now + has["until"] * DAY if has else None
        api.give_access(buyer.user, training, until=until, reason="Pilot")

    shown = "Take a place yourself" in words(order_page(buyer, order))
    reason = places.offer_to(buyer.user, line.training_places.first()).reason

    assert shown is offered
    assert (reason is None) is offered


def test_only_free_places_can_give_somebody_something(line, buyer, ann):
    places.claim(line.training_places.get(number=1), ann.user)
    api.refund_lines([(line, 1)], idempotency_key="a")
    claimed, free, refunded = line.training_places.order_by("number")

    gained = places.gained_from(buyer.user, [claimed, free, refunded])

    assert gained == {free.pk}


HINTS = ("Give each learner a link of their own.", "Revoke a link that went astray")


def test_what_to_do_with_links_is_said_once_as_long_as_there_are_any(
    line, training, buyer, ann
):
    more = place_order(buyer.user, (training.product, 2)).lines.get()
    mine = reverse("training_credits:my-training")

    page = words(text_of(buyer.client.get(mine)))
    assert [page.count(hint) for hint in HINTS] == [1, 1]
    api.refund_order(line.order, idempotency_key="a")
    page = words(text_of(buyer.client.get(mine)))
    assert [page.count(hint) for hint in HINTS] == [1, 1]
    assert page.count("No place is free any more.") == 1
    api.cancel_lines([more], idempotency_key="b")

    page = words(text_of(buyer.client.get(mine)))
    assert [page.count(hint) for hint in HINTS] == [0, 0]
    assert page.count("No place is free any more.") == 2
    assert "0 of" not in page


def test_the_buyer_sees_who_has_accepted(line, buyer, order, ann):
    accept(ann, link_of(line))

    page = order_page(buyer, order)

    assert "Accepted by ann@acme.example on" in words(page)
    assert link_of(line) not in page


def test_a_deleted_account_does_not_free_its_place(line, buyer, order, ann, ben):
    accept(ann, link_of(line))
    ann.user.delete()

    assert "by an account that is gone" in words(order_page(buyer, order))
    assert "Somebody has accepted" in accept(ben, link_of(line))


def test_a_revoked_link_works_no_longer_and_the_place_gets_a_new_one(
    line, buyer, order, ann, ben
):
    stray = link_of(line)

    revoke(buyer, line.training_places.get(number=1))

    assert "This link has been revoked." in accept(ann, stray)
    assert states(line) == "fff"
    (new, *_others) = links_in(order_page(buyer, order))
    assert new != stray
    assert "You have accepted" in accept(ben, new)


def test_revoking_twice_makes_one_new_link(line, buyer):
    place = line.training_places.get(number=1)

    revoke(buyer, place)
    new = link_of(line)
    revoke(buyer, place)

    assert link_of(line) == new


def test_a_claimed_place_can_not_be_revoked(line, training, buyer, ann):
    accept(ann, link_of(line))

    revoke(buyer, line.training_places.get(number=1))

    assert has_access(ann.user, training)
    assert "You have accepted this place." in look(ann, link_of(line))


@pytest.mark.parametrize("act", [revoke, take])
def test_nobody_else_does_anything_with_a_place(line, ann, act):
    place = line.training_places.get(number=1)

    answer = act(ann, place)

    assert answer.status_code == 404
    assert Place.objects.get(pk=place.pk).salt == place.salt
    assert states(line) == "fff"


def test_a_link_revoked_between_reading_and_accepting_is_refused(line, ann):
    read = line.training_places.get(number=1)
    places.renew_link(line.training_places.get(number=1))

    with pytest.raises(PlaceRefused) as refused:
        places.claim(read, ann.user)

    assert refused.value.reason == ClaimReason.REVOKED


def test_a_place_that_is_gone_altogether_is_refused(line, ann):
    read = line.training_places.get(number=1)
    line.training_places.all().delete()

    with pytest.raises(PlaceRefused) as refused:
        places.claim(read, ann.user)

    assert refused.value.reason == ClaimReason.REVOKED
    assert not places.renew_link(read)


def test_a_link_is_renewed_only_as_it_was_read(line, ann):
    places.claim(line.training_places.get(number=2), ann.user)
    api.refund_lines([(line, 1)], idempotency_key="a")
    read, claimed, gone = line.training_places.order_by("number")

    answers = [places.renew_link(place) for place in (read, read, claimed, gone)]

    assert answers == [True, False, False, False]
    salts = dict(line.training_places.values_list("number", "salt"))
    assert salts[1] != read.salt
    assert (salts[2], salts[3]) == (claimed.salt, gone.salt)


# Refunds


@pytest.mark.parametrize(("keep", "going"), [(4, ""), (3, ""), (2, "3"), (0, "321")])
def test_the_last_places_go_first(line, keep, going):
    gone = places.to_take_back(line.training_places.all(), keep=keep)

    assert "".join(str(place.number) for place in gone) == going


def test_a_refund_of_two_lines_leaves_each_its_own_places(buyer):
    lines = [(make_training(title).product, 3) for title in ("One", "Two")]
    make_code(200, text=TEXT)
    order = place_order(buyer.user, *lines, text=TEXT)
    one, two = order.lines.order_by("pk")

    api.refund_lines([(one, 1), (two, 2)], idempotency_key="a")

    assert (states(one), states(two)) == ("ffg", "fgg")


REFUNDED = [
    pytest.param("", 1, "ffg", id="the highest number first"),
    pytest.param("1", 2, "cgg", id="free places first"),
    pytest.param("3", 1, "fgc", id="the highest that is free"),
    pytest.param("31", 2, "ggc", id="then who claimed last"),
    pytest.param("123", 1, "ccg", id="none is free"),
    pytest.param("123", 3, "ggg", id="all"),
]


@pytest.mark.parametrize(("claimed", "units", "left"), REFUNDED)
def test_a_refund_takes_places_back(line, training, claimed, units, left):
    learners = {}
    for number in map(int, claimed):
        learners[number] = make_learner()
        places.claim(line.training_places.get(number=number), learners[number])

    api.refund_lines([(line, units)], idempotency_key="a")
    api.refund_lines([(line, units)], idempotency_key="a")

    assert states(line) == left
    for number, learner in learners.items():
        assert has_access(learner, training) is (left[number - 1] == "c")
    assert list(api.audit()) == []


def test_a_refunded_place_says_so(line, buyer, order, ann):
    link = link_of(line, 3)
    api.refund_lines([(line, 1)], idempotency_key="a")

    assert "This place was given back to the shop" in accept(ann, link)
    assert "Given back to the shop on" in words(order_page(buyer, order))
    assert link not in order_page(buyer, order)


def test_a_learner_whose_place_was_refunded_is_told(line, training, ann):
    accept(ann, link_of(line))

    api.refund_order(line.order, idempotency_key="a")

    assert "This place was given back to the shop" in look(ann, link_of(line))
    assert not has_access(ann.user, training)


@pytest.mark.parametrize("paid", ["money", "credits"])
def test_a_cancellation_ends_all_places(buyer, training, ann, paid):
    make_code(100, text=TEXT)
    text = TEXT if paid == "credits" else None
    order = place_order(buyer.user, (training.product, 2), text=text)
    line = order.lines.get()
    accept(ann, link_of(line))

    order.set_status("Cancelled")

    assert states(line) == "gg"
    assert not has_access(ann.user, training)
    notes = " ".join(order.notes.values_list("message", flat=True))
    assert "2 places of Django Foundations were taken back." in notes


def test_a_line_cancelled_later_for_the_same_cause_loses_its_places_too(
    buyer, training
):
    make_code(20, text=TEXT)
    other = make_training("Paid with credits", credits=20)
    lines = (other.product, 1), (training.product, 2)
    in_credits, in_money = place_order(buyer.user, *lines, text=TEXT).lines.order_by(
        "pk"
    )

    api.cancel_lines([in_credits], idempotency_key="a")
    api.cancel_lines([in_credits, in_money], idempotency_key="a")

    assert not hasattr(in_money, "settled_line")
    assert states(in_money) == "gg"


@pytest.mark.parametrize("paid", ["money", "credits"])
def test_where_refunds_leave_access_only_free_places_go(
    buyer, training, ann, settings, paid
):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = False
    make_code(100, text=TEXT)
    text = TEXT if paid == "credits" else None
    order = place_order(buyer.user, (training.product, 2), text=text)
    line = order.lines.get()
    accept(ann, link_of(line))

    order.set_status("Cancelled")

    assert states(line) == "cg"
    assert has_access(ann.user, training)
    assert list(api.audit()) == []


def test_what_was_bought_to_follow_a_refunded_place_begins_sooner(buyer, ann):
    training = make_training("Shortly", access_days=10)
    make_code(100, text=TEXT)
    line = place_order(buyer.user, (training.product, 2), text=TEXT).lines.get()
    accept(ann, link_of(line))
    place_order(ann.user, (training.product, 1))

    api.refund_order(line.order, idempotency_key="a")

    assert has_access(ann.user, training)
    assert api.access_status(ann.user, training).ends_at < datetime.now(UTC) + 11 * DAY
