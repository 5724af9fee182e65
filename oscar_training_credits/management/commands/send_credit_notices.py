"""Tell managers of codes which credits expire soon, and of which few are left."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from ...conf import BALANCE_LOW, CREDITS_EXPIRE, settings
from ...shop.communication.credit_notices import send_notices


class Command(BaseCommand):
    help = (
        "Mail the managers of codes which credits expire in 60, 30 or 7 days, and"
        " that few are left, each once. Run it each night; silent if there is nothing"
        " to say."
    )

    def handle(self, **options: Any) -> None:
        if not {CREDITS_EXPIRE, BALANCE_LOW} & {*settings.MAILS}:
            raise CommandError(
                f"TRAINING_CREDITS_MAILS has neither {CREDITS_EXPIRE} nor"
                f" {BALANCE_LOW}."
            )
        if number := send_notices():
            text = ngettext("%d mail written.", "%d mails written.", number)
            self.stdout.write(text % number)
