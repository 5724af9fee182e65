"""Codes issued, credits put on them and taken: all entered, nothing ever overdrawn."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F, ProtectedError
from django.db.models.signals import pre_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.views.debug import ExceptionReporter

from oscar_training_credits import api
from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.codes.issuing import (
    add_grant,
    issue_code,
    issue_codes,
    set_state,
)
from oscar_training_credits.credits.ledger import entries as ledger_entries
from oscar_training_credits.credits.models import (
    CreditCode,
    CreditGrant,
    LedgerEntry,
    Redemption,
)
from oscar_training_credits.credits.terms import MOST_GRANTED
from oscar_training_credits.exceptions import (
    CodeTaken,
    LedgerIsAppendOnly,
    NotEnoughCredits,
)
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_training,
)

from ...support.books import assert_balanced
from ...support.orders import place_order

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

NOW = timezone.now()
DAY = timedelta(days=1)
SECRET = "Swordfish-Academy-77"


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def order(learner):
    """An order for money, to which redemptions may be put."""
    return place_order(learner, (make_training(credits=20).product, 1))


@pytest.fixture
def grant():
    return make_code(100).grants.get()


@pytest.fixture
def spent(learner):
    """A code from which an order took 20 of 100."""
    issued = make_issued(100)
    place_order(learner, (make_training(credits=20).product, 1), text=issued.text)
    return issued.code


@pytest.fixture
def entry(spent):
    return LedgerEntry.objects.get(kind=LedgerEntry.Kind.REDEEM)


def redemption_of(grant: CreditGrant, order, credits: int = 20) -> Redemption:
    return Redemption.objects.create(
        code=grant.code,
        order=order,
        order_number=order.number,
        state=Redemption.State.CAPTURED,
        credits=credits,
    )


def test_a_code_is_issued_with_its_terms():
    by = make_learner(is_staff=True)

    issued = issue_code(
        label="ACME, spring",
        credits=50,
        text="acme-spring",
        starts_at=NOW,
        expires_at=NOW + DAY,
        origin=CreditGrant.Origin.GOODWILL,
        note="Sorry",
        grant_expires_at=NOW + 2 * DAY,
        by=by,
    )

    code = CreditCode.objects.get()
    assert (issued.code, issued.text) == (code, "acme-spring")
    assert (code.label, code.last_four, code.state) == (
        "ACME, spring",
        "RING",
        "active",
    )
    assert (code.starts_at, code.expires_at, code.created_by) == (NOW, NOW + DAY, by)
    grant = code.grants.get()
    assert (grant.credits, grant.remaining) == (50, 50)
    assert (grant.origin, grant.note) == ("goodwill", "Sorry")
    assert (grant.expires_at, grant.created_by) == (NOW + 2 * DAY, by)


@pytest.mark.parametrize("credits", [1, 50])
def test_a_new_grant_begins_with_its_entry(credits):
    grant = make_code(credits).grants.get()

    entry = LedgerEntry.objects.get()

    assert (entry.grant, entry.kind, entry.redemption) == (grant, "grant", None)
    assert (entry.credits, entry.balance) == (credits, credits)
    assert entry.created_at == grant.created_at


def test_a_code_is_topped_up_by_another_grant():
    code = make_code(50)

    grant = add_grant(code, 30, expires_at=NOW + DAY, note="More")

    assert (grant.credits, grant.remaining, grant.note) == (30, 30, "More")
    assert code.balance() == 80
    assert code.balance(NOW + DAY) == 50
    assert_balanced()


@pytest.mark.parametrize("credits", [0, -1, MOST_GRANTED + 1, 10**18])
def test_a_grant_needs_a_credit_and_has_no_end_of_them(credits):
    code = make_code(50)

    with pytest.raises(ValueError, match="1 to 1000000000 credits"):
        issue_code(label="ACME", credits=credits)
    with pytest.raises(ValueError, match="1 to 1000000000 credits"):
        list(issue_codes(2, label="ACME", credits=credits))
    with pytest.raises(ValueError, match="1 to 1000000000 credits"):
        api.add_grant(code, credits)

    assert CreditCode.objects.get() == code
    assert code.balance() == 50


def test_a_grant_may_have_very_many_credits():
    assert make_code(MOST_GRANTED).balance() == MOST_GRANTED
    assert_balanced()


def test_a_top_up_needs_a_credit(grant):
    with pytest.raises(ValueError, match="1 to 1000000000 credits"):
        add_grant(grant.code, 0)

    assert LedgerEntry.objects.count() == 1


def test_a_code_must_end_after_it_starts():
    with pytest.raises(ValueError, match="end after it starts"):
        issue_code(label="ACME", credits=1, starts_at=NOW, expires_at=NOW)
    with pytest.raises(ValueError, match="end after it starts"):
        list(issue_codes(2, label="ACME", credits=1, starts_at=NOW, expires_at=NOW))

    assert not CreditCode.objects.exists()


@pytest.mark.parametrize(
    "spelling",
    ["ACME-TEAM-2026", "acme team 2o26", "ACMETEAM2026", " Acme_Team\t2026 "],
)
def test_a_text_is_taken_in_any_spelling(spelling):
    make_code(text="ACME-TEAM-2026")

    with pytest.raises(CodeTaken):
        issue_code(label="Another", credits=1, text=spelling)

    assert CreditCode.objects.count() == CreditGrant.objects.count() == 1


def test_a_text_is_taken_under_an_older_key_too(settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["first"]
    make_code(text="ACME-TEAM-2026")
    settings.TRAINING_CREDITS_CODE_KEYS = ["second", "first"]

    with pytest.raises(CodeTaken):
        issue_code(label="Another", credits=1, text="acme-team-2026")


def test_a_text_taken_leaves_the_callers_transaction_usable():
    make_code(text="ACME-TEAM-2026")

    with transaction.atomic():
        with pytest.raises(CodeTaken):
            issue_code(label="Another", credits=1, text="ACME-TEAM-2026")
        make_code(text="ACME-TEAM-2027")

    assert CreditCode.objects.count() == 2


def test_a_text_taken_at_the_last_moment_is_taken():
    def overtake(sender, instance, **kwargs):
        pre_save.disconnect(overtake, CreditCode)
        make_code(label="First", text="ACME-TEAM-2026")

    pre_save.connect(overtake, CreditCode)
    try:
        with pytest.raises(CodeTaken):
            issue_code(label="Second", credits=1, text="ACME-TEAM-2026")
    finally:
        pre_save.disconnect(overtake, CreditCode)

    assert not CreditCode.objects.filter(label="Second").exists()


def test_an_error_report_of_issuing_does_not_hold_the_text(settings):
    settings.TRAINING_CREDITS_CODE_KEYS = []

    with pytest.raises(IndexError) as failed:
        issue_code(label="ACME", credits=50, text=SECRET)

    report = ExceptionReporter(None, failed.type, failed.value, failed.tb)
    page = report.get_traceback_html()
    assert "_new_code" in page
    assert SECRET not in page


def test_codes_are_issued_in_bulk():
    by = make_learner(is_staff=True)

    chunks = list(
        issue_codes(
            2_500,
            label="Cohort",
            credits=5,
            expires_at=NOW + DAY,
            origin=CreditGrant.Origin.IMPORT,
            note="Contract 7",
            grant_expires_at=NOW + DAY,
            by=by,
        )
    )

    assert [len(chunk) for chunk in chunks] == [1000, 1000, 500]
    made = [issued for chunk in chunks for issued in chunk]
    assert len({issued.text for issued in made}) == 2_500
    assert all(code_text.find(issued.text) == issued.code for issued in made)
    terms = {"label": "Cohort", "expires_at": NOW + DAY, "created_by": by}
    assert CreditCode.objects.filter(**terms).count() == 2_500
    grant_terms = {
        "credits": 5,
        "remaining": 5,
        "origin": "import",
        "note": "Contract 7",
        "expires_at": NOW + DAY,
        "created_by": by,
    }
    assert CreditGrant.objects.filter(**grant_terms).count() == 2_500
    entries = LedgerEntry.objects.filter(kind="grant", credits=5, balance=5)
    assert entries.values("grant").distinct().count() == 2_500


def test_a_bulk_costs_a_few_queries_for_each_thousand(django_assert_max_num_queries):
    with django_assert_max_num_queries(60):
        list(issue_codes(1_000, label="Cohort", credits=5))


def test_what_a_broken_off_bulk_has_handed_out_is_kept():
    run = issue_codes(2_500, label="Cohort", credits=5)

    handed_out = next(run)
    run.close()

    assert CreditCode.objects.count() == len(handed_out) == 1000
    assert_balanced()


def test_no_code_is_issued_for_a_count_of_nothing():
    assert list(issue_codes(0, label="Cohort", credits=5)) == []


def test_credits_are_taken_and_entered(grant, order):
    redemption = redemption_of(grant, order)

    entry = ledger_entries.redeem_credits(grant, 20, redemption=redemption)

    assert (entry.kind, entry.credits, entry.balance) == ("redeem", -20, 80)
    assert entry.redemption == redemption
    grant.refresh_from_db()
    assert grant.remaining == 80
    assert_balanced()


def test_all_credits_can_be_taken(grant, order):
    ledger_entries.redeem_credits(
        grant, 100, redemption=redemption_of(grant, order, 100)
    )

    assert grant.code.balance() == 0
    assert_balanced()


def test_no_more_credits_are_taken_than_there_are(grant, order):
    redemption = redemption_of(grant, order, 101)

    with pytest.raises(NotEnoughCredits):
        ledger_entries.redeem_credits(grant, 101, redemption=redemption)

    assert grant.remaining == 100
    grant.refresh_from_db()
    assert grant.remaining == 100
    assert not redemption.entries.exists()


def test_a_new_grant_is_saved_with_what_remains(grant):
    new = CreditGrant(code=grant.code, credits=5, remaining=4)
    new.save()
    copy = CreditGrant.objects.get(pk=new.pk)
    copy.pk = None
    copy.save(force_insert=True)

    assert copy.pk != new.pk
    for saved in (new, copy):
        saved.refresh_from_db()
        assert (saved.credits, saved.remaining) == (5, 4)


def test_what_a_stale_grant_says_does_not_count(grant, order):
    stale = CreditGrant.objects.get(pk=grant.pk)
    ledger_entries.redeem_credits(grant, 90, redemption=redemption_of(grant, order, 90))

    with pytest.raises(NotEnoughCredits):
        ledger_entries.redeem_credits(
            stale, 20, redemption=grant.code.redemptions.get()
        )

    assert grant.code.balance() == 10
    assert_balanced()


@pytest.mark.parametrize("unread", [[], ["note"], ["code"]], ids=str)
def test_saving_a_stale_grant_moves_no_credits(grant, order, unread):
    CreditGrant.objects.update(note="kept")
    stale = CreditGrant.objects.defer(*unread).get(pk=grant.pk)
    ledger_entries.redeem_credits(grant, 90, redemption=redemption_of(grant, order, 90))

    stale.origin = CreditGrant.Origin.GOODWILL
    stale.save()

    stored = CreditGrant.objects.get()
    assert (stored.remaining, stored.origin, stored.note) == (10, "goodwill", "kept")
    assert_balanced()


def test_saving_chosen_fields_of_a_grant_writes_no_others(grant):
    stale = CreditGrant.objects.get(pk=grant.pk)
    CreditGrant.objects.update(note="kept")

    stale.origin = CreditGrant.Origin.GOODWILL
    stale.save(update_fields=["origin"])

    stored = CreditGrant.objects.get()
    assert (stored.origin, stored.note) == ("goodwill", "kept")


def test_a_redemption_takes_from_a_grant_once(grant, order):
    redemption = redemption_of(grant, order)
    ledger_entries.redeem_credits(grant, 20, redemption=redemption)

    with pytest.raises(DatabaseError), transaction.atomic():
        ledger_entries.redeem_credits(grant, 20, redemption=redemption)

    assert grant.code.balance() == 80


def test_orders_keep_every_grant_equal_to_its_entries(learner):
    issued = make_issued(50, grant_expires_at=NOW + DAY)
    add_grant(issued.code, 30)
    product = make_training(credits=15, access_days=30).product

    for _ in range(4):
        place_order(learner, (product, 1), text=issued.text)

    assert issued.code.balance() == 20
    assert Counter(
        LedgerEntry.objects.filter(kind="redeem").values_list("credits", flat=True)
    ) == Counter([-15, -15, -15, -5, -10])
    assert_balanced()


CHANGES = {
    "save": lambda entry: entry.save(),
    "save of one field": lambda entry: entry.save(update_fields=["credits"]),
    "save under its key": lambda entry: LedgerEntry(
        pk=entry.pk, grant=entry.grant, kind="grant", credits=9, balance=9
    ).save(),
    "delete": lambda entry: entry.delete(),
    "update": lambda entry: LedgerEntry.objects.update(credits=F("credits") - 1),
    "filtered update": lambda entry: LedgerEntry.objects.filter(pk=entry.pk).update(
        credits=-1
    ),
    "delete of all": lambda entry: LedgerEntry.objects.all().delete(),
    "delete of some": lambda entry: LedgerEntry.objects.exclude(pk=0).delete(),
    "bulk update": lambda entry: LedgerEntry.objects.bulk_update([entry], ["credits"]),
    "update or create": lambda entry: LedgerEntry.objects.update_or_create(
        pk=entry.pk, defaults={"credits": -1}
    ),
    "upsert": lambda entry: LedgerEntry.objects.bulk_create(
        [entry],
        update_conflicts=True,
        update_fields=["credits"],
        unique_fields=["id"],
    ),
    "update through its grant": lambda entry: entry.grant.entries.update(credits=-1),
    "delete through its grant": lambda entry: entry.grant.entries.all().delete(),
    "clear": lambda entry: entry.redemption.entries.clear(),
    "clear one by one": lambda entry: entry.redemption.entries.clear(bulk=False),
    "remove": lambda entry: entry.redemption.entries.remove(entry),
    "base manager": lambda entry: LedgerEntry._base_manager.update(credits=-1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_entry_is_never_changed_or_deleted(change, entry):
    before = list(LedgerEntry.objects.order_by("pk").values())
    entry.credits = -1

    with pytest.raises((LedgerIsAppendOnly, DatabaseError)), transaction.atomic():
        change(entry)

    assert list(LedgerEntry.objects.order_by("pk").values()) == before


def test_entries_are_inserted_with_what_django_offers_for_it(entry):
    copy = LedgerEntry(pk=entry.pk, grant=entry.grant, kind="grant", credits=9)
    copy.balance = 9

    LedgerEntry.objects.bulk_create([copy], ignore_conflicts=True)

    assert LedgerEntry.objects.get(pk=entry.pk).credits == entry.credits


REFUSED_UNASKED = (
    "save",
    "save of one field",
    "delete",
    "update",
    "delete of all",
    "bulk update",
    "update or create",
    "upsert",
    "base manager",
)


@pytest.mark.parametrize("name", REFUSED_UNASKED)
def test_the_models_refuse_a_change_without_asking_the_database(
    name, entry, django_assert_num_queries
):
    with django_assert_num_queries(0), pytest.raises(LedgerIsAppendOnly):
        CHANGES[name](entry)


def test_an_entry_under_the_key_of_another_is_only_ever_inserted(entry):
    with (
        CaptureQueriesContext(connection) as queries,
        pytest.raises(DatabaseError),
        transaction.atomic(),
    ):
        CHANGES["save under its key"](entry)

    assert not any("UPDATE" in query["sql"] for query in queries)


def test_a_grant_without_its_entry_is_not_kept():
    code = make_code(50)

    def fail(**_kwargs):
        raise RuntimeError("a receiver that fails")

    pre_save.connect(fail, sender=LedgerEntry)
    try:
        with pytest.raises(RuntimeError):
            add_grant(code, 30)
    finally:
        pre_save.disconnect(fail, sender=LedgerEntry)

    assert code.balance() == 50


@pytest.mark.parametrize(
    "cascade",
    [
        pytest.param(lambda code: code.delete(), id="code"),
        pytest.param(lambda code: CreditCode.objects.all().delete(), id="all codes"),
        pytest.param(lambda code: code.grants.get().delete(), id="grant"),
        pytest.param(lambda code: code.grants.all().delete(), id="all grants"),
        pytest.param(lambda code: code.redemptions.get().delete(), id="redemption"),
        pytest.param(lambda code: code.redemptions.get().order.delete(), id="order"),
    ],
)
def test_what_an_entry_hangs_on_is_not_deleted(cascade, spent):
    with pytest.raises(ProtectedError):
        cascade(spent)

    assert LedgerEntry.objects.count() == 2
    assert_balanced()


def test_the_ledger_outlives_the_learner(learner, spent):
    learner.delete()

    assert spent.redemptions.get().learner is None
    assert LedgerEntry.objects.count() == 2


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("remaining = -1", id="overdrawn"),
        pytest.param("remaining = credits + 1", id="more than was granted"),
        pytest.param("credits = 0, remaining = 0", id="a grant of nothing"),
        pytest.param("credits = -5, remaining = -5", id="a grant of less"),
    ],
)
def test_the_database_itself_refuses_a_wrong_balance(change, grant):
    sql = f"UPDATE training_credits_creditgrant SET {change}"  # noqa: S608

    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)

    grant.refresh_from_db()
    assert (grant.credits, grant.remaining) == (100, 100)


def delete_all(table: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608
        connection.check_constraints()


@pytest.mark.parametrize(
    "table", ["training_credits_creditgrant", "training_credits_creditcode"]
)
def test_the_database_itself_keeps_what_entries_hang_on(table, spent):
    with pytest.raises(DatabaseError):
        delete_all(table)

    assert LedgerEntry.objects.count() == 2


def every_stored_value():
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            for row in cursor.fetchall():
                yield from map(str, row)


def test_the_text_of_a_code_is_stored_nowhere(learner):
    chosen = make_issued(text="Swordfish-Academy-77").text
    drawn = make_issued().text
    (bulk,) = next(issue_codes(1, label="Cohort", credits=40))
    texts = [chosen, drawn, bulk.text]
    for text in texts:
        place_order(learner, (make_training(credits=20).product, 1), text=text)

    secrets = [code_text.canonical(text) for text in texts]
    found = [
        value
        for value in every_stored_value()
        if any(secret in code_text.canonical(value) for secret in secrets)
    ]

    assert found == []


def test_the_search_for_texts_finds_what_is_stored(learner):
    assert learner.email in list(every_stored_value())


def test_an_issued_code_does_not_show_its_text():
    issued = make_issued(text="Swordfish-Academy-77")

    shown = f"{issued!r} {issued} {issued.code!r} {issued.code} {[issued]}"

    assert "SWORDFISH" not in code_text.canonical(shown)
    assert "MY77" in str(issued.code)


@pytest.mark.parametrize("state", ["active", "disabled"])
def test_setting_the_state_writes_nothing_else(state):
    code = make_code(label="ACME")
    stale = CreditCode.objects.get(pk=code.pk)
    CreditCode.objects.update(label="Renamed")

    set_state(stale, state)

    assert stale.state == state
    stored = CreditCode.objects.get()
    assert (stored.state, stored.label) == (state, "Renamed")


def test_the_public_api_holds_what_it_names():
    assert all(hasattr(api, name) for name in api.__all__)
    assert sorted(api.__all__) == api.__all__
