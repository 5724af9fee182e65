"""Codes are found among a million, by what indexes know."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits.codes import listing
from oscar_training_credits.credits.codes.issuing import add_grant
from oscar_training_credits.credits.ledger.entries import redeem_credits
from oscar_training_credits.credits.models import CreditCode, Redemption
from oscar_training_credits.shop.dashboard.codes.forms import CodeSearchForm
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:training_credits_creditcode_changelist")
HOUR = timedelta(hours=1)


@pytest.fixture
def admin():
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def capped(monkeypatch):
    """Lists that count to two."""
    monkeypatch.setattr(listing.CappedPaginator, "CAP", 2)


def spend(code: CreditCode, credits: int) -> None:
    redemption = Redemption.objects.create(
        code=code, state="held", order_number="1001", credits=credits
    )
    redeem_credits(code.grants.get(), credits, redemption=redemption, kind="hold")


def labels(codes) -> list[str]:
    return sorted(codes.values_list("label", flat=True))


def shown(response) -> list[str]:
    return [code.label for code in response.context["cl"].result_list]


@pytest.mark.parametrize(
    ("term", "found"),
    [
        pytest.param("cohort", ["ACME, spring cohort"], id="a word of the label"),
        pytest.param("coh acm", ["ACME, spring cohort"], id="beginnings of words"),
        pytest.param("ohort", [], id="no piece of a word"),
        pytest.param("c-2026-17", ["ACME, spring cohort"], id="the reference"),
        pytest.param("2026-1", ["ACME, spring cohort"], id="a word and signs"),
        pytest.param("C-17", [], id="signs count"),
        pytest.param("m\u00fcller spring", ["ACME, spring cohort"], id="of two texts"),
        pytest.param("(the", ["ACME, spring cohort"], id="after a sign"),
        pytest.param("'", [], id="a sign alone"),
        pytest.param("\\ % &!|:*", [], id="signs that mean something to databases"),
        pytest.param("SPRING acme", ["ACME, spring cohort"], id="words in any order"),
        pytest.param("my77", ["Swordfish"], id="last four, in any case"),
        pytest.param("y77", [], id="no piece of the last four"),
        pytest.param("acme swordfish", [], id="each word must be found"),
        pytest.param(" ", ["ACME, spring cohort", "Swordfish"], id="nothing asked"),
    ],
)
def test_codes_are_found_by_label_and_last_four(term, found):
    make_code(
        label="ACME, spring cohort", holder="M\u00fcller (the", reference="C-2026-17"
    )
    make_issued(label="Swordfish", text="Swordfish-Academy-77")

    assert labels(listing.matching(CreditCode.objects.all(), term)) == found


@pytest.mark.parametrize(
    ("term", "found"),
    [
        pytest.param("m\u00fcl", ["ACME"], id="the beginning of a word"),
        pytest.param("south M\u00dcLLER", ["ACME"], id="words in any order"),
        pytest.param("(south", ["ACME"], id="after a sign"),
        pytest.param("ller", [], id="no piece of a word"),
        pytest.param("bet", ["Swordfish"], id="after a blank"),
        pytest.param("%", [], id="a sign that means something to databases"),
        pytest.param("spring", [], id="no other text"),
        pytest.param("acme", [], id="not the label"),
    ],
)
@pytest.mark.parametrize("is_few", [True, False], ids=["few", "all"])
def test_codes_are_found_by_their_holder(term, found, is_few):
    code = make_code(label="ACME", holder="M\u00fcller (South)", reference="spring")
    make_code(label="Swordfish", holder="Spa Beta")
    codes = CreditCode.objects.all()
    if is_few:
        codes = codes.among(range(code.pk, code.pk + 2))

    assert labels(listing.held_by(codes, term)) == found


def test_among_some_keys_only_their_grants_are_read():
    first, second, third = (make_code(5) for _number in range(3))
    codes = CreditCode.objects.all().among(range(second.pk, third.pk))

    assert list(codes.filter(label=second.label).order_by("pk")) == [second]
    assert [grant.code for grant in codes.filter(pk__gt=0).grants()] == [second]
    assert {grant.code for grant in CreditCode.objects.all().grants()} == {
        first,
        second,
        third,
    }


def test_a_balance_counts_what_has_not_expired():
    code = make_code(100)
    add_grant(code, 30, expires_at=timezone.now() + HOUR)
    codes = CreditCode.objects.all()

    assert listing.with_balance(codes).get().credits_left == 130
    later = timezone.now() + 2 * HOUR
    assert listing.with_balance(codes, later).get().credits_left == 100


@pytest.mark.parametrize(
    ("credits", "found"),
    [
        (1, ["spent"]),
        (2, ["one", "spent"]),
        (10, ["nine", "one", "spent"]),
        (100, ["nine", "one", "spent"]),
        (101, ["hundred", "nine", "one", "spent"]),
        (1_000, ["hundred", "nine", "one", "spent", "two grants"]),
    ],
)
def test_codes_are_narrowed_to_those_that_hold_less(credits, found):
    make_code(100, label="hundred")
    make_code(9, label="nine")
    make_code(1, label="one")
    spend(make_code(12, label="spent"), 12)
    add_grant(make_code(900, label="two grants"), 99)

    assert labels(listing.holding_less(CreditCode.objects.all(), credits)) == found


def test_a_code_whose_credits_have_expired_holds_nothing():
    expiry = timezone.now() + HOUR
    make_code(500, label="expired", grant_expires_at=expiry)
    add_grant(make_code(500, label="topped up", grant_expires_at=expiry), 5)

    codes = CreditCode.objects.all()
    assert labels(listing.holding_less(codes, 1)) == []
    assert labels(listing.holding_less(codes, 1, expiry)) == ["expired"]
    assert labels(listing.holding_less(codes, 6, expiry)) == ["expired", "topped up"]


@pytest.mark.parametrize("granted", [1, 9, 10, 99, 100, 999_999_999, 1_000_000_000])
def test_the_database_counts_the_digits_of_what_remains(granted):
    code = make_code(granted)
    grant = code.grants.get()
    assert grant.remaining_digits == len(str(granted))

    spend(code, granted)

    grant.refresh_from_db()
    assert (grant.remaining, grant.remaining_digits) == (0, 0)


def test_a_long_list_ends_where_it_is_not_counted_any_more(admin, capped):
    for label in ("first", "second", "third"):
        make_code(label=label)

    response = admin.get(LIST)

    cl = response.context["cl"]
    assert cl.result_count == 2
    assert cl.title == "The first 2 of more: search or filter to see others"


def test_a_list_that_is_counted_whole_says_nothing_of_more(admin, capped):
    for label in ("first", "second"):
        make_code(label=label)

    assert admin.get(LIST).context["cl"].title == "Select credit code to change"


def test_not_all_of_a_long_list_is_changed_at_once(admin, capped):
    codes = [make_code(), make_code(), make_code()]
    form = {"action": "disable", "_selected_action": [codes[0].pk]}

    response = admin.post(LIST, {**form, "select_across": "1"})

    (message,) = get_messages(response.wsgi_request)
    assert str(message) == "These are too many at once: select fewer."
    assert not CreditCode.objects.filter(state="disabled").exists()


def test_all_of_a_list_that_is_counted_whole_are_changed_at_once(admin, capped):
    codes = [make_code(), make_code()]
    form = {"action": "disable", "_selected_action": [codes[0].pk]}

    admin.post(LIST, {**form, "select_across": "1"})

    assert CreditCode.objects.filter(state="disabled").count() == 2


@pytest.mark.parametrize(
    ("address", "found"),
    [
        pytest.param("", ["last", "B", "A"], id="newest first"),
        pytest.param("?o=7", ["A", "B", "last"], id="oldest first"),
        pytest.param("?o=1", ["A", "B", "last"], id="by label"),
        pytest.param("?under=1", ["B"], id="used up"),
        pytest.param("?under=100", ["last", "B"], id="under a hundred"),
        pytest.param("?q=last", ["last"], id="searched"),
    ],
)
def test_the_list_is_sorted_and_narrowed(admin, address, found):
    make_code(100, label="A")
    spend(make_code(7, label="B"), 7)
    make_code(50, label="last")

    assert shown(admin.get(LIST + address)) == found


def test_ties_are_sorted_as_an_index_has_them(admin):
    make_code(label="ACME")
    make_code(label="ACME")

    up = admin.get(f"{LIST}?o=1").context["cl"]
    down = admin.get(f"{LIST}?o=-1").context["cl"]

    assert list(up.queryset.query.order_by) == ["label", "pk"]
    assert list(down.queryset.query.order_by) == ["-label", "-pk"]


def keys_of(*labels: str) -> list[int]:
    return [CreditCode.objects.get(label=label).pk for label in labels]


@pytest.mark.parametrize(
    ("cap", "found"),
    [(1, ["f", "e"]), (2, ["f", "e", "b"]), (5, ["f", "e", "b", "a"])],
    ids=["many are found at once", "in several steps", "all"],
)
def test_the_newest_of_those_found_are_listed(monkeypatch, cap, found):
    monkeypatch.setattr(listing.CappedPaginator, "CAP", cap)
    monkeypatch.setattr(listing, "RECENT", 2)
    for label in "abcdef":
        make_code(label=label, holder="" if label in "cd" else "ACME")

    keys = listing.newest(lambda codes: codes.filter(holder="ACME"))

    assert keys == keys_of(*found)
    assert labels(listing.of_keys(keys)) == sorted(found)


def test_nothing_is_found_where_there_are_no_codes():
    assert listing.newest(lambda codes: codes) == []
    assert not listing.of_keys([]).exists()


@pytest.fixture
def thousands():
    """Three thousand codes, of which the database knows how common what is."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are looked at")
    codes = [
        CreditCode(
            digest=f"{number:064}",
            last_four=f"{number:04}",
            label=f"Cohort {number % 2}",
            holder=f"Customer {number}",
            is_test=number % 1_000 == 0,
            starts_at=timezone.now() + HOUR if number % 1_000 == 1 else None,
        )
        for number in range(3_000)
    ]
    CreditCode.objects.bulk_create(codes)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE training_credits_creditcode")


@pytest.mark.parametrize(
    ("search", "index"),
    [
        pytest.param({"q": "customer 17"}, "code_words", id="two words"),
        pytest.param({"q": "0017"}, "code_words", id="last four"),
        pytest.param({"q": "nobody"}, "code_words", id="nothing"),
        pytest.param({"holder": "customer 17"}, "code_words", id="holder"),
        pytest.param({"test": "only"}, "code_test", id="test codes"),
        pytest.param({"state": "not-started"}, "code_start", id="not started"),
        pytest.param({"state": "closed"}, "code_state", id="state"),
        pytest.param({"expiring": "7"}, "code_end", id="ends soon"),
    ],
)
def test_what_is_looked_for_is_found_by_an_index(thousands, search, index):
    form = CodeSearchForm(search)
    assert form.is_valid()

    plan = form.filtered(CreditCode.objects.all()).explain()

    assert f"training_credits_{index}" in plan
    assert "Seq Scan on training_credits_creditcode" not in plan


def test_what_older_codes_have_is_found_without_looking_through_all(monkeypatch):
    monkeypatch.setattr(listing, "RECENT", 2)
    monkeypatch.setattr(listing, "STEP", 2)
    keys = [make_code().pk for _number in range(30)]
    older, seen = keys[20:24], []

    def find(codes):
        seen.extend(codes.values_list("pk", flat=True))
        return codes.filter(pk__in=older)

    among = range(keys[-1], keys[0] - 1, -1)
    assert listing.first_keys(find, among, 1) == older[-1:]
    assert set(older) < set(seen) < set(keys)


@pytest.mark.parametrize("is_newest_first", [True, False])
@pytest.mark.parametrize("recent", [1, 5, 1_000])
@pytest.mark.parametrize("every", [1, 2, 7, 50])
def test_the_first_codes_are_found_however_rare_they_are(
    monkeypatch, every, recent, is_newest_first
):
    monkeypatch.setattr(listing, "RECENT", recent)
    keys = [make_code().pk for _number in range(30)]
    wanted = [key for key in keys if key % every == 0][:: -1 if is_newest_first else 1]
    last = listing.last_key()
    among = range(last, 0, -1) if is_newest_first else range(1, last + 1)

    def find(codes):
        return codes.filter(pk__in=wanted)

    for most in (1, 2, 31):
        assert listing.first_keys(find, among, most) == wanted[:most]
