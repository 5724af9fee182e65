"""Mail the monthly statements of codes to their managers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from ...conf import CREDIT_STATEMENT, settings
from ...credits.ledger.statements import last_month, next_month
from ...shop.communication.statements import send_statements


class Command(BaseCommand):
    help = (
        "Mail the statement of the last month to the managers of each code, once. Run"
        " it on the first day of each month, or each night; silent if there is none."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--month", help="Another month that is over, such as 2026-10."
        )

    def handle(self, **options: Any) -> None:
        if CREDIT_STATEMENT not in settings.MAILS:
            raise CommandError(f"{CREDIT_STATEMENT} is not in TRAINING_CREDITS_MAILS.")
        month = _month(options["month"]) if options["month"] else last_month()
        if number := sum(1 for _code in send_statements(month)):
            text = ngettext("%d statement sent.", "%d statements sent.", number)
            self.stdout.write(text % number)


def _month(text: str) -> date:
    try:
        # A month has no time zone: its days are the site's.
        month = datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007
    except ValueError:
        raise CommandError(f"{text!r} is no month such as 2026-10.") from None
    if next_month(month) > next_month(last_month()):
        raise CommandError(f"{text} is not over yet.")
    return month
