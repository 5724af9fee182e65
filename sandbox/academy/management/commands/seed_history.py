from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from sandbox.academy.seed.history import make_history


class Command(BaseCommand):
    help = "Fill the dashboard with a year of use, after seed_sandbox. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Adding a year of use …")
        make_history()
