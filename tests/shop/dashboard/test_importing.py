"""Staff import codes that were issued elsewhere: all that a file holds, or nothing."""

from __future__ import annotations

import csv
import zipfile
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO
from uuid import uuid4

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone, translation

from oscar_training_credits import api
from oscar_training_credits.credits.codes import importing, jobs
from oscar_training_credits.credits.models import CodeJob, CodeJobPart, CreditCode
from oscar_training_credits.shop.dashboard.codes import sheets
from oscar_training_credits.test.factories import make_code

from ...support import workers
from ...support.shop import text_of, words
from .test_codes import client_of, hidden

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

IMPORT = reverse("training_credits:code-import")
REQUIRED = ("code", "credits", "label")
HEAD = ",".join(REQUIRED)
GOOD = "ACME-TEAM-2026,50,ACME"


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Parts of three rows, so that few rows take several."""
    monkeypatch.setattr(jobs, "CHUNK", 3)
    monkeypatch.setattr(importing, "CHUNK", 3)


@pytest.fixture
def staff():
    return client_of("import_creditcode")


def upload(client, content: bytes | str, name: str = "codes.csv", **fields):
    data = content.encode() if isinstance(content, str) else content
    page = client.get(IMPORT)
    fields = {**hidden(page), "file": SimpleUploadedFile(name, data), **fields}
    return client.post(IMPORT, fields)


def checked(client, content: bytes | str, **fields) -> CodeJob:
    response = upload(client, content, **fields)
    assert response.status_code == 302, response.context["form"].errors
    return CodeJob.objects.latest("pk")


def refusal(client, content: bytes | str) -> str:
    """Return why a file is refused as a whole; nothing of it is kept."""
    response = upload(client, content)
    assert response.status_code == 200
    assert not CodeJob.objects.exists()
    assert not CodeJobPart.objects.exists()
    [text] = response.context["form"].errors["file"]
    return text


def page_of(job) -> str:
    return reverse("training_credits:code-import-job", args=[job.pk])


def do(client, job, what: str, **fields: str):
    url = reverse("training_credits:code-import-act", args=[job.pk])
    return client.post(url, {"do": what, **fields})


def errors_of(client, job) -> list[list[str]]:
    """Return the file with all errors, without its headings."""
    url = reverse("training_credits:code-import-errors", args=[job.pk])
    text = b"".join(client.get(url).streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))[1:]


def lines(*rows: str, head: str = HEAD) -> str:
    return "\r\n".join([head, *rows])


def sheet(*rows, head=REQUIRED) -> bytes:
    book = openpyxl.Workbook()
    for row in [head, *rows]:
        book.active.append(row)
    return saved(book)


def saved(book) -> bytes:
    file = BytesIO()
    book.save(file)
    return file.getvalue()


FULL = lines(
    "ACME-TEAM-2026,50,ACME,99.5,2099-01-31,2099-12-31,C-17,ACME Ltd,From elsewhere",
    ",,,,,,,,",
    "beta team 2027,7,Beta,,2099-01-31 17:00,2099-12-31T17:00:00+02:00,,,",
    "GAMMA-TEAM-2028,7,Gamma,,,,,,",
    "DELTA-TEAM-2029,7,Delta,,,,,,",
    head="code,credits,label,paid,starts,expires,reference,holder,notes",
)


def test_codes_are_imported_after_a_question(staff):
    job = checked(staff, FULL)
    asked = words(text_of(staff.get(page_of(job))))
    assert "All is right. 4 codes will be imported." in asked
    assert "codes.csv" in asked
    assert not CreditCode.objects.exists()

    do(staff, job, "confirm")
    do(staff, job, "confirm")

    assert "Done" in text_of(staff.get(page_of(job)))
    assert CreditCode.objects.count() == 4
    code = api.find_code("acme team 2026")
    assert (code.label, code.reference, code.holder) == ("ACME", "C-17", "ACME Ltd")
    assert (code.notes, code.last_four) == ("From elsewhere", "2026")
    assert (code.balance(), code.created_by) == (50, staff.user)
    local = timezone.get_default_timezone()
    assert code.starts_at == datetime(2099, 1, 31, tzinfo=local)
    assert code.expires_at == datetime(2100, 1, 1, tzinfo=local)
    [grant] = code.grants.all()
    assert (grant.origin, grant.note) == ("import", str(job))
    assert (grant.paid_amount, grant.paid_currency) == (Decimal("99.50"), "GBP")
    assert grant.entries.get().balance == 50
    exact = api.find_code("BETA-TEAM-2027")
    assert exact.starts_at == datetime(2099, 1, 31, 17, tzinfo=local)
    assert exact.expires_at.isoformat() == "2099-12-31T15:00:00+00:00"
    assert api.find_code("GAMMA-TEAM-2028").expires_at is None
    assert list(job.parts.exclude(rows=[])) == []


def test_a_sheet_is_read_as_well(staff):
    book = openpyxl.Workbook()
    head = ("Label", "Code ", "CREDITS", "expires", "reference", "paid")
    end = datetime.fromisoformat("2099-12-31T17:30")
    for row in [
        head,
        ("ACME", "ACME-TEAM-2026", 50, date(2099, 12, 31), 4711),
        ("Beta", "BETA-TEAM-2027", 50.0, end, None),
        ("Gamma", "GAMMA-TEAM-2028", "50", "2099-12-31", "", 240.0),
    ]:
        book.active.append(row)
    for row in range(5, 12):
        fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
        book.active.cell(row, 1).fill = fill
    job = checked(staff, saved(book))

    do(staff, job, "confirm")

    assert CreditCode.objects.count() == job.total == 3
    local = timezone.get_default_timezone()
    code = api.find_code("ACME-TEAM-2026")
    assert code.expires_at == datetime(2100, 1, 1, tzinfo=local)
    assert (code.reference, code.balance()) == ("4711", 50)
    code = api.find_code("BETA-TEAM-2027")
    assert code.expires_at == end.replace(tzinfo=local)
    code = api.find_code("GAMMA-TEAM-2028")
    assert code.grants.get().paid_amount == 240
    assert code.expires_at == datetime(2100, 1, 1, tzinfo=local)


def test_the_file_of_codes_that_were_issued_can_be_imported(staff):
    text = "code,credits,label,starts,expires,reference,holder\r\n"
    job = checked(staff, text + "VZ55-DWB6-8YYD-SM73-ANEM,5,'=x,,2099-12-31,C,H\r\n")

    assert job.state == "draft"


LONG = "x" * 201
AMBIGUOUS = "2099-10-25 01:30"  # in London the clocks go back at two


@pytest.mark.parametrize(
    ("row", "column", "text"),
    [
        (",50,ACME", "code", "It is empty."),
        ("ACME-1,50,ACME", "code", "A code has 8 letters"),
        (f"{'x' * 129},50,ACME", "code", "A code has 8 letters"),
        ("=ACME-TEAM-2026,50,ACME", "code", "It is a formula"),
        ("ACME-TEAM-2026,,ACME", "credits", "It is empty."),
        ("ACME-TEAM-2026,12.7,ACME", "credits", "no whole number"),
        ('ACME-TEAM-2026,"1,000",ACME', "credits", "no whole number"),
        ("ACME-TEAM-2026,٣,ACME", "credits", "no whole number"),
        ("ACME-TEAM-2026,-5,ACME", "credits", "no whole number"),
        ("ACME-TEAM-2026,0,ACME", "credits", "It must be 1 to"),
        ("ACME-TEAM-2026,9999999999,ACME", "credits", "It must be 1 to"),
        ("ACME-TEAM-2026,50,", "label", "It is empty."),
        (f"ACME-TEAM-2026,50,{LONG}", "label", "more than 200 letters"),
        ("ACME-TEAM-2026,50,=1+1", "label", "It is a formula"),
        ("ACME-TEAM-2026,50,A\x07", "label", "can't be shown"),
        ("ACME-TEAM-2026,50,ACME,31/12/2099", "expires", "Write a day as"),
        ("ACME-TEAM-2026,50,ACME,2099-02-30", "expires", "Write a day as"),
        ("ACME-TEAM-2026,50,ACME,20991231", "expires", "Write a day as"),
        ("ACME-TEAM-2026,50,ACME,2020-12-31", "expires", "has passed"),
        ("ACME-TEAM-2026,50,ACME,2999-12-31", "expires", "100 years"),
        (f"ACME-TEAM-2026,50,ACME,{AMBIGUOUS}", "expires", "comes twice"),
        ("ACME-TEAM-2026,50,ACME,2099-12-31,2099-12-31", "", ""),
        ("ACME-TEAM-2026,50,ACME,2099-12-30,2099-12-31", "expires", "end after"),
        ("ACME-TEAM-2026,50,ACME,,,more", "", "more cells than headings"),
    ],
    ids=str,
)
def test_a_row_that_is_wrong_is_named_and_nothing_is_imported(
    staff, settings, row, column, text
):
    settings.TIME_ZONE = "Europe/London"
    head = f"{HEAD},expires,starts"
    job = checked(staff, lines("GOOD-TEAM-2025,1,Good,,", row, head=head))
    do(staff, job, "confirm")

    found = errors_of(staff, job)

    if not text:
        assert (found, CreditCode.objects.count()) == ([], 2)
        return
    assert [(each[0], each[1]) for each in found] == [("3", column)]
    assert text in found[0][2]
    page = words(text_of(staff.get(page_of(job))))
    assert "1 row is wrong, so nothing is imported." in page
    assert found[0][2] in page
    assert not CreditCode.objects.exists()
    assert "ACME-TEAM" not in repr(CodeJobPart.objects.values())


@pytest.mark.parametrize(
    ("cells", "column", "text"),
    [
        ((12345678, 50, "ACME"), "code", "format the column as text"),
        (("ACME-TEAM-2026", 12.7, "ACME"), "credits", "no whole number"),
        (("ACME-TEAM-2026", True, "ACME"), "credits", "no whole number"),
        (("ACME-TEAM-2026", "=40+10", "ACME"), "credits", "no whole number"),
        (("ACME-TEAM-2026", 50, '="AC"&"ME"'), "label", "It is a formula"),
        (("ACME-TEAM-2026", 50, date(2099, 1, 1)), "label", "It is no text."),
        (("ACME-TEAM-2026", 50, "ACME", 73050), "expires", "Write a day as"),
        (("ACME-TEAM-2026", 50, "ACME", None, 99.999), "paid", "no amount"),
    ],
    ids=str,
)
def test_a_cell_that_is_wrong_is_named(staff, cells, column, text):
    job = checked(staff, sheet(cells, head=(*REQUIRED, "expires", "paid")))

    [[number, found, why]] = errors_of(staff, job)

    assert (number, found) == ("2", column)
    assert text in why


def test_a_code_that_is_there_already_is_named(staff, settings):
    settings.TRAINING_CREDITS_CODE_KEYS = ["old"]
    make_code(5, text="OLD-TEAM-2020")
    settings.TRAINING_CREDITS_CODE_KEYS = ["new", "old"]
    make_code(5, text="NEW-TEAM-2021")
    rows = [GOOD, "new team 2021,1,x", "0LD-TEAM-2O2O,1,x", "x,1,x", "acmeteam2026,1,x"]

    job = checked(staff, lines(*rows))

    assert errors_of(staff, job) == [
        ["3", "code", "There is a code with this text already."],
        ["4", "code", "There is a code with this text already."],
        ["5", "code", "A code has 8 letters or digits at least, and 128 at most."],
        ["6", "code", "Row 2 has the same code."],
    ]


def test_a_code_that_was_issued_after_the_check_is_named(staff):
    job = checked(staff, lines(GOOD, "BETA-TEAM-2027,1,Beta"))
    make_code(5, text="ACME-TEAM-2026")

    do(staff, job, "confirm")

    [[number, _column, why]] = errors_of(staff, job)
    assert (number, why) == ("2", "There is a code with this text already.")
    page = words(text_of(staff.get(page_of(job))))
    assert "1 row is wrong, so nothing is imported." in page
    assert CreditCode.objects.count() == 1


def test_a_code_that_was_issued_while_others_are_imported_is_left_out(
    staff, monkeypatch
):
    from oscar_training_credits.shop.dashboard.codes import jobs as pages

    monkeypatch.setattr(pages, "SECONDS_WITH_SCRIPT", 0)
    rows = [f"ACME-TEAM-{year},1,x" for year in range(2026, 2031)]
    job = checked(staff, lines(*rows))
    do(staff, job, "confirm")
    do(staff, job, "advance", script="1")
    job.refresh_from_db()
    assert (job.state, job.done) == ("running", 0)
    make_code(5, text="ACME-TEAM-2030")

    do(staff, job, "advance")

    page = words(text_of(staff.get(page_of(job))))
    assert "Done" in page
    assert "What was left out" in page
    assert [row[0] for row in errors_of(staff, job)] == ["6"]
    assert CreditCode.objects.count() == 5


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "empty"),
        ("code;credits;label\n", "There are no rows"),
        (lines(",,", "", " , ,"), "There are no rows"),
        (lines(GOOD, head="code,credits"), "headings label as well"),
        (lines(GOOD, head="code,credits,label,price"), "Unknown headings: “price”"),
        (lines(GOOD, head="code,credits,label,Code"), "A heading is there twice."),
        (lines('"ACME-TEAM-2026,50,ACME'), "no proper CSV after row 1"),
        (lines(f'"{"x" * 140_000}",50,ACME'), "no proper CSV after row 1"),
        (lines("ACME-TEAM-2026,50,Söhne").encode("cp1252"), "not in UTF-8"),
        (lines(GOOD).encode("utf-16-le"), "This is no text."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old", "without a password"),
        (b"PK\x03\x04 broken", "It is broken."),
        (sheet(("ACME-TEAM-2026", 50, "x"))[:900], "It is broken."),
        (b"PK\x05\x06" + b"\0" * 18, "It is broken."),
    ],
    # A sheet holds the moment when it was made, which no worker has like another.
    ids=[
        "nothing",
        "no rows",
        "empty rows",
        "a heading is missing",
        "an unknown heading",
        "a heading twice",
        "an open quote",
        "a huge cell",
        "cp1252",
        "utf-16 without a mark",
        "an old sheet",
        "a zip that is none",
        "half a sheet",
        "an empty zip",
    ],
)
def test_what_is_no_list_of_codes_is_refused(staff, content, text):
    assert text in refusal(staff, content)


@pytest.mark.parametrize(
    "content",
    [
        lines(GOOD.replace("ACME-", "ÄCME-")).encode("utf-8-sig"),
        lines(GOOD.replace("ACME-", "ÄCME-")).encode("utf-16"),
        lines(GOOD.replace("ACME-", "ÄCME-")).replace(",", ";").encode(),
        lines(GOOD.replace("ACME-", "ÄCME-")).replace(",", "\t").encode(),
        lines(GOOD.replace("ACME-", "ÄCME-")).replace("\r\n", "\n").encode(),
        lines('ÄCME-TEAM-2026,50,"A;B,C"').encode(),
    ],
    ids=["utf-8 with a mark", "utf-16", "semicolons", "tabs", "line feeds", "quotes"],
)
def test_what_programs_save_as_csv_is_read(staff, content):
    job = checked(staff, content)
    do(staff, job, "confirm")

    assert api.find_code("äcme team 2026").balance() == 50


def zipped(source: bytes, **parts: bytes) -> bytes:
    """Return a sheet with other parts in it."""
    file = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(source)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            part = parts.pop(name.rpartition("/")[2].replace(".", "_"), None)
            new.writestr(name, old.read(name) if part is None else part)
    return file.getvalue()


LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "%s">%s]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
<sheetData><row><c t="inlineStr"><is><t>&i;</t></is></c></row></sheetData>
</worksheet>""" % (
    b"ha" * 50,
    b"".join(
        b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 50)
        for letter in b"bcdefghi"
    ),
)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"styles_xml": b" " * 2 * 2**20}, "too large once"),
        ({"sheet1_xml": b" " * 4 * 2**20}, "too large once"),
        ({"sheet1_xml": b"<worksheet"}, "It is broken."),
        ({"sheet1_xml": LAUGHS}, "It is broken."),
        ({"workbook_xml": b"<workbook/>"}, "It is broken."),
        ({"workbook_xml": b"\0"}, "It is broken."),
    ],
    ids=["texts", "bomb", "cut off", "laughs", "no sheets", "no xml"],
)
def test_a_sheet_that_somebody_has_tampered_with_is_refused(
    staff, monkeypatch, part, text
):
    monkeypatch.setattr(sheets, "MOST_UNPACKED", 3 * 2**20)
    monkeypatch.setattr(sheets, "MOST_KEPT", 2**20)
    assert text in refusal(staff, zipped(sheet(("ACME-TEAM-2026", 50, "ACME")), **part))


def test_only_one_sheet_is_read(staff):
    book = openpyxl.Workbook()
    book.create_sheet("Others")

    assert "It has several sheets." in refusal(staff, saved(book))


def test_a_longer_sheet_is_asked_for_as_csv(staff, monkeypatch):
    monkeypatch.setattr(sheets, "MOST_SHEET_ROWS", 2)
    rows = [(f"ACME-TEAM-{year}", 1, "x") for year in (2026, 2027, 2028)]

    assert "Save it as CSV" in refusal(staff, sheet(*rows))


def test_too_many_rows_are_refused(staff, monkeypatch):
    monkeypatch.setattr(importing, "MOST_ROWS", 4)

    assert "more than 4 rows" in refusal(staff, lines(*["x"] * 5))


def test_a_file_of_200_megabytes_is_refused_before_it_is_read(staff):
    class Unread(BytesIO):
        def read(self, *args):
            raise AssertionError("It was read.")

    response = staff.generic(
        "POST",
        IMPORT,
        content_type="multipart/form-data; boundary=x",
        **{"CONTENT_LENGTH": str(200 * 2**20), "wsgi.input": Unread()},
    )

    assert response.status_code == 413
    assert "The file is larger than 100 MB." in text_of(response)
    assert not CodeJob.objects.exists()


def test_ten_thousand_errors_are_all_in_the_file(staff, monkeypatch):
    for module in (importing, jobs):
        monkeypatch.setattr(module, "CHUNK", 1_000)
    job = checked(staff, lines(*["ACME-TEAM-2026,12.7,"] * 5_000))

    page = text_of(staff.get(page_of(job)))

    found = errors_of(staff, job)
    # The first code is new, the others are the same.
    assert len(found) == 5_000 * 2 + 4_999
    assert "5,000 rows are wrong" in page or "5000 rows are wrong" in page
    assert len(page) < 60_000
    assert page.count("no whole number") < 100


# Long files


@pytest.fixture
def long(monkeypatch):
    """Files of more than four rows are long, and each post does one step."""
    from oscar_training_credits.shop.dashboard.codes import jobs as pages

    monkeypatch.setattr(jobs, "MOST_CHECKED_AT_ONCE", 4)
    monkeypatch.setattr(pages, "SECONDS", 0)


FIVE = [f"ACME-TEAM-{year},1,x" for year in range(2026, 2031)]


def test_a_long_file_is_checked_step_by_step_where_there_are_no_workers(staff, long):
    job = checked(staff, lines(*FIVE))
    page = words(text_of(staff.get(page_of(job))))
    assert "Being checked" in page
    assert "0 of 5 rows" in page

    do(staff, job, "confirm")  # nothing to confirm yet
    do(staff, job, "advance")
    page = words(text_of(staff.get(page_of(job))))
    assert "3 of 5 rows" in page
    assert not CreditCode.objects.exists()
    do(staff, job, "advance")

    page = words(text_of(staff.get(page_of(job))))
    assert "All is right. 5 codes will be imported." in page
    assert "Credits on all of them 5" in page


def test_a_long_file_is_checked_and_imported_by_workers(
    staff, long, settings, django_capture_on_commit_callbacks
):
    settings.TASKS = workers.TASKS
    workers.waiting.clear()
    with django_capture_on_commit_callbacks(execute=True):
        job = checked(staff, lines(*FIVE))
    assert "0 of 5 rows" in words(text_of(staff.get(page_of(job))))
    assert workers.work() == 1

    with django_capture_on_commit_callbacks(execute=True):
        do(staff, job, "confirm")
        do(staff, job, "confirm")
    page = words(text_of(staff.get(page_of(job))))
    assert "looked up once more" in page
    assert workers.work() == 1

    job.refresh_from_db()
    assert (job.state, job.done, CreditCode.objects.count()) == ("done", 5, 5)


def test_what_is_wrong_in_a_long_file_is_shown_when_all_is_checked(staff, long):
    make_code(5, text="ACME-TEAM-2030")
    job = checked(staff, lines(*FIVE, "ACME-TEAM-2026,12.7,x"))
    do(staff, job, "advance")
    assert "What is wrong" not in text_of(staff.get(page_of(job)))
    do(staff, job, "advance")

    page = words(text_of(staff.get(page_of(job))))

    assert "2 rows are wrong, so nothing is imported." in page
    assert [row[:2] for row in errors_of(staff, job)] == [
        ["6", "code"],
        ["7", "code"],
        ["7", "credits"],
    ]
    assert list(job.parts.exclude(rows=[])) == []
    assert CreditCode.objects.count() == 1


def test_what_is_being_checked_can_be_discarded(staff, long):
    job = checked(staff, lines(*FIVE))
    do(staff, job, "advance")

    do(staff, job, "discard")

    assert not CodeJob.objects.exists()
    jobs.run(job.pk)  # a worker that comes too late


def test_what_was_confirmed_can_not_be_discarded_while_it_is_checked_again(
    staff, long, monkeypatch
):
    from oscar_training_credits.shop.dashboard.codes import jobs as pages

    monkeypatch.setattr(pages, "SECONDS_WITH_SCRIPT", 0)
    job = checked(staff, lines(*FIVE))
    do(staff, job, "advance")
    do(staff, job, "advance")
    do(staff, job, "confirm")

    do(staff, job, "discard")

    job.refresh_from_db()
    assert (job.state, job.done) == ("checking", 3)


def test_errors_are_in_the_language_of_who_uploads(staff, long, settings):
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    with translation.override("de"):
        job = importing.keep_rows(
            [importing.Row(2, {"code": "ACME-TEAM-2026", "credits": 5, "label": None})],
            key="key",
            name="x",
            by=staff.user,
        )

    assert job.terms["language"] == "de"


def test_a_check_that_stopped_goes_on_checking(staff, long, monkeypatch):
    job = checked(staff, lines(*FIVE))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "READERS", {"credits": broken})
        do(staff, job, "advance")
    assert "The database gave up" in text_of(staff.get(page_of(job)))

    do(staff, job, "go-on")
    do(staff, job, "advance")

    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("draft", 0, 0)


def broken(value, column):
    raise DatabaseError


def test_a_second_click_checks_and_imports_once(staff):
    key = uuid4()
    first, second = (checked(staff, lines(GOOD), key=key) for _ in range(2))
    assert first == second
    do(staff, first, "confirm")

    again = checked(staff, lines(GOOD), key=key)

    assert again == first
    assert CreditCode.objects.count() == 1


def test_what_is_discarded_leaves_nothing(staff):
    job = checked(staff, lines(GOOD))

    response = do(staff, job, "discard")

    assert response.url == IMPORT
    assert not CodeJobPart.objects.exists()


def test_no_text_is_stored(staff):
    job = checked(staff, lines("SECRET-TEAM-2026,50,ACME"))

    stored = repr(CodeJobPart.objects.values()) + repr(CodeJob.objects.values())
    assert "ACME" in stored
    assert "SECRET" not in stored.upper()
    assert "SECRET" not in text_of(staff.get(page_of(job)))
