"""Access that opens when its order is paid, as the site's own statuses say."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import granting, opening
from oscar_training_credits.credits.models import (
    Access,
    CreditCode,
    DueAccess,
    Place,
    TrainingProduct,
)
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.pages import make_course
from ...support.racing import PATIENCE, at_once, until_somebody_waits
from ...support.shop import text_of

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

DAY = timedelta(days=1)
TEXT = "ACME-TEAM-2026"
STEPS = {
    "Pending": ("Paid", "Cancelled", "Declined"),
    "Declined": ("Pending", "Cancelled"),
    "Paid": ("Shipped", "Cancelled"),
    "Shipped": (),
    "Cancelled": (),
}


@pytest.fixture(autouse=True)
def pays_later(settings, monkeypatch):
    """A site whose orders are written first and paid afterwards."""
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid", "Shipped"]
    settings.OSCAR_INITIAL_ORDER_STATUS = "Pending"
    monkeypatch.setattr(Order, "pipeline", STEPS)
    monkeypatch.setattr(Order, "cascade", {})


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def course():
    """For 20 credits or £240."""
    return make_training(credits=20, price="240.00")


def order_of(learner: Any, *trainings: TrainingProduct, quantity: int = 1) -> Any:
    lines = [(training.product, quantity) for training in trainings]
    return place_order(learner, *lines)


def findings() -> list[str]:
    return [str(finding) for finding in audit()]


def test_access_waits_until_the_order_is_paid(learner, course):
    order = order_of(learner, course)

    assert not api.has_access(learner, course)
    assert DueAccess.objects.get().order_line == order.lines.get()

    order.set_status("Paid")

    assert api.has_access(learner, course)
    assert Access.objects.get().order_line == order.lines.get()
    assert not DueAccess.objects.exists()
    assert "Opened" in order.notes.get().message
    assert findings() == []


def test_without_the_setting_access_opens_with_the_order(settings, learner, course):
    settings.TRAINING_CREDITS_PAID_STATUSES = []

    order_of(learner, course)

    assert api.has_access(learner, course)
    assert not DueAccess.objects.exists()


def test_an_order_written_as_paid_opens_at_once(settings, learner, course):
    settings.OSCAR_INITIAL_ORDER_STATUS = "Paid"

    order_of(learner, course)

    assert api.has_access(learner, course)


def test_nothing_waits_where_credits_pay_for_all(learner, course):
    make_code(100, text=TEXT)

    place_order(learner, (course.product, 1), text=TEXT)

    assert api.has_access(learner, course)
    assert findings() == []


def test_credits_beside_money_wait_for_the_money(learner, course):
    make_code(20, text=TEXT)
    other = make_training(credits=20, price="90.00")
    lines = [(course.product, 1), (other.product, 1)]

    order = place_order(learner, *lines, text=TEXT)

    assert DueAccess.objects.count() == 2
    assert findings() == []
    order.set_status("Paid")
    assert api.has_access(learner, course)
    assert api.has_access(learner, other)
    assert findings() == []


def test_a_status_saved_in_the_admin_opens_too(learner, course):
    order = order_of(learner, course)

    order.status = "Paid"
    order.save()

    assert api.has_access(learner, course)


def test_a_status_set_by_an_update_is_found_afterwards(learner, course):
    order = order_of(learner, course)
    Order.objects.filter(pk=order.pk).update(status="Shipped")

    assert any(f"Order line {order.lines.get().pk} " in each for each in findings())
    opened = api.open_paid()

    assert opened == [order.lines.get()]
    assert api.has_access(learner, course)
    assert api.open_paid() == []
    assert findings() == []


def test_what_still_waits_opens_where_the_setting_is_taken_back(
    settings, learner, course
):
    order_of(learner, course)
    settings.TRAINING_CREDITS_PAID_STATUSES = []

    api.open_paid()

    assert api.has_access(learner, course)


def test_what_nobody_has_paid_is_not_opened_by_the_command(learner, course):
    order = order_of(learner, course)
    order.set_status("Declined")

    assert api.open_paid() == []
    assert not api.has_access(learner, course)


def test_a_declined_order_opens_once_another_try_is_paid(learner, course):
    order = order_of(learner, course)
    for status in ("Declined", "Pending"):
        order.set_status(status)
        assert not api.has_access(learner, course)

    order.set_status("Paid")
    order.set_status("Shipped")

    assert Access.objects.count() == 1


def test_the_period_counts_from_the_payment_on_the_terms_of_the_order(learner):
    bought = make_training(credits=None, price="240.00", access_days=30)
    order = order_of(learner, bought)
    sell_as_training(bought.product, credits=None, access_days=5)
    paid_at = timezone.now() + 10 * DAY

    with time_machine.travel(paid_at, tick=False):
        order.set_status("Paid")

    access = Access.objects.get()
    assert access.starts_at == paid_at
    assert access.ends_at == access.starts_at + 30 * DAY


def test_access_that_runs_at_the_payment_is_carried_on(learner):
    bought = make_training(credits=None, price="240.00", access_days=30)
    order = order_of(learner, bought)
    given = api.give_access(learner, bought, reason="Meanwhile")

    order.set_status("Paid")

    access = Access.objects.get(order_line__isnull=False)
    assert access.starts_at == given.ends_at


@pytest.mark.parametrize("text", ["", TEXT])
def test_a_cancelled_order_opens_nothing(learner, course, text):
    make_code(20, text=TEXT)
    other = make_training(credits=20, price="90.00")
    lines = [(course.product, 1), (other.product, 1)]
    order = place_order(learner, *lines, text=text)

    order.set_status("Cancelled")

    assert not DueAccess.objects.exists()
    assert CreditCode.objects.get().balance() == 20
    assert "will not open" in order.notes.get().message
    opening.open_due(order)
    assert not Access.objects.exists()
    assert findings() == []


@pytest.mark.parametrize("named", [[], ["Paid"]])
def test_an_order_written_as_declined_opens_nothing(settings, learner, course, named):
    settings.TRAINING_CREDITS_PAID_STATUSES = named
    settings.TRAINING_CREDITS_REFUND_STATUSES = ["Cancelled", "Declined"]
    settings.OSCAR_INITIAL_ORDER_STATUS = "Declined"
    code = make_code(100, text=TEXT)

    place_order(learner, (course.product, 1), text=TEXT)

    assert not api.has_access(learner, course)
    assert not DueAccess.objects.exists()
    assert code.balance() == 100
    assert findings() == []


def test_credits_whose_code_has_expired_keep_nothing_waiting(settings, learner, course):
    settings.TRAINING_CREDITS_REFUND_GRACE_DAYS = None
    make_code(20, text=TEXT, expires_at=timezone.now() + DAY)
    other = make_training(credits=20, price="90.00")
    order = place_order(learner, (course.product, 1), (other.product, 1), text=TEXT)

    with time_machine.travel(timezone.now() + 2 * DAY):
        order.set_status("Cancelled")

    assert not DueAccess.objects.exists()


@pytest.mark.parametrize("ends_access", [True, False])
def test_staff_give_credits_back_for_what_waits(settings, learner, course, ends_access):
    settings.TRAINING_CREDITS_REFUND_ENDS_ACCESS = ends_access
    code = make_code(20, text=TEXT)
    other = make_training(credits=20, price="90.00")
    order = place_order(learner, (course.product, 1), (other.product, 1), text=TEXT)
    line = order.lines.get(product=course.product)

    outcome = api.refund_lines([(line, 1)], idempotency_key="staff")

    assert outcome.dropped == (line.pk,)
    assert code.balance() == 20
    order.set_status("Paid")
    assert not api.has_access(learner, course)
    assert api.has_access(learner, other)
    assert findings() == []


def test_several_places_wait_and_those_refunded_do_not_open(settings, learner, course):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    make_code(60, text=TEXT)
    other = make_training(credits=None, price="90.00")
    lines = [(course.product, 3), (other.product, 1)]
    order = place_order(learner, *lines, text=TEXT)
    line = order.lines.get(product=course.product)
    assert not Place.objects.exists()

    api.refund_lines([(line, 1)], idempotency_key="staff")
    order.set_status("Paid")

    assert Place.objects.count() == 3
    assert Place.objects.kept().count() == 2
    assert findings() == []


def test_what_is_ordered_without_an_end_is_not_sold_again(learner, course):
    order = order_of(learner, course)
    said = f"It opens when order {order.number} is paid."

    with pytest.raises(OrderRefused, match=said):
        order_of(learner, course)

    assert Order.objects.count() == 1


def test_what_waits_counts_as_bought_where_nothing_is_sold_again(settings, learner):
    settings.TRAINING_CREDITS_BUY_AGAIN = "after end"
    bought = make_training(credits=None, price="240.00", access_days=30)
    order_of(learner, bought)

    with pytest.raises(OrderRefused, match="You have ordered this already"):
        order_of(learner, bought)


def test_two_periods_that_wait_run_one_after_the_other(learner):
    bought = make_training(credits=None, price="240.00", access_days=30)
    first, second = order_of(learner, bought), order_of(learner, bought)

    second.set_status("Paid")
    first.set_status("Paid")

    earlier, later = Access.objects.order_by("starts_at")
    assert earlier.order_line.order == second
    assert later.starts_at == earlier.ends_at


@pytest.mark.parametrize("kind", ["path", "plan"])
def test_a_path_or_a_plan_that_waits_opens_its_courses_later(learner, course, kind):
    if kind == "path":
        whole = make_training(
            "All",
            kind="path",
            path_courses=[course],
            price="500.00",
            credits=None,
        )
    else:
        Range = get_model("offer", "Range")
        everything = Range.objects.create(name="All", includes_all_products=True)
        whole = make_training(
            "All", kind="plan", plan_content=everything, price="500.00", credits=None
        )
    order = order_of(learner, whole)
    assert not api.has_access(learner, course)
    with pytest.raises(OrderRefused, match=str(order.number)):
        order_of(learner, course)

    order.set_status("Paid")

    assert api.has_access(learner, course)


def test_a_learner_whose_order_waits_can_be_deleted(learner, course):
    order = order_of(learner, course)

    learner.delete()
    order.refresh_from_db()
    order.set_status("Paid")

    assert not DueAccess.objects.exists()
    assert not Access.objects.exists()
    assert findings() == []


def test_the_audit_names_what_waits_and_is_open(learner, course):
    order = order_of(learner, course)
    granting.begin_access(learner, course, order_line=order.lines.get())

    assert any("waits for a payment" in each for each in findings())


def test_the_audit_names_what_waits_for_a_cancelled_order(learner, course):
    order = order_of(learner, course)
    Order.objects.filter(pk=order.pk).update(status="Cancelled")

    assert any("gives credits back" in each for each in findings())


def test_ordinary_orders_ask_for_nothing_where_the_setting_is_off(
    settings, learner, course, django_assert_num_queries
):
    settings.TRAINING_CREDITS_PAID_STATUSES = []
    order = order_of(learner, course)
    order.status = "Paid"

    with django_assert_num_queries(1):
        order.save(update_fields=["status"])


def text_after(client: Any, learner: Any, url: str) -> str:
    client.force_login(learner)
    return plain(client.get(url))


def plain(response: Any) -> str:
    """Return what a page says, without its tags."""
    return " ".join(strip_tags(text_of(response)).split())


def test_learners_read_what_waits(settings, client, learner, course):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    order = order_of(learner, course)
    order_of(learner, make_training("Security"), quantity=3)
    opens = f"opens when order {order.number} is paid"

    mine = text_after(client, learner, reverse("training_credits:my-training"))
    assert f"A course: {opens}" in mine
    assert "Security (3 places)" in mine
    page = text_after(client, learner, reverse("customer:order", args=[order.number]))
    assert "A course: opens when this order is paid." in page
    assert "Go to A course" not in page


def test_the_page_says_that_it_is_ordered_already(client, learner):
    course_page = make_course(make_product("Django"), credits=20)
    order = order_of(learner, course_page.training)

    page = text_after(client, learner, course_page.url)

    assert "Ordered already" in page
    assert f"It opens when order {order.number} is paid." in page
    assert "Purchase with 20 Credits" not in page


def test_a_period_that_waits_can_be_bought_once_more(client, learner):
    course_page = make_course(make_product("Django"), credits=20, access_days=30)
    order_of(learner, course_page.training)

    page = text_after(client, learner, course_page.url)

    assert "Ordered already" in page
    assert "Purchase with 20 Credits" in page


def test_the_basket_says_that_it_is_ordered_already(client, learner, course):
    order = order_of(learner, course)
    client.force_login(learner)
    client.post(reverse("basket:add", args=[course.product.pk]), {"quantity": 1})

    page = plain(client.get(reverse("basket:summary")))

    assert f"It opens when order {order.number} is paid." in page


def test_the_mail_says_what_waits(learner, course):
    order = order_of(learner, course)

    get_class("order.utils", "OrderDispatcher")().send_order_placed_email_for_user(
        order, {"user": learner, "order": order, "site": None, "lines": []}
    )

    (sent,) = mail.outbox
    assert "A course: opens when this order is paid." in sent.body
    assert "opens when this order is paid." in sent.alternatives[0][0]


def test_staff_see_what_waits_and_for_which_status(admin_client, learner, course):
    order = order_of(learner, course)

    page = plain(
        admin_client.get(reverse("dashboard:order-detail", args=[order.number]))
    )
    assert "A course opens when the order is paid." in page
    assert "It is paid with the status: Paid, Shipped." in page
    page = plain(admin_client.get(reverse("training_credits:access-list")))
    assert "1 order line waits for its payment" in page
    assert f"{learner.email}: A course, Order #{order.number} (Pending)" in page


def test_staff_who_set_the_status_read_what_it_opened(admin_client, learner, course):
    order = order_of(learner, course)

    page = plain(
        admin_client.post(
            reverse("dashboard:order-detail", args=[order.number]),
            {"order_action": "change_order_status", "new_status": "Paid"},
            follow=True,
        )
    )

    assert "The order is paid. Opened: A course." in page
    assert api.has_access(learner, course)


def test_the_command_says_what_it_opened(learner, course, capsys):
    order = order_of(learner, course)
    Order.objects.filter(pk=order.pk).update(status="Paid")

    for _each in range(2):
        call_command("open_paid_access")

    assert capsys.readouterr().out == "1 order line opened.\n"


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_an_order_that_many_hear_of_is_opened_once(self, learner, course):
        order = order_of(learner, course)

        lines = at_once([lambda: opening.open_due(order)] * 8)

        assert sum(map(len, lines)) == 1
        assert Access.objects.count() == 1
        assert findings() == []

    def test_a_payment_beside_a_cancellation_leaves_no_access(self, learner, course):
        for _each in range(6):
            order = order_of(learner, course)

            # Both read before either writes, or the later one is refused by Oscar.
            paid, cancelled = (Order.objects.get(pk=order.pk) for _each in range(2))

            at_once(
                [
                    partial(paid.set_status, "Paid"),
                    partial(cancelled.set_status, "Cancelled"),
                ]
            )

            assert not DueAccess.objects.exists()
            assert not api.has_access(learner, course)
            assert findings() == []

    def test_refunds_in_part_beside_the_payment_lose_no_place(
        self, settings, learner, course
    ):
        settings.TRAINING_CREDITS_MOST_PLACES = 5
        make_code(1000, text=TEXT)
        other = make_training(credits=None, price="90.00")
        for _each in range(6):
            lines = [(course.product, 3), (other.product, 2)]
            order = place_order(learner, *lines, text=TEXT)
            line = order.lines.get(product=course.product)

            at_once(
                [
                    lambda line=line: api.refund_lines(
                        [(line, 1)], idempotency_key="staff"
                    ),
                    lambda order=order: opening.open_due(order),
                ]
            )

            kept = Place.objects.kept().filter(order_line=line)
            assert kept.count() == 2
            assert findings() == []

    @pytest.mark.parametrize("other", ["refund", "deletion"])
    def test_who_waits_for_the_opening_does_not_hold_it_up(
        self, monkeypatch, learner, course, other
    ):
        make_code(text=TEXT)
        more = make_training(credits=None, price="90.00")
        order = place_order(learner, (course.product, 1), (more.product, 1), text=TEXT)
        waits = {
            "refund": partial(
                api.refund_lines,
                [(order.lines.get(product=course.product), 1)],
                idempotency_key="staff",
            ),
            "deletion": learner.delete,
        }
        begun = threading.Event()
        give = opening.give

        def give_until_another_waits(*args: Any, **options: Any) -> None:
            give(*args, **options)
            if not begun.is_set():
                begun.set()
                until_somebody_waits()

        monkeypatch.setattr(opening, "give", give_until_another_waits)
        opened, _other = at_once(
            [
                lambda: opening.open_due(order),
                lambda: begun.wait(PATIENCE) and waits[other](),
            ]
        )

        assert len(opened) == 2
        assert not DueAccess.objects.exists()
        assert findings() == []
