"""Credits and days in words."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, cast

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import ngettext

from ..conf import settings


def amount_text(credits: int) -> str:
    """Return for example “1 credit” or “20 credits”, in the active language."""
    return ngettext("%(count)d credit", "%(count)d credits", credits) % {
        "count": credits
    }


def large_number(number: int) -> str:
    """Return a large number with its digits in groups: 1,000,000 in English."""
    return number_format(number, force_grouping=True)


def name_of(user: Any) -> str:
    """Return what people call a user: the name, else the e-mail address.

    The username only where there is neither: Oscar makes up random ones. Empty for
    None, who has been deleted or never was.
    """
    if user is None:
        return ""
    full_name = user.get_full_name() if hasattr(user, "get_full_name") else ""
    address = getattr(user, user.get_email_field_name(), "")
    return str(full_name or address or user.get_username())


def day_of(moment: datetime) -> str:
    """Return the day of a moment in the active language and time zone."""
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


def last_day(moment: datetime) -> str:
    """Return the last day of what ends at a moment: at midnight, the day before."""
    return day_of(moment - timedelta.resolution)


def end_in_words(moment: datetime) -> str:
    """Return for staff when something ends: its last day, or to the minute."""
    local = timezone.localtime(moment)
    if local.time() == time.min:
        return last_day(moment)
    return date_format(local, "DATETIME_FORMAT")


def in_words(credits: int) -> str:
    """Return `credits` in the site's own word for them."""
    return cast("str", settings.load("AMOUNT_TEXT")(credits))
