from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.management import BaseCommand, CommandParser

from sandbox.academy.seed.codes import CODES
from sandbox.academy.seed.people import PASSWORD, PEOPLE
from sandbox.academy.seed.shop import VOUCHER

PLACES = {
    "/": "the site, with its courses",
    "/courses/django-foundations/": "a course: 20 credits or £240",
    "/courses/secure-by-design/": "a course that only credits buy",
    "/paths/full-stack/": "a path of three courses: 60 credits or £600",
    "/plans/all-access-year/": "a plan: everything for a year, for 120 credits",
    "/shop/catalogue/": "the shop: baskets with several things, and credits on sale",
    "/shop/dashboard/": "the shop's dashboard (staff, admin)",
    "/cms/": "the pages' editor (editor, admin)",
    "/django-admin/": "Django's admin (admin)",
}


class Command(BaseCommand):
    help = "Say where to look, whom to log in as and which codes to try."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", default=os.environ.get("PORT", "8000"))

    def handle(self, *args: Any, port: str, **options: Any) -> None:
        site = f"http://127.0.0.1:{port}"
        self.table(
            "Northlight Academy is ready",
            ((site + path, text) for path, text in PLACES.items()),
        )
        self.table(
            f"Log in as, with the password {PASSWORD}",
            ((person.email, person.can) for person in PEOPLE),
        )
        self.table(
            "Codes to try",
            [*CODES.items(), (VOUCHER, "a voucher: 10 % off the basket")],
        )
        self.stdout.write("Ctrl-C stops the server.")

    def table(self, heading: str, rows: Iterable[tuple[str, str]]) -> None:
        rows = list(rows)
        width = max(len(left) for left, _ in rows)
        self.stdout.write(self.style.MIGRATE_HEADING(heading))
        for left, right in rows:
            self.stdout.write(f"  {left:<{width}}  {right}")
        self.stdout.write("")
