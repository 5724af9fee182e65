"""Whom a code is for, and how much of it each of them may have."""

# ruff: noqa: RUF001 - letters of other scripts are what is tested

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits import email_domain
from oscar_training_credits.credits.codes import code_text as codes_code_text
from oscar_training_credits.credits.codes import rules
from oscar_training_credits.credits.codes.applying import applied_codes, apply_code
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.codes.refusals import Reason, Refusal, public_text
from oscar_training_credits.credits.codes.rules import Purchase, first_refusal
from oscar_training_credits.credits.ledger.quoting import Item, quote
from oscar_training_credits.credits.models import CreditCode, Redemption, RedemptionLine
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.basket.quotes import items_of, quote_of
from oscar_training_credits.shop.voucher.codes import VoucherLike
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...shop.direct_purchase.test_direct_purchase import Buyer
from ...support.databases import reading_codes
from ...support.orders import place_order
from ...support.pages import make_course
from ...support.shop import Learner, errors, words

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
DAY = timedelta(days=1)
TEXT = "ACME-TEAM-2026"


def reason_of(refusal: Refusal | None) -> Any:
    return refusal and refusal.reason


def told(code: CreditCode, learner: Any = None, **purchase: Any) -> Any:
    return reason_of(first_refusal(code, Purchase(learner, **purchase)))


@pytest.fixture
def learner():
    return make_learner(email="ann@acme.example")


@pytest.fixture
def team():
    return Group.objects.create(name="ACME team")


# Domains


@pytest.mark.parametrize(
    ("allowed", "address", "exact", "below"),
    [
        pytest.param("acme.example", "ann@acme.example", True, True, id="same"),
        pytest.param("ACME.Example", "ann@acme.EXAMPLE", True, True, id="case"),
        pytest.param("acme.example.", "ann@acme.example", True, True, id="ends in dot"),
        pytest.param("acme.example", "ann@acme.example.", True, True, id="address dot"),
        pytest.param("acme.example", "a@uk.acme.example", False, True, id="below"),
        pytest.param("acme.example", "a@x.y.acme.example", False, True, id="lower"),
        pytest.param("uk.acme.example", "a@acme.example", False, False, id="above"),
        pytest.param("acme.example", "a@notacme.example", False, False, id="suffix"),
        pytest.param("acme.example", "a@acme.example.evil", False, False, id="prefix"),
        pytest.param("acme.example", "a@acme-example", False, False, id="dot is a dot"),
        pytest.param("acme.example", "", False, False, id="no address"),
        pytest.param("acme.example", "acme.example", False, False, id="no @"),
        pytest.param("acme.example", "@acme.example", False, False, id="no name"),
        pytest.param(
            "acme.example", '"x@evil.example"@acme.example', True, True, id="quoted @"
        ),
        pytest.param(
            "evil.example", '"x@evil.example"@acme.example', False, False, id="not it"
        ),
        pytest.param(
            "bücher.example", "a@xn--bcher-kva.example", True, True, id="punycode"
        ),
        pytest.param(
            "xn--bcher-kva.example", "a@BÜCHER.example", True, True, id="unicode"
        ),
        pytest.param(
            "bücher.example", "a@bu\u0308cher.example", True, True, id="decomposed"
        ),
        pytest.param(
            "bücher.example", "a@de.bücher.example", False, True, id="below unicode"
        ),
        pytest.param("bücher.example", "a@bucher.example", False, False, id="accent"),
        pytest.param("faß.example", "a@fass.example", False, False, id="sharp s"),
        pytest.param("faß.example", "a@FAß.example", True, True, id="sharp s, case"),
        pytest.param("σας.example", "a@σασ.example", False, False, id="final sigma"),
        pytest.param("σασ.example", "a@ΣΑΣ.example", True, True, id="capital sigma"),
        pytest.param("例え.テスト", "a@例え。テスト", True, True, id="ideographic dot"),
        pytest.param("acme.example", "a@аcme.example", False, False, id="cyrillic a"),
        pytest.param("acme.example", "a@ａｃｍｅ.example", True, True, id="full width"),
        pytest.param(
            "other.example\n\nacme.example", "a@acme.example", True, True, id="second"
        ),
    ],
)
def test_a_domain_is_compared_exactly(allowed, address, exact, below):
    learner = make_learner(username="x", email="")
    learner.email = address
    code = make_code()
    code.email_domains = allowed

    answers = []
    for code.include_subdomains in (False, True):
        answers.append(rules.for_learner(code, Purchase(learner)) is None)

    assert answers == [exact, below]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("acme.example", "acme.example", id="one"),
        pytest.param(
            "  @acme.example \r\n\n Bücher.example. ",
            "acme.example\nBücher.example",
            id="tidied",
        ),
        pytest.param(
            "acme.example\nACME.example\nxn--bcher-kva.example\nbücher.example",
            "acme.example\nxn--bcher-kva.example",
            id="each once",
        ),
        pytest.param(" \n ", "", id="none"),
    ],
)
def test_domains_are_kept_tidy(typed, kept):
    code = CreditCode(email_domains=typed)

    code.clean()

    assert code.email_domains == kept


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        pytest.param("acme", "“acme” is not a domain", id="no dot"),
        pytest.param("ann@acme.example", "is an address", id="address"),
        pytest.param("*.acme.example", "leave out the *", id="wildcard"),
        pytest.param("a.example, b.example", "a line of its own", id="commas"),
        pytest.param("a.example b.example", "a line of its own", id="spaces"),
        pytest.param("a.example,b.example", "a line of its own", id="comma alone"),
        pytest.param("a.example;b.example", "a line of its own", id="semicolon"),
        pytest.param("https://acme.example/", "is not a domain", id="web page"),
        pytest.param("acme..example", "is not a domain", id="two dots"),
        pytest.param("-acme.example", "is not a domain", id="hyphen"),
        pytest.param("192.0.2.1", "is not a domain", id="number"),
        pytest.param("ü" * 70 + ".example", "is not a domain", id="too long"),
    ],
)
def test_what_is_no_domain_is_refused_by_name(typed, complaint):
    with pytest.raises(ValidationError) as refused:
        CreditCode(email_domains=f"fine.example\n{typed}").clean()

    (message,) = refused.value.message_dict["email_domains"]
    assert complaint in message


@given(st.text(max_size=60))
def test_any_text_can_be_asked_about(text):
    assert email_domain.one_form(email_domain.one_form(text)) == email_domain.one_form(
        text
    )
    email_domain.domain_of(text)


# For whom


WHO = ["named", "in the group", "at the domain"]


@pytest.mark.parametrize("is_so", [[], *([each] for each in WHO), WHO[:2], WHO])
@pytest.mark.parametrize("restricted", [[], *([each] for each in WHO), WHO[1:], WHO])
def test_who_meets_any_one_of_the_kinds_set_may_use_it(restricted, is_so, team):
    code = make_code(
        learners=[make_learner()] if "named" in restricted else [],
        groups=[team] if "in the group" in restricted else [],
        email_domains=["acme.example"] if "at the domain" in restricted else [],
    )
    learner = make_learner(
        email="ann@acme.example" if "at the domain" in is_so else "ann@home.example"
    )
    if "in the group" in is_so:
        learner.groups.add(team)
    if "named" in restricted and "named" in is_so:
        code.learners.add(learner)

    allowed = not restricted or set(restricted) & set(is_so)

    assert told(code, learner) is (None if allowed else Reason.NOT_FOR_YOU)


@pytest.mark.parametrize("visitor", [None, AnonymousUser()], ids=["none", "anonymous"])
def test_a_visitor_is_not_told_whether_a_code_is_for_somebody(visitor, learner):
    restricted = make_code(learners=[learner])

    refusal = rules.for_learner(restricted, Purchase(visitor))

    assert reason_of(refusal) is Reason.NOT_LOGGED_IN
    assert public_text(refusal) == public_text(Refusal(Reason.UNKNOWN))
    assert rules.for_learner(make_code(), Purchase(visitor)) is None


@pytest.mark.parametrize("wrong", ["late", "early", "spent", "elsewhere", "off"])
def test_a_stranger_is_told_the_same_whatever_is_wrong(wrong, learner, other_range):
    code = make_code(
        learners=[make_learner()],
        starts_at=NOW + DAY if wrong == "early" else None,
        expires_at=NOW - DAY if wrong == "late" else None,
        content=other_range if wrong == "elsewhere" else None,
    )
    if wrong == "spent":
        code.grants.update(remaining=0)
    if wrong == "off":
        set_state(code, "disabled")

    refusal = first_refusal(code, Purchase(learner, frozenset([1])))

    assert refusal.reason.public is Reason.UNKNOWN


@pytest.mark.parametrize("kind", ["learners", "groups"])
def test_a_code_that_is_read_with_its_audience_is_for_its_own_alone(kind, team):
    member, colleague = make_learner(), make_learner()
    other_team = Group.objects.create(name="Another team")
    member.groups.add(team)
    colleague.groups.add(other_team)
    wanted = {"learners": [member]} if kind == "learners" else {"groups": [team]}
    others = {"learners": [colleague], "groups": [other_team]}
    texts = {"CODE-MINE-2026": wanted, "CODE-THEIRS-2026": others, "CODE-ALL-2026": {}}
    for text, terms in texts.items():
        make_code(5, text=text, **terms)

    told_to = {
        learner: [
            told(codes_code_text.find(text, learner=learner), learner) for text in texts
        ]
        for learner in (member, colleague)
    }

    refused = Reason.NOT_FOR_YOU
    assert told_to == {member: [None, refused, None], colleague: [refused, None, None]}


@pytest.mark.parametrize("address", ["", None])
def test_who_has_no_address_has_no_domain(address, learner):
    code = make_code(5, email_domains=["acme.example"])
    learner.email = address

    assert told(code, learner) is Reason.NOT_FOR_YOU
    code.email_domains = "."  # written by other ways than ours
    assert told(code, learner) is Reason.NOT_FOR_YOU


def test_the_lists_of_one_code_are_not_those_of_another(learner, team):
    for_some = make_code()
    for_some.learners.add(make_learner())
    for_some.groups.add(team)
    make_code(text=TEXT)

    for reader in (learner, AnonymousUser(), None):
        found = codes_code_text.find(TEXT, learner=reader)
        assert told(found, reader) is None


def test_a_user_model_without_groups_is_in_none(team):
    class Plain:
        _meta = get_user_model()._meta
        pk = 999_999
        is_authenticated = True
        email = "ann@home.example"

        def get_email_field_name(self):
            return "email"

    code = make_code(groups=[team], text=TEXT)

    for read in (code, codes_code_text.find(TEXT, learner=Plain())):
        assert told(read, Plain()) is Reason.NOT_FOR_YOU


def test_a_voucher_for_some_is_active_but_not_available_to_others(learner):
    like = VoucherLike(make_code(learners=[learner]))
    late = VoucherLike(make_code(learners=[learner], expires_at=NOW - DAY))

    assert like.is_active()
    assert like.is_available_to_user(learner) == (True, "")
    assert like.is_available_to_user(make_learner())[0] is False
    assert not late.is_active()


# How much


@pytest.fixture
def course():
    return make_training(credits=20)


@pytest.fixture
def course_page(db):
    return make_course(make_product("Django Foundations", "240.00"), credits=20)


def bought(learner: Any, training: Any, *, quantity: int = 1) -> Any:
    return place_order(learner, (training.product, quantity), text=TEXT)


def refund(order: Any, credits: int) -> None:
    RedemptionLine.objects.filter(redemption__order=order).update(refunded=credits)


def hold(code: CreditCode, learner: Any, credits: int, expires_at=None) -> Redemption:
    return Redemption.objects.create(
        code=code,
        state=Redemption.State.HELD,
        order_number=f"held-{Redemption.objects.count()}",
        learner=learner,
        credits=credits,
        expires_at=expires_at,
    )


@pytest.mark.parametrize(
    ("credits_cap", "orders_cap", "one_order", "mine", "theirs"),
    [
        pytest.param(None, None, False, None, None, id="no cap"),
        pytest.param(20, None, False, Reason.SHARE_SPENT, None, id="share spent"),
        pytest.param(19, None, False, Reason.SHARE_SPENT, None, id="cap lowered since"),
        pytest.param(21, None, False, None, None, id="one credit left"),
        pytest.param(None, 1, False, Reason.USED_OFTEN, None, id="one order each"),
        pytest.param(None, 2, False, None, None, id="two orders each"),
        pytest.param(
            None, None, True, Reason.USED_ONCE, Reason.USED_ONCE, id="one order only"
        ),
    ],
)
def test_a_cap_is_one_learners_and_one_order_is_everybodys(
    credits_cap, orders_cap, one_order, mine, theirs, learner, course
):
    code = make_code(100, text=TEXT)
    bought(learner, course)
    code.credits_per_learner = credits_cap
    code.redemptions_per_learner = orders_cap
    code.one_order_only = one_order

    assert told(code, learner) is mine
    assert told(code, make_learner()) is theirs
    assert told(code) is theirs


CAPS = [
    {"credits_per_learner": 20},
    {"redemptions_per_learner": 1},
    {"one_order_only": True},
]


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: next(iter(cap)))
def test_what_was_taken_from_another_code_does_not_count(cap, learner, course):
    make_code(100, text=TEXT)
    bought(learner, course)

    assert told(make_code(100, **cap), learner) is None


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: next(iter(cap)))
def test_what_was_given_back_counts_no_more(cap, learner, course):
    code = make_code(100, text=TEXT, **cap)
    order = bought(learner, course)

    refund(order, 19)
    partly = told(code, learner)
    refund(order, 20)

    is_credits = "credits_per_learner" in cap
    assert (partly is None) is is_credits
    assert told(code, learner) is None


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: next(iter(cap)))
@pytest.mark.parametrize(
    ("ends", "counts"), [(None, True), (NOW + DAY, True), (NOW, False)]
)
def test_what_is_held_counts_until_it_lapses(cap, ends, counts, learner):
    code = make_code(100, **cap)

    hold(code, learner, 20, ends)

    assert (told(code, learner, at=NOW) is not None) is counts


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: next(iter(cap)))
def test_what_has_lapsed_can_not_be_captured_past_a_cap(cap, learner, course):
    code = make_code(100, text=TEXT, **cap)
    lapsed = hold(code, learner, 20, NOW - DAY)

    bought(learner, course)

    lapsed.refresh_from_db()
    assert lapsed.state == Redemption.State.RELEASED
    assert told(code, learner) is not None


def test_what_was_released_does_not_count(learner):
    code = make_code(100, credits_per_learner=20)
    Redemption.objects.filter(pk=hold(code, learner, 20).pk).update(state="released")

    assert told(code, learner) is None


def test_refunds_of_several_lines_add_up(learner):
    code = make_code(100, text=TEXT, credits_per_learner=50)
    place_order(
        learner,
        (make_training(credits=20).product, 1),
        (make_training(credits=30).product, 1),
        text=TEXT,
    )
    RedemptionLine.objects.filter(credits=20).update(refunded=5)
    RedemptionLine.objects.filter(credits=30).update(refunded=10)

    assert rules.credits_left(code, Purchase(learner)) == 15


def test_a_cap_is_across_grants(learner):
    code = make_code(20, credits_per_learner=30)
    add_grant(code, 20)
    add_grant(code, 20)
    lines = [
        Item(key=key, product_id=key, unit_credits=15, quantity=1) for key in (1, 2, 3)
    ]

    result = quote(lines, [code], Purchase(learner))

    assert result.credits == 30
    assert [(each.available, each.left) for each in result.codes] == [(30, 0)]
    assert result.missing == 15


def test_another_code_makes_up_for_what_a_cap_keeps(learner):
    capped, other = make_code(100, credits_per_learner=15), make_code(100)
    line = Item(key=1, product_id=1, unit_credits=20, quantity=1)

    result = quote([line], [capped, other], Purchase(learner))

    assert [(each.taken, each.left) for each in result.codes] == [(15, 0), (5, 95)]


@hypothesis_settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    grants=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    cap=st.none() | st.integers(1, 60),
    used=st.integers(0, 30),
    other=st.integers(0, 40),
    prices=st.lists(st.integers(1, 30), max_size=5),
)
def test_no_quote_takes_more_than_a_cap_or_than_there_is(
    db, grants, cap, used, other, prices
):
    learner = make_learner()
    code = make_code(grants[0], credits_per_learner=cap)
    for credits in grants[1:]:
        add_grant(code, credits)
    if used:
        hold(code, learner, used)
    applied = [code, make_code(other)] if other else [code]
    lines = [
        Item(key=key, product_id=key, unit_credits=credits, quantity=1)
        for key, credits in enumerate(prices, start=1)
    ]

    result = quote(lines, applied, Purchase(learner))

    allowed = sum(grants) if cap is None else min(sum(grants), max(cap - used, 0))
    first = result.codes[0]
    drawn = sum(take.credits for take in result.takes if take.grant.code_id == code.pk)
    assert drawn == first.taken <= first.available == allowed
    for line in lines:
        paid = sum(take.credits for take in result.takes if take.key == line.key)
        assert paid in (0, line.credits)
    # A line is left out only where everything that was left would not have paid it.
    if len(lines) == 1 and lines[0].credits <= allowed + other:
        assert result.covered == {1}


# What it costs


def applied(code_text: str, learner: Any) -> Any:
    basket = make_basket(learner, (make_training(credits=5).product, 1))
    apply_code(
        code_text,
        basket=basket,
        items=items_of(basket),
        learner=learner,
        requester=None,
    )
    basket.reset_offer_applications()
    list(basket.all_lines())
    return basket


@pytest.mark.parametrize(
    ("restricted", "queries"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("domain", 0, id="domain"),
        pytest.param("domain, named and group", 0, id="domain is met first"),
        pytest.param("named", 1, id="named"),
        pytest.param("group", 1, id="group"),
        pytest.param("one order", 1, id="one order"),
        pytest.param("orders", 1, id="orders each"),
        pytest.param("credits", 2, id="credits each"),
        pytest.param("named, one order, orders, credits", 5, id="nearly all"),
    ],
)
def test_a_restriction_costs_its_own_queries_alone(
    restricted, queries, learner, team, django_assert_num_queries
):
    learner.groups.add(team)
    make_code(
        text=TEXT,
        email_domains=["acme.example"] if "domain" in restricted else [],
        learners=[learner] if "named" in restricted else [],
        groups=[team] if "group" in restricted else [],
        one_order_only="one order" in restricted,
        redemptions_per_learner=2 if "orders" in restricted else None,
        credits_per_learner=30 if "credits" in restricted else None,
    )
    basket = applied(TEXT, learner)

    with django_assert_num_queries(1 + reading_codes() + queries):
        result = quote_of(basket)

    assert result.credits == 5


def test_applied_codes_keep_their_order_and_know_their_audience(
    learner, django_assert_num_queries
):
    made = [
        make_code(text=f"{TEXT}-{number}", learners=[learner] * (number % 2))
        for number in range(4)
    ]
    basket = make_basket(learner, (make_training(credits=5).product, 1))
    for number in (2, 0, 3, 1):
        apply_code(
            f"{TEXT}-{number}",
            basket=basket,
            items=items_of(basket),
            learner=learner,
            requester=None,
        )

    with django_assert_num_queries(reading_codes()):
        found = applied_codes(basket)
        named = [code.names_learners() for code in found]

    assert found == [made[2], made[0], made[3], made[1]]
    assert named == [False, False, True, True]


# In the shop


def not_for_me(text: str = TEXT, **terms: Any) -> CreditCode:
    return make_code(100, text=text, learners=[make_learner()], **terms)


LIKE_A_GENERATED_ONE = "ACME0-TEAM0-ACME0-TEAM0"


@pytest.mark.parametrize("text", [TEXT, LIKE_A_GENERATED_ONE])
def test_a_code_for_others_is_answered_as_an_unknown_one(text, course):
    learner, visitor = Learner(make_learner()), Learner()
    answers = {}
    for shopper in (learner, visitor):
        shopper.add(course.product)
        answers[shopper] = shopper.apply(text)
    not_for_me(text, expires_at=NOW - DAY)

    assert codes_code_text.find(text)
    for shopper, before in answers.items():
        assert shopper.apply(text) == before != ""


def test_a_voucher_of_the_same_text_still_works_for_others(course, voucher):
    learner = Learner(make_learner())
    learner.add(course.product)
    not_for_me(voucher.code)

    learner.apply(voucher.code)

    assert voucher.code in learner.basket_page()


@pytest.mark.parametrize("text", [TEXT, LIKE_A_GENERATED_ONE])
def test_a_page_answers_a_code_for_others_as_an_unknown_one(text, course_page):
    buyer = Buyer(course_page)
    before = buyer.box(text)
    not_for_me(text)

    assert buyer.box(text) == before


def test_a_member_of_the_group_buys_with_it(team, course):
    learner = Learner(make_learner())
    learner.user.groups.add(team)
    code = make_code(100, text=TEXT, groups=[team])
    learner.add(course.product)

    assert "80 left" in learner.apply(TEXT)
    learner.place()

    assert code.balance() == 80


def test_a_member_of_the_group_buys_on_the_page(team, course_page):
    buyer = Buyer(course_page)
    buyer.user.groups.add(team)
    code = make_code(100, text=TEXT, groups=[team])

    buyer.box(TEXT)
    buyer.confirm()

    assert code.balance() == 80


def test_a_colleague_who_left_the_group_meanwhile_can_not_buy(team):
    learner = Learner(make_learner())
    learner.user.groups.add(team)
    code = make_code(100, text=TEXT, groups=[team])
    learner.add(make_training(credits=20, credit_only=True).product)
    learner.apply(TEXT)
    page = learner.preview()
    learner.user.groups.clear()

    learner.place(page)

    assert not Order.objects.exists()
    assert code.balance() == 100


def test_a_learner_is_told_what_is_left_of_the_share(course):
    learner = Learner(make_learner())
    make_code(100, text=TEXT, credits_per_learner=30)
    learner.add(course.product)

    assert learner.apply(TEXT).startswith("30 credits available, 10 left")
    learner.place()
    learner.add(course.product)

    assert "10 credits left on your codes, 10 credits too few" in learner.apply(TEXT)


@pytest.mark.parametrize(
    ("cap", "said"),
    [
        ({"credits_per_learner": 20}, "You have spent your share of this code."),
        (
            {"redemptions_per_learner": 1},
            "You have used this code as often",
        ),
        ({"one_order_only": True}, "This code was for one order"),
    ],
)
def test_a_cap_that_is_reached_is_said(cap, said, course, course_page):
    learner = Learner(make_learner())
    make_code(100, text=TEXT, **cap)
    learner.add(course.product)
    learner.apply(TEXT)
    learner.place()
    learner.add(make_training(credits=5).product)

    assert said in learner.apply(TEXT)
    assert said in Buyer(course_page, learner.user).box(TEXT)


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: next(iter(cap)))
def test_a_cap_reached_in_another_tab_holds_at_the_last_click(cap, course, course_page):
    learner = Learner(make_learner())
    code = make_code(100, text=TEXT, **cap)
    learner.add(course.product)
    learner.apply(TEXT)
    page = learner.preview()
    buyer = Buyer(course_page, learner.user)
    buyer.box(TEXT)
    buyer.confirm()

    response = learner.place(page)

    assert Order.objects.count() == 1
    assert code.balance() == 80
    assert "A price or a code has changed" in errors(response)


def test_the_one_order_can_have_many_lines(course):
    learner = Learner(make_learner())
    code = make_code(100, text=TEXT, one_order_only=True)
    learner.add(course.product, quantity=2)
    learner.add(make_training(credits=35).product)
    learner.apply(TEXT)

    learner.place()

    assert code.balance() == 25


def test_a_guests_share_is_the_learners_after_log_in(course):
    user = make_learner()
    code = make_code(100, text=TEXT, credits_per_learner=20)
    place_order(user, (course.product, 1), text=TEXT)
    guest = Learner()
    guest.add(course.product)
    assert "20 credits available" in guest.apply(TEXT)

    guest.log_in(user)

    assert "You have spent your share" in words(guest.basket_page())
    assert code.balance() == 80


# Issued with restrictions


def test_a_code_is_issued_with_its_restrictions(learner, team):
    code = api.issue_code(
        label="ACME",
        credits=100,
        learners=[learner, learner],
        groups=[team],
        email_domains=["@acme.example", "bücher.example."],
        include_subdomains=True,
        credits_per_learner=40,
        redemptions_per_learner=2,
        one_order_only=True,
    ).code

    code.refresh_from_db()
    assert list(code.learners.all()) == [learner]
    assert list(code.groups.all()) == [team]
    assert code.email_domains == "acme.example\nbücher.example"
    assert code.include_subdomains
    assert (code.credits_per_learner, code.redemptions_per_learner) == (40, 2)
    assert code.one_order_only


def test_many_codes_are_issued_with_their_restrictions(
    learner, team, django_assert_max_num_queries
):
    with django_assert_max_num_queries(60):
        (chunk,) = api.issue_codes(
            300,
            label="ACME",
            credits=5,
            learners=iter([learner]),
            groups=iter([team]),
            email_domains=iter(["acme.example"]),
        )

    assert len(chunk) == 300
    assert (
        CreditCode.objects.filter(
            learners=learner, groups=team, email_domains="acme.example"
        ).count()
        == 300
    )


@pytest.mark.parametrize(
    "terms",
    [
        {"credits_per_learner": 0},
        {"redemptions_per_learner": -1},
        {"email_domains": ["acme"]},
    ],
)
def test_senseless_restrictions_are_refused(terms):
    with pytest.raises(ValueError, match=r"cap|domain"):
        api.issue_code(label="ACME", credits=5, **terms)
    with pytest.raises(ValueError, match=r"cap|domain"):
        list(api.issue_codes(2, label="ACME", credits=5, **terms))

    assert not CreditCode.objects.exists()


def test_a_restriction_that_does_not_exist_is_an_error():
    with pytest.raises(TypeError, match="group"):
        api.issue_code(label="ACME", credits=5, group="ACME")  # type: ignore[call-arg]


def test_a_refused_code_says_why_to_code_and_nothing_to_learners(learner, course):
    not_for_me()
    basket = make_basket(learner, (course.product, 1))

    with pytest.raises(CreditCodeRefused) as refused:
        apply_code(
            TEXT, basket=basket, items=items_of(basket), learner=learner, requester=None
        )

    assert refused.value.refusal.reason is Reason.NOT_FOR_YOU
