"""What a manager tells the team: what the credits are for, and how to use them."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables

from ...credits import email_domain
from ...credits.models import CreditCode
from ...credits.wording import name_of
from ..communication.mails import absolute, address_of


@sensitive_variables()
def team_text(code: CreditCode, *, by: Any, text: str = "") -> str:
    """Return the words to copy. The code is in them where its `text` is given.

    `by` is the manager, whom the team is to ask.
    """
    context = {
        "code": code,
        "text": text,
        "link": absolute(reverse("training_credits:enter-code")),
        "domains": email_domain.listed(code.email_domains),
        "name": name_of(by),
        "address": address_of(by),
    }
    words = render_to_string("training_credits/my_code_team.txt", context)
    return words.strip()
