"""Codes by the API: issued, listed, changed, rotated and checked."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.management import call_command
from django.core.signals import got_request_exception
from django.utils import timezone
from django.views.debug import ExceptionReporter
from oscar.core.loading import get_model

from oscar_training_credits.credits import api_calls
from oscar_training_credits.credits.codes import checking, code_text, listing
from oscar_training_credits.credits.models import (
    CodeChange,
    CreditCode,
    LedgerEntry,
)
from oscar_training_credits.shop.order.audit_rules import audit
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
)

from ..support.api_caller import Caller, caller_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def crm() -> Caller:
    return caller_with()


def test_a_code_is_issued_with_all_its_terms(crm):
    learner = make_learner(email="lea@acme.example")
    content = get_model("offer", "Range").objects.create(name="Python", slug="python")
    ends = timezone.now() + timedelta(days=90)

    answer = crm.send(
        "/codes/",
        label="ACME",
        credits=100,
        reference="C-17",
        holder="ACME Ltd",
        paid={"amount": "1000.00", "currency": "GBP"},
        expires_at=ends.isoformat(),
        content="python",
        learners=["lea@acme.example"],
        email_domains=["acme.example"],
        managers=["max@acme.example"],
        credits_per_learner=40,
    )

    assert answer.status_code == 201
    code = code_text.find(answer.json()["text"])
    shown = answer.json()["code"]
    assert shown["id"] == code.pk
    assert (shown["balance"], shown["condition"]) == (100, "active")
    assert shown["learners"] == ["lea@acme.example"]
    assert shown["email_domains"] == ["acme.example"]
    assert shown["managers"] == ["max@acme.example"]
    assert shown["expires_at"].endswith("Z")
    assert code.content == content
    assert list(code.learners.all()) == [learner]
    assert code.grants.get().paid_amount == 1000
    assert code.created_by == crm.user
    assert list(audit()) == []


def test_the_text_is_in_no_list_and_no_other_answer(crm):
    text = crm.send("/codes/", label="ACME", credits=5).json()["text"]
    pk = CreditCode.objects.get().pk

    pages = [
        crm.get("/codes/"),
        crm.get(f"/codes/{pk}/"),
        crm.get("/entries/"),
        crm.get(f"/codes/{pk}/grants/"),
    ]

    assert text not in "".join(page.content.decode() for page in pages)


def test_the_same_call_again_shows_the_same_code_and_text(crm):
    first = crm.send("/codes/", key="one", label="ACME", credits=5)
    again = crm.send("/codes/", key="one", label="ACME", credits=5)

    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert CreditCode.objects.count() == 1
    assert LedgerEntry.objects.count() == 1


def test_no_text_is_kept_for_the_answer_that_is_given_again(crm):
    text = crm.send("/codes/", key="one", label="ACME", credits=5).json()["text"]

    (kept,) = crm.issued.token.calls.all()
    assert "text" not in kept.body
    assert text not in str(kept.__dict__)


def test_the_text_is_not_shown_again_once_the_code_has_another(crm):
    first = crm.send("/codes/", key="one", label="ACME", credits=5).json()
    crm.send(f"/codes/{first['code']['id']}/rotate/", reason="leaked")

    again = crm.send("/codes/", key="one", label="ACME", credits=5)

    assert again.json()["text"] is None


def test_a_generator_that_cannot_repeat_itself_shows_its_text_once(crm, settings):
    settings.TRAINING_CREDITS_CODE_GENERATOR = f"{__name__}.some_text"

    first = crm.send("/codes/", key="one", label="ACME", credits=5)
    again = crm.send("/codes/", key="one", label="ACME", credits=5)

    assert code_text.find(first.json()["text"])
    assert again.json() == {**first.json(), "text": None}


def some_text() -> str:
    return f"OWN-{uuid4()}"


def test_a_key_of_another_request_is_refused(crm):
    crm.send("/codes/", key="one", label="ACME", credits=5)

    other = crm.send("/codes/", key="one", label="ACME", credits=6)

    assert other.status_code == 422
    assert other.json()["type"].endswith("/problems/key-reused/")
    assert CreditCode.objects.count() == 1


def test_another_token_may_use_the_same_key(crm):
    crm.send("/codes/", key="one", label="ACME", credits=5)

    other = caller_with().send("/codes/", key="one", label="ACME", credits=5)

    assert other.status_code == 201
    assert CreditCode.objects.count() == 2


def test_an_answer_is_forgotten_after_a_week_and_credits_still_move_once(crm):
    code = make_code(10)
    path = f"/codes/{code.pk}/grants/"
    crm.send(path, key="one", credits=5)
    week_ago = timezone.now() - timedelta(days=7, seconds=1)
    crm.issued.token.calls.update(created_at=week_ago)

    crm.send(path, key="two", credits=1)
    assert crm.issued.token.calls.count() == 1
    again = crm.send(path, key="one", credits=5)

    assert again.json()["credits"] == 5
    assert code.balance() == 16


def test_an_answer_to_a_token_that_nobody_uses_is_forgotten_too(crm):
    crm.send("/codes/", key="old", label="ACME", credits=5)
    week_ago = timezone.now() - timedelta(days=7, seconds=1)
    crm.issued.token.calls.update(created_at=week_ago)
    other = caller_with()
    other.send("/codes/", label="ACME", credits=5)

    call_command("send_deliveries")

    assert crm.issued.token.calls.count() == 0
    assert other.issued.token.calls.count() == 1


def test_the_same_call_again_is_answered_though_what_it_names_has_gone(crm):
    lea = make_learner(email="lea@acme.example")
    content = get_model("offer", "Range").objects.create(name="Python", slug="python")
    body = {
        "label": "ACME",
        "credits": 5,
        "content": "python",
        "learners": ["lea@acme.example"],
        "text": " acme-team-2026 ",
    }
    first = crm.send("/codes/", key="one", **body)
    content.slug, lea.email = "python-3", "lea@globex.example"
    content.save()
    lea.save()

    again = crm.send("/codes/", key="one", **body)

    assert (again.status_code, again.json()) == (201, first.json())
    assert crm.send("/codes/", key="two", **body).status_code == 400


def test_managers_stay_as_they_are_when_a_call_comes_again_after_a_week(crm):
    body = {"label": "ACME", "credits": 5, "text": "ACME-TEAM-2026"}
    body["managers"] = ["max@acme.example"]
    first = crm.send("/codes/", key="one", **body).json()
    path = f"/codes/{first['code']['id']}/"
    crm.send(path, method="patch", managers=["mia@acme.example"])
    crm.issued.token.calls.all().delete()

    crm.send("/codes/", key="one", **body)

    assert crm.get(path).json()["managers"] == ["mia@acme.example"]


def test_what_failed_can_be_tried_again_with_its_key(crm):
    code = make_code(text="ACME-TEAM-2026")
    taken = crm.send("/codes/", key="one", label="A", credits=5, text="ACME-TEAM-2026")
    crm.send(f"/codes/{code.pk}/rotate/")

    again = crm.send("/codes/", key="one", label="A", credits=5, text="ACME-TEAM-2026")

    assert taken.status_code == 409
    assert again.status_code == 201
    assert again.json()["text"] == "ACME-TEAM-2026"


def test_a_change_without_a_key_is_refused(crm):
    answer = crm.client.post(
        "/api/training/codes/",
        {"label": "ACME", "credits": 5},
        content_type="application/json",
    )

    assert answer.status_code == 400
    assert answer.json()["title"] == "An Idempotency-Key is needed."
    assert not CreditCode.objects.exists()


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"credits": 0}, "#/credits"),
        ({"credits": "many"}, "#/credits"),
        ({"label": ""}, "#/label"),
        ({"text": "short"}, "#/text"),
        ({"text": "--------------"}, "#/text"),
        ({"content": "nothing"}, "#/content"),
        ({"learners": ["nobody@acme.example"]}, "#/learners/0"),
        ({"email_domains": ["no domain"]}, "#/email_domains"),
        ({"credits_per_learner": 0}, "#/credits_per_learner"),
        ({"expires_at": "3999-01-01T00:00:00Z"}, "#/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
        ({"credits_expire_at": "2020-01-01T00:00:00Z"}, "#/credits_expire_at"),
        ({"ends_access": True}, "#"),
        ({"paid": {"amount": "1.005"}}, "#/paid/amount"),
        ({"paid": {"amount": "1", "currency": "gbp"}}, "#/paid/currency"),
        (
            {
                "starts_at": "2030-01-02T00:00:00Z",
                "expires_at": "2030-01-01T00:00:00Z",
            },
            "#",
        ),
    ],
)
def test_a_wrong_field_is_named(crm, body, pointer):
    answer = crm.send("/codes/", **{"label": "ACME", "credits": 5, **body})

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not CreditCode.objects.exists()


def test_codes_are_found_as_the_dashboard_finds_them(crm):
    acme = make_code(label="ACME spring", reference="C-17")
    make_code(label="Globex", credits=5)
    issued = make_issued(label="Initech")

    def found(**query: Any) -> list[str]:
        return [each["label"] for each in crm.get("/codes/", **query).json()["results"]]

    assert found() == ["Initech", "Globex", "ACME spring"]
    assert found(q="acme") == ["ACME spring"]
    assert found(q="C-17") == ["ACME spring"]
    assert found(under=10) == ["Globex"]
    assert found(condition="disabled") == []
    # A text must not be in an address: it finds nothing there.
    assert found(q=issued.text) == []
    assert crm.get("/codes/", condition="lost").status_code == 400
    assert acme.pk == crm.get("/codes/", q="acme").json()["results"][0]["id"]


def test_pages_lose_no_code_of_one_moment(crm):
    moment = timezone.now()
    for number in range(7):
        code = make_code(label=f"Code {number}")
        CreditCode.objects.filter(pk=code.pk).update(created_at=moment)

    seen, url = [], "/api/training/codes/?page_size=2"
    while url:
        page = crm.client.get(url).json()
        seen += [each["label"] for each in page["results"]]
        make_code(label="Meanwhile")
        url = page["next"]

    assert seen == [f"Code {number}" for number in reversed(range(7))]


@pytest.mark.parametrize("recent", [1, 40_000])
def test_pages_of_what_is_found_lead_to_the_end_and_back(crm, monkeypatch, recent):
    monkeypatch.setattr(listing, "RECENT", recent)
    for number in range(7):
        make_code(label=f"Spring {number}")
        make_code(label="Autumn")

    url, there, back = "/api/training/codes/?page_size=2&q=spring", [], []
    while url:
        page = crm.client.get(url).json()
        there.append([each["label"] for each in page["results"]])
        url = page["next"]
    url = page["previous"]
    while url:
        page = crm.client.get(url).json()
        back.append([each["label"] for each in page["results"]])
        url = page["previous"]

    assert [len(labels) for labels in there] == [2, 2, 2, 1]
    found = [label for labels in there for label in labels]
    assert found == [f"Spring {number}" for number in reversed(range(7))]
    assert back == there[-2::-1]


def test_a_code_is_changed_and_the_change_is_on_record(crm):
    code = make_code(label="ACME")

    answer = crm.send(
        f"/codes/{code.pk}/",
        method="patch",
        label="ACME Ltd",
        email_domains=["acme.example"],
        managers=["max@acme.example"],
    )

    assert answer.status_code == 200
    assert answer.json()["label"] == "ACME Ltd"
    code.refresh_from_db()
    assert (code.email_domains, code.named_only) == ("acme.example", True)
    edited = CodeChange.objects.filter(kind="edited", changed_by=crm.user)
    assert edited.count() == 2


def test_a_change_that_makes_no_sense_leaves_the_code_alone(crm):
    code = make_code(label="ACME")

    answer = crm.send(f"/codes/{code.pk}/", method="patch", label="B", ends_access=True)

    assert answer.status_code == 400
    code.refresh_from_db()
    assert code.label == "ACME"


def test_a_code_that_has_ended_is_changed_and_gets_no_other_end_that_is_over(crm):
    ended = timezone.now() - timedelta(days=2)
    code = make_code(label="ACME", expires_at=ended)
    path = f"/codes/{code.pk}/"

    same = crm.send(path, method="patch", label="B", expires_at=ended.isoformat())
    later = (ended + timedelta(days=1)).isoformat()
    another = crm.send(path, method="patch", label="C", expires_at=later)

    assert (same.status_code, same.json()["label"]) == (200, "B")
    assert another.json()["errors"] == [
        {"pointer": "#/expires_at", "detail": "This moment has passed."}
    ]


def test_a_closed_code_is_not_changed(crm):
    code = make_code(10, label="ACME")
    crm.send(f"/codes/{code.pk}/state/", state="closed", reason="ended")

    answer = crm.send(f"/codes/{code.pk}/", method="patch", label="B")

    assert (answer.status_code, answer.json()["title"]) == (409, "The code is closed.")
    assert crm.get(f"/codes/{code.pk}/").json()["label"] == "ACME"


OVER = "2020-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("grants", {"credits": 5, "expires_at": OVER}, "#/expires_at"),
        (
            "adjust",
            {"credits": 5, "reason": "mistake", "expires_at": OVER},
            "#/expires_at",
        ),
        ("extend", {"until": OVER}, "#/until"),
        ("adjust", {"credits": 5, "reason": "other"}, "#/note"),
        ("rotate", {"reason": "other"}, "#/note"),
        ("state", {"state": "disabled", "reason": "other"}, "#/note"),
    ],
)
def test_what_the_dashboard_refuses_is_refused(crm, path, body, pointer):
    code = make_code(10)
    before = code.changes.count()

    answer = crm.send(f"/codes/{code.pk}/{path}/", **body)

    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert code.changes.count() == before
    assert code.balance() == 10


def test_a_code_gets_a_new_text(crm):
    old = make_issued(50)
    path = f"/codes/{old.code.pk}/rotate/"

    first = crm.send(path, key="one", reason="leaked", note="On a slide")
    again = crm.send(path, key="one", reason="leaked", note="On a slide")

    assert first.json() == again.json()
    assert code_text.find(first.json()["text"]) == old.code
    assert code_text.find(old.text) is None
    assert first.json()["code"]["balance"] == 50


def test_credits_are_put_on_a_code_once(crm):
    code = make_code(10)

    for _again in range(2):
        answer = crm.send(f"/codes/{code.pk}/grants/", key="one", credits=5)

    assert answer.status_code == 201
    assert answer.json()["remaining"] == 5
    assert code.balance() == 15
    listed = crm.get(f"/codes/{code.pk}/grants/").json()["results"]
    assert [grant["credits"] for grant in listed] == [5, 10]


def test_a_balance_is_put_right_and_never_overdrawn(crm):
    code = make_code(10)
    path = f"/codes/{code.pk}/adjust/"

    taken = crm.send(path, credits=-4, reason="mistake")
    too_many = crm.send(path, credits=-7, reason="mistake")
    without_reason = crm.send(path, credits=1)

    assert taken.json()["balance"] == 6
    assert (too_many.status_code, too_many.json()["title"]) == (
        409,
        "There are not enough credits.",
    )
    assert without_reason.status_code == 400
    assert code.balance() == 6


def test_a_code_is_disabled_enabled_extended_and_closed(crm):
    ends = timezone.now() + timedelta(days=1)
    code = make_code(10, expires_at=ends)
    path = f"/codes/{code.pk}"

    def state(**body: Any) -> Any:
        return crm.send(f"{path}/state/", **body)

    assert state(state="disabled").json()["condition"] == "disabled"
    assert state(state="active").json()["condition"] == "active"
    until = (ends + timedelta(days=30)).isoformat()
    extended = crm.send(f"{path}/extend/", until=until)
    assert extended.json()["expires_at"] > ends.strftime("%Y-%m-%d")
    assert crm.send(f"{path}/extend/", until=ends.isoformat()).status_code == 400
    assert state(state="closed", reason="ended").json()["balance"] == 0
    assert state(state="active").json()["title"] == "The code is closed."
    assert list(audit()) == []


def test_only_who_may_adjust_may_close():
    crm = caller_with("view_creditcode", "change_creditcode")
    code = make_code(10)

    closed = crm.send(f"/codes/{code.pk}/state/", state="closed")

    assert closed.status_code == 403
    code.refresh_from_db()
    assert code.state == "active"


def test_a_text_is_checked_for_a_learner(crm):
    learner = make_learner(email="lea@acme.example")
    issued = make_issued(45, learners=[learner])

    def check(**body: Any) -> dict[str, Any]:
        return crm.send("/codes/check/", text=issued.text, **body).json()

    hers = check(learner="lea@acme.example")
    stranger = check()

    assert (hers["usable"], hers["credits"]) == (True, 45)
    assert hers["message"] == "45 credits available."
    assert (stranger["usable"], stranger["reason"]) == (False, "unknown")
    wrong = crm.send("/codes/check/", text="NO-SUCH-CODE").json()
    assert stranger == {**wrong, "message": stranger["message"]}


def test_guessing_by_the_api_is_throttled(crm):
    make_issued()

    answers = [
        crm.send("/codes/check/", text=f"GUESS-{number:05}") for number in range(30)
    ]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 429
    assert int(answers[-1]["Retry-After"]) > 0


def test_managers_that_are_named_are_invited(crm, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        for _again in range(2):
            crm.send(
                "/codes/",
                key="one",
                label="ACME",
                credits=5,
                managers=["max@acme.example"],
            )

    assert [each.to for each in mail.outbox] == [["max@acme.example"]]


@pytest.mark.parametrize("path", ["/codes/", "/codes/check/", "/codes/{pk}/rotate/"])
def test_no_error_report_has_the_text_or_the_token(crm, path, monkeypatch):
    """Whatever fails in the middle, what is reported has neither."""
    code = make_code()
    reports = []

    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("broken")

    def report(request: Any, **options: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.extend([reporter.get_traceback_text(), reporter.get_traceback_html()])

    def receive(sender: Any, request: Any, **options: Any) -> None:
        report(request)

    got_request_exception.connect(receive)
    monkeypatch.setattr(api_calls, "begin", fail)
    monkeypatch.setattr(checking, "check_code", fail)
    crm.client.raise_request_exception = False

    text = "ACME-SECRET-2026"
    body = {"label": "ACME", "credits": 5} if path == "/codes/" else {}
    answer = crm.send(path.format(pk=code.pk), key="key-of-crm", text=text, **body)

    assert answer.status_code == 500
    assert len(reports) == 2
    for said in reports:
        assert text not in said
        assert crm.issued.text not in said
