"""The text of a code: how it is made, read, and found without being stored.

A new code has 19 random letters and a check letter from Crockford's base 32
(https://www.crockford.com/base32.html): no I, L, O or U. It carries 95 random bits.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables

from ...conf import settings
from ..models import CreditCode

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 20
SHORTEST_TEXT = 8
"""How many letters a new code has at least: fewer are guessed too soon."""
LONGEST_TEXT = 128
LOOK_ALIKES = str.maketrans("OIL", "011")
GROUP = 4


def generate(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return the text of a new code, in groups of four letters.

    `random` returns so many random bytes.
    """
    # 256 is a multiple of 32, so every letter is equally likely.
    letters = "".join(ALPHABET[byte % 32] for byte in random(LENGTH - 1))
    return grouped(letters + check_letter(letters))


def grouped(letters: str) -> str:
    return "-".join(letters[i : i + GROUP] for i in range(0, len(letters), GROUP))


@sensitive_variables("text")
def canonical(text: str) -> str:
    """Return the one form of `text` that all its spellings share.

    Case, spaces, dashes and the look-alikes O/0 and I/L/1 make no difference.
    """
    return _letters(text).translate(LOOK_ALIKES)


@sensitive_variables("text", "letters")
def last_four(text: str) -> str:
    """Return the last letters, by which people tell codes apart.

    Half of them at most: it is kept, and a short code must not be kept whole.
    """
    letters = _letters(text)
    return letters[len(letters) - min(GROUP, len(letters) // 2) :]


@sensitive_variables("text")
def refuse_unfit(text: str) -> None:
    """Refuse what can't be the text of a code.

    Raises:
        ValueError: `text` has fewer than 8 letters or digits, or is too long.
    """
    if len(canonical(text)) < SHORTEST_TEXT or len(text) > LONGEST_TEXT:
        raise ValueError(
            f"The text of a code needs {SHORTEST_TEXT} letters or digits at least,"
            f" and {LONGEST_TEXT} at most."
        )


# All variables, as those of Django's own functions below then are hidden too.
@sensitive_variables()
def digest(text: str, *, key: str) -> str:
    """Return the digest under which a code with this text is kept."""
    salt = "oscar_training_credits.code"
    hmac = salted_hmac(salt, canonical(text), secret=key, algorithm="sha256")
    return hmac.hexdigest()


@sensitive_variables()
def digests(text: str) -> list[str]:
    """Return the digests of `text` under the current key and the older ones."""
    return [digest(text, key=key) for key in settings.CODE_KEYS]


@sensitive_variables("text")
def find(text: str, *, learner: AbstractBaseUser | None = None) -> CreditCode | None:
    """Return the code with this text, in whatever state it is: one query.

    That it is for `learner`, or for others only, is then known without another one.
    """
    found = CreditCode.objects.filter(digest__in=digests(text))
    return found.with_audience(learner).first()


@sensitive_variables("text", "groups")
def looks_generated(text: str) -> bool:
    """Tell whether `text` is written as a generated code is, slips included.

    Five groups of four letters or digits, or twenty in one.
    """
    groups = re.split(r"[\W_]+", text.strip())
    lengths = [len(group) for group in groups]
    return lengths in ([LENGTH], [GROUP] * (LENGTH // GROUP))


@sensitive_variables("text", "letters")
def is_mistyped(text: str) -> bool:
    """Tell whether `text` has the shape of a generated code but a wrong check letter.

    It says nothing about whether a code exists.
    """
    letters = canonical(text)
    if len(letters) != LENGTH or not set(letters) <= set(ALPHABET):
        return False
    return check_letter(letters[:-1]) != letters[-1]


def check_letter(letters: str) -> str:
    """Return the Luhn mod 32 check letter, which catches every single wrong letter
    and nearly every swap of two neighbours."""
    total = 0
    for place, letter in enumerate(reversed(letters)):
        value = ALPHABET.index(letter) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


@sensitive_variables("text", "folded")
def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).upper()
    return "".join(filter(str.isalnum, folded))
