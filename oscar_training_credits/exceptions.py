"""Everything this package raises on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .credits.refunding import RefundRefusal
    from .credits.refusals import Refusal


class TrainingCreditsError(Exception):
    """Base of all errors of this package."""


class CreditCodeRefused(TrainingCreditsError):
    """A code cannot be used here; `refusal` says why, as a value."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason.value)
        self.refusal = refusal


class CodeTaken(TrainingCreditsError):
    """A code with this text exists already."""


class LedgerIsAppendOnly(TrainingCreditsError):
    """Somebody tried to change or delete a ledger entry."""


class NotEnoughCredits(TrainingCreditsError):
    """A grant holds fewer credits than were to be taken; nothing was taken."""


class PurchaseRefused(TrainingCreditsError):
    """A purchase cannot go on as shown; the message is for the learner."""


class RefundRefused(TrainingCreditsError):
    """Credits cannot be given back as asked; `refusals` say why, line by line."""

    def __init__(self, refusals: tuple[RefundRefusal, ...]) -> None:
        super().__init__(", ".join(refusal.obstacle.value for refusal in refusals))
        self.refusals = refusals


class CauseReused(TrainingCreditsError):
    """The cause stands for something else that was done; nothing was done now."""


class NothingGained(TrainingCreditsError, ValueError):
    """Access that was to be given would add nothing to what the learner has."""


class DeliveryFailed(TrainingCreditsError):
    """For granters to raise: the news did not arrive, and is to be tried again.

    The message is shown to staff. That of any other error is not, as it may hold an
    address or a token.
    """
