"""Which lines the applied codes pay, from which grants, and what is missing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count

import pytest
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.applying import apply_code
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.codes.refusals import Reason, Refusal
from oscar_training_credits.credits.codes.rules import Purchase
from oscar_training_credits.credits.ledger.quoting import Item, Quote, quote
from oscar_training_credits.credits.models import CreditCode, CreditGrant, MoneyChoice
from oscar_training_credits.shop.basket.quotes import items_of, quote_of
from oscar_training_credits.test.factories import (
    make_basket,
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ...support.databases import reading_codes

Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
DAY = timedelta(days=1)
keys = count(1)


def item(credits: int = 20, **terms) -> Item:
    """Return a line of one product that nothing else is known of."""
    key = next(keys)
    terms = {"key": key, "product_id": key, "quantity": 1, **terms}
    return Item(unit_credits=credits, **terms)


def quoted(items: list[Item], *codes: CreditCode) -> Quote:
    return quote(items, codes, Purchase(at=NOW))


def taken(result: Quote) -> list[tuple[int, int]]:
    """Return pairs of a grant's key and what is taken from it."""
    return [(take.grant.pk, take.credits) for take in result.takes]


def grant_of(code: CreditCode) -> CreditGrant:
    return code.grants.get()


def range_of(*product_ids: int):
    content = Range.objects.create(
        name=f"Range {next(keys)}", includes_all_products=False
    )
    for product in get_model("catalogue", "Product").objects.filter(pk__in=product_ids):
        content.add_product(product)
    return content


def test_nothing_is_quoted_for_no_items():
    result = quoted([], make_code(100))

    assert (result.takes, result.missing, result.blocking) == ((), 0, ())
    assert [(code.available, code.left) for code in result.codes] == [(100, 100)]


def test_without_codes_everything_is_missing():
    result = quoted([item(20), item(30)])

    assert (result.credits, result.credits_asked, result.missing) == (0, 50, 50)
    assert result.covered == frozenset()


@pytest.mark.parametrize(
    ("credits", "covered"),
    [
        pytest.param(100, {"first", "only", "second"}, id="enough for all"),
        pytest.param(60, {"first", "only", "second"}, id="just enough"),
        pytest.param(59, {"first", "only"}, id="one too few for the last"),
        pytest.param(40, {"first", "only"}, id="enough for two"),
        pytest.param(20, {"only"}, id="enough for one"),
        pytest.param(19, set(), id="not enough for any"),
    ],
)
def test_credit_only_lines_come_first_then_the_others_in_their_order(credits, covered):
    lines = {
        "first": item(20),
        "only": item(20, credit_only=True),
        "second": item(20),
    }

    result = quoted(list(lines.values()), make_code(credits))

    assert result.covered == {lines[name].key for name in covered}


def test_a_line_is_paid_whole_or_not_at_all():
    large, small = item(50), item(20)

    result = quoted([large, small], make_code(30))

    assert result.covered == {small.key}
    assert result.credits == 20


def test_the_learner_sees_what_each_code_gives_and_keeps():
    first, second = make_code(30), make_code(30)

    result = quoted([item(40)], first, second)

    assert {code.code: (code.available, code.taken) for code in result.codes} == {
        first: (30, 30),
        second: (30, 10),
    }


def test_codes_are_listed_in_the_order_applied():
    codes = [make_code(10), make_code(10), make_code(10)]

    result = quoted([], codes[2], codes[0], codes[1])

    assert [code.code for code in result.codes] == [codes[2], codes[0], codes[1]]


def test_the_grant_that_expires_soonest_is_spent_first():
    code = make_code(10)
    lasting = grant_of(code)
    late = add_grant(code, 10, expires_at=NOW + 2 * DAY)
    soon = add_grant(code, 10, expires_at=NOW + DAY)

    result = quoted([item(25)], code)

    assert taken(result) == [(soon.pk, 10), (late.pk, 10), (lasting.pk, 5)]


def test_the_smallest_grant_is_spent_first_among_equals():
    code = make_code(30)
    large = grant_of(code)
    small = add_grant(code, 10)

    result = quoted([item(15)], code)

    assert taken(result) == [(small.pk, 10), (large.pk, 5)]


def test_the_oldest_grant_is_spent_first_among_the_same():
    code = make_code(10)
    oldest = grant_of(code)
    newest = add_grant(code, 10)

    result = quoted([item(15)], code)

    assert taken(result) == [(oldest.pk, 10), (newest.pk, 5)]


@pytest.mark.parametrize(
    ("code_ends", "grant_ends", "first"),
    [
        pytest.param(1, None, "this", id="the code ends first"),
        pytest.param(3, None, "other", id="the code ends last"),
        pytest.param(3, 1, "this", id="its grant ends first"),
        pytest.param(1, 3, "this", id="the code cuts its grant short"),
        pytest.param(None, 3, "other", id="its grant ends last"),
        pytest.param(None, None, "other", id="neither ever ends"),
    ],
)
def test_a_grant_ends_with_its_code(code_ends, grant_ends, first):
    this = make_code(
        10,
        expires_at=code_ends and NOW + code_ends * DAY,
        grant_expires_at=grant_ends and NOW + grant_ends * DAY,
    )
    other = make_code(10, grant_expires_at=NOW + 2 * DAY)

    result = quoted([item(5)], this, other)

    assert taken(result) == [
        (grant_of({"this": this, "other": other}[first]).pk, 5),
    ]


@pytest.mark.parametrize("spoilt", ["lapsed", "spent"])
def test_a_grant_that_holds_nothing_is_left_out(spoilt):
    code = make_code(10)
    extra = add_grant(code, 50, expires_at=NOW + DAY)
    changes = {"lapsed": {"expires_at": NOW}, "spent": {"remaining": 0}}
    CreditGrant.objects.filter(pk=extra.pk).update(**changes[spoilt])

    result = quoted([item(20)], code)

    assert result.codes[0].available == 10
    assert result.missing == 10


def test_several_codes_make_up_one_line():
    codes = [make_code(10), make_code(20), make_code(30)]

    result = quoted([item(60)], *codes)

    assert result.credits == 60
    assert Counter(dict(taken(result))).total() == 60
    assert [code.left for code in result.codes] == [0, 0, 0]


def test_no_grant_gives_more_than_it_has_to_all_lines_together():
    code = make_code(30)
    first, second = code.grants.get(), add_grant(code, 30)

    result = quoted([item(20), item(20), item(20)], code)

    assert taken(result) == [
        (first.pk, 20),
        (first.pk, 10),
        (second.pk, 10),
        (second.pk, 20),
    ]


def test_a_quantity_is_paid_as_one_line():
    three = item(20, quantity=3)

    assert quoted([three], make_code(60)).credits == 60
    assert quoted([three], make_code(59)).covered == frozenset()


def test_a_restricted_code_pays_only_for_its_products():
    allowed, other = make_product(), make_product()
    code = make_code(100, content=range_of(allowed.pk))
    lines = [item(20, product_id=other.pk), item(20, product_id=allowed.pk)]

    result = quoted(lines, code)

    assert result.covered == {lines[1].key}
    assert result.missing == 20


def test_a_restricted_and_an_open_code_share_the_lines():
    allowed, other = make_product(), make_product()
    restricted = make_code(20, content=range_of(allowed.pk), expires_at=NOW + DAY)
    lines = [item(20, product_id=other.pk), item(30, product_id=allowed.pk)]

    result = quoted(lines, make_code(30), restricted)

    assert result.missing == 0
    assert sum(take.credits for take in result.takes if take.key == lines[0].key) == 20


@pytest.mark.parametrize("spoilt", ["disabled", "lapsed", "elsewhere"])
def test_a_code_that_cannot_be_used_says_why_and_gives_nothing(spoilt):
    reasons = {
        "disabled": Reason.DISABLED,
        "lapsed": Reason.EXPIRED,
        "elsewhere": Reason.WRONG_CONTENT,
    }
    code = make_code(
        100,
        expires_at=NOW if spoilt == "lapsed" else None,
        content=range_of() if spoilt == "elsewhere" else None,
    )
    if spoilt == "disabled":
        set_state(code, CreditCode.State.DISABLED)

    (answer,) = quoted([item(20)], code).codes

    assert answer.refusal is not None
    assert answer.refusal.reason is reasons[spoilt]
    assert (answer.available, answer.taken, answer.left) == (0, 0, 0)


def test_a_line_that_the_learner_pays_with_money_draws_nothing():
    chosen, other = item(20, in_money=True), item(20)

    result = quoted([chosen, other], make_code(100))

    assert result.covered == {other.key}
    assert (result.credits_asked, result.missing) == (20, 0)


def test_a_credit_only_line_cannot_be_paid_with_money():
    only = item(20, in_money=True, credit_only=True)

    assert quoted([only], make_code(100)).covered == {only.key}
    assert quoted([only]).blocking == (only,)


def test_only_uncovered_credit_only_lines_block():
    paid = item(20, credit_only=True)
    unpaid = item(20, credit_only=True)
    money = item(20)

    result = quoted([paid, unpaid, money], make_code(30))

    assert result.blocking == (unpaid,)
    assert result.covered == {paid.key}


@pytest.mark.parametrize(
    ("lines", "codes", "shortage"),
    [
        pytest.param([20], [15], (15, 5), id="one line, one code"),
        pytest.param([20], [8, 7], (15, 5), id="one line, two codes"),
        pytest.param([20, 20], [30], (10, 10), id="the second line"),
        pytest.param([20, 20], [10], (10, 30), id="two lines, too few for either"),
        pytest.param([50, 20], [30], (10, 40), id="a large line before a small one"),
        pytest.param([20, 20], [20], (0, 20), id="nothing left"),
        pytest.param([20], [20], None, id="enough"),
        pytest.param([20], [], None, id="no code at all"),
        pytest.param([], [10], None, id="nothing to pay"),
    ],
)
def test_a_shortage_says_how_many_credits_would_be_enough(lines, codes, shortage):
    result = quoted([item(credits) for credits in lines], *map(make_code, codes))

    expected = shortage and Refusal(
        Reason.NOT_ENOUGH, available=shortage[0], missing=shortage[1]
    )
    assert result.shortage() == expected


def test_another_code_of_what_is_missing_pays_for_all():
    lines = [item(50), item(20), item(40)]
    code = make_code(65)

    missing = quoted(lines, code).missing

    assert quoted(lines, code, make_code(missing - 1)).missing == 1
    assert quoted(lines, code, make_code(missing)).missing == 0


def test_there_is_no_shortage_where_no_code_can_be_used():
    lapsed = make_code(10, expires_at=NOW)

    assert quoted([item(20)], lapsed).shortage() is None


def test_credits_that_cannot_pay_for_a_line_are_not_said_to_be_left_for_it():
    allowed, other = make_product(), make_product()
    code = make_code(100, content=range_of(allowed.pk))
    lines = [item(20, product_id=allowed.pk), item(30, product_id=other.pk)]

    shortage = quoted(lines, code).shortage()

    assert shortage == Refusal(Reason.NOT_ENOUGH, available=0, missing=30)


@st.composite
def baskets(draw) -> list[dict]:
    line = st.fixed_dictionaries(
        {
            "product": st.integers(0, 2),
            "unit_credits": st.integers(1, 40),
            "quantity": st.integers(1, 3),
            "credit_only": st.booleans(),
            "in_money": st.booleans(),
        }
    )
    return draw(st.lists(line, max_size=6))


@st.composite
def wallets(draw) -> list[dict]:
    ends = st.none() | st.integers(-1, 3)
    grant = st.tuples(st.integers(0, 60), ends)
    code = st.fixed_dictionaries(
        {
            "state": st.sampled_from(["active"] * 4 + ["disabled"]),
            "ends": ends,
            "content": st.none() | st.frozensets(st.integers(0, 2)),
            "grants": st.lists(grant, max_size=4),
        }
    )
    return draw(st.lists(code, max_size=4))


def saved(wallet: list[dict], products: list[int], ranges: dict) -> list[CreditCode]:
    codes = CreditCode.objects.bulk_create(
        CreditCode(
            digest=str(number),
            label="ACME",
            state=each["state"],
            expires_at=moment(each["ends"]),
            content=None
            if each["content"] is None
            else ranges[frozenset(each["content"])],
        )
        for number, each in enumerate(wallet)
    )
    CreditGrant.objects.bulk_create(
        CreditGrant(code=code, credits=60, remaining=remaining, expires_at=moment(ends))
        for code, each in zip(codes, wallet, strict=True)
        for remaining, ends in each["grants"]
    )
    prefetch_related_objects(codes, "grants")
    return codes


def moment(days: int | None):
    return None if days is None else NOW + days * DAY


@pytest.fixture
def products():
    return [make_product(f"Course {number}").pk for number in range(3)]


@pytest.fixture
def ranges(products):
    subsets = [frozenset(n for n in range(3) if mask >> n & 1) for mask in range(8)]
    return {
        subset: range_of(*(products[number] for number in subset)) for subset in subsets
    }


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
)
@given(basket=baskets(), wallet=wallets())
def test_every_quote_is_sound(basket, wallet, products, ranges):
    items = [
        Item(
            key=key,
            product_id=products[line["product"]],
            unit_credits=line["unit_credits"],
            quantity=line["quantity"],
            credit_only=line["credit_only"],
            in_money=line["in_money"],
        )
        for key, line in enumerate(basket)
    ]
    with transaction.atomic():
        codes = saved(wallet, products, ranges)
        result = quote(items, codes, Purchase(at=NOW))
        transaction.set_rollback(True)

    by_grant: Counter[int] = Counter()
    by_code: Counter[int] = Counter()
    by_item: Counter[int] = Counter()
    for take in result.takes:
        assert take.credits > 0
        by_grant[take.grant.pk] += take.credits
        by_code[take.grant.code_id] += take.credits
        by_item[take.key] += take.credits
        assert take.grant.expires_at is None or take.grant.expires_at > NOW

    # No grant gives more than it has, and no pair of line and grant comes twice.
    for take in result.takes:
        assert by_grant[take.grant.pk] <= take.grant.remaining
    assert len({(take.key, take.grant.pk) for take in result.takes}) == len(
        result.takes
    )

    # A covered line is paid exactly; another draws nothing, and lacks something.
    lacking = dict(result.shortfalls)
    for each in items:
        if each.key in result.covered:
            assert each.wants_credits
            assert by_item[each.key] == each.credits
        else:
            assert by_item[each.key] == 0
            assert (each.key in lacking) is each.wants_credits
    assert all(credits > 0 for credits in lacking.values())
    assert (
        result.credits + sum(each.credits for each in items if each.key in lacking)
        == result.credits_asked
    )

    # What a code has is what it gives and what it keeps.
    assert [each.code for each in result.codes] == codes
    for each in result.codes:
        assert each.taken + each.left == each.available
        assert each.taken == by_code[each.code.pk]
        assert min(each.taken, each.left) >= 0
        if each.refusal:
            assert each.available == 0

    # A code pays only for its content.
    allowed = {
        code.pk: None
        if terms["content"] is None
        else {products[number] for number in terms["content"]}
        for code, terms in zip(codes, wallet, strict=True)
    }
    product_of = {each.key: each.product_id for each in items}
    for take in result.takes:
        content = allowed[take.grant.code_id]
        assert content is None or product_of[take.key] in content


@pytest.fixture
def learner():
    return make_learner()


def test_the_lines_of_a_basket_are_quoted(learner):
    basket = make_basket(
        learner,
        (make_product(), 1),
        (make_training(credits=30).product, 2),
        (make_training(credits=20, credit_only=True).product, 1),
        (make_training(credits=None).product, 1),
    )

    found = [
        (item.unit_credits, item.quantity, item.credit_only)
        for item in items_of(basket)
    ]

    assert found == [(30, 2, False), (20, 1, True)]


def test_a_basket_line_can_be_chosen_for_money(learner):
    basket = make_basket(learner, (make_training(credits=30).product, 1))
    MoneyChoice.objects.create(line=basket.lines.get())

    (item,) = items_of(basket)

    assert item.in_money


def test_a_basket_is_quoted_with_the_codes_applied_to_it(learner):
    basket = make_basket(
        learner,
        (make_training(credits=30).product, 2),
        (make_training(credits=20, credit_only=True).product, 1),
    )
    issued = make_issued(85)
    apply_code(
        issued.text,
        basket=basket,
        items=items_of(basket),
        requester=None,
        learner=learner,
    )
    basket.reset_offer_applications()

    result = quote_of(basket)

    assert result.credits == 80
    assert [(code.code, code.left) for code in result.codes] == [(issued.code, 5)]


@pytest.mark.parametrize("lines", [1, 4])
def test_a_quote_costs_as_many_queries_at_any_number_of_lines(
    learner, lines, django_assert_num_queries
):
    products = [(make_training(credits=5).product, 1) for _ in range(lines)]
    basket = make_basket(learner, *products)
    issued = make_issued(100)
    apply_code(
        issued.text,
        basket=basket,
        items=items_of(basket),
        requester=None,
        learner=learner,
    )
    basket.reset_offer_applications()
    list(basket.all_lines())

    with django_assert_num_queries(1 + reading_codes()):
        quote_of(basket)
    with django_assert_num_queries(0):
        quote_of(basket)


def test_an_unsaved_basket_has_an_empty_quote():
    Basket = get_model("basket", "Basket")

    assert quote_of(Basket()).items == ()
