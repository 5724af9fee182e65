"""All ways to spend at once: the page, the checkout, the API, and code of the site's.

Nobody sells what is not there, and nobody is refused while there is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.exceptions import CreditCodeRefused, PurchaseRefused
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
)

from ..rest.test_oscarapi import Caller
from ..support.orders import place_order
from ..support.pages import make_course
from ..support.racing import at_once, take_locks_away
from ..support.shop import Learner, shown_in, text_of

Order = get_model("order", "Order")

pytestmark = [
    pytest.mark.races,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urlconf("tests.api_urls"),
]

TEXT = "ACME-TEAM-2026"
PRICE = 20
keys = count(1)


@pytest.fixture
def course():
    """A course that only credits buy, again and again."""
    terms = {"credits": PRICE, "credit_only": True, "access_days": 90}
    course = make_course(make_product(price=None), **terms)
    # Oscar links its stand-in for a picture when one is first shown, and not at once.
    visitor = Learner()
    visitor.add(course.product)
    visitor.basket_page()
    return course


def on_its_page(course: Any, user: Any) -> None:
    learner, step = Learner(user), "training_credits:purchase-{}".format
    args = [course.training.pk]
    learner.client.post(reverse(step("apply"), args=args), {"code": TEXT})
    form = shown_in(text_of(learner.client.get(course.url)))
    learner.client.post(reverse(step("confirm"), args=args), form)


def at_the_checkout(course: Any, user: Any) -> None:
    learner = Learner(user)
    learner.add(course.product)
    learner.apply(TEXT)
    learner.place()


def by_the_rest_api(course: Any, user: Any) -> None:
    caller = Caller(user)
    caller.put_in(course.product)
    caller.type(TEXT)
    caller.check_out()


def by_text(course: Any, user: Any) -> None:
    sell(course, user, TEXT)


def by_record(course: Any, user: Any) -> None:
    sell(course, user, api.find_code(TEXT))


def in_a_transaction(course: Any, user: Any) -> None:
    with transaction.atomic():
        sell(course, user, TEXT)


def sell(course: Any, user: Any, code: Any) -> None:
    key = f"sale-{next(keys)}"
    api.purchase(course.training, learner=user, code=code, idempotency_key=key)


def by_a_basket(course: Any, user: Any) -> None:
    api.redeem(make_basket(user, (course.product, 1)), code=TEXT)


def by_oscars_creator(course: Any, user: Any) -> None:
    place_order(user, (course.product, 1), text=TEXT)


WAYS = [
    on_its_page,
    at_the_checkout,
    by_the_rest_api,
    by_text,
    by_record,
    in_a_transaction,
    by_a_basket,
    by_oscars_creator,
]


def client(way: Any, course: Any, code: Any, sales: int) -> Callable[[], list[int]]:
    """Return what buys so often by one way, and returns what is left at each refusal.

    The balance only falls: where enough is left by now, there was enough.
    """
    user = make_learner()

    def buy() -> list[int]:
        left = []
        for already in range(sales):
            with suppress(CreditCodeRefused, OrderRefused, PurchaseRefused):
                way(course, user)
            if Order.objects.filter(user=user).count() == already:
                left.append(code.balance())
                break
        return left

    return buy


def test_all_that_is_there_is_sold_and_no_more(course):
    code = make_code(500, text=TEXT)
    sales = 500 // PRICE
    clients = [client(way, course, code, 2) for way in WAYS for _ in range(2)]
    assert len(clients) == 16

    left = at_once(clients)

    assert Order.objects.count() == sales
    assert code.balance() == 0
    assert any(left)
    assert all(each < PRICE for refusals in left for each in refusals)
    assert list(api.audit()) == []


def test_control_without_the_lock_more_is_sold_than_is_there(course, monkeypatch):
    code = make_code(3 * PRICE, text=TEXT)
    take_locks_away(monkeypatch, parties=len(WAYS))

    at_once([client(way, course, code, 1) for way in WAYS])

    assert Order.objects.count() > 3
