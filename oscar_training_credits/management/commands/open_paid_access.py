"""Open training whose order has been paid."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import ngettext

from ...credits.access import opening
from ...credits.ledger import packs


class Command(BaseCommand):
    help = (
        "Open training, and put bought credits on codes, that wait although their"
        " order is paid: its status was set by an UPDATE, or"
        " TRAINING_CREDITS_PAID_STATUSES has changed. Run it each night; silent if"
        " there is nothing to open."
    )

    def handle(self, **options: Any) -> None:
        if lines := opening.open_paid():
            text = ngettext(
                "%d order line opened.", "%d order lines opened.", len(lines)
            )
            self.stdout.write(text % len(lines))
        if sales := packs.issue_paid():
            text = ngettext(
                "Credits of %d order line put on a code.",
                "Credits of %d order lines put on codes.",
                len(sales),
            )
            self.stdout.write(text % len(sales))
