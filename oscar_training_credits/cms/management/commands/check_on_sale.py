"""Compare what is on sale with the pages that are live, and say what differs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from ... import page_audit


class Command(BaseCommand):
    help = (
        "Name the live pages whose product is not on sale as training, or that nobody"
        " may open, and the products on sale whose page is not live. Silent if there is"
        " none; changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--mend",
            action="store_true",
            help=(
                "first put on sale what a live page sells, and take off sale what only"
                " a page put there that is not live any more; what staff did stays"
            ),
        )

    def handle(self, **options: Any) -> None:
        if options["mend"]:
            page_audit.mend()
        findings = list(page_audit.audit())
        for finding in findings:
            self.stdout.write(str(finding))
        faults = sum(finding.is_fault for finding in findings)
        if faults:
            text = ngettext("%d thing differs.", "%d things differ.", faults)
            raise CommandError(text % faults)
