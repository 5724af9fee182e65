"""How often wrong codes may be tried.

Misses are counted in Django's cache, in windows that end by themselves. An attempt is
counted before anything is looked up, so that attempts made at the same moment can't
slip through together, and given back unless it was a miss.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.core.cache import BaseCache, caches
from django.core.cache.backends.locmem import LocMemCache
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ...conf import settings
from ...exceptions import CreditCodeRefused
from .refusals import Reason, Refusal

logger = logging.getLogger("training_credits")

SALT = "oscar_training_credits.throttling"
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
OWN = ("learner", "session")
SHARED = ("network", "overall")
ALLOWANCE = "allowance"
SCOPES = (*OWN, *SHARED, ALLOWANCE)


@dataclass(frozen=True, slots=True)
class Requester:
    """Who types a code, and when: a value for one attempt."""

    learner_id: Any = None
    """The primary key of who is logged in; None for a stranger."""
    session_key: str | None = None
    network: str | None = None
    """What the address is counted as, for example `2001:db8:0:7::/64`."""
    at: datetime = field(default_factory=timezone.now)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` misses in `seconds`."""

    count: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read for example `10/h` or `30/15m`; the units are s, m, h and d.

        Raises:
            ValueError: it is not of this form.
        """
        if not (parts := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)?([smhd])", text)):
            raise ValueError(f"not a rate: {text!r}")
        count, number, unit = parts.groups()
        return cls(int(count), int(number or 1) * SECONDS[unit])


@dataclass(frozen=True, slots=True)
class Window:
    """The misses of one scope that an attempt counts towards."""

    scope: str
    rate: Rate
    key: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has been counted."""

    requester: Requester
    cache: BaseCache
    counts: dict[Window, int]

    def refusal(self) -> Refusal | None:
        """Return why nothing may be looked up, if so."""
        over = {
            window.scope: window.ends_at
            for window, count in self.counts.items()
            if count > window.rate.count
        }
        if own := [over[scope] for scope in OWN if scope in over]:
            return self._wait_until(max(own))
        shared = [over[scope] for scope in SHARED if scope in over]
        if not shared:
            return None
        # Somebody else may have filled it: who is known has an allowance beside it.
        if self.requester.learner_id is None:
            return Refusal(Reason.LOG_IN)
        if ALLOWANCE not in over:
            return None
        return self._wait_until(min(max(shared), over[ALLOWANCE]))

    def give_back(self) -> None:
        """Count it no longer. What was counted before stays."""
        try:
            for window in self.counts:
                _decrease(self.cache, window.key)
        except Exception:  # each cache has errors of its own
            logger.exception("A code's attempt could not be given back; it counts.")

    def report(self) -> None:
        """Log the limits that were reached by this very miss."""
        for window, count in self.counts.items():
            if count == window.rate.count and window.scope != ALLOWANCE:
                logger.warning(
                    "Wrong codes: the limit %s is reached (%d in %d seconds);"
                    " learner %s, network %s.",
                    window.scope,
                    window.rate.count,
                    window.rate.seconds,
                    self.requester.learner_id,
                    self.requester.network,
                )

    def _wait_until(self, moment: float) -> Refusal:
        seconds = moment - self.requester.at.timestamp()
        return Refusal(Reason.THROTTLED, minutes=max(1, math.ceil(seconds / 60)))


class Doubt:
    """Misses of a text that something else may know yet, such as a shop's voucher."""

    def __init__(self) -> None:
        self.misses: list[Attempt] = []

    def dismiss(self) -> None:
        """Take back what was counted: the text is known, and no wrong code."""
        for attempt in self.misses:
            attempt.give_back()
        self.misses.clear()


# A handler is any callable of a site's that takes the text and the request. It can't be
# told that others are asked as well.
_doubt: ContextVar[Doubt | None] = ContextVar("doubt", default=None)


@contextmanager
def in_doubt() -> Iterator[Doubt]:
    """Ask several who may know a text inside this: only what nobody knows counts."""
    doubt = Doubt()
    token = _doubt.set(doubt)
    try:
        yield doubt
    finally:
        _doubt.reset(token)
        for attempt in doubt.misses:
            attempt.report()


@contextmanager
def counted(requester: Requester | None) -> Iterator[None]:
    """Look a code up inside this: what is refused there as a miss counts.

    A success changes nothing of what was counted before. Nobody is counted where
    `requester` is None: no visitor is behind the call.

    Raises:
        CreditCodeRefused: too many were wrong, and nothing may be looked up.
    """
    if requester is None:
        yield
        return
    attempt = begin(requester)
    try:
        yield
    except CreditCodeRefused as refused:
        if not refused.refusal.reason.is_miss:
            attempt.give_back()
        elif doubt := _doubt.get():
            doubt.misses.append(attempt)
        else:
            attempt.report()
        raise
    attempt.give_back()


def begin(requester: Requester) -> Attempt:
    """Count an attempt, and return it.

    Raises:
        CreditCodeRefused: it may not be made, and was not counted.
    """
    attempt = _count(requester)
    if refusal := attempt.refusal():
        attempt.give_back()
        raise CreditCodeRefused(refusal)
    return attempt


def rates() -> dict[str, Rate | None]:
    """Return the limit of each scope; None for one that is switched off."""
    return {
        scope: Rate.parse(text) if text else None
        for scope, text in settings.THROTTLE.items()
    }


class CacheKeepsNothing(Exception):
    """A counter was gone as soon as it had been written."""


# For learners, while the site's cache is down: each process counts alone.
_fallback = LocMemCache(
    "training_credits.throttling", {"OPTIONS": {"MAX_ENTRIES": 100_000}}
)


def _count(requester: Requester) -> Attempt:
    windows = list(_windows(requester))
    try:
        cache = caches[settings.CACHE]
        return Attempt(requester, cache, _counts(cache, windows))
    except Exception:  # each cache has errors of its own
        logger.exception(
            "The cache %r does not count wrong codes: strangers can use none, and"
            " each process counts alone for learners.",
            settings.CACHE,
        )
    if requester.learner_id is None:
        raise CreditCodeRefused(Refusal(Reason.LOG_IN))
    return Attempt(requester, _fallback, _counts(_fallback, windows))


def _counts(cache: BaseCache, windows: list[Window]) -> dict[Window, int]:
    always = [window for window in windows if window.scope != ALLOWANCE]
    counts = {window: _increase(cache, window) for window in always}
    # A learner's misses from before others had used up a limit are not held against
    # them: the allowance begins with the attempt that may be the last one.
    if any(
        window.scope in SHARED and count >= window.rate.count
        for window, count in counts.items()
    ):
        late = [window for window in windows if window.scope == ALLOWANCE]
        counts |= {window: _increase(cache, window) for window in late}
    return counts


def _windows(requester: Requester) -> Iterator[Window]:
    moment = requester.at.timestamp()
    for scope, rate in rates().items():
        name = _name(scope, requester)
        if rate and name is not None:
            number = int(moment // rate.seconds)
            # A digest: no address or session lies open in the cache.
            digest = salted_hmac(SALT, name, algorithm="sha256").hexdigest()
            key = f"training_credits:{scope}:{rate.seconds}:{number}:{digest}"
            yield Window(scope, rate, key, ends_at=float((number + 1) * rate.seconds))


def _name(scope: str, requester: Requester) -> str | None:
    """Return whom a scope counts; None if it does not count this requester."""
    names = {
        "learner": requester.learner_id,
        "session": requester.session_key,
        "network": requester.network,
        "overall": "",
        ALLOWANCE: requester.learner_id,
    }
    name = names[scope]
    return None if name is None else str(name)


def _increase(cache: BaseCache, window: Window) -> int:
    # Its name holds the window's number, so a key may well outlive its window.
    keep = 2 * window.rate.seconds
    cache.add(window.key, 0, keep)
    try:
        count = cache.incr(window.key)
    except ValueError as error:
        raise CacheKeepsNothing from error
    if type(cache).incr is BaseCache.incr:
        # It sets the key anew, and then keeps it for the cache's default time only.
        cache.touch(window.key, keep)
    return count


def _decrease(cache: BaseCache, key: str) -> None:
    # No such key: the window is over, or the cache needed the room.
    with suppress(ValueError):
        cache.decr(key)
