"""Tell managers of codes which credits expire soon."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from ...conf import CREDITS_EXPIRE, settings
from ...shop.communication.expiring import send_notices


class Command(BaseCommand):
    help = (
        "Mail the managers of codes which credits expire in 60, 30 or 7 days, each"
        " once. Run it each night; silent if there is nothing to say."
    )

    def handle(self, **options: Any) -> None:
        if CREDITS_EXPIRE not in settings.MAILS:
            raise CommandError(f"{CREDITS_EXPIRE} is not in TRAINING_CREDITS_MAILS.")
        if number := send_notices():
            text = ngettext("%d mail written.", "%d mails written.", number)
            self.stdout.write(text % number)
