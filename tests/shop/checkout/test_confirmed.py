"""What was confirmed is what is ordered: each line, and what each code gives."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.applying import apply_code, remove_code
from oscar_training_credits.credits.models import CreditCode, Redemption
from oscar_training_credits.shop.basket.quotes import items_of
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.checkout import views
from oscar_training_credits.shop.order import confirmed, creator
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.gateways import Redirecting, install
from ...support.pages import make_course
from ...support.shop import Learner, errors, shown_in, text_of, words

Basket = get_model("basket", "Basket")
Line = get_model("basket", "Line")
Order = get_model("order", "Order")
StockRecord = get_model("partner", "StockRecord")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
OTHER = "ACME-OTHER-2026"
OTHER_ORDER = "The order has changed since it was shown."
OTHER_PRICE = "A price or a code has changed."


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


def open_basket(learner):
    return Basket.open.get(owner=learner.user)


def swap_for(learner, product, quantity=1):
    open_basket(learner).lines.all().delete()
    learner.add(product, quantity)


def same_price(learner):
    swap_for(learner, make_training("Other", credits=20).product)


def fewer_credits(learner):
    swap_for(learner, make_training("Other", credits=5).product)


def one_more_for_nothing(learner):
    learner.add(make_product("A leaflet", price="0.00"))


def another_access(learner):
    product = open_basket(learner).lines.get().product
    sell_as_training(product, credits=20, access_days=3)


def a_code_that_ends_access(learner):
    end = timezone.now() + timedelta(days=3)
    CreditCode.objects.update(expires_at=end, ends_access=True)


CHANGES = {
    "another course for as much": (same_price, OTHER_ORDER),
    "another course for less": (fewer_credits, OTHER_ORDER),
    "one more for nothing": (one_more_for_nothing, OTHER_ORDER),
    "the same course for a shorter time": (another_access, OTHER_PRICE),
    "a code with which access ends": (a_code_that_ends_access, OTHER_PRICE),
}


@pytest.mark.parametrize(("change", "said"), CHANGES.values(), ids=CHANGES)
def test_what_another_tab_made_of_the_order_is_shown_first(learner, code, change, said):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    first_tab = learner.preview()
    change(learner)

    refused = learner.place(first_tab)

    assert said in errors(refused)
    assert not Order.objects.exists()
    assert code.balance() == 100
    learner.place(refused)
    assert learner.order().num_lines == open_or_ordered_lines(learner)


def open_or_ordered_lines(learner):
    return Basket.objects.filter(owner=learner.user).latest("pk").num_lines


def test_another_code_that_pays_is_shown_first(learner, code):
    other = make_code(100, text=OTHER)
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    first_tab = learner.preview()
    remove_code(code.pk, basket=open_basket(learner))
    learner.apply(OTHER)

    refused = learner.place(first_tab)

    assert OTHER_PRICE in errors(refused)
    assert (code.balance(), other.balance()) == (100, 100)


def test_a_code_that_gives_more_than_was_shown_is_shown_first(learner):
    """One code has got less meanwhile, and the other makes up for it."""
    first, second = make_code(15, text=TEXT), make_code(100, text=OTHER)
    learner.add(make_training(credits=20).product)
    for text in (TEXT, OTHER):
        learner.apply(text)
    page = learner.preview()
    first.grants.update(remaining=10)

    refused = learner.place(page)

    assert OTHER_PRICE in errors(refused)
    assert (first.grants.get().remaining, second.balance()) == (10, 100)


def test_prices_that_moved_between_lines_are_shown_first(learner, code):
    cheap, dear = make_training(credits=30), make_training(credits=10)
    for training in (cheap, dear):
        learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()
    sell_as_training(cheap.product, credits=5)
    sell_as_training(dear.product, credits=35)

    refused = learner.place(page)

    assert OTHER_PRICE in errors(refused)
    assert code.balance() == 100


def test_money_that_moved_between_lines_is_shown_first(learner, code):
    first, second = make_product(price="30.00"), make_product(price="10.00")
    for product in (make_training(credits=20).product, first, second):
        learner.add(product)
    learner.apply(TEXT)
    page = learner.preview()
    StockRecord.objects.filter(product=first).update(price=Decimal("5.00"))
    StockRecord.objects.filter(product=second).update(price=Decimal("35.00"))

    refused = learner.place(page)

    assert OTHER_PRICE in errors(refused)
    assert code.balance() == 100


def test_money_in_place_of_credits_is_shown_first_however_little(learner, code):
    learner.add(make_training(credits=20, price="0.00").product)
    learner.apply(TEXT)
    page = learner.preview()
    remove_code(code.pk, basket=open_basket(learner))

    assert OTHER_PRICE in errors(learner.place(page))


def test_the_very_same_for_less_is_ordered(learner):
    first, second = make_code(10, text=TEXT), make_code(100, text=OTHER)
    training = make_training(credits=20)
    learner.add(training.product)
    for text in (TEXT, OTHER):
        learner.apply(text)
    page = learner.preview()
    sell_as_training(training.product, credits=15)

    learner.place(page)

    assert learner.order()
    assert (first.balance(), second.balance()) == (0, 95)


@pytest.mark.parametrize("sent", ["", "nonsense", "WzEsMSwiMC4wMCJd:1:x"])
def test_what_is_not_ours_confirms_nothing(learner, code, sent):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    refused = learner.place(**{confirmed.FIELD: sent})

    assert OTHER_ORDER in errors(refused)
    assert not Order.objects.exists()


# Between that look and the lock


def test_a_code_that_is_swapped_at_the_last_moment_is_shown_first(
    learner, code, monkeypatch
):
    other = make_code(100, text=OTHER)
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    page = learner.preview()
    submit = views.PaymentDetailsViewMixin.submit

    def swap_then_submit(view, *args, **kwargs):
        basket = Basket.objects.get(pk=view.request.basket.pk)
        remove_code(code.pk, basket=basket)
        apply_code(
            OTHER,
            basket=basket,
            items=items_of(view.request.basket),
            requester=None,
            learner=learner.user,
        )
        return submit(view, *args, **kwargs)

    monkeypatch.setattr(views.PaymentDetailsViewMixin, "submit", swap_then_submit)

    refused = learner.place(page)

    assert OTHER_PRICE in errors(refused)
    assert (code.balance(), other.balance()) == (100, 100)
    assert not Redemption.objects.exists()


@pytest.mark.urlconf("tests.support.gateways")
def test_nobody_is_sent_to_pay_for_lines_that_changed_meanwhile(
    learner, code, monkeypatch
):
    install(monkeypatch, Redirecting())
    learner.add(make_training(credits=20).product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    page = learner.preview()
    submit = views.PaymentDetailsViewMixin.submit

    def change_then_submit(view, *args, **kwargs):
        Line.objects.filter(product__title="A book").update(quantity=7)
        return submit(view, *args, **kwargs)

    monkeypatch.setattr(views.PaymentDetailsViewMixin, "submit", change_then_submit)

    refused = learner.place(page)

    assert refused.status_code == 200
    assert OTHER_ORDER in errors(refused)
    assert code.balance() == 100
    assert Basket.objects.get(owner=learner.user).status == Basket.OPEN


# On the course page


@pytest.fixture
def course():
    return make_course(make_training(credits=20).product, credits=20)


class OnPage:
    """A learner before the box of a course page."""

    def __init__(self, course):
        self.learner, self.course = Learner(make_learner()), course

    def post(self, name, data, *args):
        step = f"training_credits:purchase-{name}"
        address = reverse(step, args=[self.course.training.pk, *args])
        return self.learner.client.post(address, {"next": self.course.url, **data})

    def page(self):
        return text_of(self.learner.client.get(self.course.url))

    def confirm(self, page):
        self.post("confirm", shown_in(page))
        return words(self.page())


@pytest.fixture
def on_page(course, code):
    found = OnPage(course)
    found.post("apply", {"code": TEXT})
    return found


def test_another_code_on_the_course_page_is_shown_first(on_page, code):
    other = make_code(100, text=OTHER)
    first_tab = on_page.page()
    on_page.post("remove", {}, code.pk)
    on_page.post("apply", {"code": OTHER})

    assert OTHER_PRICE in on_page.confirm(first_tab)
    assert (code.balance(), other.balance()) == (100, 100)
    on_page.confirm(on_page.page())
    assert other.balance() == 80


def test_shorter_access_on_the_course_page_is_shown_first(on_page, course, code):
    first_tab = on_page.page()
    sell_as_training(course.product, credits=20, access_days=3)

    assert OTHER_PRICE in on_page.confirm(first_tab)
    assert code.balance() == 100


def test_the_same_course_for_less_is_bought_on_its_page(on_page, course, code):
    first_tab = on_page.page()
    sell_as_training(course.product, credits=15)

    on_page.confirm(first_tab)

    assert code.balance() == 85


def test_a_code_swapped_at_the_last_moment_is_not_taken_on_the_page(
    on_page, code, monkeypatch
):
    other = make_code(100, text=OTHER)
    lock = creator.lock_basket

    def swap_and_lock(basket):
        now = lock(basket)
        remove_code(code.pk, basket=basket)
        apply_code(
            OTHER,
            basket=basket,
            items=items_of(basket),
            requester=None,
            learner=on_page.learner.user,
        )
        return now

    monkeypatch.setattr(creator, "lock_basket", swap_and_lock)

    assert OTHER_PRICE in on_page.confirm(on_page.page())
    assert (code.balance(), other.balance()) == (100, 100)
