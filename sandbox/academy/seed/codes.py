"""The codes to try."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from oscar_training_credits import api

from .shop import make_range

# What `sandbox_welcome` says about each.
CODES = {
    "ACME-TEAM-2026": "100 credits for everything",
    "ACME-YEAR-2026": "150 credits, enough for the plan All-Access Year",
    "ACME-LOW-2026": "10 credits, too few for most courses",
    "ACME-ONLY-2026": "50 credits, for Django Foundations only",
    "ACME-SOON-2026": "15 credits that expire in 20 days, then 30 that don't",
    "ACME-PAST-2025": "expired at the end of 2025",
}


def make_codes(*, foundations: Any) -> None:
    """Issue all codes; `foundations` is the product that one of them is only for."""
    issue("ACME-TEAM-2026", "Acme, whole team", credits=100)
    issue("ACME-YEAR-2026", "Acme, a year of everything", credits=150)
    issue("ACME-LOW-2026", "Acme, left-overs", credits=10)
    issue(
        "ACME-PAST-2025",
        "Acme, last year",
        credits=50,
        expires_at=datetime(
            2025, 12, 31, 23, 59, 59, tzinfo=timezone.get_default_timezone()
        ),
    )
    issue(
        "ACME-ONLY-2026",
        "Acme, beginners",
        credits=50,
        content=make_range("Django Foundations only", foundations),
    )
    soon = issue(
        "ACME-SOON-2026",
        "Acme, two pots",
        credits=15,
        grant_expires_at=timezone.now() + timedelta(days=20),
    )
    if soon:
        api.add_grant(soon, 30, origin="goodwill")


def issue(text: str, label: str, **terms: Any) -> api.CreditCode | None:
    """Issue a code unless it is there already, and return it if it is new."""
    if api.find_code(text):
        return None
    return api.issue_code(text=text, label=label, **terms).code
