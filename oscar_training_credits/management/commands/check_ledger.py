"""Recompute the ledger, and say what does not hold."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ... import api
from ...credits.codes.jobs import forget_what_is_over


class Command(BaseCommand):
    help = (
        "Recompute every balance, redemption, refund and order paid in credits, and"
        " say what differs. Silent if nothing does; changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--release-holds",
            action="store_true",
            help=(
                "first give back the credits of holds that have lapsed, settle what"
                " was paid for orders that were cut off, let access begin that waits"
                " for nothing any more, and delete the texts of many codes whose time"
                " is over"
            ),
        )

    def handle(self, **options: Any) -> None:
        if options["release_holds"]:
            self.release_holds()
        for hold in api.lapsed_holds():
            self.stdout.write(f"{hold} {_('--release-holds frees it.')}")
        for payment in api.lost_payments():
            self.stdout.write(f"{payment} {_('--release-holds settles it.')}")
        differences = 0
        for differences, finding in enumerate(api.audit(), start=1):  # noqa: B007
            self.stdout.write(str(finding))
        if differences:
            raise CommandError(
                ngettext(
                    "%d thing in the ledger differs.",
                    "%d things in the ledger differ.",
                    differences,
                )
                % differences
            )

    def release_holds(self) -> None:
        forget_what_is_over()
        if released := api.release_expired():
            self.stdout.write(
                ngettext(
                    "Released %d hold that had lapsed.",
                    "Released %d holds that had lapsed.",
                    released,
                )
                % released
            )
        if returned := api.return_ended():
            self.stdout.write(
                ngettext(
                    "Sent back what was unused on %d child code that has ended.",
                    "Sent back what was unused on %d child codes that have ended.",
                    returned,
                )
                % returned
            )
        if expired := api.expire_requests():
            self.stdout.write(
                ngettext(
                    "Ended %d request for credits that nobody has answered.",
                    "Ended %d requests for credits that nobody has answered.",
                    expired,
                )
                % expired
            )
        if settled := api.resolve_lost_payments():
            self.stdout.write(
                ngettext(
                    "Settled %d payment for an order that was cut off.",
                    "Settled %d payments for orders that were cut off.",
                    settled,
                )
                % settled
            )
        if begun := api.bring_forward():
            self.stdout.write(
                ngettext(
                    "Let %d access begin: what it was to follow does not open it.",
                    "Let %d accesses begin: what they were to follow does not open"
                    " them.",
                    begun,
                )
                % begun
            )
