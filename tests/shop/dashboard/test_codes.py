"""Staff find, issue and change credit codes in the dashboard."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import openpyxl
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import listing
from oscar_training_credits.credits.models import (
    CodeChange,
    CodeJob,
    CreditCode,
    CreditGrant,
)
from oscar_training_credits.shop import xlsx_files
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_training,
)

from ...support.orders import place_order
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Partner = get_model("partner", "Partner")
Range = get_model("offer", "Range")

DAY = timedelta(days=1)
LIST = reverse("training_credits:code-list")
FIND = reverse("training_credits:code-find")
NEW = reverse("training_credits:code-create")
BULK = reverse("training_credits:codes-state")
SEVERAL = reverse("training_credits:codes-extend-several")
EXPORT = reverse("training_credits:code-export")
TEXT, OTHER_TEXT = "ACME-TEAM-2026", "BETA-TEAM-2027"
ALL = (
    "view_creditcode",
    "add_creditcode",
    "change_creditcode",
    "add_creditgrant",
    "adjust_creditcode",
    "cut_creditcode",
    "rotate_creditcode",
    "import_creditcode",
    "export_creditcode",
    "explain_creditcode",
    "report_creditcode",
)


@pytest.fixture
def staff():
    return client_of(*ALL)


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example", first_name="Lee", last_name="Learner")


@pytest.fixture
def code():
    return make_code(100, text=TEXT, label="ACME")


def address(name: str, code: CreditCode) -> str:
    return reverse(f"training_credits:code-{name}", args=[code.pk])


def hidden(page) -> dict[str, str]:
    """Return the hidden fields of the form on a page, as a browser sends them."""
    found = re.findall(
        r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text_of(page)
    )
    return {name: value for name, value in found if name != "csrfmiddlewaretoken"}


def fill(client, url: str, **fields):
    """Open a form and send it with these fields."""
    page = client.get(url)
    return client.post(url, {**hidden(page), **fields})


def shown_text(page) -> str:
    """Return the text of the new code that a page shows."""
    return re.search(r'id="new-code"[^>]* value="([^"]+)"', text_of(page))[1]


def errors(response) -> dict:
    return dict(response.context["form"].errors)


def labels(response) -> list[str]:
    return sorted(row.record.label for row in response.context["table"].page)


# The list


@pytest.fixture
def several(learner):
    """One code in each state, and one that a learner has used."""
    now = timezone.now()
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    make_code(50, label="Active", reference="C-2099-17", expires_at=now + 5 * DAY)
    make_code(50, label="Early", starts_at=now + DAY, content=everything)
    make_code(50, label="Expired", expires_at=now - DAY)
    make_code(50, label="Lapsed", grant_expires_at=now - DAY)
    api.set_state(make_code(50, label="Disabled", holder="ACME Ltd"), "disabled")
    api.close_code(make_code(50, label="Closed"))
    make_code(20, label="Spent", text=TEXT)
    course = make_training("Course", credits=20, credit_only=True)
    return place_order(learner, (course.product, 1), text=TEXT)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"state": "active"}, ["Active"]),
        ({"state": "not-started"}, ["Early"]),
        ({"state": "expired"}, ["Expired"]),
        ({"state": "used-up"}, ["Lapsed", "Spent"]),
        ({"state": "disabled"}, ["Disabled"]),
        ({"state": "closed"}, ["Closed"]),
        ({"expiring": 7}, ["Active"]),
        ({"under": 1}, ["Closed", "Lapsed", "Spent"]),
        ({"q": "acti"}, ["Active"]),
        ({"q": "c-2099"}, ["Active"]),
        ({"q": "acme l"}, ["Disabled"]),
        ({"q": "2026"}, ["Spent"]),
        ({"q": "LEE@acme.example"}, ["Spent"]),
        ({"q": "nobody@acme.example"}, []),
        ({"q": "early", "state": "active"}, []),
    ],
    ids=str,
)
def test_codes_are_found(staff, several, search, expected):
    response = staff.get(LIST, search)

    assert labels(response) == expected


def test_a_code_is_found_by_its_order_and_by_its_content(staff, several):
    everything = Range.objects.get(name="Everything")

    assert labels(staff.get(LIST, {"q": several.number})) == ["Spent"]
    assert labels(staff.get(LIST, {"q": f"#{several.number}"})) == ["Spent"]
    assert labels(staff.get(LIST, {"content": everything.pk})) == ["Early"]


def test_the_list_says_the_state_as_it_is(staff, several):
    body = re.search(r"(?s)<tbody.*?</tbody>", text_of(staff.get(LIST)))[0]
    rows = [words(row) for row in re.findall(r"(?s)<tr.*?</tr>", body)]

    said = {row.split()[0]: row for row in rows}
    assert "Expired" in said["Expired"].removeprefix("Expired")
    assert "Used up" in said["Lapsed"]
    assert "Used up" in said["Spent"]
    assert "Not started" in said["Early"]
    assert all(text not in body for text in (TEXT, "acmeteam"))


@pytest.mark.parametrize("typed", [TEXT, "acme team 2026"])
def test_the_text_of_a_code_leads_to_it_and_is_in_no_address(staff, code, typed):
    response = staff.post(FIND, {"q": typed, "state": "closed"})

    assert response.url == address("detail", code)
    assert staff.get(LIST, {"q": typed}).context["table"].paginator.count == 0


def test_a_text_that_is_no_code_is_in_no_address_either(staff):
    response = staff.post(FIND, {"q": "AAAA-BBBB-CCCC-DDDD-EEEE", "state": "active"})

    assert response.url == f"{LIST}?state=active"
    assert "There is no code with this text." in text_of(staff.get(response.url))


def test_filters_are_open_where_one_is_set(staff, code):
    said = {
        query: '<details class="mb-3" open>' in text_of(staff.get(LIST + query))
        for query in ("", "?q=acme", "?state=active", "?under=x")
    }

    assert list(said.values()) == [False, False, True, True]


def test_any_other_search_is_in_the_address(staff):
    response = staff.post(FIND, {"q": "ACME & co", "under": "5", "other": "x"})

    assert response.url == f"{LIST}?q=ACME+%26+co&under=5"


@pytest.mark.parametrize("search", [{"under": "x"}, {"state": "y"}, {"content": "0"}])
def test_a_search_that_makes_no_sense_is_refused_at_its_field(staff, code, search):
    response = staff.get(LIST, search)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == list(search)


@pytest.mark.parametrize("sort", ["label", "-label", "expires_at", "-created_at"])
def test_codes_are_sorted(staff, several, sort):
    response = staff.get(LIST, {"sort": sort})

    found = [row.record for row in response.context["table"].page]
    if "label" in sort:
        names = [each.label for each in found]
        assert names == sorted(names, reverse=sort.startswith("-"))
    assert len(found) == 7


@pytest.mark.parametrize("search", [{}, {"q": "spring"}])
def test_the_newest_codes_are_sorted_by_what_is_left(staff, monkeypatch, search):
    monkeypatch.setattr(listing.CappedPaginator, "CAP", 3)
    for number, credits in enumerate([5, 70, 9, 20]):
        make_code(credits, label=f"Spring {number}")

    for sort, left in (("credits_left", [9, 20, 70]), ("-credits_left", [70, 20, 9])):
        page = staff.get(LIST, {**search, "sort": sort})
        shown = page.context["table"].page
        assert [row.record.credits_left for row in shown] == left
        assert "The newest 3 codes are sorted; search for the others" in text_of(page)


@pytest.mark.parametrize(
    ("asked", "shown", "caption"),
    [
        ({}, [6, 5], "More than 4 codes"),
        ({"page": "x"}, [6, 5], "More than 4 codes"),
        ({"page": 2}, [4, 3], "7 codes"),
        ({"page": 4}, [0], "7 codes"),
        ({"per_page": 4}, [6, 5, 4, 3], "7 codes"),
        ({"sort": "label"}, [0, 1], "7 codes"),
    ],
    ids=["first page", "no page", "last of those", "beyond", "long page", "sorted"],
)
def test_what_is_found_is_counted_further_on_later_pages(
    staff, monkeypatch, settings, asked, shown, caption
):
    monkeypatch.setattr(listing, "FIRST", 4)
    settings.OSCAR_DASHBOARD_ITEMS_PER_PAGE = 2
    for number in range(7):
        make_code(5, label=f"Spring {number}")

    page = staff.get(LIST, {"q": "spring", **asked})

    found = [row.record.label for row in page.context["table"].page]
    assert found == [f"Spring {number}" for number in shown]
    assert caption in text_of(page)


def test_a_search_is_compared_with_the_texts_of_codes_once(staff, monkeypatch):
    monkeypatch.setattr(listing, "RECENT", 2)
    monkeypatch.setattr(listing, "FIRST", 1)
    for number in range(9):
        make_code(5, label="Spring" if number == 1 else "Autumn")

    with CaptureQueriesContext(connection) as queries:
        page = staff.get(LIST, {"q": "spring"})

    assert labels(page) == ["Spring"]
    conditions = [query["sql"].partition(" WHERE ")[2] for query in queries]
    assert len([each for each in conditions if "digest" in each]) == 1


def test_what_is_found_is_exported_and_no_formula(staff, several):
    make_code(3, text="SUM-OF-ALL", label="=1+1", holder="@ACME", reference="-2")

    response = staff.get(EXPORT, {"state": "active"})

    written = b"".join(response.streaming_content).decode("utf-8-sig")
    head, formula, active = csv.reader(written.splitlines())
    assert head[0] == "Label"
    assert formula[:4] == ["'=1+1", "FALL", "'-2", "'@ACME"]
    assert active[0] == "Active"
    assert active[4:6] == ["Active", "50"]
    assert "attachment" in response["Content-Disposition"]


def sheet_of(response) -> list[list]:
    content = b"".join(response.streaming_content)
    book = openpyxl.load_workbook(BytesIO(content))
    return [[cell.value for cell in row] for row in book.active]


def test_what_is_found_is_exported_as_a_sheet(staff, several):
    odd = "=1+1 <&>\x0b ]]> ünï😀"
    make_code(3, text="SUM-OF-ALL", label=odd, holder="@ACME", reference="-2")

    response = staff.get(EXPORT, {"state": "active", "as": "xlsx"})

    head, formula, active = sheet_of(response)
    assert head[0] == "Label"
    assert formula[:4] == [odd.replace("\x0b", ""), "FALL", "-2", "@ACME"]
    assert active[4:6] == ["Active", 50]
    assert response["Content-Disposition"].endswith('.xlsx"')
    assert sheet_of(staff.get(EXPORT, {"q": "none", "as": "xlsx"})) == [head]


def test_a_long_list_goes_on_on_the_next_sheet(staff, monkeypatch):
    monkeypatch.setattr(xlsx_files, "MOST_ROWS", 2)
    for number in range(4):
        make_code(3, label=f"Code {number}")

    response = staff.get(EXPORT, {"as": "xlsx"})

    content = b"".join(response.streaming_content)
    book = openpyxl.load_workbook(BytesIO(content))
    assert [sheet.max_row for sheet in book.worksheets] == [2, 2, 1]


# Several at once


def test_the_chosen_codes_are_disabled_after_a_question(staff, code):
    other, kept = make_code(5), make_code(5)
    chosen = {"code": [code.pk, other.pk], "state": "disabled", "back": "state=active"}

    asked = staff.post(BULK, chosen)
    assert "Disable these codes?" in text_of(asked)
    assert not CreditCode.objects.filter(state="disabled").exists()
    done = staff.post(BULK, {**chosen, "confirmed": 1, "reason": "leaked"})

    assert done.url == f"{LIST}?state=active"
    disabled = CreditCode.objects.filter(state="disabled")
    assert set(disabled) == {code, other}
    changes = CodeChange.objects.filter(kind="disabled", reason="leaked")
    assert {change.changed_by for change in changes} == {staff.user}
    assert kept.state == "active"


@pytest.mark.parametrize(
    "posted", [{}, {"code": "x"}, {"code": "9" * 30}, {"state": "closed"}]
)
def test_nothing_is_done_where_nothing_is_chosen(staff, code, posted):
    data = {"state": "disabled", "confirmed": 1, "reason": "leaked", **posted}
    response = staff.post(BULK, data)

    assert response.status_code == 302
    assert not CreditCode.objects.filter(state="disabled").exists()


# Several extended at once


def in_days(number: int) -> str:
    return (timezone.localdate() + number * DAY).isoformat()


@pytest.fixture
def ending():
    """Codes that end soon, late, never and not any more; and one more."""
    now = timezone.now()
    closed = make_code(5, label="Closed", expires_at=now + DAY)
    api.close_code(closed)
    return {
        "soon": make_code(5, label="Soon", expires_at=now + DAY),
        "over": make_code(5, label="Over", expires_at=now - DAY),
        "late": make_code(5, label="Late", expires_at=now + 99 * DAY),
        "endless": make_code(5, label="Endless"),
        "closed": closed,
    }


def extend_several(staff, codes, **asked):
    """Go from the list through the form to the question; return its page."""
    chosen = {"code": [code.pk for code in codes], "back": "state=active"}
    form = staff.post(SEVERAL, chosen)
    fields = {"last_day": in_days(30), "reason": "contract", **asked}
    return staff.post(SEVERAL, {**hidden(form), **chosen, **fields})


def confirm(staff, codes, asked, **changed):
    chosen = {"code": [code.pk for code in codes]}
    return staff.post(SEVERAL, {**hidden(asked), **chosen, "confirmed": 1, **changed})


def test_several_codes_are_extended_after_a_question(staff, ending):
    kept = make_code(5, expires_at=timezone.now() + DAY)

    asked = extend_several(staff, ending.values())

    text = words(text_of(asked))
    assert "2 codes are extended to" in text
    assert "3 codes can't be extended" in text
    assert re.search(r"Late \(code ending \w+\): It lasts longer", text)
    assert re.search(r"Endless \(code ending \w+\): Nothing of it ends", text)
    assert re.search(r"Closed \(code ending \w+\): It is closed", text)
    assert not CodeChange.objects.filter(kind="extended").exists()
    done = confirm(staff, ending.values(), asked)
    assert done.url == f"{LIST}?state=active"
    said = words(text_of(staff.get(done.url)))
    assert "2 codes extended. " in said
    assert "3 codes could not be extended." in said
    changes = CodeChange.objects.filter(kind="extended", reason="contract")
    assert {change.code for change in changes} == {ending["soon"], ending["over"]}
    assert {change.changed_by for change in changes} == {staff.user}
    ends = CreditCode.objects.filter(expires_at__date=in_days(31)).count()
    assert ends == 2
    kept.refresh_from_db()
    assert kept.expires_at < timezone.now() + DAY


def test_credits_and_access_are_extended_by_choice(staff, learner):
    now = timezone.now()
    terms = {"expires_at": now + DAY, "grant_expires_at": now + DAY / 2}
    code = make_code(50, text=TEXT, ends_access=True, **terms)
    plain = make_code(50, text=OTHER_TEXT, **terms)
    course = make_training("Course", credits=20)
    order = place_order(learner, (course.product, 1), text=TEXT)

    asked = extend_several(staff, [code, plain], with_access="on")
    assert "1 access or place" in words(text_of(asked))
    assert "keep it" in words(text_of(asked))
    confirm(staff, [code, plain], asked)

    access = api.Access.objects.get(order_line__order=order)
    assert access.ends_at > now + 29 * DAY
    assert all(code.grants.get().expires_at < now + DAY for code in (code, plain))
    asked = extend_several(
        staff, [code, plain], last_day=in_days(40), with_credits="on"
    )
    confirm(staff, [code, plain], asked)
    ends = {code.grants.get().expires_at for code in (code, plain)}
    assert min(ends) > now + 39 * DAY
    access.refresh_from_db()
    assert access.ends_at < now + 32 * DAY


def test_a_second_click_extends_nothing_twice(staff, ending):
    codes = [ending["soon"], ending["endless"]]
    asked = extend_several(staff, codes)
    confirm(staff, codes, asked)
    # Somebody extends it further meanwhile.
    later = timezone.now() + 60 * DAY
    api.extend_code(ending["soon"], until=later)

    again = confirm(staff, codes, asked)

    assert "1 code extended." in words(text_of(staff.get(again.url)))
    assert CodeChange.objects.filter(kind="extended").count() == 2
    ending["soon"].refresh_from_db()
    assert ending["soon"].expires_at == later
    other = confirm(staff, codes, asked, last_day=in_days(90))
    assert "was used before" in text_of(other)
    assert CodeChange.objects.filter(kind="extended").count() == 2


def test_what_was_closed_meanwhile_is_left_out(staff, ending):
    codes = [ending["soon"], ending["over"]]
    asked = extend_several(staff, codes)
    api.close_code(ending["soon"])

    done = confirm(staff, codes, asked)

    said = words(text_of(staff.get(done.url)))
    assert "1 code extended. " in said
    assert "1 code could not be extended." in said


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"last_day": ""}, "last_day"),
        ({"last_day": "2001-01-01"}, "last_day"),
        ({"last_day": "2999-01-01"}, "last_day"),
        ({"reason": ""}, "reason"),
        ({"reason": "other"}, "note"),
    ],
    ids=str,
)
def test_several_are_not_extended_to_what_makes_no_sense(staff, ending, asked, field):
    response = extend_several(staff, ending.values(), **asked)

    assert field in errors(response)
    assert hidden(response)["key"]
    assert not CodeChange.objects.filter(kind="extended").exists()


def test_what_is_asked_can_be_changed(staff, ending):
    asked = extend_several(staff, ending.values(), note="Contract 7")
    chosen = {"code": [code.pk for code in ending.values()]}

    form = staff.post(SEVERAL, {**hidden(asked), **chosen, "change": 1})

    assert 'value="Contract 7"' in text_of(form)
    assert "Continue" in text_of(form)


def test_nothing_is_extended_where_nothing_can_be_or_is_chosen(staff, ending):
    asked = extend_several(staff, [ending["late"]])

    assert "1 code can't be extended" in words(text_of(asked))
    assert 'name="confirmed"' not in text_of(asked)
    assert staff.post(SEVERAL, {"code": "x"}).url == f"{LIST}?"


# Issued


def issue(staff, **fields):
    asked = {"label": "ACME, spring", "credits": "50", "origin": "sale", **fields}
    return fill(staff, NEW, **asked)


def test_a_code_is_issued_and_its_text_is_shown_once(staff, learner):
    response = issue(
        staff,
        reference="C-17",
        holder="ACME Ltd",
        last_day="2026-12-31",
        learners="LEE@acme.example\n",
        notes="Ask Kim",
    )

    code = CreditCode.objects.get()
    assert response.url == address("text", code)
    shown = staff.get(response.url)
    text = shown_text(shown)
    assert api.find_code(text) == code
    assert "no-store" in shown["Cache-Control"]
    again = staff.get(response.url)
    assert text not in text_of(again)
    assert "not shown a second time" in text_of(again)
    assert (code.reference, code.holder, code.notes) == ("C-17", "ACME Ltd", "Ask Kim")
    assert list(code.learners.all()) == [learner]
    assert code.named_only
    assert code.created_by == staff.user
    assert timezone.localtime(code.expires_at).isoformat()[:16] == "2027-01-01T00:00"


def test_neither_the_session_nor_the_browser_has_the_text(staff):
    response = issue(staff, text=TEXT)

    code = CreditCode.objects.get()
    kept = str(dict(staff.session)) + str(response.cookies)
    plain, half = TEXT.encode().hex(), staff.session["training_credits_new_code"][1]
    assert all(each not in kept for each in (TEXT, plain))
    cookie = response.cookies["training_credits_new_code"]
    assert cookie["httponly"]
    assert cookie["path"] == address("text", code)
    assert cookie.value != half


def test_somebody_else_is_not_shown_the_text(staff):
    response = issue(staff, text=TEXT)
    other = client_of(*ALL)
    name = "training_credits_new_code"
    other.cookies[name] = response.cookies[name].value

    assert TEXT not in text_of(other.get(response.url))


def test_a_second_click_shows_the_first_code(staff):
    page = staff.get(NEW)
    asked = {**hidden(page), "label": "ACME", "credits": "50", "origin": "sale"}

    first = staff.post(NEW, asked)
    second = staff.post(NEW, asked)

    code = CreditCode.objects.get()
    assert first.url == second.url == address("text", code)
    assert code.balance() == 50
    text = re.search(
        r'id="new-code"[^>]* value="([^"]+)"', text_of(staff.get(first.url))
    )
    assert api.find_code(text[1]) == code


def test_a_page_that_was_used_issues_no_other_code(staff):
    asked = {**hidden(staff.get(NEW)), "label": "ACME", "credits": 50, "origin": "sale"}
    staff.post(NEW, {**asked, "text": TEXT})

    response = staff.post(NEW, {**asked, "text": OTHER_TEXT})

    assert "was used before" in text_of(response)
    assert CreditCode.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"label": ""}, "label", "required"),
        ({"credits": "0"}, "credits", "greater than or equal to 1"),
        ({"credits": "1000000001"}, "credits", "less than or equal to"),
        ({"text": "SHORT"}, "text", "8 letters"),
        ({"text": TEXT}, "text", "already"),
        ({"last_day": "2020-01-31"}, "last_day", "This day is over."),
        ({"last_day": "2999-01-31"}, "last_day", "100 years"),
        ({"first_day": "2999-01-31"}, "first_day", "100 years"),
        ({"ends_access": "on"}, "last_day", "until when"),
        ({"learners": "no@acme.example"}, "learners", "Nobody has an account"),
        ({"email_domains": "acme"}, "email_domains", "acme"),
        ({"credits_per_learner": "0"}, "credits_per_learner", "equal to 1"),
        ({"content": "999"}, "content", "valid choice"),
        ({"key": "x"}, "key", "UUID"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    staff, code, wrong, field, message
):
    response = issue(staff, **wrong)

    assert message in str(errors(response)[field])
    assert CreditCode.objects.count() == 1


def test_a_code_is_issued_like_another(staff, code, learner):
    end = timezone.now() + 30 * DAY
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    like = make_code(
        7,
        label="Pattern",
        expires_at=end,
        content=everything,
        learners=[learner],
        credits_per_learner=5,
        ends_access=True,
    )

    page = staff.get(NEW, {"like": like.pk})
    initial = page.context["form"].initial

    assert initial["label"] == "Pattern"
    assert initial["content"] == everything.pk
    assert initial["learners"] == "lee@acme.example"
    assert (initial["credits_per_learner"], initial["ends_access"]) == (5, True)
    assert staff.get(NEW, {"like": "x"}).status_code == 200
    assert staff.get(NEW, {"like": like.pk + 99}).status_code == 404


# Changed


def test_a_code_is_edited_and_keeps_its_hour(staff, code):
    end = timezone.now().replace(microsecond=0) + 30 * DAY
    CreditCode.objects.filter(pk=code.pk).update(expires_at=end)
    form = staff.get(address("edit", code)).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    sent = {name: value for name, value in shown.items() if value}

    response = staff.post(
        address("edit", code), {**sent, "label": "ACME, autumn", "holder": "ACME Ltd"}
    )

    assert response.status_code == 302, errors(response)
    assert response.url == address("detail", code)
    code.refresh_from_db()
    assert (code.label, code.holder) == ("ACME, autumn", "ACME Ltd")
    assert code.expires_at == end
    change = code.changes.get(kind="edited")
    assert change.changed_by == staff.user
    assert ["label", "ACME", "ACME, autumn"] in change.details


def test_a_code_is_topped_up_once(staff, code):
    url = address("top-up", code)
    asked = {**hidden(staff.get(url)), "credits": "30", "origin": "goodwill"}
    asked["last_day"] = (timezone.localdate() + 9 * DAY).isoformat()

    for _click in range(2):
        assert staff.post(url, asked).url == address("detail", code)

    assert code.balance() == 130
    grant = CreditGrant.objects.get(origin="goodwill")
    assert grant.created_by == staff.user
    assert grant.expires_at


@pytest.mark.parametrize(("direction", "balance"), [("take", 70), ("add", 130)])
def test_a_balance_is_adjusted_once(staff, code, direction, balance):
    url = address("adjust", code)
    asked = {**hidden(staff.get(url)), "direction": direction, "credits": "30"}
    asked |= {"reason": "mistake", "note": "Typed one nought too many"}

    for _click in range(2):
        assert staff.post(url, asked).url == address("detail", code)

    assert code.balance() == balance
    page = words(text_of(staff.get(address("detail", code))))
    assert "A mistake is put right: Typed one nought too many" in page


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"credits": "101", "reason": "mistake"}, "credits"),
        ({"credits": "10", "reason": ""}, "reason"),
        ({"credits": "10", "reason": "other"}, "note"),
        ({"credits": "10", "reason": "mistake", "grant": "999"}, "grant"),
    ],
)
def test_a_senseless_adjustment_is_refused_at_its_field(staff, code, asked, field):
    response = fill(staff, address("adjust", code), direction="take", **asked)

    assert list(errors(response)) == [field]
    assert code.balance() == 100


def test_a_code_is_extended(staff):
    code = make_code(10, expires_at=timezone.now() + DAY)
    day = (timezone.localdate() + 90 * DAY).isoformat()

    response = fill(staff, address("extend", code), last_day=day, reason="contract")

    assert response.url == address("detail", code)
    code.refresh_from_db()
    assert code.expires_at > timezone.now() + 89 * DAY
    early = fill(
        staff,
        address("extend", code),
        last_day=timezone.localdate().isoformat(),
        reason="contract",
    )
    assert "last_day" in errors(early)


def test_a_code_is_disabled_enabled_and_closed(staff, code):
    for name, state in [
        ("disable", "disabled"),
        ("enable", "active"),
        ("close", "closed"),
    ]:
        assert fill(staff, address(name, code), reason="ended").status_code == 302
        code.refresh_from_db()
        assert code.state == state

    assert code.balance() == 0
    page = staff.get(address("detail", code))
    assert page.context["actions"] == []
    left = staff.get(address("top-up", code), follow=True)
    assert "There is nothing to do" in text_of(left)


def test_a_new_text_is_shown_once(staff, code):
    response = fill(staff, address("rotate", code), reason="leaked", text=OTHER_TEXT)

    assert response.url == address("text", code)
    assert OTHER_TEXT in text_of(staff.get(response.url))
    assert OTHER_TEXT not in text_of(staff.get(response.url))
    assert api.find_code(TEXT) is None
    assert api.find_code(OTHER_TEXT) == code


# Its page


def test_the_page_leads_from_a_code_to_its_redemptions(staff, learner, code):
    course = make_training("Security", credits=30, credit_only=True)
    order = place_order(learner, (course.product, 1), text=TEXT)
    nameless = make_learner(email="sam@acme.example", username="9DNH0_iGI5")
    place_order(nameless, (course.product, 1), text=TEXT)
    api.refund_order(order, idempotency_key="sorry")

    page = staff.get(address("detail", code))
    text = words(text_of(page))

    assert page.context["balance"] == 70
    assert reverse("dashboard:order-detail", args=[order.number]) in text_of(page)
    assert "Lee Learner" in text
    assert "sam@acme.example" in text
    assert "9DNH0" not in text
    assert "Security 2 60 30" in text
    assert "Given back +30" in text


def test_movements_are_read_from_the_latest_to_the_first(staff, code, monkeypatch):
    from oscar_training_credits.shop.dashboard.codes import views

    monkeypatch.setattr(views, "MOST_SHOWN", 2)
    for number in range(3):
        api.adjust_credits(code, -1, reason="mistake", note=f"Step {number}")

    latest = staff.get(address("detail", code))
    older = staff.get(address("detail", code), {"before": latest.context["older"]})

    assert [row.credits for row in latest.context["entries"]] == [-1, -1]
    assert [row.credits for row in older.context["entries"]] == [-1, 100]
    assert older.context["older"] is None
    nothing = staff.get(address("detail", code), {"before": "x"})
    assert nothing.context["entries"] == latest.context["entries"]


def test_a_hold_that_was_captured_is_a_purchase(staff, learner, code):
    from oscar_training_credits.shop.dashboard.codes import showing

    course = make_training("Held", credits=10, price="90.00")
    order = place_order(learner, (course.product, 1), text=TEXT)
    entry = order.credit_redemptions.get().entries.get()
    entry.kind = "hold"

    assert showing.what_of(entry) == "Redeemed, held before"
    entry.redemption.state = "released"
    assert showing.what_of(entry) == "Held, then released"
    entry.redemption.state = "held"
    assert showing.what_of(entry) == "Held"


def test_the_page_costs_the_same_queries_for_many_learners(
    staff, code, django_assert_max_num_queries
):
    course = make_training("Security", credits=5, credit_only=True)
    for _each in range(4):
        place_order(make_learner(), (course.product, 1), text=TEXT)

    with django_assert_max_num_queries(34):
        staff.get(address("detail", code))


# Who may what

VIEWS = {
    "list": ("view_creditcode", LIST),
    "find": ("view_creditcode", FIND),
    "detail": ("view_creditcode", "detail"),
    "text": ("view_creditcode", "text"),
    "export": ("export_creditcode", EXPORT),
    "create": ("add_creditcode", NEW),
    "bulk": ("change_creditcode", BULK),
    "extend-several": ("change_creditcode", SEVERAL),
    "edit": ("change_creditcode", "edit"),
    "notices": ("change_creditcode", "notices"),
    "extend": ("change_creditcode", "extend"),
    "disable": ("change_creditcode", "disable"),
    "enable": ("change_creditcode", "enable"),
    "top-up": ("add_creditgrant", "top-up"),
    "adjust": ("adjust_creditcode", "adjust"),
    "close": ("adjust_creditcode", "close"),
    "cut": ("cut_creditcode", "cut"),
    "take-back": ("cut_creditcode", "take-back"),
    "rotate": ("rotate_creditcode", "rotate"),
    "purge": ("adjust_creditcode", "purge"),
    "explain": ("explain_creditcode", "explain"),
    "outstanding": ("report_creditcode", reverse("training_credits:code-outstanding")),
    "overview": ("report_creditcode", reverse("training_credits:code-overview")),
    "outlook": ("report_creditcode", reverse("training_credits:code-outlook")),
    "turned-away": (
        "report_creditcode",
        reverse("training_credits:code-turned-away"),
    ),
    "use": ("report_creditcode", reverse("training_credits:code-use")),
    "many": ("add_creditcode", reverse("training_credits:code-many")),
    "many-job": ("add_creditcode", "many-job"),
    "many-act": ("add_creditcode", "many-act"),
    "many-file": ("add_creditcode", "many-file"),
    "import": ("import_creditcode", reverse("training_credits:code-import")),
    "import-job": ("import_creditcode", "import-job"),
    "import-act": ("import_creditcode", "import-act"),
    "import-errors": ("import_creditcode", "import-errors"),
}
POST_ONLY = {"find", "bulk", "extend-several", "many-act", "many-file", "import-act"}
REPORTS = {"outstanding", "outlook", "overview", "turned-away", "use"}
FILES = dict.fromkeys([*REPORTS, "export"], ("csv", "xlsx"))
JOBS = {"many-job", "import-job", "import-errors"}
GET_ONLY = {"list", "detail", "explain", "export", *REPORTS, *JOBS}
ROLES = [*NOBODY, "partner", "superuser", *ALL]


def place_of(name: str, code: CreditCode, user=None) -> str:
    """Return the address of a page, of a code or of a job that `user` has planned."""
    where = VIEWS[name][1]
    if where.startswith("/"):
        return where
    if where.startswith(("many-", "import-")):
        kind = "import" if where.startswith("import-") else "issue"
        job, _is_new = CodeJob.objects.get_or_create(
            idempotency_key=f"{kind} of {user}",
            defaults={"kind": kind, "terms": {"credits": 5}, "created_by": user},
        )
        return reverse(f"training_credits:code-{where}", args=[job.pk])
    return address(where, code)


@pytest.mark.parametrize("role", ROLES)
def test_who_may_open_which_page(role, code):
    client = client_in(role, ALL)
    # A manager is named before: that is on record, too.
    before = CodeChange.objects.count(), CreditGrant.objects.count()

    for name, (permission, _where) in VIEWS.items():
        url = place_of(name, code, getattr(client, "user", None))
        may = role in ("superuser", permission)
        for method in ("get", "head", "post", "put", "delete"):
            response = getattr(client, method)(url)
            status = response.status_code
            if role == "anonymous":
                assert (status, "/login/" in response.url) == (302, True), name
            elif not may:
                assert status == 403, (name, method)
            elif method in ("get", "head"):
                # Enabling what is active, or purging what is no test code, leads back,
                # as does taking back from what is no child.
                leads_back = name in ("enable", "purge", "take-back")
                expected = 405 if name in POST_ONLY else 302 if leads_back else 200
                assert status == expected, (name, method)
            elif method == "post":
                expected = 405 if name in GET_ONLY else (200, 302)
                assert status in expected if name not in GET_ONLY else status == 405
        for file in FILES.get(name, ()):
            answer = client.get(url, {"as": file})
            is_sent = "attachment" in answer.headers.get("Content-Disposition", "")
            assert is_sent == may, (name, file)
    # Empty forms change nothing, and nothing ever does on GET.
    assert (CodeChange.objects.count(), CreditGrant.objects.count()) == before
    assert {*CodeJob.objects.values_list("state", "done")} == {("draft", 0)}
    code.refresh_from_db()
    assert (code.state, code.balance()) == ("active", 100)


def test_every_page_of_codes_is_in_the_table():
    from oscar_training_credits.urls import urlpatterns

    names = {
        each.name for each in urlpatterns if "dashboard/codes/" in str(each.pattern)
    }
    short = {name.removeprefix("code-").removeprefix("codes-") for name in names}

    assert short - {"state"} == set(VIEWS) - {"bulk"}


@pytest.mark.parametrize("name", sorted(set(VIEWS) - GET_ONLY))
def test_every_change_wants_a_token(name, code):
    client = client_of(*ALL, enforce_csrf_checks=True)
    url = place_of(name, code, client.user)

    assert client.post(url, {"key": uuid4(), "reason": "ended"}).status_code == 403


@pytest.mark.parametrize("role", ALL)
def test_buttons_are_shown_to_those_who_may(role, code):
    client = client_of("view_creditcode", role)

    actions = client.get(address("detail", code)).context["actions"]

    allowed = {name for name, (permission, _url) in VIEWS.items() if permission == role}
    shown = {action.name for action in actions}
    assert shown == allowed & {
        *("edit", "top-up", "adjust", "cut", "extend", "disable", "rotate", "close"),
        "notices",
    }
    listed = client.get(LIST)
    assert ("Issue a code" in text_of(listed)) == (role == "add_creditcode")
    assert ("Issue many codes" in text_of(listed)) == (role == "add_creditcode")
    assert ("Import codes" in text_of(listed)) == (role == "import_creditcode")
    assert (EXPORT in text_of(listed)) == (role == "export_creditcode")
    assert ('name="code"' in text_of(listed)) == (role == "change_creditcode")
    menu = client.get(reverse("dashboard:index"))
    assert LIST in text_of(menu)


@pytest.mark.parametrize("role", ["learner", "staff", "partner"])
def test_the_menu_leads_nobody_to_a_closed_page(role):
    from oscar_training_credits import navigation

    client = client_in(role, ALL)

    assert not navigation.may_open(client.user, "training_credits:code-list")


# Why a code works, or does not


def explained(client, code, training, email=""):
    query = {"training": training.pk, "email": email}
    return words(text_of(client.get(address("explain", code), query)))


def test_staff_read_why_a_code_works(staff, code, learner, course):
    said = explained(staff, code, course.training, learner.email)

    assert "It works Lee Learner buys Django Foundations with this code alone." in said
    assert "The code has enough: this costs 20 credits Yes" in said
    assert "Credits that would be used" in said


def test_staff_read_why_it_does_not(staff, code, learner, course):
    api.set_state(code, "disabled")
    course.product.is_public = False
    course.product.save()

    said = explained(staff, code, course.training, learner.email)

    assert "It does not work" in said
    assert "The shop sells it to this learner No" in said
    assert "The code is active No The code is not active. The learner reads: “" in said
    assert "Credits that would be used" not in said


def test_staff_read_in_their_own_words_that_it_would_add_nothing(staff, code, learner):
    path = make_training("For ever", credits=20)
    api.give_access(learner, path, reason="Goodwill")

    said = explained(staff, code, path, learner.email)

    assert "It does not work" in said
    assert "They have it for as long, or have ordered it. The learner reads: “" in said
    assert "Credits that would be used" not in said


def test_a_visitor_can_be_asked_about(staff, code, course):
    said = explained(staff, code, course.training)

    assert "It works A visitor who has not logged in wants to buy" in said


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"email": "nobody@acme.example"}, "email"),
        ({"email": "no address"}, "email"),
        ({"training": "0"}, "training"),
        ({"training": "\0"}, "training"),
        ({"training": ""}, "training"),
    ],
)
def test_what_is_not_found_is_said_at_its_field(staff, code, course, query, field):
    query = {"training": course.training.pk, "email": ""} | query

    response = staff.get(address("explain", code), query)

    assert field in errors(response)
    assert "explanation" not in response.context
