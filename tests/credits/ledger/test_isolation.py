"""Whatever isolation level a site has set, what must hold does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits import isolation
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.access.status import has_access
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.models import Access, Place, Redemption
from oscar_training_credits.exceptions import IdempotencyKeyReused, PlaceRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...races.test_caps import TEXT, Order, tabs
from ...support.orders import place_order
from ...support.racing import at_once
from ...support.shop import Learner

LEVELS = {
    "postgresql": {"repeatable read": 3, "serializable": 4},
    "mysql": {"repeatable read": "repeatable read", "serializable": "serializable"},
}
CLAIMS = 6

needs_levels = [
    pytest.mark.races,
    pytest.mark.any_database,
    pytest.mark.skipif(
        "connection.vendor == 'sqlite'", reason="its transactions are serial anyway"
    ),
    pytest.mark.django_db(transaction=True),
]


def raced(test: Any) -> Any:
    for mark in needs_levels:
        test = mark(test)
    return test


@pytest.fixture(params=["repeatable read", "serializable"])
def level(request, transactional_db) -> Iterator[str]:
    """Let all connections begin transactions at this level, as a site may set it."""
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    connection.close()
    options["isolation_level"] = LEVELS[connection.vendor][request.param]
    yield request.param
    connection.close()
    options.clear()
    options.update(before)


def level_now() -> str:
    """Return the level of the transaction that runs, or of the next one."""
    names = {
        "postgresql": "SHOW transaction_isolation",
        "mysql": "SELECT @@SESSION.tx_isolation",
    }
    with connection.cursor() as cursor:
        cursor.execute(names[connection.vendor])
        return str(cursor.fetchone()[0]).lower().replace("-", " ")


@raced
def test_a_service_reads_what_is_committed_and_leaves_the_level_as_it_was(level):
    with isolation.own_transaction():
        inside = level_now()
    with transaction.atomic():
        after = level_now()

    assert (inside, after) == ("read committed", level)


@raced
def test_the_level_is_there_again_after_an_error(level):
    with pytest.raises(ZeroDivisionError), isolation.own_transaction():
        raise ZeroDivisionError

    with transaction.atomic():
        assert level_now() == level


@raced
def test_inside_a_transaction_of_the_site_s_its_level_stays(level):
    with transaction.atomic(), isolation.own_transaction():
        assert level_now() == level


@raced
@pytest.mark.parametrize(
    ("cap", "orders"),
    [
        ({"credits_per_learner": 40}, 2),
        ({"redemptions_per_learner": 3}, 3),
        ({"one_order_only": True}, 1),
    ],
    ids=str,
)
def test_no_tab_passes_a_cap(level, cap, orders):
    code = make_code(1000, text=TEXT, **cap)

    at_once(tabs(6))

    assert Order.objects.count() == Redemption.objects.count() == orders
    assert code.balance() == 1000 - 20 * orders
    assert list(api.audit()) == []


@raced
def test_all_learners_with_one_code_get_their_course_at_the_checkout(level):
    training = make_training(credits=20, credit_only=True)
    code = make_code(200, text=TEXT)
    learners = [Learner(make_learner()) for _ in range(8)]
    pages = []
    for learner in learners:
        learner.add(training.product)
        learner.apply(TEXT)
        pages.append(learner.preview())

    at_once(
        [
            lambda who=who, page=page: who.place(page)
            for who, page in zip(learners, pages, strict=True)
        ]
    )

    assert Order.objects.count() == len(learners)
    assert code.balance() == 200 - 20 * len(learners)
    assert list(api.audit()) == []


@pytest.fixture
def line(level):
    training = make_training(credits=20)
    make_code(200, text=TEXT)
    order = place_order(make_learner(), (training.product, CLAIMS), text=TEXT)
    return order.lines.get()


def claim(place: Place, learner: Any) -> str:
    try:
        places.claim(place, learner)
    except PlaceRefused as refused:
        return refused.reason.value
    return "done"


def claims(line: Any, learners: list[Any]) -> list[Callable[[], str]]:
    of_line = line.training_places.order_by("number")
    pairs = zip(of_line, learners, strict=True)
    return [lambda place=place, who=who: claim(place, who) for place, who in pairs]


@raced
def test_one_learner_claims_one_place(line):
    learner = make_learner()

    answers = at_once(claims(line, [learner] * CLAIMS))

    assert answers.count("done") == 1
    assert Access.objects.filter(learner=learner).count() == 1


@raced
def test_a_refund_beside_claims_leaves_no_more_than_is_paid_for(line):
    training = line.product.training
    learners = [make_learner() for _ in range(CLAIMS)]

    at_once(
        [
            *claims(line, learners),
            lambda: api.refund_lines([(line, 4)], idempotency_key="a"),
            lambda: places.renew_link(line.training_places.get(number=6)),
        ]
    )

    assert Place.objects.kept().count() == 2
    assert sum(has_access(learner, training) for learner in learners) <= 2
    assert list(api.audit()) == []


@raced
def test_two_refunds_at_once_are_made_one_after_the_other(line):
    def refund(idempotency_key: str) -> str:
        try:
            api.refund_lines([(line, 1)], idempotency_key=idempotency_key)
        except IdempotencyKeyReused:
            return "reused"
        return "done"

    answers = at_once(
        [
            lambda idempotency_key=idempotency_key: refund(idempotency_key)
            for idempotency_key in "abab"
        ]
    )

    assert answers == ["done"] * 4
    assert Place.objects.kept().count() == CLAIMS - 2
    assert list(api.audit()) == []


@raced
def test_a_code_is_disabled_beside_purchases(level):
    code = make_code(1000, text=TEXT)

    at_once([*tabs(4), lambda: set_state(code, "disabled")])

    code.refresh_from_db()
    assert code.state == "disabled"
    assert code.balance() == 1000 - 20 * Order.objects.count()
    assert list(api.audit()) == []


@raced
def test_control_at_the_site_s_level_a_service_reads_too_early(level):
    if level == "serializable":
        pytest.skip("there the database refuses instead")
    code = make_code(100, text=TEXT)
    with transaction.atomic():
        assert code.balance() == 100

        at_once([lambda: api.add_grant(code, 50)])

        assert code.balance() == 100


# What checks and the audit say


@pytest.fixture
def databases(settings):
    """A way to check what a site has set for a database."""

    def check(engine: str, options: dict[str, Any]) -> list[str]:
        database = {"ENGINE": f"django.db.backends.{engine}", "OPTIONS": options}
        settings.DATABASES = {**settings.DATABASES, "other": database}
        found = run_checks(tags=["training_credits"])
        return [each.msg for each in found if each.id == "training_credits.E006"]

    return check


FINE: list[tuple[str, dict[str, Any]]] = [
    ("postgresql", {}),
    ("postgresql", {"isolation_level": 2}),
    ("postgresql", {"options": "-c default_transaction_isolation='read committed'"}),
    ("mysql", {}),
    ("mysql", {"isolation_level": "Read Committed"}),
    ("sqlite3", {"transaction_mode": "IMMEDIATE"}),
]
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("postgresql", {"isolation_level": 3}),
    ("postgresql", {"isolation_level": 4}),
    ("postgresql", {"options": r"-c default_transaction_isolation=repeatable\ read"}),
    ("postgresql", {"options": "-c default_transaction_isolation=serializable"}),
    ("mysql", {"isolation_level": "repeatable read"}),
    ("mysql", {"isolation_level": "serializable"}),
    ("mysql", {"isolation_level": None}),
]


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(("engine", "options"), FINE, ids=str)
def test_read_committed_is_fine(databases, engine, options):
    assert databases(engine, options) == []


@pytest.mark.filterwarnings("ignore:Overriding setting DATABASES")
@pytest.mark.parametrize(("engine", "options"), REFUSED, ids=str)
def test_any_other_level_is_refused(databases, engine, options):
    (message,) = databases(engine, options)

    assert "'other'" in message


@pytest.fixture
def claimed(db):
    training = make_training(credits=20)
    make_code(200, text=TEXT)
    order = place_order(make_learner(), (training.product, 2), text=TEXT)
    place = order.lines.get().training_places.get(number=1)
    return places.claim(place, make_learner())


def found() -> list[tuple[str, int | None]]:
    rule = "access_ends_with_its_refunded_place"
    return [(each.rule, each.pk) for each in api.audit() if each.rule == rule]


@pytest.mark.any_database
def test_the_audit_finds_a_refunded_place_whose_access_runs(claimed):
    Place.objects.filter(pk=claimed.place_id).update(revoked_at=timezone.now())

    assert found() == [("access_ends_with_its_refunded_place", claimed.pk)]


@pytest.mark.any_database
def test_the_audit_is_silent_about_what_a_refund_ends_and_staff_extend(claimed):
    api.refund_order(claimed.place.order_line.order, idempotency_key="a")
    assert found() == []

    until = timezone.now() + timedelta(days=9)
    api.extend_access(Access.objects.get(), until=until, reason="Promised")

    assert found() == []
