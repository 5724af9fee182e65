"""Managers hear what others do to their code, and what was used: each once."""

from __future__ import annotations

from datetime import datetime, timedelta
from datetime import timezone as zones
from io import StringIO

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.checks import check_settings
from oscar_training_credits.conf import (
    BALANCE_LOW,
    CODE_GIVEN,
    CODE_ROTATED,
    CODE_TOPPED_UP,
    CREDIT_STATEMENT,
    CREDITS_EXPIRE,
    CREDITS_USED,
    MAILS,
)
from oscar_training_credits.credits.codes import managing, noticing
from oscar_training_credits.credits.codes.noticing import Choices
from oscar_training_credits.credits.ledger import use_notices
from oscar_training_credits.credits.models import CodeChange, CodeNotices, Delivery
from oscar_training_credits.shop.communication.code_notices import send_used
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.shop import Learner, text_of, words
from ..dashboard.test_codes import ALL, client_of, errors, hidden

pytestmark = pytest.mark.django_db

TEXT = "ACME-TEAM-2026"
MONDAY = datetime(2027, 3, 1, 12, tzinfo=zones.utc)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def clock():
    with time_machine.travel(MONDAY, tick=False) as clock:
        yield clock


@pytest.fixture
def bea():
    return Learner(make_learner(email="bea@acme.example", first_name="Bea"))


@pytest.fixture
def kim():
    return make_learner(email="kim@acme.example", first_name="Kim")


@pytest.fixture
def code(bea, kim):
    """100 credits that Bea and Kim look after, of which they know."""
    made = make_code(100, text=TEXT)
    for manager in (bea.user, kim):
        managing.add_manager(made, manager)
    Delivery.objects.all().delete()
    return made


def told() -> list[tuple[str, str]]:
    """Return who got a mail, with its subject, and forget it."""
    found = sorted((message.to[0], message.subject) for message in mail.outbox)
    mail.outbox.clear()
    return found


def notices(code):
    return reverse("training_credits:my-code-notices", args=[code.pk])


def use(credits, name="Lee"):
    learner = make_learner(first_name=name)
    course = make_training(f"Course {credits}", credits=credits)
    order = place_order(learner, (course.product, 1), text=TEXT)
    mail.outbox.clear()
    return order


def send() -> str:
    said = StringIO()
    call_command("send_deliveries", stdout=said)
    return said.getvalue().strip()


def test_who_is_made_a_manager_hears_of_it_once(bea, commit):
    code = make_code(100)

    with commit():
        managing.add_manager(code, bea.user)
        managing.add_manager(code, bea.user)

    assert told() == [("bea@acme.example", "ACME: 100 credits to look after")]


def test_who_accepts_an_invitation_knows_it(bea, commit):
    code = make_code(100)
    (invited,) = managing.set_managers(code, ["bea@acme.example"])

    with commit():
        managing.accept_invitation(managing.invitation_to(invited), bea.user)

    assert told() == []


def test_managers_hear_that_credits_were_added_once(code, commit):
    with commit():
        for _click in range(2):
            api.add_grant(code, 40, idempotency_key="once")

    (first, *_others) = mail.outbox
    assert "40 credits were added to the code “ACME”." in words(first.body)
    assert "There are 140 credits on it now." in words(first.body)
    assert f"/credits/{code.pk}/" in first.body
    assert told() == [
        ("bea@acme.example", "ACME: 40 credits added"),
        ("kim@acme.example", "ACME: 40 credits added"),
    ]


def test_who_did_it_gets_no_mail_and_nobody_gets_the_text(bea, code, commit):
    rotate = reverse("training_credits:my-code-rotate", args=[code.pk])

    with commit():
        page = bea.client.post(rotate, {"key": "a" * 32}, follow=True)

    (message,) = mail.outbox
    text = page.context["text"]
    assert message.to == ["kim@acme.example"]
    assert message.subject == "ACME: the code has a new text"
    assert f"Bea gave the code “ACME” a new text, which ends with {text[-4:]}." in (
        words(message.body)
    )
    everything = message.body + str(message.alternatives)
    assert text not in everything + str(Delivery.objects.values())


def test_what_is_rolled_back_is_told_to_nobody(code, commit):
    with commit(), pytest.raises(ValueError, match="letters"):
        api.add_grant(code, 40, note="x" * 201)

    assert told() == []
    assert not Delivery.objects.exists()


def test_test_codes_are_told_of_to_nobody(bea, commit):
    code = make_code(10, is_test=True)

    with commit():
        managing.add_manager(code, bea.user)
        api.add_grant(code, 5)

    assert told() == []


@pytest.mark.parametrize(
    ("event", "do"),
    [
        (CODE_TOPPED_UP, lambda code: api.add_grant(code, 5)),
        (CODE_ROTATED, lambda code: api.rotate_code(code)),
    ],
    ids=["topped up", "rotated"],
)
def test_each_is_turned_off_by_the_site_or_for_one_code(
    code, settings, commit, event, do
):
    noticing.choose(code, Choices(off=(event,)))
    with commit():
        do(code)
    assert told() == []

    noticing.choose(code, Choices())
    settings.TRAINING_CREDITS_MAILS = [each for each in MAILS if each != event]
    with commit():
        do(code)
    assert told() == []


# What was used


@pytest.fixture
def hears(clock, code, commit):
    """Let managers hear of uses so often; call it for a story."""

    def choose(often):
        noticing.choose(code, Choices(used=often))
        clock.shift(MINUTE)
        return code

    return choose


def test_nobody_hears_of_uses_who_has_not_asked(clock, code):
    use(20)
    clock.shift(30 * DAY)

    assert send() == ""
    assert told() == []


def test_a_use_is_told_at_once_and_once(clock, hears):
    hears("at once")
    use(20)
    use(5, "Ann")
    clock.shift(5 * MINUTE)

    assert send() == "Arrived: 2. Failed: 0."
    assert send() == ""

    message = mail.outbox[0]
    text = words(message.body)
    assert "25 credits of the code “ACME” were used since 1 Mar 2027" in text
    assert "There are 75 credits left." in text
    assert "Lee, Course 20: 20 Ann, Course 5: 5" in text
    assert "Ann, Course 5" in message.alternatives[0][0]
    assert "/credits/used/?code=" in message.body
    assert told() == [
        ("bea@acme.example", "ACME: 25 credits used"),
        ("kim@acme.example", "ACME: 25 credits used"),
    ]
    use(1, "Late")
    clock.shift(HOUR)
    send()
    assert told()[0] == ("bea@acme.example", "ACME: 1 credit used")


@pytest.mark.parametrize(
    ("often", "days"), [("daily", [1, 3]), ("weekly", [7])], ids=["daily", "weekly"]
)
def test_uses_of_a_day_or_a_week_are_told_together(clock, hears, often, days):
    hears(often)
    use(20)
    use(5)

    heard = []
    for day in range(9):
        if day == 2:
            use(1)
        send()
        if told():
            heard.append(day)
        clock.shift(DAY)

    assert heard == days


def test_what_was_used_before_they_chose_is_not_told(clock, code):
    use(20)
    clock.shift(HOUR)
    noticing.choose(code, Choices(used="at once"))
    clock.shift(HOUR)

    assert send() == ""


def test_a_change_of_how_often_tells_nothing_twice_and_loses_nothing(clock, hears):
    code = hears("at once")
    use(20)
    clock.shift(10 * MINUTE)
    send()
    assert told()
    use(5)
    noticing.choose(code, Choices(used="daily"))
    clock.shift(DAY)

    send()

    assert told()[0] == ("bea@acme.example", "ACME: 5 credits used")


def test_the_site_chooses_for_codes_without_a_choice(clock, code, settings):
    settings.TRAINING_CREDITS_USE_NOTICES = "daily"
    use(7)
    clock.shift(HOUR)
    assert send() == ""
    use(20)
    clock.shift(DAY)

    send()

    assert told()[0] == ("bea@acme.example", "ACME: 20 credits used")
    noticing.choose(code, Choices(used="never"))
    use(5)
    clock.shift(DAY)
    assert send() == ""


def test_what_another_process_has_just_told_is_not_told_again(clock, hears):
    hears("at once")
    use(20)
    clock.shift(HOUR)
    seen = use_notices.due()

    assert send_used() == 2
    for later in (0 * MINUTE, MINUTE):
        told_again = [use_notices.note_told(pk, until + later) for pk, until in seen]
        assert told_again == [None]


def test_who_was_removed_meanwhile_hears_of_no_use(clock, hears, kim):
    code = hears("at once")
    use(20)
    clock.shift(HOUR)
    send_used()
    code.managers.filter(user=kim).delete()

    send()

    assert [to for to, _subject in told()] == ["bea@acme.example"]


def test_a_long_list_is_cut_and_says_so(clock, hears, monkeypatch):
    monkeypatch.setattr(
        "oscar_training_credits.shop.communication.code_notices.MOST_LISTED", 1
    )
    hears("at once")
    use(20)
    use(5)
    clock.shift(HOUR)

    send()

    assert "1 more is on the page." in words(mail.outbox[0].body)
    assert "25 credits" in mail.outbox[0].body


def test_few_uses_cost_few_queries(clock, hears, django_assert_max_num_queries):
    hears("at once")
    for credits in (1, 2, 3):
        use(credits)
    clock.shift(HOUR)

    with django_assert_max_num_queries(22):
        assert send_used() == 2
    with django_assert_max_num_queries(6):
        assert send_used() == 0


# What is chosen


def test_a_manager_chooses_and_it_is_on_record(bea, code):
    page = bea.client.get(notices(code))
    form = {"low_credits": "30", "used": "weekly", "off": [CREDIT_STATEMENT]}

    response = bea.client.post(notices(code), form, follow=True)

    assert "10 percent" in words(text_of(page))
    assert "The notices are set." in text_of(response)
    assert noticing.choices_of(code) == Choices(30, None, "weekly", (CREDIT_STATEMENT,))
    change = code.changes.get(kind=CodeChange.Kind.EDITED)
    assert change.changed_by == bea.user
    assert change.details == [
        ["notices", "", f"30 credits, weekly, no {CREDIT_STATEMENT}"]
    ]
    again = bea.client.post(notices(code), form, follow=True)
    assert "Nothing was changed." in text_of(again)


def test_staff_choose_as_well(code):
    staff = client_of(*ALL)
    page = reverse("training_credits:code-notices", args=[code.pk])
    form = {**hidden(staff.get(page)), "low_percent": "25", "used": "at once"}

    staff.post(page, form)

    assert noticing.choices_of(code) == Choices(None, 25, "at once")
    detail = reverse("training_credits:code-detail", args=[code.pk])
    assert "25 %, at once" in words(text_of(staff.get(detail)))


@pytest.mark.parametrize(
    ("field", "form"),
    [
        ("low_percent", {"low_credits": "30", "low_percent": "10"}),
        ("low_percent", {"low_percent": "101"}),
        ("low_credits", {"low_credits": "0"}),
        ("used", {"used": "hourly"}),
        ("off", {"off": ["TRAINING_CREDITS_REQUESTED"]}),
    ],
    ids=["both", "too much", "none", "how often", "another mail"],
)
def test_what_can_not_be_chosen_is_named(bea, code, field, form):
    response = bea.client.post(notices(code), form)

    assert field in errors(response)
    assert not CodeNotices.objects.exists()


def test_who_does_not_look_after_the_code_finds_no_page(code):
    stranger = Learner(make_learner())

    assert stranger.client.get(notices(code)).status_code == 404


@pytest.mark.parametrize(
    "choices",
    [
        Choices(5, 5),
        Choices(0),
        Choices(None, 101),
        Choices(used="hourly"),
        Choices(off=(CODE_GIVEN,)),
    ],
    ids=["both", "no credits", "too much", "how often", "another mail"],
)
def test_code_that_chooses_what_there_is_not_is_refused(code, choices):
    with pytest.raises(ValueError, match=r"Few|percent|none|off"):
        noticing.choose(code, choices)


def test_mails_that_the_site_does_not_send_are_not_offered(bea, code, settings):
    noticing.choose(code, Choices(off=(BALANCE_LOW,)))
    settings.TRAINING_CREDITS_MAILS = [CREDITS_EXPIRE]

    page = bea.client.get(notices(code))
    bea.client.post(notices(code), {"off": [CREDITS_EXPIRE]})

    assert BALANCE_LOW not in text_of(page)
    assert noticing.choices_of(code).off == (CREDITS_EXPIRE, BALANCE_LOW)
    settings.TRAINING_CREDITS_MAILS = []
    assert bea.client.get(notices(code)).status_code == 200


def test_few_are_what_is_chosen_for_the_code(code, commit):
    def left(credits):
        api.adjust_credits(code, credits - code.balance(), reason="mistake")
        with commit():
            call_command("send_credit_notices", stdout=StringIO())
        return [subject for _to, subject in told()][:1]

    noticing.choose(code, Choices(low_credits=50))
    assert left(51) == []
    assert left(50) == ["ACME: 50 credits left"]
    assert left(8) == []
    noticing.choose(code, Choices(low_percent=5))
    assert left(6) == []
    assert left(5) == ["ACME: 5 credits left"]
    noticing.choose(code, Choices(low_percent=90, off=(BALANCE_LOW,)))
    assert left(4) == []


def test_a_code_without_statements_gets_none(clock, code, commit):
    noticing.choose(code, Choices(off=(CREDIT_STATEMENT,)))
    clock.shift(40 * DAY)

    with commit():
        call_command("send_credit_statements", stdout=StringIO())

    assert told() == []
    assert not code.changes.filter(kind=CodeChange.Kind.STATEMENT).exists()


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("USE_NOTICES", "hourly", "E041"),
        ("ACCESS_ENDS_DAYS", 14, "E042"),
        ("ACCESS_ENDS_DAYS", [0], "E042"),
        ("DELIVERY_DAYS", 0, "E043"),
        ("INVITATIONS_A_DAY", None, "E044"),
    ],
)
def test_settings_that_make_no_sense_are_named_by_a_check(settings, name, value, check):
    setattr(settings, f"TRAINING_CREDITS_{name}", value)

    assert [message.id for message in check_settings(None)] == [
        f"training_credits.{check}"
    ]


def test_uses_are_not_noted_while_the_mail_is_off(clock, hears, settings):
    code = hears("at once")
    settings.TRAINING_CREDITS_MAILS = [x for x in MAILS if x != CREDITS_USED]
    before = CodeNotices.objects.get(code=code).used_until
    use(20)
    clock.shift(HOUR)

    assert send() == ""
    assert CodeNotices.objects.get(code=code).used_until == before
    assert timezone.now() > before
