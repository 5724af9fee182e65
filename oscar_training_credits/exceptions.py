"""Everything this package raises on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .credits.access.places import ClaimReason
    from .credits.codes.refusals import Refusal
    from .credits.ledger.refunding import RefundRefusal
    from .credits.models import CreditCode


class TrainingCreditsError(Exception):
    """Base of all errors of this package."""


class CreditCodeRefused(TrainingCreditsError):
    """A code cannot be used here; `refusal` says why, as a value.

    `code` is the code, where whoever typed it may know that there is one.
    """

    def __init__(self, refusal: Refusal, *, code: CreditCode | None = None) -> None:
        super().__init__(refusal.reason.value)
        self.refusal = refusal
        self.code = code


class CodeTaken(TrainingCreditsError):
    """A code with this text exists already."""


class CodeClosed(TrainingCreditsError):
    """A code is closed for good, and takes no change of this kind."""


class NotCut(TrainingCreditsError, ValueError):
    """Credits can't be moved from this code to a child code of it, or back."""


class WiderThanParent(TrainingCreditsError, ValueError):
    """A child code would allow what its parent does not; `field` says in what."""

    def __init__(self, field: str) -> None:
        super().__init__(f"The child code would be wider than its parent: {field}.")
        self.field = field


class WiderThanAllowed(TrainingCreditsError, ValueError):
    """A manager would allow what the shop's staff do not; `field` says in what."""

    def __init__(self, field: str) -> None:
        super().__init__(f"The code would be wider than staff have set: {field}.")
        self.field = field


class NotMailed(TrainingCreditsError):
    """The mail server did not take a mail that the caller wants to know of."""


class LedgerIsAppendOnly(TrainingCreditsError):
    """Somebody tried to change or delete a ledger entry."""


class NotEnoughCredits(TrainingCreditsError):
    """A grant holds fewer credits than were to be taken; nothing was taken."""


class PurchaseRefused(TrainingCreditsError):
    """A purchase cannot go on as shown; the message is for the learner.

    Where a code is why, `refusal` says so as a value.
    """

    def __init__(self, text: str, *, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal


class NotAsked(TrainingCreditsError):
    """A request for credits is not taken; the message is for the learner."""


class TooManyInvitations(TrainingCreditsError):
    """A manager has invited as many people today as they may."""


class RequestDecided(TrainingCreditsError):
    """A request for credits has been answered, withdrawn, or has expired."""


class NotApproved(TrainingCreditsError):
    """Credits can't be given from this code; the message is for who decides."""


class PlaceRefused(TrainingCreditsError):
    """A place can't be claimed by this learner; `reason` says why, as a value."""

    def __init__(self, reason: ClaimReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class PlaceNotMailed(TrainingCreditsError):
    """The link of a place is not mailed: somebody has it, or it was mailed often."""


class RefundRefused(TrainingCreditsError):
    """Credits cannot be given back as asked; `refusals` say why, line by line."""

    def __init__(self, refusals: tuple[RefundRefusal, ...]) -> None:
        super().__init__(", ".join(refusal.obstacle.value for refusal in refusals))
        self.refusals = refusals


class IdempotencyKeyReused(TrainingCreditsError):
    """The key stands for something else that was done; nothing was done now."""


class NothingGained(TrainingCreditsError, ValueError):
    """Access that was to be given would add nothing to what the learner has."""


class DeliveryFailed(TrainingCreditsError):
    """For backends to raise: the news did not arrive, and is to be tried again.

    The message is shown to staff. That of any other error is not, as it may hold an
    address or a token.
    """


class JobStopped(TrainingCreditsError):
    """A job on many codes can't go on; the message is for staff."""


class FileRefused(TrainingCreditsError):
    """A file can't be read as a list of codes at all; the message is for staff."""


class DeliveryDropped(TrainingCreditsError):
    """A delivery can never arrive: whom or what it is about is gone. Staff read why."""
