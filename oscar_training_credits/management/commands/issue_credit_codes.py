"""Issue credit codes from a shell, one or a million."""

from __future__ import annotations

import csv
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from pathlib import Path
from typing import Any, TextIO

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from ... import api
from ...credits import email_domain
from ...credits.terms import far_away_text, is_far_away
from ...exceptions import CodeTaken
from ...progress import progress

HEADER = ["code", "label", "credits", "expires"]


class Command(BaseCommand):
    help = (
        "Issue credit codes and write them as CSV. Their texts can't be shown again,"
        " so keep the output."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--label",
            required=True,
            help="for whom or what they are, which learners who use them see",
        )
        parser.add_argument(
            "--credits", required=True, type=positive, help="credits on each code"
        )
        parser.add_argument("--count", type=positive, default=1, help="how many codes")
        parser.add_argument("--code", help="the text of a single code, else generated")
        parser.add_argument("--starts", type=moment, help="usable from, 2026-01-31")
        parser.add_argument(
            "--expires", type=last_moment, help="usable until the end of"
        )
        parser.add_argument("--range", help="only for the products of this Oscar range")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            help="only for this group; repeat it",
        )
        parser.add_argument(
            "--domain",
            action="append",
            default=[],
            help="only for e-mail addresses at this domain; repeat it",
        )
        parser.add_argument(
            "--subdomains", action="store_true", help="and at its subdomains"
        )
        parser.add_argument(
            "--credits-per-learner", type=positive, help="the most that one may spend"
        )
        parser.add_argument(
            "--orders-per-learner", type=positive, help="how often one may use a code"
        )
        parser.add_argument(
            "--one-order", action="store_true", help="for one order, whatever is left"
        )
        parser.add_argument(
            "--ends-access",
            action="store_true",
            help="access bought with a code ends when the code does",
        )
        parser.add_argument(
            "--test", action="store_true", help="test codes: for staff, in no report"
        )
        parser.add_argument("--output", help="a file for the CSV, else standard output")

    def handle(self, **options: Any) -> None:
        terms = {
            "label": valid(api.CreditCode, "label", options["label"]),
            "credits": valid(api.CreditGrant, "credits", options["credits"]),
            "starts_at": options["starts"],
            "expires_at": options["expires"],
            "content": find_range(options["range"]),
            **restrictions(options),
        }
        starts, expires = options["starts"], options["expires"]
        if starts and expires and starts >= expires:
            raise CommandError(_("It must end after it starts."))
        if expires and expires <= timezone.now():
            raise CommandError(_("They would end before they are issued: --expires."))
        if options["ends_access"] and not expires:
            raise CommandError(_("Say with --expires when access is to end."))
        if options["code"] is not None:
            if options["count"] > 1:
                raise CommandError(_("A text can be given for a single code only."))
            if not options["code"]:
                raise CommandError(_("The text of a code needs letters or digits."))
        with self.output(options["output"]) as file:
            rows = csv.writer(file)
            rows.writerow(HEADER)
            # Written as they are made: what is broken off has handed out what it made.
            for issued in self.issue(options, terms):
                expires = issued.code.expires_at
                rows.writerow(
                    [
                        issued.text,
                        issued.code.label,
                        terms["credits"],
                        expires.isoformat() if expires else "",
                    ]
                )

    def issue(
        self, options: dict[str, Any], terms: dict[str, Any]
    ) -> Iterator[api.IssuedCode]:
        if options["code"]:
            try:
                yield api.issue_code(text=options["code"], **terms)
            except (CodeTaken, ValueError) as error:
                raise CommandError(str(error)) from error
            return
        with progress(options["count"], unit=_("codes")) as update:
            for chunk in api.issue_codes(options["count"], **terms):
                yield from chunk
                update(len(chunk))

    @contextmanager
    def output(self, path: str | None) -> Iterator[TextIO]:
        if path is None:
            yield self.stdout  # type: ignore[misc]
            return
        try:
            file = Path(path).open("x", newline="", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise CommandError(
                _("Can't write %(path)s: %(error)s") % {"path": path, "error": error}
            ) from error
        try:
            with file:
                yield file
        except CommandError:
            # No code was issued, and the file would stand in the way of the next try.
            Path(path).unlink()
            raise


def valid(model: Any, field: str, value: Any) -> Any:
    try:
        return model._meta.get_field(field).clean(value, None)
    except ValidationError as error:
        raise CommandError(f"--{field}: {' '.join(error.messages)}") from error


def restrictions(options: dict[str, Any]) -> dict[str, Any]:
    try:
        email_domains = email_domain.tidied(options["domain"])
    except ValidationError as error:
        raise CommandError(f"--domain: {' '.join(error.messages)}") from error
    if options["subdomains"] and not email_domains:
        raise CommandError(_("Give the domain whose subdomains are meant."))
    return {
        "groups": find_groups(options["group"]),
        "email_domains": email_domains,
        "include_subdomains": options["subdomains"],
        "credits_per_learner": valid(
            api.CreditCode, "credits_per_learner", options["credits_per_learner"]
        ),
        "redemptions_per_learner": valid(
            api.CreditCode, "redemptions_per_learner", options["orders_per_learner"]
        ),
        "one_order_only": options["one_order"],
        "ends_access": options["ends_access"],
        "is_test": options["test"],
    }


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(_("give a whole number, 1 or more"))
    return int(text)


def moment(text: str) -> datetime:
    """Read a date as its first moment, or a date and time, in the site's time zone."""
    return _read(text, time.min)


def last_moment(text: str) -> datetime:
    """Read a date as its last moment, or a date and time, in the site's time zone."""
    return _read(text, time.max)


def _read(text: str, at: time) -> datetime:
    try:
        date = parse_date(text) if len(text) == len("2026-01-31") else None
        read = datetime.combine(date, at) if date else parse_datetime(text)
    except ValueError:
        read = None
    if read is None:
        raise ArgumentTypeError(
            _("give a date such as 2026-01-31, or 2026-01-31T17:00 with a time")
        )
    if is_far_away(read):
        raise ArgumentTypeError(far_away_text())
    return read if timezone.is_aware(read) else timezone.make_aware(read)


def find_range(name: str | None) -> Any:
    if name is None:
        return None
    Range = get_model("offer", "Range")
    found = Range._default_manager.filter(slug=name).first()
    if found is None:
        slugs = Range._default_manager.order_by("slug").values_list("slug", flat=True)
        raise CommandError(
            _("There is no range %(name)r. There are: %(slugs)s")
            % {"name": name, "slugs": ", ".join(slugs) or _("none")}
        )
    return found


def find_groups(names: list[str]) -> list[Group]:
    found = list(Group.objects.filter(name__in=names))
    if missing := set(names) - {group.name for group in found}:
        known = Group.objects.order_by("name").values_list("name", flat=True)
        raise CommandError(
            _("There is no group %(name)s. There are: %(names)s")
            % {
                "name": ", ".join(map(repr, sorted(missing))),
                "names": ", ".join(known) or _("none"),
            }
        )
    return found
