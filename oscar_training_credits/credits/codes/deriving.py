"""Texts of new codes that can be made again, as only their digests are kept."""

from __future__ import annotations

import hashlib
import hmac
import inspect
from collections.abc import Callable, Iterable, Iterator

from django.views.decorators.debug import sensitive_variables

from ...conf import settings


def can_derive() -> bool:
    """Tell whether the site's generator makes the same texts of the same bytes."""
    generate = settings.load("CODE_GENERATOR")
    return "random" in inspect.signature(generate).parameters


@sensitive_variables("secret")
def derived_texts(secret: bytes, numbers: Iterable[int] = (0,)) -> Iterator[str]:
    """Return the texts of these numbers that are made with this secret."""
    generate = settings.load("CODE_GENERATOR")
    for number in numbers:
        yield generate(random=_random(secret, number))


@sensitive_variables("secret", "seed")
def _random(secret: bytes, number: int) -> Callable[[int], bytes]:
    """Return a source of bytes that nobody can tell without the secret."""
    seed = hmac.digest(secret, str(number).encode(), "sha256")
    place = 0

    def read(count: int) -> bytes:
        nonlocal place
        begin, place = place, place + count
        return hashlib.shake_256(seed).digest(place)[begin:]

    return read
