"""Make a token for the API, for programs that are set up without the dashboard."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from ...credits import api_tokens
from ...credits.models import Scope


class Command(BaseCommand):
    help = (
        "Make a token for the API, and write it to the standard output: it is shown"
        " this once. It acts as a user, within the scopes that are named."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as whom it acts")
        parser.add_argument("name", help="the program that uses it")
        parser.add_argument(
            "scopes", nargs="+", choices=Scope.values, help="what it may be used for"
        )

    def handle(self, **options: Any) -> None:
        User = get_user_model()
        names = {User.USERNAME_FIELD: options["username"]}
        if not (user := User._default_manager.filter(**names).first()):
            text = _("There is no user %(name)s.")
            raise CommandError(text % {"name": options["username"]})
        if not user.is_staff:
            text = _("%(name)s is not staff: the API would refuse the token.")
            raise CommandError(text % {"name": options["username"]})
        issued = api_tokens.issue_token(
            user, name=options["name"], scopes=options["scopes"]
        )
        self.stdout.write(issued.text)
