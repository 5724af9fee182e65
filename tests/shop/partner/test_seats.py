"""Seats: what there are only so many of is sold so many times."""

from __future__ import annotations

import pytest
from django.urls import reverse
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access, Redemption
from oscar_training_credits.shop.checkout import views
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.shop.order import creator, refunds
from oscar_training_credits.shop.partner import stock
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.gateways import Gateway, install
from ...support.orders import basket_with_codes, place, place_order
from ...support.pages import make_course
from ...support.racing import Meeting, at_once, told
from ...support.shop import Learner, errors, shown_in, text_of, words

Basket = get_model("basket", "Basket")
EventHandler = get_class("order.processing", "EventHandler")
Order = get_model("order", "Order")
StockRecord = get_model("partner", "StockRecord")
ProductClass = get_model("catalogue", "ProductClass")

TEXT = "ACME-TEAM-2026"
LEARNERS = 6
SOLD_OUT = "is sold out"


@pytest.fixture
def code():
    return make_code(1000, text=TEXT)


def make_seats(number, **terms):
    training = make_training(**{"credits": 20, **terms})
    ProductClass.objects.update(track_stock=True)
    training.product.stockrecords.update(num_in_stock=number)
    return training


def seats_taken(training):
    return training.product.stockrecords.get().num_allocated or 0


@pytest.mark.django_db
@pytest.mark.any_database
class TestOneByOne:
    def test_two_that_were_both_there_are_not_both_sold(self, code):
        training = make_seats(1)
        first, second = (
            basket_with_codes(make_learner(), (training.product, 1), texts=[TEXT])
            for _ in range(2)
        )

        place(first, first.owner)
        with pytest.raises(OrderRefused, match=SOLD_OUT):
            place(second, second.owner)

        assert (Order.objects.count(), code.balance()) == (1, 980)
        assert seats_taken(training) == 1

    def test_no_more_places_than_there_are_seats(self, code, settings):
        settings.TRAINING_CREDITS_MOST_PLACES = 9
        training = make_seats(5)
        many = basket_with_codes(make_learner(), (training.product, 4), texts=[TEXT])
        place_order(make_learner(), (training.product, 2), text=TEXT)

        with pytest.raises(OrderRefused, match="Too few are left"):
            place(many, many.owner)

        assert seats_taken(training) == 2

    def test_training_that_does_not_track_stock_is_never_sold_out(self, code):
        training = make_training(credits=20)
        training.product.stockrecords.update(num_in_stock=0)

        place_order(make_learner(), (training.product, 1), text=TEXT)

        assert Order.objects.exists()

    @pytest.mark.urlconf("tests.support.gateways")
    def test_nobody_is_charged_for_a_seat_that_is_gone(self, monkeypatch):
        gateway = install(monkeypatch, Gateway())
        training = make_seats(1, credits=None, price="240.00")
        learner = Learner(make_learner())
        learner.add(training.product)
        page = learner.preview()
        submit = views.PaymentDetailsViewMixin.submit

        def sell_then_submit(view, *args, **kwargs):
            StockRecord.objects.update(num_allocated=1)
            return submit(view, *args, **kwargs)

        name = "submit"
        monkeypatch.setattr(views.PaymentDetailsViewMixin, name, sell_then_submit)
        refused = learner.place(page)

        assert SOLD_OUT in errors(refused)
        assert gateway.charged == []
        assert Basket.objects.get(owner=learner.user).status == Basket.OPEN


# A seat comes back


@pytest.fixture
def handler(monkeypatch):
    """A site whose `EventHandler` gives stock back itself, before or after."""

    def install(moment):
        def change(self, order, new_status, note_msg=None):
            if moment == "before":
                self.cancel_stock_allocations(order)
            order.set_status(new_status)
            if moment == "after":
                self.cancel_stock_allocations(order)

        monkeypatch.setattr(EventHandler, "handle_order_status_change", change)

    return install


@pytest.mark.django_db
@pytest.mark.any_database
class TestSeatComesBack:
    @pytest.mark.parametrize("paid", ["credits", "money"])
    @pytest.mark.parametrize("own", ["no", "before", "after"])
    def test_by_a_status_once(self, code, handler, paid, own):
        training = make_seats(9)
        other = place_order(make_learner(), (training.product, 1), text=TEXT)
        text = TEXT if paid == "credits" else None
        order = place_order(make_learner(), (training.product, 1), text=text)
        handler(own)

        change_status(order, "Cancelled")
        refunds.cancel_lines(order.lines.all(), idempotency_key="again")

        assert seats_taken(training) == 1
        assert other.lines.get().num_allocated == 1
        line = order.lines.get()
        assert (line.num_allocated, line.allocation_cancelled) == (0, True)

    def test_by_units(self, code, settings):
        settings.TRAINING_CREDITS_MOST_PLACES = 9
        training = make_seats(9)
        order = place_order(make_learner(), (training.product, 5), text=TEXT)
        line = order.lines.get()

        for _again in range(2):
            api.refund_lines([(line, 2)], idempotency_key="first")
        assert seats_taken(training) == 3

        api.refund_order(order, idempotency_key="rest")
        assert seats_taken(training) == 0

    def test_of_a_line_that_two_codes_paid(self, code, settings):
        settings.TRAINING_CREDITS_MOST_PLACES = 9
        make_code(30, text="ACME-OTHER-2026")
        training = make_seats(9)
        texts = ["ACME-OTHER-2026", TEXT]
        order = place_order(make_learner(), (training.product, 5), texts=texts)

        api.refund_lines([(order.lines.get(), 4)], idempotency_key="a")

        assert seats_taken(training) == 1

    def test_not_what_has_been_shipped(self, code):
        training = make_seats(9)
        place_order(make_learner(), (training.product, 1), text=TEXT)
        order = place_order(make_learner(), (training.product, 1), text=TEXT)
        EventHandler().consume_stock_allocations(order)

        api.refund_order(order, idempotency_key="a")

        record = training.product.stockrecords.get()
        assert (record.num_in_stock, record.num_allocated) == (8, 1)

    def test_not_while_access_goes_on(self, code, settings):
        settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = False
        training = make_seats(9)
        order = place_order(make_learner(), (training.product, 1), text=TEXT)

        api.refund_order(order, idempotency_key="a")

        assert seats_taken(training) == 1

    def test_and_is_sold_again(self, code):
        training = make_seats(1)
        order = place_order(make_learner(), (training.product, 1), text=TEXT)
        api.refund_order(order, idempotency_key="a")

        place_order(make_learner(), (training.product, 1), text=TEXT)

        assert seats_taken(training) == 1

    def test_of_ordinary_goods_is_the_sites_business(self, code):
        training = make_seats(9)
        book = make_product()
        book.stockrecords.update(num_in_stock=9)
        lines = (training.product, 1), (book, 1)
        order = place_order(make_learner(), *lines, text=TEXT)

        change_status(order, "Cancelled")

        assert seats_taken(training) == 0
        assert book.stockrecords.get().num_allocated == 1


def change_status(order, status):
    EventHandler().handle_order_status_change(order, status)


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("paid", ["credits", "money"])
def test_a_seat_comes_back_once_however_many_ask(code, paid):
    training = make_seats(9)
    place_order(make_learner(), (training.product, 1), text=TEXT)
    text = TEXT if paid == "credits" else None
    order = place_order(make_learner(), (training.product, 1), text=text)

    def cancel(idempotency_key):
        return lambda: refunds.cancel_lines(
            order.lines.all(), idempotency_key=idempotency_key
        )

    at_once([cancel(f"cause {number}") for number in range(LEARNERS)])

    assert seats_taken(training) == 1
    assert list(api.audit()) == []


# Many at once


def at_the_checkout(training):
    learner = Learner(make_learner())
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()
    return lambda: told(learner.place(page)).errors


def on_the_page(training):
    course = make_course(training.product, credits=20)
    confirm = reverse("training_credits:purchase-confirm", args=[training.pk])
    apply = reverse("training_credits:purchase-apply", args=[training.pk])

    def ready():
        learner = Learner(make_learner())
        learner.client.post(apply, {"code": TEXT, "next": course.url})
        form = shown_in(text_of(learner.client.get(course.url)))

        def click():
            answer = learner.client.post(confirm, {**form, "next": course.url})
            return words(text_of(learner.client.get(answer.url)))

        return click

    return ready


WAYS = {
    "at the checkout": lambda training: lambda: at_the_checkout(training),
    "on the page": on_the_page,
}


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_last_seat_is_sold_once(code, way):
    training = make_seats(1)
    ready = way(training)

    answers = at_once([ready() for _ in range(LEARNERS)])

    assert (Order.objects.count(), code.balance()) == (1, 980)
    assert Access.objects.count() == Redemption.objects.count() == 1
    assert seats_taken(training) == 1
    assert sum(SOLD_OUT in answer for answer in answers) == LEARNERS - 1
    assert list(api.audit()) == []


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_control_without_its_lock_the_last_seat_is_sold_often(code, way, monkeypatch):
    training = make_seats(1)
    ready = way(training)
    all_have_read = Meeting(LEARNERS)

    def read_together(pks):
        records = {each.pk: each for each in StockRecord.objects.filter(pk__in=pks)}
        all_have_read()
        return records

    # Nor that of the one code, which would let them in one after the other.
    monkeypatch.setattr(stock, "locked_records", read_together)
    refuse = creator.refuse_out_of_stock
    monkeypatch.setattr(creator, "refuse_out_of_stock", lambda basket: None)
    lock = creator.lock_basket

    def ask_first(basket):
        refuse(basket)
        return lock(basket)

    monkeypatch.setattr(creator, "lock_basket", ask_first)

    at_once([ready() for _ in range(LEARNERS)])

    assert Order.objects.count() > 1
