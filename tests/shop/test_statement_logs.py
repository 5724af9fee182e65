"""No statement that reaches the database holds a code that was typed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.core.loading import get_model
from oscar.test.factories import VoucherFactory

from oscar_training_credits.checks import check_settings
from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.models import AppliedCode
from oscar_training_credits.shop.basket.code_handlers import find_voucher, shape
from oscar_training_credits.test.factories import make_code, make_issued, make_learner

from ..credits.codes.test_throttling import LIMITS, WAYS
from ..support.shop import Learner, text_of, words

ISSUED = "VZ55-DWB6-8YYD-SM73-ANEM"
CHOSEN = "ACME-2026-HERON"
CREDIT_CODE = "oscar_training_credits.policies.credit_code"
VOUCHER = "oscar_training_credits.policies.voucher"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.any_database,
    pytest.mark.urlconf("tests.api_urls"),
]


def api_box(learner, training, text):
    address = reverse("api-basket-add-voucher")
    return text_of(learner.client.post(address, {"vouchercode": text}))


ALL_WAYS = {**WAYS, "api": api_box}


@pytest.fixture
def shopper(course):
    learner = Learner(make_learner())
    learner.add(course.product)
    return learner


@pytest.fixture
def vouchers(voucher):
    """Vouchers of other shapes than the codes below."""
    for text in ("WINTER-5", "AAAA-BBBB-CCCC", "2026-ACME-HERON", "HERON"):
        VoucherFactory(code=text, name=text)


def statements(call):
    """Return the statements of a call, without all that is no letter or digit."""
    with CaptureQueriesContext(connection) as queries:
        call()
    assert queries.captured_queries
    return code_text.canonical("".join(query["sql"] for query in queries))


STATES = {
    "right": lambda text: make_code(100, text=text),
    "unknown": lambda text: None,
    "disabled": lambda text: set_state(make_code(100, text=text), "disabled"),
    "for others": lambda text: make_code(100, text=text, learners=[make_learner()]),
}


@pytest.mark.parametrize("text", [ISSUED, CHOSEN])
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
@pytest.mark.parametrize("way", ALL_WAYS.values(), ids=ALL_WAYS)
def test_a_typed_code_is_in_no_statement(shopper, course, vouchers, way, state, text):
    state(text)

    for typed in (text, text.lower(), text.replace("-", " ")):
        sql = statements(lambda typed=typed: way(shopper, course.training, typed))

        assert code_text.canonical(text) not in sql


@pytest.mark.parametrize("way", ALL_WAYS.values(), ids=ALL_WAYS)
def test_a_slip_is_in_no_statement(shopper, course, vouchers, way):
    slip = ISSUED.replace("DWB6", "DWB7")
    assert code_text.is_mistyped(slip)

    sql = statements(lambda: way(shopper, course.training, slip))

    assert code_text.canonical(slip) not in sql


@pytest.mark.parametrize("way", ALL_WAYS.values(), ids=ALL_WAYS)
def test_nor_is_the_code_of_who_has_to_wait(
    new_hour, settings, shopper, course, vouchers, way
):
    settings.TRAINING_CREDITS_THROTTLE = LIMITS
    make_code(100, text=ISSUED)
    for _ in range(3):
        way(shopper, course.training, "WRONG")

    sql = statements(lambda: way(shopper, course.training, ISSUED))

    assert code_text.canonical(ISSUED) not in sql
    assert not AppliedCode.objects.exists()


def test_the_statements_of_a_voucher_would_show_it(shopper, course, vouchers):
    """Without this the search for codes above would prove nothing."""
    sql = statements(lambda: shopper.apply("SPRING10"))

    assert code_text.canonical("SPRING10") in sql
    assert "SPRING10" in shopper.basket_page()


@pytest.mark.parametrize("way", ["basket", "voucher", "api"])
@pytest.mark.parametrize("typed", ["SPRING10", " spring10 "])
def test_a_voucher_is_found_in_every_box(shopper, course, vouchers, way, typed):
    ALL_WAYS[way](shopper, course.training, typed)

    assert "SPRING10" in shopper.basket_page()


@pytest.mark.parametrize(
    "code",
    ["SPRING10", "2-FOR-1", "ÉTÉ-2026", "50%-OFF", "A.B+C*(D)", "夏-10", "X", "10"],
)
def test_a_voucher_is_found_whatever_it_is_made_of(code):
    VoucherFactory(code=code, name="One")

    assert find_voucher(code).code == code
    assert find_voucher(code.lower()).code == code
    assert find_voucher(f"{code}X") is None


@pytest.mark.parametrize(
    ("text", "others"),
    [("SPRING10", ["SPRING1", "SPRIN610", "SPRING-10", "SPRING100", "10SPRING"])],
)
def test_a_shape_is_that_of_few(text, others):
    VoucherFactory(code=text, name="One")
    vouchers = get_model("voucher", "Voucher").objects

    assert vouchers.filter(code__iregex=shape("AUTUMN26")).exists()
    for other in others:
        assert not vouchers.filter(code__iregex=shape(other)).exists()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_voucher_is_no_wrong_code_in_any_box(
    new_hour, settings, shopper, course, vouchers, way
):
    settings.TRAINING_CREDITS_THROTTLE = LIMITS
    make_code(100, text=ISSUED)

    for _ in range(9):
        way(shopper, course.training, "SPRING10")

    way(shopper, course.training, ISSUED)
    assert AppliedCode.objects.exists()


def test_a_limit_is_not_reported_for_a_voucher(
    new_hour, settings, shopper, vouchers, caplog
):
    settings.TRAINING_CREDITS_THROTTLE = {"session": "1/h"}

    shopper.apply("SPRING10")
    assert "is reached" not in caplog.text

    shopper.apply("WRONG")
    assert "the limit session is reached" in caplog.text


def gift_card(text, request):
    from oscar_training_credits.shop.basket.code_handlers import Answer

    return Answer("Gift.", accepted=True) if text.startswith("GIFT") else None


def test_a_kind_after_credit_codes_is_no_wrong_code(new_hour, settings, shopper):
    settings.TRAINING_CREDITS_THROTTLE = LIMITS
    settings.TRAINING_CREDITS_CODE_HANDLERS = [CREDIT_CODE, f"{__name__}.gift_card"]

    assert {shopper.apply(f"GIFT-{number}") for number in range(9)} == {"Gift."}


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([CREDIT_CODE, VOUCHER], []),
        ([CREDIT_CODE], []),
        ([VOUCHER], []),
        ([VOUCHER, CREDIT_CODE], ["training_credits.W031"]),
        ([f"{__name__}.gift_card", CREDIT_CODE], ["training_credits.W031"]),
    ],
    ids=["default", "codes alone", "vouchers alone", "voucher first", "other first"],
)
def test_a_kind_before_credit_codes_is_warned_of(settings, kinds, found):
    settings.TRAINING_CREDITS_CODE_HANDLERS = kinds

    assert [message.id for message in check_settings(None)] == found


# Staff who look for a code


SEARCHES = ["creditcode", "redemption", "ledgerentry"]


@pytest.fixture
def staff():
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


def search(client, model, text):
    address = reverse(f"admin:training_credits_{model}_changelist")
    return client.get(address, {"q": text})


@pytest.mark.parametrize("model", SEARCHES)
def test_a_code_that_staff_look_for_is_in_no_statement(staff, model):
    issued, label = make_issued(100).text, "Autumn"
    make_code(100, text=CHOSEN, label=label)

    for text in (issued, issued.lower(), issued.replace("-", ""), CHOSEN, ISSUED):
        sql = statements(lambda text=text: search(staff, model, text))

        assert code_text.canonical(text) not in sql
    assert code_text.canonical(label) in statements(lambda: search(staff, model, label))


def test_staff_find_a_code_by_its_label_and_ending_and_not_by_all_of_it(staff):
    code = make_code(100, text=CHOSEN, label="Autumn intake 2026")

    for text in ("autumn", "intake 2026", code.last_four):
        page = search(staff, "creditcode", text)
        assert list(page.context["cl"].queryset) == [code]
        assert "Enter no whole code" in words(text_of(page))
    for model in SEARCHES:
        assert not search(staff, model, CHOSEN).context["cl"].queryset.exists()
