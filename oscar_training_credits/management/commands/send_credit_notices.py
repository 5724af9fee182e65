"""Mail what is due by the day: credits that expire, few left, access that ends."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from ...conf import ACCESS_ENDED, ACCESS_ENDS, BALANCE_LOW, CREDITS_EXPIRE, settings
from ...shop.communication.credit_notices import send_notices

NOTICES = {CREDITS_EXPIRE, BALANCE_LOW, ACCESS_ENDS, ACCESS_ENDED}


class Command(BaseCommand):
    help = (
        "Mail the managers of codes which credits expire in 60, 30 or 7 days, and"
        " that few are left, and learners that their access ends or has ended, each"
        " once. Run it each night; silent if there is nothing to say."
    )

    def handle(self, **options: Any) -> None:
        if not NOTICES & {*settings.MAILS}:
            names = ", ".join(sorted(NOTICES))
            raise CommandError(f"TRAINING_CREDITS_MAILS has none of {names}.")
        if number := send_notices():
            text = ngettext("%d mail written.", "%d mails written.", number)
            self.stdout.write(text % number)
