"""The rows of the table."""

from __future__ import annotations

from collections.abc import Iterator

from .measuring import Contender, Row

OURS = "this package"
PAGES = {
    "list": "",
    "list, last page": "?page=400",
    "sorted by label": "?sort=label",
    "two common words": "?q=spring+cohort",
    "two words, one rare": "?q=cohort+nobody",
    "an order's number": "?q=copy-123",
    "a learner's address": "?q=person77@example.com",
    "one of the largest customers": "?holder=great+customer+1",
    "active": "?state=active",
    "used up": "?state=used-up",
    "expired": "?state=expired",
    "fewer than 50 credits": "?under=50",
    "test codes": "?test=only",
    "end within 30 days": "?expiring=30",
    "used up, one customer's": "?state=used-up&holder=great+customer+1",
    "sorted by balance": "?sort=credits_left",
}
"""What the list of codes in the dashboard is asked."""
CALLS = {
    "codes, first page": "codes/",
    "codes, a rare word": "codes/?q=nobody",
    "codes, two common words": "codes/?q=spring+cohort",
    "codes, one of the largest customers": "codes/?holder=great+customer+1",
    "codes, used up": "codes/?condition=used-up",
    "codes, used up, a rare word": "codes/?condition=used-up&q=nobody",
    "codes, expired": "codes/?condition=expired",
    "entries, first page": "entries/",
    "entries, a code of 100,000 orders": "entries/?code={longest}",
}
"""What the API for back offices is asked."""
YEAR, EVER = "&days=365", "&days=5000"
REPORTS = {
    "overview": ("code-overview", ""),
    "outstanding balance": ("code-outstanding", ""),
    "outstanding balance, all time, by code": ("code-outstanding", "by=code" + EVER),
    "usage": ("code-use", ""),
    "usage of a year": ("code-use", YEAR),
    "outlook": ("code-outlook", ""),
    "turned away, all time": ("code-turned-away", EVER),
}
"""Reports in the dashboard: the name of a page, and what it is asked."""


def rows(quick: bool) -> Iterator[Row]:
    """Yield all rows, those of one worker together."""
    yield from spending()
    yield from pages_of_courses()
    yield from shop((1,) if quick else (1, 10, 50))
    yield from a_million()
    yield from dashboard()


def spending() -> Iterator[Row]:
    for title, case in (("one hot code", "hot"), ("10,000 codes", "many")):
        yield Row(
            f"spending, {title}, 16 clients",
            "/s",
            (
                Contender("bare SQL, no rule asked", "site", f"bare {case}"),
                Contender(OURS, "site", f"ours {case}"),
                Contender("django-oscar-accounts", "accounts", case),
                Contender("openedx-ledger", "openedx", case),
            ),
        )


def pages_of_courses() -> Iterator[Row]:
    for title, bare, case in (
        ("a visitor", "page bare", "page visitor"),
        ("a learner", "page bare learner", "page learner"),
        ("a code is applied", "page bare holder", "page code applied"),
    ):
        yield Row(
            f"course page, {title}",
            "ms",
            (
                Contender("the page without training", "site", bare),
                Contender(OURS, "site", case),
            ),
        )
    yield Row(
        "purchase in place",
        "ms",
        (
            Contender("Oscar's placement of one line", "oscar", "placing books 1"),
            Contender(OURS, "site", "purchase in place"),
        ),
    )
    yield Row(
        "course page, while 10,000 notices go out after the mail server was down",
        "ms",
        (
            Contender("the page, nothing else going on", "site", "page alone"),
            Contender(OURS, "site", "page while sending"),
        ),
    )


def shop(numbers: tuple[int, ...]) -> Iterator[Row]:
    for page in ("basket", "preview", "placing"):
        for lines in numbers:
            yield Row(
                f"{page}, lines: {lines}",
                "ms",
                (
                    Contender("Oscar alone", "oscar", f"{page} books {lines}"),
                    Contender("Oscar's voucher", "oscar", f"{page} voucher {lines}"),
                    Contender("ordinary goods", "shop", f"{page} books {lines}"),
                    Contender("training for money", "shop", f"{page} money {lines}"),
                    Contender("training, one code", "shop", f"{page} code {lines}"),
                ),
            )


def a_million() -> Iterator[Row]:
    yield Row(
        "issuing 100,000 codes",
        "/s",
        (
            Contender("COPY of the same rows", "million", "copying"),
            Contender(OURS, "million", "issuing"),
            Contender("by a job, with a file", "million", "issuing by a job"),
        ),
    )
    yield Row(
        "issuing a million codes, more memory",
        "MB",
        (Contender(OURS, "million", "more memory"),),
        once=True,
    )
    for title, case in (
        ("exporting a million codes as CSV", "export csv"),
        ("exporting a million codes as XLSX", "export xlsx"),
        ("checking a file of a million codes", "check file"),
    ):
        yield Row(
            f"{title}, more memory",
            "MB",
            (Contender(OURS, "million", case),),
            once=True,
        )
    for title, case in (
        ("first page", "list first page"),
        ("used up", "list used up"),
        ("searched by last four", "list search"),
        ("searched by label", "list search label"),
    ):
        yield Row(
            f"Django's admin, a million codes, {title}",
            "ms",
            (Contender(OURS, "million", case),),
        )
    yield Row(
        "check_ledger, a million orders and codes",
        "s",
        (Contender(OURS, "million", "auditing"),),
    )


def dashboard() -> Iterator[Row]:
    for title in (*PAGES, "a code", "a code of 100,000 orders"):
        yield Row(
            f"dashboard, a million codes, {title}, p95",
            "ms",
            (Contender(OURS, "academy", title),),
            once=True,
        )
    for title in CALLS:
        yield Row(
            f"API, a million codes, {title}, p95",
            "ms",
            (Contender(OURS, "academy", f"API {title}"),),
            once=True,
        )
    for title in REPORTS:
        yield Row(
            f"report on a million codes, {title}",
            "s",
            (Contender(OURS, "academy", f"report {title}"),),
            once=True,
        )
