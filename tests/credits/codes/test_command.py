"""`manage.py issue_credit_codes`."""

from __future__ import annotations

import csv
from datetime import datetime
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.models import CreditCode, CreditGrant, LedgerEntry
from oscar_training_credits.test.factories import make_code

Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db

LONDON = ZoneInfo("Europe/London")


def issue(*options: str, label: str = "ACME", credits: str = "20") -> list[dict]:
    """Run the command; return what it wrote, row by row."""
    written, complaints = StringIO(newline=""), StringIO()
    call_command(
        "issue_credit_codes",
        "--label",
        label,
        "--credits",
        credits,
        *options,
        stdout=written,
        stderr=complaints,
    )
    assert complaints.getvalue() == ""
    return list(csv.DictReader(StringIO(written.getvalue(), newline="")))


def test_a_code_is_written_with_what_it_holds():
    (row,) = issue("--expires", "2030-06-30")

    code = code_text.find(row["code"])
    assert code.balance() == 20
    assert row == {
        "code": row["code"],
        "label": "ACME",
        "credits": "20",
        "expires": "2030-06-30T23:59:59.999999+01:00",
    }


def test_the_columns_keep_their_order():
    written = StringIO()
    call_command("issue_credit_codes", label="ACME", credits=20, stdout=written)

    assert written.getvalue().splitlines()[0] == "code,label,credits,expires"


def test_twelve_hundred_codes_are_issued():
    rows = issue("--count", "1200", credits="5")

    assert len({row["code"] for row in rows}) == 1200
    assert {(row["label"], row["credits"], row["expires"]) for row in rows} == {
        ("ACME", "5", "")
    }
    assert CreditCode.objects.count() == CreditGrant.objects.count() == 1200
    assert LedgerEntry.objects.filter(credits=5, balance=5).count() == 1200
    assert all(code_text.find(row["code"]) for row in rows[::100])


def test_a_code_can_have_a_text_of_its_own():
    (row,) = issue("--code", "acme-spring-2030")

    assert row["code"] == "acme-spring-2030"
    assert code_text.find("ACME SPRING 2030").label == "ACME"


def test_dates_are_whole_days_in_the_sites_time_zone():
    issue("--starts", "2030-01-01", "--expires", "2030-07-31")

    code = CreditCode.objects.get()
    assert code.starts_at == datetime(2030, 1, 1, tzinfo=LONDON)
    assert code.expires_at == datetime(2030, 7, 31, 23, 59, 59, 999999, LONDON)


def test_a_code_can_be_for_a_single_day():
    issue("--starts", "2030-07-31", "--expires", "2030-07-31")

    code = CreditCode.objects.get()
    assert code.starts_at < code.expires_at


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param(
            "2030-07-31T12:30",
            datetime(2030, 7, 31, 12, 30, tzinfo=LONDON),
            id="in the site's time zone",
        ),
        pytest.param(
            "2030-07-31 12:30:15",
            datetime(2030, 7, 31, 12, 30, 15, tzinfo=LONDON),
            id="with seconds",
        ),
        pytest.param(
            "2030-07-31T12:30+00:00",
            datetime(2030, 7, 31, 13, 30, tzinfo=LONDON),
            id="in another time zone",
        ),
    ],
)
def test_a_moment_can_be_given_to_the_minute(text, moment):
    issue("--expires", text)

    assert CreditCode.objects.get().expires_at == moment


def test_a_code_can_be_for_a_range_of_products():
    content = Range.objects.create(name="Safety courses")

    issue("--range", content.slug)

    assert CreditCode.objects.get().content == content


def test_the_codes_can_be_written_to_a_file(tmp_path):
    path = tmp_path / "codes.csv"

    assert issue("--count", "3", "--output", str(path)) == []

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert all(code_text.find(row["code"]) for row in rows)


def test_a_label_of_any_letters_is_written_as_it_is(tmp_path):
    path = tmp_path / "codes.csv"
    label = 'Größe "42", ü\u2013ä'

    issue("--output", str(path), label=label)

    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["label"] == label


def test_a_file_is_never_overwritten(tmp_path):
    path = tmp_path / "codes.csv"
    path.write_text("the codes of last year")

    with pytest.raises(CommandError, match=r"Can't write .*codes\.csv"):
        issue("--output", str(path))

    assert path.read_text() == "the codes of last year"
    assert not CreditCode.objects.exists()


def test_what_is_refused_leaves_no_file_in_the_way(tmp_path):
    path = tmp_path / "codes.csv"
    make_code(text="ACME-2030")

    with pytest.raises(CommandError):
        issue("--code", "ACME-2030", "--output", str(path))
    issue("--code", "ACME-2031", "--output", str(path))

    assert "ACME-2031" in path.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--count", "0"], "1 or more", id="no codes"),
        pytest.param(["--count", "some"], "1 or more", id="a count in words"),
        pytest.param(["--credits", "0"], "1 or more", id="no credits"),
        pytest.param(["--credits", "-5"], "1 or more", id="less than no credits"),
        pytest.param(["--credits", "2.5"], "1 or more", id="half a credit"),
        pytest.param(
            ["--credits", "9" * 30], "less than or equal to", id="no end of credits"
        ),
        pytest.param(
            ["--credits", "1000000001"], "equal to 1000000000", id="too many credits"
        ),
        pytest.param(["--label", ""], "cannot be blank", id="no label"),
        pytest.param(["--label", "A" * 201], "at most 200", id="a long label"),
        pytest.param(["--code", ""], "letters", id="no text"),
        pytest.param(["--code", " - "], "letters", id="a blank text"),
        pytest.param(["--code", "ACME-26"], "8 letters", id="a short text"),
        pytest.param(["--code", "A" * 129], "128 at most", id="a long text"),
        pytest.param(["--code", "acme taken"], "already", id="a taken text"),
        pytest.param(
            ["--code", "ACME", "--count", "2"], "single code", id="one text for two"
        ),
        pytest.param(["--expires", "31.12.2030"], "2026-01-31", id="another notation"),
        pytest.param(["--expires", "2030-02-30"], "2026-01-31", id="no such day"),
        pytest.param(["--starts", "2030-02-30T12:00"], "2026-01-31", id="nor moment"),
        pytest.param(["--starts", "soon"], "2026-01-31", id="a date in words"),
        pytest.param(
            ["--starts", "2030-02-02", "--expires", "2030-02-01"],
            "must end after it starts",
            id="ends before it starts",
        ),
        pytest.param(
            ["--expires", "2020-01-31"], "end before", id="an end that is past"
        ),
        pytest.param(
            ["--range", "unsafe"], "no range 'unsafe'. There are: safety", id="range"
        ),
        pytest.param(["--output", "/nowhere/codes.csv"], "Can't write", id="no folder"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(options, message):
    make_code(text="ACME-TAKEN")
    Range.objects.create(name="Safety")

    with pytest.raises(CommandError, match=message):
        issue(*options)

    assert CreditCode.objects.count() == 1


def test_a_label_and_credits_are_needed():
    with pytest.raises(CommandError, match="--label"):
        call_command("issue_credit_codes", "--credits", "5")
    with pytest.raises(CommandError, match="--credits"):
        call_command("issue_credit_codes", "--label", "ACME")

    assert not CreditCode.objects.exists()


def test_no_range_is_named_where_there_is_none():
    with pytest.raises(CommandError, match="There are: none"):
        issue("--range", "safety")


def test_codes_are_issued_with_restrictions():
    teams = [Group.objects.create(name=name) for name in ("ACME", "Others")]

    issue(
        *("--group", "ACME", "--group", "Others"),
        *("--domain", "@acme.example", "--domain", "bücher.example", "--subdomains"),
        *("--credits-per-learner", "10", "--orders-per-learner", "2", "--one-order"),
        *("--count", "2"),
    )

    for code in CreditCode.objects.all():
        assert list(code.groups.order_by("name")) == teams
        assert code.email_domains == "acme.example\nbücher.example"
        assert code.include_subdomains
        assert (code.credits_per_learner, code.redemptions_per_learner) == (10, 2)
        assert code.one_order_only


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--group", "Nobody"], "There is no group 'Nobody'. There are: ACME"),
        (["--domain", "acme"], "--domain: “acme” is not a domain"),
        (["--subdomains"], "Give the domain"),
        (["--credits-per-learner", "0"], "give a whole number, 1 or more"),
        (["--orders-per-learner", "9" * 30], "--redemptions_per_learner"),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else "",
)
def test_senseless_restrictions_are_refused(options, complaint):
    Group.objects.create(name="ACME")

    with pytest.raises(CommandError, match=complaint):
        issue(*options)

    assert not CreditCode.objects.exists()
