"""Codes in Django's admin: issued, seen, topped up, disabled; the rest to look at."""

from __future__ import annotations

import re
import sys
from datetime import timedelta

import pytest
from django.contrib.admin import site
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.contrib.sessions.models import Session
from django.core.signals import got_request_exception
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter
from oscar.core.loading import get_model

from oscar_training_credits.credits.admin import CreditCodeAdmin
from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.codes.issuing import add_grant, set_state
from oscar_training_credits.credits.ledger.adjusting import close_code
from oscar_training_credits.credits.ledger.cutting import cut_code
from oscar_training_credits.credits.models import (
    Access,
    AccessChange,
    AppliedCode,
    CreditCode,
    CreditGrant,
    Delivery,
    DirectPurchase,
    LedgerEntry,
    MoneyChoice,
    ParkedPrice,
    PathCourse,
    Place,
    Redemption,
    TermsChange,
    TrainingProduct,
)
from oscar_training_credits.test.factories import (
    make_code,
    make_issued,
    make_learner,
    make_product,
    make_training,
)

from ..support.orders import place_order
from ..support.shop import text_of, words

Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db

TEXT = "Swordfish-Academy-77"
NOW = timezone.now()
DAY = timedelta(days=1)


def url(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:training_credits_{model._meta.model_name}_{page}", args=args)


ADD = "add"
LIST = "changelist"


@pytest.fixture
def staff():
    return make_learner(is_staff=True, is_superuser=True)


@pytest.fixture
def admin(staff):
    client = Client()
    client.force_login(staff)
    return client


@pytest.fixture
def clerk():
    """Somebody who may look at codes, and no more."""
    user = make_learner(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_creditcode"))
    client = Client()
    client.force_login(user)
    return client


def issue(admin: Client, **fields: object):
    form = {"label": "ACME", "text": "", "credits": 50, **when("starts_at", None)}
    form |= {**when("expires_at", None), "content": "", **fields}
    return admin.post(url(CreditCode, ADD), form, follow=True)


def when(field: str, moment) -> dict[str, str]:
    """Return a moment as the admin's two boxes for it send it."""
    local = moment and timezone.localtime(moment)
    return {
        f"{field}_0": local.strftime("%d/%m/%Y") if local else "",
        f"{field}_1": local.strftime("%H:%M:%S") if local else "",
    }


def grants(code: CreditCode, *new: dict[str, object]) -> dict[str, object]:
    """Return the boxes for the grants of a code, and for new ones."""
    old = list(code.grants.order_by("pk"))
    form: dict[str, object] = {
        "grants-TOTAL_FORMS": len(old) + len(new),
        "grants-INITIAL_FORMS": len(old),
    }
    for number, grant in enumerate(old):
        form |= {f"grants-{number}-id": grant.pk, f"grants-{number}-code": code.pk}
    for number, terms in enumerate(new, start=len(old)):
        terms = {"origin": "sale", "note": "", **when("expires_at", None), **terms}
        form |= {f"grants-{number}-{name}": value for name, value in terms.items()}
        form |= {f"grants-{number}-id": "", f"grants-{number}-code": code.pk}
    return form


def edit(admin: Client, code: CreditCode, **fields: object):
    form = {
        "label": code.label,
        **when("starts_at", code.starts_at),
        **when("expires_at", code.expires_at),
        "content": code.content_id or "",
        **grants(code),
        **fields,
    }
    return admin.post(url(CreditCode, "change", code.pk), form)


def act(client: Client, action: str, *selected: CreditCode):
    form = {"action": action, "_selected_action": [code.pk for code in selected]}
    return client.post(url(CreditCode, LIST), form, follow=True)


def errors(response) -> str:
    """Return what the admin's form complains about."""
    found = [*response.context["adminform"].form.errors.values()]
    for formset in response.context["inline_admin_formsets"]:
        found += [*formset.formset.non_form_errors()]
        for each in formset.formset.errors:
            found += each.values()
    return " ".join(str(error) for each in found for error in each)


def test_a_code_is_issued_with_a_text_of_its_own(admin, staff):
    content = Range.objects.create(name="Safety")

    response = issue(
        admin,
        text=f" {TEXT} ",
        **when("starts_at", NOW),
        **when("expires_at", NOW + DAY),
        content=content.pk,
    )

    assert response.status_code == 200
    code = code_text.find(TEXT)
    assert (code.label, code.content, code.created_by) == ("ACME", content, staff)
    assert code.starts_at == NOW.replace(microsecond=0)
    assert code.expires_at == (NOW + DAY).replace(microsecond=0)
    grant = code.grants.get()
    assert (grant.credits, grant.remaining, grant.created_by) == (50, 50, staff)
    assert LedgerEntry.objects.get().credits == 50


def test_a_code_is_drawn_where_no_text_is_given(admin):
    response = issue(admin)

    text = response.context["text"]
    assert len(code_text.canonical(text)) == code_text.LENGTH
    assert code_text.find(text) == CreditCode.objects.get()


@pytest.mark.parametrize("chosen", [TEXT, ""], ids=["chosen", "drawn"])
def test_the_text_is_shown_once_and_kept_nowhere(admin, chosen):
    response = issue(admin, text=chosen)

    ((address, status),) = response.redirect_chain
    assert status == 302
    text = response.context["text"]
    assert text_of(response).count(text) == 1
    assert "no-store" in response["Cache-Control"]
    secret = code_text.canonical(text)
    kept = [
        address,
        *(str(message) for message in get_messages(response.wsgi_request)),
        *(str(session.get_decoded()) for session in Session.objects.all()),
        *(f"{log.object_repr} {log.change_message}" for log in LogEntry.objects.all()),
        *(f"{cookie.key} {cookie.value}" for cookie in response.cookies.values()),
        response.wsgi_request.get_full_path(),
    ]
    assert not [each for each in kept if secret in code_text.canonical(each)]
    for page in (
        address,
        url(CreditCode, LIST),
        url(CreditCode, "change", CreditCode.objects.get().pk),
        url(CreditCode, "history", CreditCode.objects.get().pk),
        url(LedgerEntry, LIST),
        reverse("admin:index"),
    ):
        assert secret not in code_text.canonical(text_of(admin.get(page)))


def test_a_reload_shows_the_text_no_more_and_issues_nothing(admin):
    address = issue(admin, text=TEXT).redirect_chain[0][0]

    again = admin.get(address)

    assert TEXT not in text_of(again)
    assert "not shown a second time" in text_of(again)
    assert "no-store" in again["Cache-Control"]
    assert CreditCode.objects.count() == 1


def test_the_text_is_shown_to_who_issued_it_alone(admin, clerk):
    form = {"label": "ACME", "text": TEXT, "credits": 50, "content": ""}
    form |= {**when("starts_at", None), **when("expires_at", None)}
    address = admin.post(url(CreditCode, ADD), form).url
    other = Client()
    other.force_login(make_learner(is_staff=True, is_superuser=True))

    assert TEXT not in text_of(other.get(address))
    assert clerk.get(address).status_code == 403
    assert Client().get(address).status_code == 302
    assert TEXT in text_of(admin.get(address))


def test_half_of_the_text_goes_with_the_browser_to_that_page_alone(admin):
    form = {"label": "ACME", "text": TEXT, "credits": 50, "content": ""}
    form |= {**when("starts_at", None), **when("expires_at", None)}

    response = admin.post(url(CreditCode, ADD), form)

    cookie = response.cookies["training_credits_new_code"]
    assert cookie["path"] == response.url
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    halves = [bytes.fromhex(cookie.value), bytes.fromhex(admin.session[cookie.key][1])]
    assert TEXT.encode() not in halves
    del admin.cookies[cookie.key]
    assert TEXT not in text_of(admin.get(response.url))


@pytest.mark.parametrize("button", ["_save", "_continue", "_addanother"])
def test_every_save_button_shows_the_text(admin, button):
    response = issue(admin, text=TEXT, **{button: "1"})

    assert TEXT in text_of(response)


def test_issuing_is_in_the_admins_log(admin, staff):
    issue(admin, text=TEXT)

    log = LogEntry.objects.get()
    assert (log.user, log.is_addition()) == (staff, True)
    assert log.object_repr == "ACME (code ending MY77)"


def test_eight_letters_are_enough(admin):
    issue(admin, text="ACME-2026")

    assert code_text.find("ACME-2026").label == "ACME"


def test_what_else_a_site_saves_with_a_new_code_finds_it(admin, monkeypatch):
    found = []
    monkeypatch.setattr(
        CreditCodeAdmin,
        "save_related",
        lambda self, request, form, formsets, change: found.append(form.instance),
    )

    issue(admin, text=TEXT)

    assert found == [code_text.find(TEXT)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"text": "acme taken"}, "with this text already", id="taken"),
        pytest.param({"text": "- -"}, "needs 8 letters", id="no letters"),
        pytest.param({"text": "ACME-26"}, "needs 8 letters", id="too short"),
        pytest.param({"text": "A" * 129}, "at most 128", id="too long"),
        pytest.param({"label": ""}, "required", id="no label"),
        pytest.param({"credits": ""}, "required", id="no amount"),
        pytest.param({"credits": "0"}, "greater than or equal to 1", id="no credits"),
        pytest.param({"credits": "-1"}, "greater than or equal to 1", id="fewer"),
        pytest.param(
            {"credits": "1000000001"},
            "less than or equal to 1000000000",
            id="no end of them",
        ),
        pytest.param({"credits": "9" * 30}, "less than or equal", id="more than that"),
        pytest.param(
            {**when("starts_at", NOW + 2 * DAY), **when("expires_at", NOW + DAY)},
            "must end after it starts",
            id="ends before it starts",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(admin, fields, message):
    make_code(text="ACME-TAKEN")

    response = issue(admin, **fields)

    assert message in errors(response)
    assert CreditCode.objects.count() == 1


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        pytest.param([], "IndexError", id="as it is issued"),
        pytest.param(["\ud800"], "UnicodeEncodeError", id="as it is looked up"),
    ],
)
def test_an_error_report_does_not_hold_the_text(admin, settings, keys, error):
    reports = []

    def report(request, **kwargs):
        reports.append(ExceptionReporter(request, *sys.exc_info()))

    settings.TRAINING_CREDITS_CODE_KEYS = keys
    admin.raise_request_exception = False
    got_request_exception.connect(report)
    try:
        response = issue(admin, text=TEXT)
    finally:
        got_request_exception.disconnect(report)

    assert response.status_code == 500
    (reporter,) = reports
    page = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert error in page
    assert code_text.canonical(TEXT) not in code_text.canonical(page)


def test_the_list_shows_balance_and_ending_and_never_the_digest(admin):
    issued = make_issued(100, text=TEXT)
    add_grant(issued.code, 30, expires_at=NOW + DAY)
    add_grant(issued.code, 500, expires_at=NOW - DAY)

    page = text_of(admin.get(url(CreditCode, LIST)))

    shown = words(page)
    assert "MY77" in shown
    assert ' class="field-balance">130<' in page
    assert code_text.canonical(TEXT) not in code_text.canonical(page)
    assert issued.code.digest not in page


@pytest.mark.parametrize("left", [{"remaining": 0}, {"expires_at": NOW - DAY}])
def test_a_code_with_nothing_left_has_a_balance_of_nothing(admin, left):
    make_code()
    CreditGrant.objects.update(**left)

    page = text_of(admin.get(url(CreditCode, LIST)))

    assert ' class="field-balance">0<' in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("spring", True, id="label"),
        pytest.param("MY77", True, id="ending"),
        pytest.param(TEXT, False, id="the text"),
    ],
)
def test_codes_are_searched_by_label_and_ending(admin, query, found):
    make_code(label="ACME, spring", text=TEXT)

    page = admin.get(url(CreditCode, LIST), {"q": query})

    assert bool(page.context["cl"].result_count) is found


def test_the_list_costs_the_same_queries_for_many_codes(
    admin, django_assert_max_num_queries
):
    for _ in range(20):
        make_code()

    with django_assert_max_num_queries(12):
        admin.get(url(CreditCode, LIST))


def test_a_code_is_renamed_and_given_another_end(admin):
    code = make_code()

    response = edit(admin, code, label="Beta", **when("expires_at", NOW + DAY))

    assert response.status_code == 302
    code.refresh_from_db()
    assert code.label == "Beta"
    assert code.expires_at == (NOW + DAY).replace(microsecond=0)
    assert code.balance() == 100


def test_a_form_does_not_make_a_code_active_that_was_disabled_meanwhile(admin):
    code = make_code()

    def disable(instance, **kwargs):
        CreditCode.objects.filter(pk=instance.pk).update(state="disabled")

    pre_save.connect(disable, sender=CreditCode)
    try:
        edit(admin, code, label="Beta")
    finally:
        pre_save.disconnect(disable, sender=CreditCode)

    code.refresh_from_db()
    assert (code.label, code.state) == ("Beta", "disabled")


def test_a_code_is_topped_up_by_a_new_grant(admin, staff):
    code = make_code(100)

    response = edit(
        admin,
        code,
        **grants(
            code,
            {"credits": 30, "origin": "goodwill", "note": "Sorry"},
            {"credits": 5, **when("expires_at", NOW + DAY)},
        ),
    )

    assert response.status_code == 302
    assert code.balance() == 135
    first, second = code.grants.order_by("pk")[1:]
    assert (first.origin, first.note, first.created_by) == ("goodwill", "Sorry", staff)
    assert first.expires_at is None
    assert second.expires_at == (NOW + DAY).replace(microsecond=0)
    entries = LedgerEntry.objects.filter(kind="grant").order_by("pk")
    assert list(entries.values_list("grant", "credits", "balance"))[1:] == [
        (first.pk, 30, 30),
        (second.pk, 5, 5),
    ]


def test_a_top_up_is_in_the_admins_log(admin):
    code = make_code(100)

    edit(admin, code, **grants(code, {"credits": 30}))

    made = code.grants.latest("pk")
    assert LogEntry.objects.get().get_change_message() == f"Added grant “{made}”."


def test_a_code_with_an_expired_grant_is_topped_up_too(admin):
    code = make_code(100, grant_expires_at=NOW - DAY)

    response = edit(admin, code, **grants(code, {"credits": 30}))

    assert response.status_code == 302
    assert code.balance() == 30


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        pytest.param({"credits": 0}, "greater than or equal to 1", id="no credits"),
        pytest.param({"credits": -5}, "greater than or equal to", id="fewer"),
        pytest.param(
            {"credits": "1000000001"},
            "less than or equal to 1000000000",
            id="no end of them",
        ),
        pytest.param({"credits": "9" * 30}, "less than or equal", id="more than that"),
        pytest.param(
            {"credits": 5, **when("expires_at", NOW - DAY)}, "has passed", id="lapsed"
        ),
    ],
)
def test_a_top_up_that_makes_no_sense_is_refused(admin, terms, message):
    code = make_code(100)

    response = edit(admin, code, **grants(code, terms))

    assert message in errors(response)
    assert LedgerEntry.objects.count() == 1


def test_a_grant_that_exists_cannot_be_changed_or_deleted(admin):
    code = make_code(100)
    add_grant(code, 7)
    forged = {
        f"grants-{number}-{field}": value
        for number in (0, 1)
        for field, value in {"credits": 9000, "remaining": 9000, "DELETE": "on"}.items()
    }

    edit(admin, code, **forged)

    assert sorted(code.grants.values_list("credits", "remaining")) == [
        (7, 7),
        (100, 100),
    ]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("disable", "active", "disabled"),
        ("disable", "disabled", "disabled"),
        ("enable", "disabled", "active"),
        ("enable", "active", "active"),
    ],
)
def test_codes_are_disabled_and_made_active_again(admin, action, before, after):
    first, second, other = make_code(), make_code(), make_code()
    for code in (first, second, other):
        set_state(code, before)

    response = act(admin, action, first, second)

    states = dict(CreditCode.objects.values_list("pk", "state"))
    assert states == {first.pk: after, second.pk: after, other.pk: before}
    assert [str(each) for each in response.context["messages"]] == ["2 codes changed."]
    assert LogEntry.objects.count() == 2


def test_a_code_issued_cannot_be_given_another_text(admin):
    code = make_code(text=TEXT)
    digest = code.digest

    edit(admin, code, text="ANOTHER", last_four="XXXX", digest="0" * 64)

    code.refresh_from_db()
    assert (code.digest, code.last_four) == (digest, "MY77")


@pytest.mark.parametrize("action", ["disable", "enable"])
def test_who_may_only_look_changes_no_state(clerk, action):
    code = make_code()
    before = "active" if action == "disable" else "disabled"
    set_state(code, before)

    act(clerk, action, code)

    code.refresh_from_db()
    assert code.state == before


def test_who_may_only_look_sees_codes_and_issues_none(clerk):
    code = make_code(label="ACME, spring")

    assert "ACME, spring" in text_of(clerk.get(url(CreditCode, LIST)))
    assert clerk.get(url(CreditCode, "change", code.pk)).status_code == 200
    assert clerk.get(url(CreditCode, ADD)).status_code == 403
    assert issue(clerk).status_code == 403
    assert edit(clerk, code, label="Beta").status_code == 403
    assert CreditCode.objects.get().label == "ACME, spring"


@pytest.fixture
def bought():
    """The rows that one purchase leaves behind, by model."""
    issued = make_issued(100)
    learner = make_learner()
    place_order(learner, (make_training(credits=20).product, 1), text=issued.text)
    return {
        model: model.objects.order_by("pk").last()
        for model in (Access, LedgerEntry, Redemption)
    }


READ_ONLY = [Access, LedgerEntry, Redemption]


@pytest.mark.parametrize("model", READ_ONLY)
def test_records_are_shown_and_never_written(admin, bought, model):
    row = bought[model]
    before = list(model.objects.values())
    change = url(model, "change", row.pk)

    assert admin.get(url(model, LIST)).status_code == 200
    assert admin.get(change).status_code == 200
    assert admin.post(change, {"credits": 1}).status_code == 403
    assert admin.get(url(model, ADD)).status_code == 403
    assert admin.post(url(model, ADD), {}).status_code == 403
    assert list(model.objects.values()) == before


def test_the_entries_name_their_code(admin, bought):
    page = text_of(admin.get(url(LedgerEntry, LIST)))

    assert f'class="field-code">{bought[LedgerEntry].grant.code}<' in page


@pytest.mark.parametrize("model", READ_ONLY)
@pytest.mark.parametrize("query", ["ACME", "learner"])
def test_records_are_searched(admin, bought, model, query):
    assert admin.get(url(model, LIST), {"q": query}).status_code == 200


@pytest.mark.parametrize("model", [*READ_ONLY, CreditCode])
def test_nothing_is_deleted_in_the_admin(admin, bought, model):
    row = model.objects.order_by("pk").last()
    delete = url(model, "delete", row.pk)
    selected = {"action": "delete_selected", "_selected_action": [row.pk], "post": "1"}

    assert admin.get(delete).status_code == 403
    assert admin.post(delete, {"post": "yes"}).status_code == 403
    admin.post(url(model, LIST), selected)
    assert model.objects.filter(pk=row.pk).exists()
    assert (
        "delete" not in words(text_of(admin.get(url(model, "change", row.pk)))).lower()
    )


def test_a_stranger_sees_none_of_it():
    for model in (*READ_ONLY, CreditCode):
        response = Client().get(url(model, LIST))

        assert response.status_code == 302
        assert response.url.startswith(reverse("admin:login"))


@pytest.fixture
def team():
    return Group.objects.create(name="ACME team")


def restrictions(learner, team) -> dict[str, object]:
    return {
        "learners": str(learner.pk),
        "groups": [team.pk],
        "email_domains": "@acme.example\r\nacme.example.\r\nbücher.example",
        "include_subdomains": "on",
        "credits_per_learner": 40,
        "redemptions_per_learner": 2,
        "one_order_only": "on",
    }


def assert_restricted(code, learner, team) -> None:
    assert list(code.learners.all()) == [learner]
    assert list(code.groups.all()) == [team]
    assert code.email_domains == "acme.example\nbücher.example"
    assert code.include_subdomains
    assert (code.credits_per_learner, code.redemptions_per_learner) == (40, 2)
    assert code.one_order_only


def test_a_code_is_issued_with_restrictions(admin, team):
    learner = make_learner()

    issue(admin, **restrictions(learner, team))

    assert_restricted(CreditCode.objects.get(), learner, team)


def test_the_restrictions_of_a_code_are_changed_and_lifted(admin, team):
    code, learner = make_code(), make_learner()

    edit(admin, code, **restrictions(learner, team))
    assert_restricted(CreditCode.objects.get(), learner, team)

    edit(admin, code)
    code = CreditCode.objects.get()
    assert not code.learners.exists()
    assert not code.groups.exists()
    assert code.email_domains == ""
    assert code.credits_per_learner is None
    assert not code.one_order_only


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "changed"])
def test_senseless_restrictions_are_refused_beside_their_field(admin, is_new):
    wrong = {"email_domains": "ann@acme.example", "credits_per_learner": 0}

    response = issue(admin, **wrong) if is_new else edit(admin, make_code(), **wrong)

    found = response.context["adminform"].form.errors
    assert "Write what follows the @ alone" in found["email_domains"][0]
    assert "credits_per_learner" in found
    assert not CreditCode.objects.exclude(email_domains="").exists()


def test_the_form_says_what_the_kinds_of_restriction_mean_together(admin):
    page = words(text_of(admin.get(url(CreditCode, ADD))))

    assert "For whom" in page
    assert "everybody may use it" in page


def test_learners_are_looked_up_where_the_admin_can_search_them(admin, clerk):
    code = make_code()

    page = text_of(admin.get(url(CreditCode, "change", code.pk)))
    assert "admin-autocomplete" in page

    helper = make_learner(is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="change_creditcode"))
    client = Client()
    client.force_login(helper)
    page = text_of(client.get(url(CreditCode, "change", code.pk)))
    assert "admin-autocomplete" not in page
    assert 'name="learners"' in page


def test_where_users_can_not_be_searched_their_numbers_are_typed(admin, monkeypatch):
    address = url(CreditCode, "change", make_code().pk)
    users = site._registry[get_user_model()]

    monkeypatch.setattr(type(users), "search_fields", ())
    without_search = text_of(admin.get(address))
    monkeypatch.delitem(site._registry, get_user_model())
    without_users = text_of(admin.get(address))

    for page in (without_search, without_users):
        assert "admin-autocomplete" not in page
        assert 'name="learners"' in page


# How products are sold


def sell(admin: Client, **terms: object):
    """Add the terms of a product, as the form without any of them filled in."""
    form = {"product": make_product().pk, "kind": "course", "credits": ""}
    return admin.post(url(TrainingProduct, ADD), {**form, **terms})


def test_a_product_is_sold_as_training(admin, staff):
    response = sell(admin, credits=20, access_days=90)

    assert response.status_code == 302, text_of(response)
    training = TrainingProduct.objects.get()
    assert (training.credits, training.access_days) == (20, 90)
    assert training.changes.first().changed_by == staff


def test_a_path_keeps_its_courses_when_its_price_changes(admin):
    course = make_training("Course")
    path = make_training("Path", kind="path", path_courses=(course,))
    form = {"kind": "path", "credits": 60}

    response = admin.post(url(TrainingProduct, "change", path.pk), form)

    assert response.status_code == 302, text_of(response)
    path.refresh_from_db()
    assert (path.credits, path.listed_courses()) == (60, (course,))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"credit_only": "on"}, "Say how many credits it costs"),
        ({"kind": "path", "credits": 60}, "Choose the courses of the path."),
        ({"kind": "plan", "credits": 60}, "Choose the range of products"),
        ({"credits": 0}, "greater than or equal to 1"),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_a_message(admin, terms, message):
    response = sell(admin, **terms)

    assert response.status_code == 200
    assert message in words(text_of(response))
    assert not TrainingProduct.objects.exists()


# What records are called


def test_records_are_called_by_what_tells_them_apart():
    named = [
        (PathCourse(path_id=3, course_id=5), "3: 5"),
        (TermsChange(term="credits", before="20", after="35"), "credits: 20 → 35"),
        (ParkedPrice(price="25.00"), "25.00"),
        (MoneyChoice(line_id=4), "4"),
        (DirectPurchase(basket_id=6), "6"),
        (AppliedCode(basket_id=6, code_id=8), "6: 8"),
        (AccessChange(access_id=7, kind="given"), "7: given"),
        (Place(order_line_id=9, number=2), "9: 2"),
        (Delivery(key="abc"), "abc"),
    ]

    for record, name in named:
        assert str(record) == name


# Twice the same


def hidden(admin: Client, address: str) -> dict[str, str]:
    """Return the hidden fields of a page's form that tell it from others."""
    page = text_of(admin.get(address))
    found = re.findall(r'name="([\w-]*(?:key|generated))" value="([^"]+)"', page)
    return dict(found)


@pytest.mark.parametrize("chosen", [TEXT, ""], ids=["chosen", "drawn"])
def test_a_second_save_shows_the_first_code(admin, chosen):
    form = hidden(admin, url(CreditCode, ADD))

    first = issue(admin, text=chosen, **form).context
    second = issue(admin, text=chosen, **form).context

    assert CreditCode.objects.get() == first["code"] == second["code"]
    assert first["text"] == second["text"]
    assert first["code"].balance() == 50


def test_a_child_code_is_not_made_wider_in_the_admin(admin):
    parent = make_code(50, credits_per_learner=5, email_domains=["acme.example"])
    child = cut_code(parent, 10, label="Child").code

    response = edit(admin, child, label="Renamed", credits_per_learner=50)

    assert response.status_code == 302
    child.refresh_from_db()
    assert (child.label, child.credits_per_learner) == ("Renamed", 5)
    assert (child.email_domains, child.named_only) == ("acme.example", True)


def test_a_page_that_was_used_issues_no_other_code(admin):
    form = hidden(admin, url(CreditCode, ADD))
    issue(admin, text=TEXT, **form)

    response = issue(admin, text="ANOTHER-TEXT", **form)

    assert "was used before" in errors(response)
    assert CreditCode.objects.count() == 1


def test_a_second_save_puts_no_second_grant_on_a_code(admin):
    code = make_issued().code
    key = hidden(admin, url(CreditCode, "change", code.pk))["grants-__prefix__-key"]
    form = grants(code, {"credits": 30, "key": key})

    for _click in range(2):
        assert edit(admin, code, **form).status_code == 302

    assert code.balance() == 130


def test_no_code_is_issued_whose_end_has_passed(admin):
    response = issue(admin, **when("expires_at", NOW - DAY))

    assert "This moment has passed." in errors(response)
    assert not CreditCode.objects.exists()


def test_the_list_says_the_state_as_it_is(admin):
    make_issued(label="Old", expires_at=NOW - DAY)
    make_issued(label="New")

    expired = text_of(admin.get(url(CreditCode, LIST), {"state": "expired"}))

    assert "Old" in words(expired)
    assert ">New<" not in expired
    assert 'field-condition">Expired<' in expired


def test_it_is_on_record_what_is_done_in_the_admin(admin, staff):
    code = make_issued(label="ACME").code
    edit(admin, code, label="ACME, spring")
    act(admin, "disable", code)

    changes = code.changes.exclude(kind="issued").order_by("pk")
    assert [change.kind for change in changes] == ["edited", "disabled"]
    assert {change.changed_by for change in changes} == {staff}


def test_a_closed_code_is_left_alone(admin):
    code = make_issued().code
    close_code(code)

    act(admin, "enable", code)
    edit(admin, code, **grants(code, {"credits": 30}))

    code.refresh_from_db()
    assert (code.state, code.balance()) == ("closed", 0)
    page = text_of(admin.get(url(CreditCode, "change", code.pk)))
    assert reverse("training_credits:code-detail", args=[code.pk]) in page
