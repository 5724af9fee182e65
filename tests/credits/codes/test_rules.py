"""The rules that a code must pass, and what a learner is told when it does not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from django.utils import translation
from oscar.core.loading import get_model

from oscar_training_credits.credits import wording
from oscar_training_credits.credits.codes import rules
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.codes.refusals import (
    BaseReason,
    Reason,
    Refusal,
    public_text,
)
from oscar_training_credits.credits.codes.rules import Purchase, first_refusal
from oscar_training_credits.credits.models import CreditCode, CreditGrant
from oscar_training_credits.test.factories import make_code, make_learner, make_product

Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 31, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
DISABLED = CreditCode.State.DISABLED


def reason_of(refusal: Refusal | None) -> Reason | None:
    return refusal and refusal.reason


def spend_all(code: CreditCode) -> None:
    CreditGrant.objects.filter(code=code).update(remaining=0)


@pytest.fixture
def course():
    return make_product("A course")


@pytest.fixture
def other():
    return make_product("Another course")


@pytest.fixture
def only_course(course):
    """A range that holds the course alone."""
    content = Range.objects.create(name="Only this", includes_all_products=False)
    content.add_product(course)
    return content


@pytest.mark.parametrize(
    ("state", "reason"),
    [("active", None), ("disabled", Reason.DISABLED)],
)
def test_a_code_must_be_enabled(state, reason):
    code = make_code()

    set_state(code, state)

    assert reason_of(rules.enabled(code, Purchase())) is reason


@pytest.mark.parametrize(
    ("starts_at", "refusal"),
    [
        pytest.param(None, None, id="no start"),
        pytest.param(NOON - DAY, None, id="started"),
        pytest.param(NOON, None, id="starts now"),
        pytest.param(
            NOON + TICK,
            Refusal(Reason.NOT_STARTED, moment=NOON + TICK),
            id="starts in a moment",
        ),
        pytest.param(
            NOON + DAY, Refusal(Reason.NOT_STARTED, moment=NOON + DAY), id="tomorrow"
        ),
    ],
)
def test_a_code_must_have_started(starts_at, refusal):
    code = make_code(starts_at=starts_at)

    assert rules.started(code, Purchase(at=NOON)) == refusal


@pytest.mark.parametrize(
    ("expires_at", "refusal"),
    [
        pytest.param(None, None, id="no end"),
        pytest.param(NOON + DAY, None, id="ends tomorrow"),
        pytest.param(NOON + TICK, None, id="ends in a moment"),
        pytest.param(NOON, Refusal(Reason.EXPIRED, moment=NOON), id="ends now"),
        pytest.param(
            NOON - DAY, Refusal(Reason.EXPIRED, moment=NOON - DAY), id="has ended"
        ),
    ],
)
def test_a_code_must_not_have_expired(expires_at, refusal):
    code = make_code(expires_at=expires_at)

    assert rules.unexpired(code, Purchase(at=NOON)) == refusal


@pytest.mark.parametrize(
    ("grants", "refusal"),
    [
        pytest.param([], Refusal(Reason.SPENT), id="no grant"),
        pytest.param([(5, None)], None, id="credits for ever"),
        pytest.param([(5, NOON + TICK)], None, id="credits for a moment more"),
        pytest.param([(0, None)], Refusal(Reason.SPENT), id="spent"),
        pytest.param(
            [(5, NOON)], Refusal(Reason.EXPIRED, moment=NOON), id="lapsed now"
        ),
        pytest.param([(0, NOON - DAY)], Refusal(Reason.SPENT), id="spent, then lapsed"),
        pytest.param(
            [(5, NOON - DAY), (5, NOON)],
            Refusal(Reason.EXPIRED, moment=NOON),
            id="the last one to lapse",
        ),
        pytest.param(
            [(5, NOON - DAY), (0, NOON), (0, None)],
            Refusal(Reason.EXPIRED, moment=NOON - DAY),
            id="lapsed with credits on it",
        ),
        pytest.param([(5, NOON - DAY), (1, None)], None, id="one of two lapsed"),
    ],
)
def test_a_code_must_hold_credits_that_have_not_lapsed(grants, refusal):
    code = make_code()
    spend_all(code)
    CreditGrant.objects.bulk_create(
        CreditGrant(code=code, credits=9, remaining=remaining, expires_at=expires_at)
        for remaining, expires_at in grants
    )

    assert rules.funded(code, Purchase(at=NOON)) == refusal


@pytest.mark.parametrize(
    ("restricted", "bought", "reason"),
    [
        pytest.param(False, ["course"], None, id="for everything"),
        pytest.param(False, [], None, id="for everything, nothing bought"),
        pytest.param(True, ["course"], None, id="for what is bought"),
        pytest.param(True, ["other"], Reason.WRONG_CONTENT, id="for something else"),
        pytest.param(True, ["course", "other"], None, id="for a part of it"),
        pytest.param(True, [], None, id="nothing bought yet"),
    ],
)
def test_a_code_must_pay_for_something_that_is_bought(
    restricted, bought, reason, course, other, only_course
):
    products = {"course": course.pk, "other": other.pk}
    code = make_code(content=only_course if restricted else None)
    purchase = Purchase(product_ids=frozenset(products[name] for name in bought))

    assert reason_of(rules.opens_content(code, purchase)) is reason


def test_a_range_of_all_products_opens_all_but_those_excluded(course, other):
    everything = Range.objects.create(name="All", includes_all_products=True)
    everything.excluded_products.add(other)
    code = make_code(content=everything)

    payable = rules.payable_products(code, [course.pk, other.pk])

    assert payable == {course.pk}


def test_an_unrestricted_code_costs_no_query_for_its_content(
    course, django_assert_num_queries
):
    code = make_code()

    with django_assert_num_queries(0):
        assert rules.payable_products(code, [course.pk]) == {course.pk}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param("disabled early late spent elsewhere", Reason.DISABLED, id="all"),
        pytest.param("early spent elsewhere", Reason.NOT_STARTED, id="start"),
        pytest.param("late spent elsewhere", Reason.EXPIRED, id="end"),
        pytest.param("spent elsewhere", Reason.SPENT, id="credits"),
        pytest.param("elsewhere", Reason.WRONG_CONTENT, id="content"),
        pytest.param("", None, id="nothing wrong"),
    ],
)
def test_the_first_rule_broken_is_the_one_that_is_told(
    wrong, reason, course, other, only_course
):
    code = make_code(content=only_course)
    bought = other if "elsewhere" in wrong else course
    code.starts_at = NOON + DAY if "early" in wrong else None
    code.expires_at = NOON if "late" in wrong else None
    if "spent" in wrong:
        spend_all(code)
    if "disabled" in wrong:
        set_state(code, DISABLED)

    purchase = Purchase(product_ids=frozenset([bought.pk]), at=NOON)

    assert reason_of(first_refusal(code, purchase)) is reason


def test_an_expired_code_is_not_saved_by_a_lasting_grant():
    code = make_code(expires_at=NOON)
    add_grant(code, 50)

    assert reason_of(first_refusal(code, Purchase(at=NOON))) is Reason.EXPIRED


def staff_only(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if purchase.learner and purchase.learner.is_staff:
        return None
    return Refusal(Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("is_staff", "reason"), [(True, None), (False, Reason.UNKNOWN)]
)
def test_a_site_can_add_a_rule_by_its_dotted_path(settings, is_staff, reason):
    settings.TRAINING_CREDITS_CODE_RULES = [
        "oscar_training_credits.rules.enabled",
        f"{__name__}.staff_only",
    ]
    purchase = Purchase(make_learner(is_staff=is_staff))

    assert reason_of(first_refusal(make_code(), purchase)) is reason


def test_a_site_can_put_its_rules_in_another_order(settings):
    code = make_code()
    spend_all(code)
    set_state(code, DISABLED)

    settings.TRAINING_CREDITS_CODE_RULES = [
        "oscar_training_credits.rules.funded",
        "oscar_training_credits.rules.enabled",
    ]

    assert reason_of(first_refusal(code, Purchase())) is Reason.SPENT


def test_a_site_without_rules_refuses_nothing(settings):
    settings.TRAINING_CREDITS_CODE_RULES = []
    code = make_code()

    set_state(code, DISABLED)

    assert first_refusal(code, Purchase()) is None


def text_for(reason: BaseReason) -> str:
    return public_text(Refusal(reason, moment=NOON, available=15, missing=5))


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_a_text_of_whole_sentences(reason):
    text = text_for(reason)

    assert text[0].isupper()
    assert text.endswith(".")
    assert not set("{}%#\n") & set(text)
    assert "None" not in text


@pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.NOT_STARTED])
def test_a_refusal_without_its_moment_is_whole_sentences_too(reason):
    text = public_text(Refusal(reason))

    assert " on ." not in text
    assert "from  " not in text
    assert "learning administrator" in text


class OwnReason(BaseReason):
    WEEKEND = "weekend"
    HUSHED = "hushed"

    @property
    def public(self) -> BaseReason:
        return Reason.UNKNOWN if self is OwnReason.HUSHED else super().public


def on_weekdays(code: CreditCode, purchase: Purchase) -> Refusal | None:
    if purchase.at.weekday() >= 5:
        return Refusal(OwnReason.WEEKEND, moment=purchase.at)
    return None


def test_a_sites_own_rule_has_a_reason_and_a_text_of_its_own(settings, tmp_path):
    own = tmp_path / "training_credits" / "refusals" / "weekend.txt"
    own.parent.mkdir(parents=True)
    own.write_text('Not on a {{ refusal.moment|date:"l" }}.\n')
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    settings.TRAINING_CREDITS_CODE_RULES = [f"{__name__}.on_weekdays"]

    refusal = first_refusal(make_code(), Purchase(at=NOON + 4 * DAY))

    assert refusal.reason is OwnReason.WEEKEND
    assert public_text(refusal) == "Not on a Saturday."
    assert first_refusal(make_code(), Purchase(at=NOON)) is None


@pytest.mark.parametrize("reason", OwnReason)
def test_a_sites_reason_that_is_hushed_or_has_no_text_is_told_as_unknown(reason):
    assert text_for(reason) == text_for(Reason.UNKNOWN)


def test_a_time_of_day_does_not_end_its_sentence_twice():
    assert ".." not in text_for(Reason.NOT_STARTED)


def test_codes_that_a_stranger_must_not_know_of_share_the_text_of_unknown_ones():
    told: dict[str, set[Reason]] = {}
    for reason in Reason:
        told.setdefault(text_for(reason), set()).add(reason)

    shared = [reasons for reasons in told.values() if len(reasons) > 1]

    assert shared == [
        {
            Reason.UNKNOWN,
            Reason.DISABLED,
            Reason.TEST_CODE,
            Reason.NOT_LOGGED_IN,
            Reason.NOT_FOR_YOU,
        }
    ]


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        pytest.param(Reason.BLANK, "Enter the code", id="blank"),
        pytest.param(Reason.TOO_LONG, "Enter the code alone", id="too long"),
        pytest.param(Reason.MISTYPED, "copy and paste", id="mistyped"),
        pytest.param(Reason.UNKNOWN, "learning administrator", id="unknown"),
        pytest.param(Reason.DISABLED, "learning administrator", id="disabled"),
        pytest.param(Reason.NOT_LOGGED_IN, "logged in", id="not logged in"),
        pytest.param(Reason.NOT_FOR_YOU, "learning administrator", id="not for you"),
        pytest.param(Reason.NOT_STARTED, "learning administrator", id="not started"),
        pytest.param(Reason.EXPIRED, "learning administrator", id="expired"),
        pytest.param(Reason.SPENT, "learning administrator", id="spent"),
        pytest.param(Reason.USED_ONCE, "learning administrator", id="used once"),
        pytest.param(Reason.USED_OFTEN, "learning administrator", id="used often"),
        pytest.param(Reason.SHARE_SPENT, "learning administrator", id="share spent"),
        pytest.param(Reason.WRONG_CONTENT, "learning administrator", id="content"),
        pytest.param(Reason.NOT_ENOUGH, "learning administrator", id="not enough"),
        pytest.param(Reason.ALREADY_APPLIED, "already", id="applied"),
        pytest.param(Reason.NOT_NEEDED, "no code is needed", id="not needed"),
    ],
)
def test_every_refusal_says_what_to_do_next(reason, advice):
    assert advice in text_for(reason)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        pytest.param(Refusal(Reason.EXPIRED, moment=NOON), "31 Mar 2026", id="expired"),
        pytest.param(
            Refusal(Reason.EXPIRED, moment=NOON + timedelta(hours=11, minutes=30)),
            "1 Apr 2026",
            id="expired after midnight in the site's time zone",
        ),
        pytest.param(
            Refusal(Reason.NOT_STARTED, moment=NOON),
            "from 31 Mar 2026, 1 p.m.",
            id="not started",
        ),
        pytest.param(
            Refusal(Reason.NOT_ENOUGH, available=15, missing=5),
            "15 credits left on your codes, 5 credits too few",
            id="not enough",
        ),
        pytest.param(
            Refusal(Reason.NOT_ENOUGH, available=1, missing=1),
            "1 credit left on your codes, 1 credit too few",
            id="not enough by one",
        ),
        pytest.param(
            Refusal(Reason.NOT_ENOUGH, available=0, missing=2),
            "0 credits left on your codes, 2 credits too few",
            id="nothing left",
        ),
    ],
)
def test_a_refusal_tells_its_facts(refusal, words):
    assert words in public_text(refusal)


def test_a_label_or_a_digest_is_never_told():
    told = " ".join(map(text_for, Reason))
    code = make_code(label="ACME spring cohort")

    assert code.label not in told
    assert code.digest not in told


@pytest.mark.parametrize("language", ["de", "fr", "ar", "ja", "xx"])
@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_told_whatever_language_is_active(language, reason):
    with translation.override(language):
        assert text_for(reason)


def test_a_date_is_written_as_the_active_language_writes_it():
    refusal = Refusal(Reason.EXPIRED, moment=NOON)

    with translation.override("de"):
        assert "31. März 2026" in public_text(refusal)


def test_a_site_can_put_a_refusal_in_its_own_words(settings, tmp_path):
    own = tmp_path / "training_credits" / "refusals" / "spent.txt"
    own.parent.mkdir(parents=True)
    own.write_text("All gone. Ring Ann on 555.\n")

    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    assert text_for(Reason.SPENT) == "All gone. Ring Ann on 555."
    assert "learning administrator" in text_for(Reason.UNKNOWN)


@pytest.mark.parametrize(
    ("credits", "text"),
    [(0, "0 credits"), (1, "1 credit"), (2, "2 credits"), (1000, "1000 credits")],
)
def test_an_amount_is_one_credit_or_many(credits, text):
    assert wording.in_words(credits) == text


def in_tokens(credits: int) -> str:
    return f"{credits} token" if credits == 1 else f"{credits} tokens"


def test_a_site_can_use_its_own_word_for_credits(settings):
    settings.TRAINING_CREDITS_AMOUNT_TEXT = f"{__name__}.in_tokens"

    assert wording.in_words(1) == "1 token"
    assert "15 tokens left on your codes, 5 tokens too few" in text_for(
        Reason.NOT_ENOUGH
    )
