"""Training by django-oscar-api: codes, the basket, and the checkout."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_class, get_model
from oscarapi.signals import oscarapi_post_checkout

from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.models import (
    Access,
    AppliedCode,
    LedgerEntry,
    Redemption,
)
from oscar_training_credits.rest.checkout import CheckoutSerializerMixin
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.order import confirmed as order_confirmed
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.orders import place
from ..support.racing import Meeting, at_once
from ..support.shop import Learner

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")
ShippingAddress = get_model("order", "ShippingAddress")

pytestmark = [pytest.mark.django_db, pytest.mark.urlconf("tests.api_urls")]

TEXT = "ACME-TEAM-2026"
NEEDS_20 = (
    "This order needs 20 credits. Enter a code, or ask your learning administrator for"
    " one."
)
CHANGED = "A price or a code has changed. Check the order before you confirm it."


class Caller(Learner):
    """A learner, or a guest, who sends JSON."""

    def send(self, name: str, *args: Any, method: str = "post", **data: Any) -> Any:
        call = getattr(self.client, method)
        return call(reverse(name, args=args), data, content_type="application/json")

    def put_in(self, product: Any, quantity: int = 1) -> Any:
        url = reverse("product-detail", args=[product.pk])
        return self.send("api-basket-add-product", url=url, quantity=quantity)

    def type(self, text: Any) -> Any:
        return self.send("api-basket-add-voucher", vouchercode=text)

    def basket(self) -> dict[str, Any]:
        return dict(self.client.get(reverse("api-basket")).json())

    def lines(self) -> list[dict[str, Any]]:
        return list(self.client.get(self.basket()["lines"]).json())

    def check_out(self, basket_id: int | None = None, **data: Any) -> Any:
        basket_id = basket_id or self.basket()["id"]
        url = reverse("basket-detail", args=[basket_id])
        return self.send(data.pop("to", "api-checkout"), basket=url, **data)


@pytest.fixture
def learner() -> Caller:
    return Caller(make_learner())


@pytest.fixture
def guest(settings) -> Caller:
    settings.OSCAR_ALLOW_ANON_CHECKOUT = True
    return Caller()


@pytest.fixture
def training():
    return make_training(credits=20, price=None, credit_only=True)


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def ready(learner, training, code) -> Caller:
    """A learner with a credit-only course in the basket, and the code applied."""
    learner.put_in(training.product)
    assert learner.type(TEXT).status_code == 200
    return learner


def nothing_happened() -> bool:
    written = (Order, Redemption, Access, ShippingAddress)
    return not any(model.objects.exists() for model in written)


# A credit-only line never leaves unpaid


@pytest.mark.parametrize("checkout", ["api-checkout", "unwired"])
def test_a_credit_only_course_without_a_code_is_refused(learner, training, checkout):
    learner.put_in(training.product)

    response = learner.check_out(to=checkout)

    assert response.status_code == 406
    assert NEEDS_20 in str(response.json())
    assert nothing_happened()
    assert Basket.objects.get(owner=learner.user).status == Basket.OPEN


@pytest.mark.parametrize("checkout", ["api-checkout", "unwired"])
def test_a_code_that_does_not_reach_is_no_payment(learner, training, checkout):
    code = make_code(15, text=TEXT)
    learner.put_in(training.product)
    learner.type(TEXT)

    response = learner.check_out(to=checkout)

    assert response.status_code == 406
    assert "5 credits" in str(response.json())
    assert (nothing_happened(), code.balance()) == (True, 15)


@pytest.mark.parametrize("checkout", ["api-checkout", "unwired"])
def test_the_last_seat_is_sold_once(learner, training, code, checkout):
    product = training.product
    product.product_class.track_stock = True
    product.product_class.save()
    product.stockrecords.update(num_in_stock=1)
    late = Caller(make_learner())
    for each in (learner, late):
        each.put_in(product)
        each.type(TEXT)
    learner.check_out(to=checkout)

    response = late.check_out(to=checkout)

    assert response.status_code == 406
    assert [order.user for order in Order.objects.all()] == [learner.user]
    assert (code.balance(), product.stockrecords.get().net_stock_level) == (80, 0)
    assert "sold out" in str(response.json())


@pytest.mark.parametrize("checkout", ["api-checkout", "unwired"])
def test_a_guest_is_not_sold_training(guest, training, code, checkout):
    guest.put_in(training.product)
    guest.type(TEXT)

    response = guest.check_out(to=checkout, guest_email="guest@example.com")

    assert response.status_code == 406
    assert "Log in or register to buy training." in str(response.json())
    assert (nothing_happened(), code.balance()) == (True, 100)


def test_a_refusal_leaves_no_address_behind(learner, training):
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="GB", printable_name="GB", is_shipping_country=True
    )
    learner.put_in(training.product)
    address = {
        "first_name": "Ann",
        "last_name": "Lee",
        "line1": "1 High Street",
        "line4": "York",
        "postcode": "YO1 7HH",
        "country": reverse("country-detail", args=["GB"]),
    }

    response = learner.check_out(shipping_address=address)

    assert NEEDS_20 in str(response.json())
    assert nothing_happened()


# A line that is paid


@pytest.mark.parametrize("checkout", ["api-checkout", "unwired"])
def test_with_a_code_it_is_one_order_one_debit_and_access(ready, code, checkout):
    response = ready.check_out(to=checkout)

    assert response.status_code == 200
    order = Order.objects.get()
    assert response.json()["number"] == order.number
    assert order.total_incl_tax == 0
    assert (order.user, Access.objects.get().learner) == (ready.user, ready.user)
    assert Redemption.objects.get().order == order
    assert code.balance() == 80
    assert list(audit()) == []


def test_the_answer_says_how_many_credits_it_took(ready):
    order = ready.check_out().json()

    [line] = ready.client.get(order["lines"]).json()
    assert (order["credits"], line["credits"]) == (20, 20)
    assert order["total_incl_tax"] == "0.00"


def test_a_class_of_the_site_is_extended_and_not_replaced(ready):
    order = ready.check_out().json()

    assert (order["thanks"], order["credits"]) == ("See you in class.", 20)


def test_credits_and_money_pay_one_order(ready, code):
    ready.put_in(make_product("Handbook", "25.00"))

    response = ready.check_out(total="25.00", credits=20)

    assert response.json()["total_incl_tax"] == "25.00"
    assert response.json()["credits"] == 20
    assert (Order.objects.count(), code.balance()) == (1, 80)


def test_an_ordinary_order_is_as_it_was(learner):
    learner.put_in(make_product("Handbook", "25.00"))

    response = learner.check_out(total="25.00")

    assert (response.status_code, response.json()["credits"]) == (200, 0)
    basket = Basket.objects.get(order=Order.objects.get())
    assert basket.status == Basket.FROZEN


def test_a_guest_still_buys_a_book(guest):
    guest.put_in(make_product("Handbook", "25.00"))

    response = guest.check_out(guest_email="guest@example.com")

    assert response.status_code == 200


def test_a_site_without_basket_middleware_sells_training(ready, code, settings):
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if "BasketMiddleware" not in name
    ]
    other = Caller(make_learner())
    other.put_in(make_training(credits=30).product)

    assert other.type(TEXT).status_code == 200
    assert other.check_out().json()["credits"] == 30
    assert code.balance() == 70


# Access begins with the order, which django-oscar-api lets be paid afterwards


def test_training_that_nobody_has_paid_is_not_opened(learner):
    learner.put_in(make_training(price="240.00", credits=20).product)

    response = learner.check_out(total="240.00")

    assert response.status_code == 406
    assert "Training can be ordered here with credits only." in str(response.json())
    assert nothing_happened()


def test_credits_for_one_course_do_not_open_another(ready, code):
    ready.put_in(make_training(price="240.00", credits=None).product)

    response = ready.check_out()

    assert response.status_code == 406
    assert (nothing_happened(), code.balance()) == (True, 100)


def test_a_site_that_is_paid_first_sells_training_for_money(ready, settings):
    settings.TRAINING_CREDITS_API_IS_PAID_FIRST = True
    ready.put_in(make_training(price="240.00", credits=None).product)

    response = ready.check_out(total="240.00")

    assert response.status_code == 200
    assert Access.objects.filter(learner=ready.user).count() == 2


def test_training_that_costs_nothing_needs_no_payment(learner):
    learner.put_in(make_training(price="0.00", credits=None).product)

    assert learner.check_out().status_code == 200
    assert Access.objects.filter(learner=learner.user).exists()


# Tried again


def test_a_checkout_that_is_sent_again_shows_the_first_order(ready, code):
    basket_id = ready.basket()["id"]
    first = ready.check_out(basket_id).json()

    again = ready.check_out(basket_id)

    assert (again.status_code, again.json()) == (200, first)
    assert (Order.objects.count(), code.balance()) == (1, 80)
    assert LedgerEntry.objects.filter(kind=LedgerEntry.Kind.REDEEM).count() == 1


def test_unwired_it_takes_nothing_again(ready, code):
    basket_id = ready.basket()["id"]
    ready.check_out(basket_id, to="unwired")

    again = ready.check_out(basket_id, to="unwired")

    assert again.status_code in {401, 406}
    assert (Order.objects.count(), code.balance()) == (1, 80)


def test_the_order_of_somebody_else_is_not_shown(ready):
    basket_id = ready.basket()["id"]
    ready.check_out(basket_id)

    for other in (Caller(make_learner()), Caller()):
        assert other.check_out(basket_id).status_code == 401


def test_the_basket_is_submitted_and_stays_so(ready):
    ready.check_out()

    basket = Basket.objects.get(order=Order.objects.get())
    assert basket.status == Basket.SUBMITTED
    assert basket.date_submitted is not None


@pytest.mark.parametrize("signal", [order_placed, oscarapi_post_checkout])
def test_a_receiver_that_fails_afterwards_loses_and_repeats_nothing(
    ready, code, signal
):
    basket_id = ready.basket()["id"]
    ready.client.raise_request_exception = False

    def fail(sender, **kwargs):
        raise RuntimeError("A receiver of the site has a mistake.")

    signal.connect(fail)
    try:
        ready.check_out(basket_id)
    finally:
        signal.disconnect(fail)
    again = ready.check_out(basket_id)

    assert again.json()["number"] == Order.objects.get().number
    assert code.balance() == 80
    assert Basket.objects.get(pk=basket_id).status == Basket.SUBMITTED


TWINS = 4


@pytest.fixture
def twins(ready, monkeypatch):
    """Send the same checkout from four threads that have all validated it."""
    meeting, validate = Meeting(TWINS), CheckoutSerializerMixin.refuse_unpaid

    def validate_and_wait(self, *args):
        validate(self, *args)
        meeting()

    monkeypatch.setattr(CheckoutSerializerMixin, "refuse_unpaid", validate_and_wait)
    basket_id = ready.basket()["id"]
    callers = [Caller(ready.user) for _twin in range(TWINS)]
    return [lambda caller=caller: caller.check_out(basket_id) for caller in callers]


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_twins_are_all_shown_the_one_order(twins, code):
    answers = at_once(twins)

    assert [answer.status_code for answer in answers] == [200] * TWINS
    assert len({answer.json()["number"] for answer in answers}) == 1
    assert (Order.objects.count(), code.balance()) == (1, 80)
    assert Basket.objects.get(order=Order.objects.get()).status == Basket.SUBMITTED


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_without_the_look_for_a_twins_order_all_but_one_are_refused(
    twins, code, monkeypatch
):
    monkeypatch.delattr(CheckoutSerializerMixin, "create")

    answers = at_once(twins)

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [406] * (TWINS - 1)
    assert (Order.objects.count(), code.balance()) == (1, 80)


def test_no_order_is_written_beside_a_payment_under_way(ready, code):
    """The money of that payment would find the basket ordered, and be lost."""
    basket = Basket.objects.get(owner=ready.user)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy()
    Basket.objects.update(status=Basket.FROZEN)

    with pytest.raises(ValueError, match="being placed already"):
        place(basket, ready.user)

    assert (nothing_happened(), code.balance()) == (True, 100)


# What was shown before


def test_another_basket_than_was_shown_is_not_ordered_unseen(ready, training, code):
    before = ready.basket()[order_confirmed.FIELD]
    other = make_training("Other", credits=20, price=None, credit_only=True)
    Basket.objects.get(owner=ready.user).lines.update(
        product=other.product, line_reference="other"
    )

    refused = ready.check_out(**{order_confirmed.FIELD: before})
    forged = ready.check_out(**{order_confirmed.FIELD: before[:-1]})
    confirmed = ready.check_out(
        **{order_confirmed.FIELD: ready.basket()[order_confirmed.FIELD]}
    )

    answers = (refused, forged, confirmed)
    assert [answer.status_code for answer in answers] == [406, 406, 200]
    assert "The order has changed" in str(refused.json())
    assert code.balance() == 80


def test_a_dearer_price_is_not_charged_unseen(ready, training, code):
    sell_as_training(training.product, credits=35, credit_only=True)

    refused = ready.check_out(credits=20)
    confirmed = ready.check_out(credits=35)

    assert (refused.status_code, confirmed.status_code) == (406, 200)
    assert refused.json() == {"non_field_errors": [CHANGED]}
    assert code.balance() == 65


def test_a_cheaper_price_takes_less(ready, training, code):
    sell_as_training(training.product, credits=5, credit_only=True)

    assert ready.check_out(credits=20).json()["credits"] == 5
    assert code.balance() == 95


def test_a_code_disabled_after_it_was_applied_pays_for_nothing(ready, code):
    set_state(code, "disabled")

    response = ready.check_out()

    assert NEEDS_20 in str(response.json())
    assert (nothing_happened(), code.balance()) == (True, 100)


# Codes


def test_a_code_is_applied_and_says_what_it_leaves(learner, training, code):
    learner.put_in(training.product)

    answer = learner.type(TEXT.lower()).json()

    assert answer["message"] == ("100 credits available, 80 left after this purchase.")
    assert answer["credits"] == {
        "asked": 20,
        "taken": 20,
        "missing": 0,
        "notice": "",
        "codes": [
            {"id": code.pk, "name": str(code), "taken": 20, "left": 80, "refusal": ""}
        ],
    }


def test_a_code_that_is_too_small_is_applied_and_says_what_is_missing(
    learner, training
):
    make_code(15, text=TEXT)
    learner.put_in(training.product)

    response = learner.type(TEXT)

    credits = response.json()["credits"]
    assert response.status_code == 200
    assert (credits["taken"], credits["missing"]) == (0, 5)
    assert "5 credits" in response.json()["message"]
    assert credits["notice"] == response.json()["message"]


def test_two_codes_make_up_the_price_together(learner, training):
    make_code(15, text=TEXT)
    make_code(9, text="ACME-MORE-2026")
    learner.put_in(training.product)
    learner.type(TEXT)

    learner.type("ACME-MORE-2026")

    assert learner.check_out().status_code == 200
    assert Redemption.objects.count() == 2


def test_the_basket_shows_the_codes_and_what_its_lines_cost(ready):
    ready.put_in(make_product("Handbook", "25.00"))

    basket = ready.basket()

    listed = ready.client.get(reverse("training_credits_api:codes")).json()
    lines = [(line["credits"], line["is_covered"]) for line in ready.lines()]
    assert basket["credits"] == listed
    assert (listed["taken"], len(listed["codes"])) == (20, 1)
    assert basket["total_incl_tax"] == "25.00"
    assert lines == [(20, True), (None, False)]


def test_a_line_paid_in_credits_has_not_become_cheaper(learner, code):
    learner.put_in(make_training(price="240.00", credits=20).product)
    learner.type(TEXT)

    [line] = learner.lines()

    assert (line["credits"], line["warning"]) == (20, None)


def test_an_empty_basket_has_no_codes(learner):
    assert learner.basket()["credits"]["codes"] == []


def test_a_code_is_taken_off(ready, code, voucher):
    ready.put_in(make_product("Handbook", "25.00"))
    ready.type("SPRING10")
    address = reverse("training_credits_api:code", args=[code.pk])

    response = ready.client.delete(address)

    assert (response.json()["codes"], response.json()["taken"]) == ([], 0)
    assert ready.client.delete(address).status_code == 404
    assert ready.check_out().status_code == 406


def test_nobody_takes_a_code_off_the_basket_of_another(ready, code):
    address = reverse("training_credits_api:code", args=[code.pk])

    assert Caller(make_learner()).client.delete(address).status_code == 404
    assert AppliedCode.objects.filter(code=code).exists()


def test_a_guests_code_comes_along_at_log_in(training, code):
    guest, user = Caller(), make_learner()
    guest.put_in(training.product)
    guest.type(TEXT)

    guest.send("api-login", username=user.email, password="password")

    assert guest.basket()["credits"]["taken"] == 20
    assert guest.check_out().status_code == 200


def test_a_voucher_is_applied_as_before(learner, voucher):
    learner.put_in(make_product("Handbook", "25.00"))

    response = learner.type("spring10")

    assert (response.status_code, response.json()["code"]) == (200, "SPRING10")
    assert learner.basket()["total_incl_tax"] == "22.50"


def test_a_credit_only_product_costs_credits_and_not_nothing(learner, training):
    price = reverse("product-price", args=[training.product.pk])

    assert learner.client.get(price).json()["credits"] == 20


# Refusals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "may not be blank"),
        (None, "may not be null"),
        (["A"], "Not a valid string"),
        ("A\0B", "Null characters are not allowed"),
        ("\ud800", "surrogate"),
        ("-", "code"),
        ("x" * 5000, "code"),
    ],
    ids=["blank", "null", "list", "nul", "surrogate", "nothing but a dash", "long"],
)
def test_what_is_no_code_is_refused_politely(learner, training, text, said):
    learner.put_in(training.product)

    response = learner.type(text)

    assert response.status_code == 406
    assert said.lower() in str(response.json()).lower()


@pytest.mark.parametrize("body", ["[]", "1", '"x"'])
def test_a_body_that_is_no_object_is_refused(learner, body):
    address = reverse("api-basket-add-voucher")

    response = learner.client.post(address, body, content_type="application/json")

    assert response.status_code == 406


def test_unknown_and_secret_codes_get_the_same_answer(learner, training):
    set_state(make_code(100, text="DISABLED-CODE-1"), "disabled")
    make_code(100, text="SOMEBODY-ELSES-1", learners=[make_learner()])
    learner.put_in(training.product)

    answers = [
        learner.type(text)
        for text in ("NO-SUCH-CODE-1", "DISABLED-CODE-1", "SOMEBODY-ELSES-1")
    ]

    assert {answer.status_code for answer in answers} == {406}
    assert len({answer.content for answer in answers}) == 1


def test_the_answer_is_the_one_of_the_shop(learner, training, code):
    code.grants.update(expires_at=timezone.now())
    learner.put_in(training.product)

    assert learner.type(TEXT).json() == {"reason": learner.apply(TEXT)}


def test_wrong_codes_are_counted_together_with_those_of_the_shop(
    new_hour, learner, training, code, settings
):
    settings.TRAINING_CREDITS_THROTTLE = {"learner": "2/h"}
    learner.put_in(training.product)
    learner.type("WRONG-CODE-1")
    learner.apply("WRONG-CODE-2")

    response = learner.type(TEXT)

    assert "Wait 60 minutes" in response.json()["reason"]
    assert not AppliedCode.objects.exists()


def test_a_stranger_without_cookies_is_counted_by_network(
    new_hour, training, code, settings
):
    settings.TRAINING_CREDITS_THROTTLE = {"network": "3/h"}
    for number in range(3):
        Caller().type(f"WRONG-CODE-{number}")
    stranger = Caller()
    stranger.put_in(training.product)

    assert "log in" in stranger.type(TEXT).json()["reason"].lower()


def test_a_code_is_in_no_answer_log_or_session(learner, training, code, caplog):
    caplog.set_level(logging.DEBUG)
    learner.put_in(training.product)

    answers = [learner.type(TEXT), learner.type(TEXT), learner.type("ACME-WRONG-77")]

    seen = caplog.text + str(dict(learner.client.session.items()))
    seen += "".join(answer.content.decode() for answer in answers)
    assert TEXT not in seen
    assert "ACME-WRONG-77" not in seen


@pytest.mark.parametrize("form", [{}, {"content_type": "application/json"}], ids=str)
def test_an_error_report_holds_no_code(learner, training, code, settings, form):
    settings.TRAINING_CREDITS_CODE_RULES = ["tests.support.broken.rule"]
    learner.put_in(training.product)
    learner.client.raise_request_exception = False
    reports = []

    def report(sender, request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    got_request_exception.connect(report)
    try:
        address = reverse("api-basket-add-voucher")
        learner.client.post(address, {"vouchercode": TEXT}, **form)
    finally:
        got_request_exception.disconnect(report)

    [page] = reports
    assert "read_code" in page
    assert "A rule of the site has a mistake" in page
    assert TEXT not in page
