"""What the box for codes says at the checkout, and in which tone."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.shop import Learner, answer, text_of, words
from ...support.vouchers import make_voucher

pytestmark = pytest.mark.django_db

LOW, TEAM = "ACME-2026-LOW", "ACME-TEAM-2026"


@pytest.fixture
def learner() -> Learner:
    return Learner(make_learner())


def sell(title, credits, price=None):
    terms = {"price": price} if price else {"credit_only": True}
    return make_training(title, credits=credits, **terms).product


def alarms(page):
    """Return what a page shows in red, or interrupts a screen reader with."""
    found = re.findall(r'(?s)<p[^>]*(?:__error|role="alert")[^>]*>(.*?)</p>', page)
    return [words(text) for text in found]


def box_of(page):
    return words(re.search(r'(?s)<section id="credit-code".*?</section>', page)[0])


# Money pays the rest


def test_a_code_that_pays_for_a_part_is_no_error(learner):
    make_code(25, text=LOW)
    learner.add(sell("First", 20, "240.00"))
    learner.add(sell("Second", 30, "90.00"))

    said = learner.apply(LOW)
    page = learner.basket_page()

    assert said.startswith("You pay the rest with money: you have 5 credits left")
    assert "25 credits too few for it" in said
    assert said in box_of(page)
    assert not alarms(page)


def test_what_only_credits_buy_and_they_do_not_reach_for_is_an_error(learner):
    make_code(15, text=LOW)
    learner.add(sell("Money would do", 20, "240.00"))
    learner.add(sell("Plan", 35))

    said = learner.apply(LOW)

    assert "15 credits left on your codes, 20 credits too few" in said
    assert alarms(learner.basket_page()) == [said]


def test_a_voucher_that_is_accepted_raises_no_alarm(learner):
    make_code(15, text=LOW)
    make_voucher("SPRING10")
    learner.add(sell("First", 20, "240.00"))
    learner.apply(LOW)

    learner.client.post(reverse("training_credits:apply"), {"code": "spring10"})
    page = learner.basket_page()

    assert answer(page) == "Voucher 'SPRING10' added to basket"
    assert "You pay the rest with money" in box_of(page)
    assert not alarms(page)


def test_a_voucher_for_an_order_that_waits_for_a_code_raises_no_alarm(learner):
    make_code(15, text=LOW)
    make_voucher("SPRING10")
    learner.add(sell("Plan", 35))
    learner.add(sell("First", 20, "240.00"))
    learner.apply(LOW)

    learner.client.post(reverse("training_credits:apply"), {"code": "spring10"})
    page = learner.basket_page()

    assert answer(page) == "Voucher 'SPRING10' added to basket"
    assert "20 credits too few" in box_of(page)
    assert not alarms(page)


# A code that changes which lines credits pay


@pytest.fixture
def displaced(learner):
    """A basket whose second code reaches for a dear line that comes first."""
    make_code(20, text=LOW)
    make_code(20, text=TEAM)
    learner.add(sell("Path", 40, "90.00"))
    learner.add(sell("Course", 20, "330.00"))
    learner.apply(LOW)
    return learner


def test_a_code_that_raises_the_money_due_says_so_and_why(displaced):
    said = displaced.apply(TEAM)

    assert said == (
        "Your codes pay for “Path” first now. They do not reach for “Course” as well,"
        " which you pay with money. To have it the other way, choose “Pay with money"
        " instead” beside “Path”. You pay £330.00 instead of £90.00."
    )
    assert "Still to pay £330.00" in box_of(displaced.basket_page())


def test_the_money_due_is_said_as_offers_leave_it(displaced):
    make_voucher("SPRING10")
    displaced.apply("SPRING10")

    assert "You pay £297.00 instead of £81.00." in displaced.apply(TEAM)
    assert "Still to pay £297.00" in box_of(displaced.basket_page())


def test_what_only_credits_buy_can_not_be_had_the_other_way(learner):
    make_code(20, text=LOW)
    make_code(20, text=TEAM)
    learner.add(sell("Course", 20, "330.00"))
    learner.apply(LOW)
    learner.add(sell("Plan", 40))

    said = learner.apply(TEAM)

    assert "Your codes pay for “Plan” first now." in said
    assert "the other way" not in said


def test_a_choice_that_displaces_a_line_says_so(displaced):
    displaced.apply(TEAM)
    path = displaced.basket_line("Path")
    settle = reverse("training_credits:pay-line", args=[path.pk])
    displaced.client.post(settle, {"with": "money"})
    assert answer(displaced.basket_page()) == ""

    displaced.client.post(settle, {"with": "credits"})

    page = displaced.basket_page()
    assert answer(page).startswith("Your codes pay for “Path” first now.")
    assert not alarms(page)


def test_a_code_that_displaces_nothing_says_what_it_leaves(learner):
    make_code(20, text=LOW)
    make_code(50, text=TEAM)
    learner.add(sell("Path", 40, "90.00"))
    learner.add(sell("Course", 20, "330.00"))
    learner.apply(LOW)

    assert learner.apply(TEAM) == "50 credits available, 10 left after this purchase."


# What the content costs


def test_the_box_says_what_the_content_costs_before_and_after_a_code(learner):
    make_code(100, text=TEAM)
    learner.add(sell("Course", 20, "330.00"))
    learner.add(sell("Plan", 35))
    assert "The content costs 55 credits" in box_of(learner.basket_page())

    learner.apply(TEAM)

    assert "The content costs 55 credits" in box_of(learner.basket_page())


# The same words for totals everywhere


def rows_of(page):
    """Return the first word of what a page's totals say of the basket, with amounts."""
    found = re.findall(
        r"Basket total \((before|after) discounts\) (£[\d.]+(?: \+ \d+ credits)?)",
        words(page),
    )
    return dict(found)


def test_totals_with_a_voucher_are_the_same_on_every_page(learner):
    make_code(100, text=TEAM)
    make_voucher("SPRING10")
    learner.add(sell("Plan", 35))
    learner.add(sell("Course", 20, "330.00"))
    learner.add(make_product("Book", "90.00"))
    learner.apply(TEAM)
    learner.apply("SPRING10")

    basket = learner.basket_page()
    preview = learner.preview()
    placed = learner.place(preview)
    thanks = text_of(learner.client.get(placed.url))
    number = learner.order().number
    order = text_of(learner.client.get(reverse("customer:order", args=[number])))

    expected = {"before": "£90.00 + 55 credits", "after": "£81.00 + 55 credits"}
    assert [rows_of(page) for page in (basket, text_of(preview), thanks, order)] == [
        expected
    ] * 4
    named = "Discount Spring sale (SPRING10)"
    assert all(named in words(page) for page in (basket, thanks, order))


# What a site's own scripts and tests find


def test_the_box_on_the_basket_page_is_found_by_oscars_name(learner):
    make_code(25, text=LOW)
    learner.add(sell("First", 20, "240.00"))
    page = learner.client.get(reverse("basket:summary"))

    form = re.search(r'(?s)<form[^>]* id="voucher_form".*?</form>', text_of(page))[0]

    assert page.context["voucher_form"].fields.keys() == {"code"}
    assert 'name="code"' in form
    assert reverse("training_credits:apply") in form
