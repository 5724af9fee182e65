"""The language of mails to learners."""

from __future__ import annotations

from typing import Any

from django.conf import settings


def site_language(user: Any) -> str:
    """The language of a site that keeps none of its users': its own.

    Not that of the staff who are at work: the mail is for somebody else.
    """
    return settings.LANGUAGE_CODE
