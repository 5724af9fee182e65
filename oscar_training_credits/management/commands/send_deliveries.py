"""Send what has not arrived yet: mails, and news for other systems."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from ...conf import settings
from ...credits import api_calls, outbox
from ...credits.access import deliveries


class Command(BaseCommand):
    help = (
        "Send the mails, and the news of access for an enrolment backend, that have not"
        " arrived yet, and delete what is kept no longer: mails that were sent long"
        " ago, and old answers of the API. Run it every minute; silent if there is"
        " nothing to send."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--existing",
            action="store_true",
            help="first note the access that was given before there was a backend",
        )

    def handle(self, **options: Any) -> None:
        if options["existing"]:
            if not settings.ENROLMENT_BACKEND:
                raise CommandError(_("TRAINING_CREDITS_ENROLMENT_BACKEND is not set."))
            deliveries.write_existing()
        done = outbox.deliver_due()
        outbox.prune()
        api_calls.prune()
        if done.arrived or done.failed:
            text = _("Arrived: %(arrived)d. Failed: %(failed)d.")
            self.stdout.write(text % {"arrived": done.arrived, "failed": done.failed})
