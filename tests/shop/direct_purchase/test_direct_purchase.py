"""Buying a training product from its page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.models import Access, AppliedCode, LedgerEntry
from oscar_training_credits.credits.terms import ProductKind
from oscar_training_credits.shop import boxes
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.direct_purchase import purchase
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.pages import make_course
from ...support.shop import Learner, shown_in, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

TEXT = "ACME-TEAM-2026"


class Buyer(Learner):
    """A learner on the page of a course."""

    def __init__(self, course, user=None):
        super().__init__(user or make_learner())
        self.course = course
        self.training = course.training

    def page(self):
        return text_of(self.client.get(self.course.url))

    def box(self, text):
        """Type a code into the box of the page; return what the page then says."""
        self.post("purchase-apply", {"code": text})
        return words(self.page())

    def confirm(self, page=None):
        return self.post("purchase-confirm", shown_in(page or self.page()))

    def confirm_and_return(self):
        return self.client.get(self.confirm().url)

    def post(self, name, data, *args):
        address = reverse(f"training_credits:{name}", args=[self.training.pk, *args])
        return self.client.post(address, {"next": self.course.url, **data})


@pytest.fixture
def buyer(course):
    return Buyer(course)


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


def test_a_course_is_bought_on_its_page(buyer, code):
    assert "Purchase with 20 Credits" in words(buyer.page())

    assert "100 credits available, 80 left after this purchase" in buyer.box(TEXT)
    response = buyer.confirm()

    assert response.url == buyer.course.url + "#training-purchase-next"
    assert code.balance() == 80
    order = buyer.order()
    assert order.basket.status == Basket.SUBMITTED
    assert order.sources.get().label == "20 credits, ACME (code ending 2026)"
    assert Access.objects.get().order_line.order == order
    assert [message.to for message in mail.outbox] == [[buyer.user.email]]
    page = words(buyer.page())
    assert f"Your order number is {order.number}" in page
    assert "the first lesson" in page


def test_the_lessons_are_hidden_until_then(buyer):
    assert "the first lesson" not in buyer.page()


def test_the_shopping_basket_is_left_alone(buyer, code):
    buyer.add(make_product())

    buyer.box(TEXT)
    buyer.confirm()

    basket = Basket.open.get(owner=buyer.user)
    assert basket.num_lines == 1
    assert Order.objects.get().num_lines == 1
    assert "A book" in words(buyer.basket_page())


def test_a_checkout_under_way_is_left_alone(buyer, code):
    buyer.add(make_product())
    buyer.client.get(reverse("checkout:index"), follow=True)
    before = buyer.client.session["checkout_data"]

    buyer.box(TEXT)
    buyer.confirm()

    assert buyer.client.session["checkout_data"] == before


def test_the_same_click_twice_is_one_order(buyer, code):
    buyer.box(TEXT)
    page = buyer.page()

    buyer.confirm(page)
    buyer.confirm(page)

    assert Order.objects.count() == 1
    assert code.balance() == 80


def test_who_has_access_is_not_sold_it_again(buyer, code):
    buyer.box(TEXT)
    buyer.confirm()

    buyer.box(TEXT)
    buyer.confirm()

    page = words(buyer.page())
    assert "You have access" in page
    assert "Purchase with" not in page
    assert Order.objects.count() == 1
    assert code.balance() == 80


def test_buying_again_before_the_end_extends_access(buyer, code):
    sell_as_training(buyer.course.product, credits=20, access_days=90)
    buyer.box(TEXT)
    bought = words(text_of(buyer.confirm_and_return()))
    first = Access.objects.get()
    assert "You have access" in bought
    assert "Extend your access" in bought
    assert f"last until {day(first.ends_at + timedelta(days=90))}" in bought

    buyer.box(TEXT)
    buyer.confirm()

    second = Access.objects.latest("pk")
    assert second.starts_at == first.ends_at
    assert f"until {day(second.ends_at)}" in words(buyer.page())
    assert code.balance() == 60


def test_a_plan_that_opens_the_course_is_said_before_it_is_bought(buyer, code):
    content = Range.objects.create(name="All", includes_all_products=True)
    plan = make_training("Plan", kind="plan", plan_content=content)
    place_order(buyer.user, (plan.product, 1))

    page = words(buyer.page())

    assert "You have access" in page
    assert "Purchase with" not in page


def test_a_path_says_how_much_of_it_is_yours_already(buyer):
    courses = (buyer.training, make_training("Other"))
    path = make_training("Path", kind="path", path_courses=courses)
    assert boxes.path_note(path, buyer.user) == ""

    place_order(buyer.user, (buyer.training.product, 1))

    note = boxes.path_note(path, buyer.user)
    assert note == "You have 1 of its 2 courses already."


def test_whoever_has_a_path_is_not_told_that_they_have_its_courses(buyer, course):
    listed = [("course", course.training)]
    path = make_course(
        make_product("Path"), kind=ProductKind.PATH, path_courses=listed, access_days=30
    )
    path_buyer = Buyer(path, buyer.user)
    place_order(buyer.user, (course.product, 1))
    assert "You have 1 of its 1 courses already." in path_buyer.page()

    place_order(buyer.user, (path.product, 1))

    assert "You have access" in path_buyer.page()
    assert "courses already" not in path_buyer.page()


def test_access_that_begins_later_is_yours_already(buyer, code):
    opening = timezone.localdate() + timedelta(days=30)
    sell_as_training(buyer.course.product, credits=20, access_from=opening)
    assert f"Access from {date_format(opening)}" in words(buyer.page())
    buyer.box(TEXT)

    buyer.confirm()

    page = buyer.page()
    assert f"Your access begins on {date_format(opening)}" in words(page)
    assert "the first lesson" not in page
    assert "Purchase with" not in words(page)


def test_a_code_that_ends_access_says_until_when(buyer):
    end = timezone.now() + timedelta(days=9)
    make_code(100, text=TEXT, expires_at=end, ends_access=True)

    page = buyer.box(TEXT)

    assert f"until {day(end)}" in page


def day(moment):
    return date_format(timezone.localtime(moment))


def test_a_stranger_is_sent_to_log_in_and_comes_back_to_the_open_box(course):
    stranger = Learner()

    page = text_of(stranger.client.get(course.url))

    assert "/accounts/login/?next=%2F" in page
    assert "%3Fpurchase%3Dopen%23training-purchase-next" in page
    stranger.log_in(make_learner())
    opened = text_of(stranger.client.get(course.url + "?purchase=open"))
    assert 'id="training-purchase-next" name="code"' in opened
    assert "<details" not in opened


def test_a_stranger_can_not_post(course, code):
    address = reverse("training_credits:purchase-apply", args=[course.training.pk])

    response = Learner().client.post(address, {"code": TEXT, "next": course.url})

    assert response.url.startswith(reverse("customer:login"))
    assert "%3Fpurchase%3Dopen%23training-purchase-next" in response.url
    assert not AppliedCode.objects.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "nothing": ("", "Enter the code that you were given."),
        "unknown": ("NOPE", "ask your learning administrator for a new code"),
        "too small": (
            "ACME-2026-LOW",
            "10 credits left on your codes, 10 credits too few",
        ),
        "expired": ("ACME-2026-PAST", "This code expired on"),
        "a voucher": ("SPRING10", "This is a promotion code."),
    }.values(),
)
def test_a_code_that_does_not_work_gets_its_message(buyer, voucher, text, said):
    make_code(10, text="ACME-2026-LOW")
    make_code(50, text="ACME-2026-PAST", expires_at=timezone.now() - timedelta(days=1))

    page = buyer.box(text)

    assert said in page
    assert ">Purchase<" not in page


def test_a_small_code_and_another_one_pay_together(buyer):
    low, team = (
        make_code(10, text="ACME-2026-LOW"),
        make_code(50, text="ACME-2026-TEAM"),
    )

    buyer.box("ACME-2026-LOW")
    buyer.box("ACME-2026-TEAM")
    buyer.confirm()

    assert low.balance() + team.balance() == 40


def test_a_code_can_be_removed(buyer, code):
    buyer.box(TEXT)

    buyer.post("purchase-remove", {}, code.pk)

    assert "Enter Code" in words(buyer.page())


def test_a_dearer_price_is_shown_again_before_it_is_taken(buyer, code):
    buyer.box(TEXT)
    page = buyer.page()
    sell_as_training(buyer.course.product, credits=35)

    buyer.confirm(page)

    assert not Order.objects.exists()
    assert "A price or a code has changed" in words(buyer.page())
    buyer.confirm()
    assert code.balance() == 65


def test_a_code_disabled_after_apply_takes_nothing(buyer, code):
    buyer.box(TEXT)
    page = buyer.page()
    set_state(code, "disabled")

    buyer.confirm(page)

    assert not Order.objects.exists()
    assert LedgerEntry.objects.count() == 1


def test_a_confirmation_that_shows_nothing_is_refused(buyer, code):
    buyer.box(TEXT)

    buyer.post("purchase-confirm", {})

    assert not Order.objects.exists()


def test_a_product_taken_off_sale_is_not_sold(buyer, code):
    buyer.box(TEXT)
    page = buyer.page()
    type(buyer.course.product).objects.update(is_public=False)

    buyer.confirm(page)

    assert not Order.objects.exists()
    assert code.balance() == 100


def test_after_access_has_ended_the_page_says_so_and_sells_it_again(buyer, code):
    sell_as_training(buyer.course.product, credits=20, access_days=90)
    buyer.box(TEXT)
    buyer.confirm()
    ended = timezone.now() - timedelta(days=1)
    Access.objects.update(starts_at=ended - timedelta(days=90), ends_at=ended)

    page = buyer.page()

    assert "Your access ended on" in page
    assert "the first lesson" not in page
    buyer.box(TEXT)
    buyer.confirm()
    assert "the first lesson" in buyer.page()
    assert code.balance() == 60


def test_my_training_lists_what_since_when_and_until_when(buyer, code):
    sell_as_training(buyer.course.product, credits=20, access_days=90)
    buyer.box(TEXT)
    buyer.confirm()

    page = text_of(buyer.client.get(reverse("training_credits:my-training")))

    assert f'href="{buyer.course.url}"' in page
    assert buyer.course.product.title in words(page)
    assert "No end" not in page


def test_my_training_says_when_access_begins_and_ended(buyer):
    now = timezone.now()
    running, coming, ended = map(make_training, ("Running", "Coming", "Ended"))
    periods = ((running, -90, 90), (coming, 10, 90), (ended, -90, -10))
    for training, start, end in periods:
        Access.objects.create(
            learner=buyer.user,
            training=training,
            starts_at=now + timedelta(days=start),
            ends_at=now + timedelta(days=end),
        )

    page = words(text_of(buyer.client.get(reverse("training_credits:my-training"))))

    days = [now + timedelta(days=days) for days in (-90, 10, 90, -10)]
    began, begins, ends, over = (date_format(timezone.localtime(day)) for day in days)
    assert f"Running {began} {ends}" in page
    assert f"Coming From {begins} {ends}" in page
    assert f"Ended Ended on {over}" in page


def test_an_abandoned_purchase_is_taken_up_again(buyer, code):
    buyer.box("NOPE")
    buyer.box(TEXT)

    assert purchase.DirectPurchase.objects.count() == 1


def test_a_failing_mail_server_does_not_look_like_a_failed_purchase(
    buyer, code, settings
):
    settings.EMAIL_BACKEND = "tests.support.broken.EmailBackend"
    buyer.box(TEXT)

    buyer.confirm()

    assert "You have access" in words(buyer.page())
    assert code.balance() == 80


# A code that ends the access which it pays for


@pytest.fixture
def ending():
    """A code that ends in nine days, and access with it."""
    end = timezone.now() + timedelta(days=9)
    return make_code(100, text="ENDING-2026", expires_at=end, ends_access=True)


def test_a_code_that_gains_nothing_says_so_and_can_be_removed(buyer, code, ending):
    buyer.box("ENDING-2026")
    buyer.confirm()
    remove = reverse(
        "training_credits:purchase-remove", args=[buyer.training.pk, ending.pk]
    )

    said = buyer.box("ENDING-2026")
    page = buyer.page()
    buyer.client.post(remove, {"next": buyer.course.url})

    assert "so it would gain you nothing" in said
    assert remove in page
    assert ">Purchase</button>" not in page
    assert "Purchase with 20 Credits" in words(buyer.page())
    assert "80 left after this purchase" in buyer.box(TEXT)


def test_who_buys_what_is_to_begin_is_told_from_when(buyer, code):
    first = timezone.localdate() + timedelta(days=9)
    sell_as_training(buyer.course.product, credits=20, access_from=first)
    buyer.box(TEXT)

    page = words(text_of(buyer.confirm_and_return()))

    assert f"Your access begins on {date_format(first, 'DATE_FORMAT')}" in page
    assert "You have access now" not in page


def test_who_confirms_without_a_code_is_told_to_enter_one(buyer, code):
    buyer.box(TEXT)
    page = buyer.page()
    buyer.post("purchase-remove", {}, code.pk)

    answer = words(text_of(buyer.client.get(buyer.confirm(page).url)))

    assert "Enter a code first." in answer
    assert "needs 0 credits" not in answer


def test_a_code_that_is_too_small_promises_no_purchase(buyer):
    make_code(10, text="SMALL-2026")

    said = buyer.box("SMALL-2026")
    wrong = buyer.box("WRONG-2026")

    assert "10 credits available" in said
    assert "left after this purchase" not in said
    assert "10 credits too few" in said
    assert "10 credits too few" in wrong
    assert "This code can't be used" in wrong


def test_the_last_day_is_said_and_not_the_day_after(buyer, code):
    last = timezone.localdate() + timedelta(days=30)
    day = date_format(last, "DATE_FORMAT")
    sell_as_training(buyer.course.product, credits=20, access_until=last)

    before = words(buyer.page())
    buyer.box(TEXT)
    buyer.confirm()
    mine = text_of(buyer.client.get(reverse("training_credits:my-training")))

    assert f"until {day}." in before
    assert f"until {day}." in words(buyer.page())
    assert day in words(mine)


def test_my_training_says_what_is_open_by_other_means(buyer, code):
    everything = Range.objects.create(name="All", includes_all_products=True)
    plan = make_training(
        kind=ProductKind.PLAN, plan_content=everything, access_days=365
    )
    place_order(buyer.user, (plan.product, 1))
    place_order(buyer.user, (buyer.course.product, 1))

    page = words(text_of(buyer.client.get(reverse("training_credits:my-training"))))

    assert "From " not in page
    assert page.count(date_format(timezone.localdate(), "DATE_FORMAT")) == 2
