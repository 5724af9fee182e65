"""Paying with credits at Oscar's own checkout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.models import (
    Access,
    AppliedCode,
    LedgerEntry,
    Redemption,
    SettledLine,
)
from oscar_training_credits.credits.wording import last_day
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import Learner, answer, errors, text_of, words

Order = get_model("order", "Order")
Basket = get_model("basket", "Basket")
Range = get_model("offer", "Range")
Source = get_model("payment", "Source")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

TEXT = "ACME-TEAM-2026"


@pytest.fixture
def learner() -> Learner:
    return Learner(make_learner())


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


def test_a_course_is_paid_with_credits_from_the_basket_to_the_content(learner, code):
    training = make_training(credits=20, price="240.00")
    learner.add(training.product)

    assert "100 credits available, 80 left" in learner.apply(TEXT)
    response = learner.place()

    assert response.url == reverse("checkout:thank-you")
    order = learner.order()
    assert order.total_incl_tax == Decimal("0.00")
    assert code.balance() == 80
    assert Redemption.objects.get().order == order
    assert Access.objects.get().learner == learner.user
    assert order.basket.status == Basket.SUBMITTED
    settled = SettledLine.objects.get()
    assert (settled.credits, settled.money_price) == (20, Decimal("240.00"))


def test_a_text_that_no_database_can_hold_is_an_unknown_code(learner):
    learner.add(make_training(credits=20).product)

    assert "code" in learner.apply("ACME\0TEAM")


def test_the_ledger_says_what_was_taken(learner, code):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    learner.place()

    entry = LedgerEntry.objects.get(kind=LedgerEntry.Kind.REDEEM)
    assert (entry.credits, entry.balance) == (-20, 80)


def test_staff_see_how_an_order_was_paid_and_never_the_code(learner, code):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    learner.place()

    source = learner.order().sources.get()
    assert source.label == "20 credits, ACME (code ending 2026)"
    assert source.amount_allocated == source.amount_debited == Decimal("0.00")
    # Its label is “ACME”; of the text itself only the ending may show.
    assert "TEAM" not in f"{source.label}{source.reference}"


def test_the_order_is_confirmed_by_mail(learner, code, settings):
    learner.add(make_training("Secure by Design", credits=20).product)
    learner.apply(TEXT)

    learner.place()

    assert [message.to for message in mail.outbox] == [[learner.user.email]]
    assert "Secure by Design" in mail.outbox[0].body


def test_the_split_is_shown_before_it_is_confirmed(learner, code):
    learner.add(make_training("Django", credits=20).product)
    learner.add(make_training("Security", credits=35, credit_only=True).product)
    learner.add(make_product("Handbook", "25.00"))
    learner.apply(TEXT)

    page = words(text_of(learner.preview()))

    assert "Django 20 credits" in page
    assert "Security 35 credits" in page
    assert "Handbook £25.00" in page
    assert "55 credits taken, 45 credits left" in page
    assert "Still to pay £25.00" in page


def test_a_mixed_basket_is_paid_in_credits_and_money(learner, code):
    learner.add(make_training(credits=20).product)
    learner.add(make_training(credits=35, credit_only=True).product)
    learner.add(make_training(price="90.00", credits=None).product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)

    learner.place()

    order = learner.order()
    assert order.total_incl_tax == Decimal("115.00")
    assert code.balance() == 45
    assert Access.objects.filter(learner=learner.user).count() == 3


def test_a_quantity_costs_as_many_times(learner, code):
    learner.add(make_training(credits=20).product, quantity=3)
    learner.apply(TEXT)

    learner.place()

    assert code.balance() == 40
    assert SettledLine.objects.get().credits == 60


def test_several_codes_pay_one_order(learner):
    low, team = make_code(10, text="ACME-2026-LOW"), make_code(100, text=TEXT)
    learner.add(make_training(credits=20).product)

    assert "10 credits too few" in learner.apply("ACME-2026-LOW")
    learner.apply(TEXT)
    learner.place()

    assert low.balance() + team.balance() == 90
    assert learner.order().sources.count() == 2


def test_the_soonest_to_expire_is_spent_first(learner):
    code = make_code(30, text=TEXT)
    soon = add_grant(code, 15, expires_at=timezone.now() + timedelta(days=20))
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    learner.place()

    soon.refresh_from_db()
    assert soon.remaining == 0
    assert code.balance() == 25


def test_a_code_can_be_removed_again(learner, code):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.apply(TEXT)

    learner.client.post(reverse("training_credits:remove", args=[code.pk]))

    assert "Order total £240.00" in words(learner.basket_page())


def test_a_line_can_be_paid_with_money_instead_and_back(learner, code):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.apply(TEXT)
    line = Basket.objects.get(owner=learner.user).lines.get()
    choose = reverse("training_credits:pay-line", args=[line.pk])

    learner.client.post(choose, {"with": "money"})
    assert "Order total £240.00" in words(learner.basket_page())

    learner.client.post(choose, {"with": "credits"})
    assert "£240.00" not in words(learner.basket_page())


def test_a_line_paid_with_money_takes_no_credits_and_gives_access(learner, code):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.apply(TEXT)
    line = Basket.objects.get(owner=learner.user).lines.get()
    learner.client.post(
        reverse("training_credits:pay-line", args=[line.pk]), {"with": "money"}
    )

    learner.place()

    assert learner.order().total_incl_tax == Decimal("240.00")
    assert code.balance() == 100
    assert Access.objects.count() == 1


def test_a_credit_only_line_can_not_be_paid_with_money(learner, code):
    learner.add(make_training(credits=35, credit_only=True).product)
    learner.apply(TEXT)
    line = Basket.objects.get(owner=learner.user).lines.get()

    learner.client.post(
        reverse("training_credits:pay-line", args=[line.pk]), {"with": "money"}
    )
    learner.place()

    assert code.balance() == 65


def test_another_learners_line_can_not_be_touched(learner):
    other = Learner(make_learner())
    other.add(make_training().product)
    line = Basket.objects.get(owner=other.user).lines.get()
    learner.add(make_product())

    response = learner.client.post(
        reverse("training_credits:pay-line", args=[line.pk]), {"with": "money"}
    )

    assert response.status_code == 404


def test_a_guests_basket_keeps_its_code_when_it_is_merged_at_log_in(code):
    guest = Learner()
    guest.add(make_training(credits=20, price="240.00").product)
    guest.apply(TEXT)
    user = make_learner()

    guest.client.post(
        reverse("customer:login"),
        {
            "login-username": user.email,
            "login-password": "password",
            "login-redirect_url": reverse("basket:summary"),
            "login_submit": "Log In",
        },
    )
    guest.user = user

    assert "20 credits taken, 80 credits left" in words(guest.basket_page())
    guest.place()
    assert code.balance() == 80


def test_a_merged_code_that_was_applied_twice_is_applied_once(code):
    user = make_learner()
    first = Learner(user)
    first.add(make_training(credits=20).product)
    first.apply(TEXT)
    guest = Learner()
    guest.add(make_training(credits=15).product)
    guest.apply(TEXT)

    guest.log_in(user)
    guest.basket_page()

    assert AppliedCode.objects.filter(basket__owner=user).count() == 1


def test_a_guest_is_asked_to_log_in_before_buying_training(settings):
    settings.OSCAR_ALLOW_ANON_CHECKOUT = True
    guest = Learner()
    guest.add(make_training().product)

    response = guest.client.get(reverse("checkout:payment-details"), follow=True)

    assert not Order.objects.exists()
    assert (
        "login" in response.redirect_chain[-1][0]
        or "checkout" in (response.redirect_chain[-1][0])
    )


def test_money_buys_the_same_access(learner):
    training = make_training(price="240.00", credits=20, access_days=90)
    learner.add(training.product)

    learner.place()

    access = Access.objects.get()
    assert access.training == training
    assert (access.ends_at - access.starts_at).days == 90
    assert not Redemption.objects.exists()


def test_what_is_yours_already_is_said_before_you_pay(learner, code):
    endless, ending = make_training("Endless"), make_training("Mine", access_days=30)
    for training in (endless, ending):
        place_order(learner.user, (training.product, 1))
    new = make_training("New")
    for training in (endless, ending, new):
        learner.add(training.product)

    pages = [words(learner.basket_page()), words(text_of(learner.preview()))]

    for page in pages:
        assert page.count("You have access to this already.") == 1
        assert page.count("With this purchase it lasts until") == 1


def test_what_ends_with_its_code_is_said_before_you_pay(learner):
    end = timezone.now() + timedelta(days=9)
    make_code(100, text="ENDING-2026", expires_at=end, ends_access=True)
    endless, ending = make_training("Endless"), make_training("Ending", access_days=3)
    for training in (endless, ending):
        learner.add(training.product)
    learner.apply("ENDING-2026")

    pages = [words(learner.basket_page()), words(text_of(learner.preview()))]

    said = f"Endless : Access to it ends on {last_day(end)}, when the code does."
    for page in pages:
        assert page.count("when the code does") == 1
        assert said in page


def test_what_ends_with_the_code_again_adds_nothing(learner):
    end = timezone.now() + timedelta(days=9)
    make_code(100, text="ENDING-2026", expires_at=end, ends_access=True)
    training = make_training("Mine")
    place_order(learner.user, (training.product, 1), text="ENDING-2026")
    learner.add(training.product)
    learner.apply("ENDING-2026")

    page = words(learner.basket_page())

    assert "You have access to this already. Buying it adds nothing." in page
    assert "it has no end" not in page


def test_who_has_courses_of_a_path_is_told_before_they_pay(learner):
    courses = (make_training("One"), make_training("Two"))
    path = make_training("Path", kind="path", path_courses=courses)
    place_order(learner.user, (courses[0].product, 1))
    learner.add(path.product)

    pages = [words(learner.basket_page()), words(text_of(learner.preview()))]

    for page in pages:
        assert "Path : You have 1 of its 2 courses already." in page


def test_what_a_plan_opens_is_said_to_be_yours_already(learner):
    everything = Range.objects.create(name="All", includes_all_products=True)
    plan = make_training("Plan", kind="plan", plan_content=everything)
    place_order(learner.user, (plan.product, 1))
    only_for_money = make_training("Course", credits=None)

    learner.add(only_for_money.product)

    assert "You have access to this already." in words(learner.basket_page())


def test_what_is_bought_twice_at_once_is_said_before_you_pay(learner):
    course, other = make_training("Course"), make_training("Other")
    elsewhere = make_training("Not in the basket")
    path = make_training("Path", kind="path", path_courses=(elsewhere, course))
    everything = Range.objects.create(name="Some")
    everything.add_product(path.product)
    plan = make_training("Plan", kind="plan", plan_content=everything)
    for training in (course, other, path, plan):
        learner.add(training.product)

    pages = [words(learner.basket_page()), words(text_of(learner.preview()))]

    for page in pages:
        assert page.count("is in your basket too") == 2
        assert "Course : “Path” opens this as well, and is in your basket too." in page
        assert "Path : “Plan” opens this as well, and is in your basket too." in page


def test_a_place_for_others_is_not_said_to_be_bought_twice(learner, settings):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    course = make_training("Course")
    path = make_training("Path", kind="path", path_courses=(course,))
    learner.add(path.product, quantity=2)
    learner.add(course.product)

    assert "is in your basket too" not in words(learner.basket_page())


def test_the_thank_you_page_is_shown_for_the_same_click_again(learner, code):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    page = learner.preview()

    learner.place(page)
    again = learner.place(page)

    assert again.url == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert code.balance() == 80


class OtherTab:
    """A request that comes when another one has read its basket already."""

    click: Callable[[], None] | None = None

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if click := OtherTab.click:
            OtherTab.click = None
            assert list(request.basket.all_lines())
            click()
        return self.get_response(request)


@pytest.mark.parametrize("credits", [100, 20])
def test_a_tab_that_is_overtaken_is_shown_the_order(settings, credits):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "tests.shop.checkout.test_checkout.OtherTab",
    ]
    learner = Learner(make_learner())
    code = make_code(credits, text=TEXT)
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    page = learner.preview()

    OtherTab.click = lambda: learner.place(page)
    overtaken = learner.place(page)

    assert learner.shown_at(overtaken) == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert code.balance() == credits - 20


def test_a_confirmation_sent_again_leaves_a_newer_basket_alone(learner, code):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)
    page = learner.preview()
    learner.place(page)
    learner.add(make_product())

    again = learner.place(page)

    assert again.url == reverse("checkout:thank-you")
    assert Order.objects.count() == 1
    assert Basket.open.get(owner=learner.user).num_lines == 1


def test_a_cheaper_price_than_shown_is_taken(learner, code):
    training = make_training(credits=20)
    learner.add(training.product)
    learner.apply(TEXT)
    page = learner.preview()
    sell_as_training(training.product, credits=15)

    learner.place(page)

    assert code.balance() == 85


def test_a_code_disabled_after_the_preview_does_not_charge_money_instead(learner, code):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.apply(TEXT)
    page = learner.preview()
    set_state(code, "disabled")

    response = learner.place(page)

    assert "A price or a code has changed" in errors(response)
    assert not Order.objects.exists()


def test_a_voucher_and_credits_pay_one_basket(learner, code, voucher):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.add(make_product(price="25.00"))

    learner.apply("SPRING10")
    learner.apply(TEXT)
    learner.place()

    order = learner.order()
    assert order.total_incl_tax == Decimal("22.50")
    assert code.balance() == 80
    assert order.discounts.get().voucher_code == "SPRING10"


def test_oscars_own_voucher_box_takes_credit_codes(learner, code):
    learner.add(make_training(credits=20).product)

    learner.client.post(reverse("basket:vouchers-add"), {"code": TEXT})

    assert "80 left" in answer(learner.basket_page())


def test_oscars_own_voucher_box_does_not_repeat_what_was_typed(learner):
    learner.add(make_training(credits=20).product)

    learner.client.post(reverse("basket:vouchers-add"), {"code": "SECRET-CODE-1"})

    page = learner.basket_page()
    assert "SECRET-CODE-1" not in page
    assert "This code can't be used" in answer(page)


def test_a_site_can_add_a_kind_of_code(learner, settings):
    settings.TRAINING_CREDITS_CODE_HANDLERS = [
        "tests.shop.checkout.test_checkout.license_code"
    ]
    learner.add(make_training(credits=20).product)

    assert learner.apply("LICENSE-1") == "Licensed."


def license_code(text, request):
    from oscar_training_credits.shop.basket.code_handlers import Answer

    return Answer("Licensed.", accepted=True) if text == "LICENSE-1" else None


MESSAGES = {
    "nothing typed": ("", "Enter the code that you were given."),
    "only spaces": ("   ", "Enter the code that you were given."),
    "far too long": ("A" * 5000, "too long to be a code"),
    "unknown": ("NO-SUCH-CODE", "ask your learning administrator for a new code"),
    "expired": ("ACME-2026-PAST", "expired on 31 Dec 2025"),
    "not yet valid": ("ACME-2026-FUTURE", "can be used from"),
    "disabled": ("ACME-2026-OFF", "This code can't be used."),
    "for other content": ("ACME-2026-OTHER", "can't pay for what you are buying"),
    "too small": ("ACME-2026-LOW", "10 credits left on your codes, 10 credits too few"),
    "used up": ("ACME-2026-SPENT", "has been used up"),
    "in lower case with spaces": (" acme team 2026 ", "100 credits available"),
    "with a letter O for a zero": ("ACME-TEAM-2O26", "100 credits available"),
}


@pytest.mark.parametrize(("text", "said"), MESSAGES.values(), ids=MESSAGES)
def test_each_code_gets_its_message(learner, code, other_range, text, said):
    noon = datetime(2025, 12, 31, 12, tzinfo=timezone.get_current_timezone())
    make_code(50, text="ACME-2026-PAST", expires_at=noon)
    make_code(50, text="ACME-2026-FUTURE", starts_at=timezone.now() + timedelta(days=3))
    set_state(make_code(50, text="ACME-2026-OFF"), "disabled")
    make_code(50, text="ACME-2026-OTHER", content=other_range)
    make_code(10, text="ACME-2026-LOW")
    make_code(1, text="ACME-2026-SPENT").grants.update(remaining=0)
    learner.add(make_training(credits=20).product)

    assert said in learner.apply(text)


def test_a_disabled_code_is_answered_like_an_unknown_one(learner):
    set_state(make_code(50, text="ACME-2026-OFF"), "disabled")
    learner.add(make_training(credits=20).product)

    assert learner.apply("ACME-2026-OFF") == learner.apply("NO-SUCH-CODE") != ""


def test_a_code_applied_twice_is_said_to_be_applied(learner, code):
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    assert learner.apply(TEXT) == "This code has been applied already."


def test_a_typing_slip_in_a_generated_code_is_noticed(learner):
    text = make_issued(50).text
    slip = text[:-1] + ("A" if text[-1] != "A" else "B")
    learner.add(make_training(credits=20).product)

    assert "There is a typing slip" in learner.apply(slip)


def test_a_code_where_nothing_takes_credits_is_not_needed(learner, code):
    learner.add(make_product())

    assert "Nothing here can be paid in credits" in learner.apply(TEXT)


def test_the_text_of_a_code_is_in_no_session_address_or_page(learner, code):
    learner.add(make_training(credits=20).product)

    response = learner.client.post(
        reverse("training_credits:apply"),
        {"code": TEXT, "next": reverse("basket:summary")},
    )

    assert TEXT not in response.url
    assert TEXT not in str(dict(learner.client.session))
    assert TEXT not in learner.basket_page()


def test_the_box_does_not_lead_to_another_site(learner, code):
    learner.add(make_training(credits=20).product)

    response = learner.client.post(
        reverse("training_credits:apply"), {"code": TEXT, "next": "https://evil.test/"}
    )

    assert response.url == reverse("basket:summary") + "#credit-code-next"


def test_the_basket_says_nothing_of_a_price_decrease_for_a_line_in_credits(
    learner, code
):
    learner.add(make_training(credits=20, price="240.00").product)
    learner.apply(TEXT)

    assert "decreased" not in learner.basket_page()


def test_posting_without_a_basket_changes_nothing():
    client = Client()

    response = client.post(reverse("training_credits:apply"), {"code": TEXT})

    assert response.status_code == 302
    assert not Basket.objects.exists()


def test_two_source_types_of_one_name_stop_no_order(learner, code):
    SourceType = get_model("payment", "SourceType")
    for number in range(2):
        SourceType.objects.create(name="Training credits", code=f"credits-{number}")
    learner.add(make_training(credits=20).product)
    learner.apply(TEXT)

    learner.place()

    assert learner.order().sources.get().source_type.code == "credits-0"
