"""The public Python API: what other code may call, and what it gets back."""

from .credits.access import Standing, holdings, may_see, standing, standings
from .credits.applying import read_code
from .credits.auditing import Finding, lapsed_holds
from .credits.codes import find as find_code
from .credits.deliveries import AccessNews, deliver_due
from .credits.giving import (
    bring_forward,
    end_access,
    extend_access,
    give_access,
)
from .credits.issuing import IssuedCode, add_grant, issue_code, issue_codes, set_state
from .credits.models import (
    Access,
    CreditCode,
    CreditGrant,
    TakenPayment,
    TrainingProduct,
)
from .credits.quoting import Quote
from .credits.redemption import release_expired
from .credits.refunding import Obstacle, Outcome, RefundRefusal
from .credits.refusals import BaseReason, Reason, Refusal, public_text
from .credits.rules import Purchase, first_refusal
from .credits.terms import Terms
from .credits.throttling import Asker
from .shop.askers import asker_of
from .shop.auditing import audit
from .shop.payments import lost_payments, settle_lost_payments
from .shop.quotes import quote_of
from .shop.refunds import cancel_lines, refund_lines, refund_order
from .shop.training import (
    sell_as_training,
    sell_no_longer_as_training,
    training_of,
)
from .shop.vouchers import VoucherLike

__all__ = [
    "Access",
    "AccessNews",
    "Asker",
    "BaseReason",
    "CreditCode",
    "CreditGrant",
    "Finding",
    "IssuedCode",
    "Obstacle",
    "Outcome",
    "Purchase",
    "Quote",
    "Reason",
    "RefundRefusal",
    "Refusal",
    "Standing",
    "TakenPayment",
    "Terms",
    "TrainingProduct",
    "VoucherLike",
    "add_grant",
    "asker_of",
    "audit",
    "bring_forward",
    "cancel_lines",
    "deliver_due",
    "end_access",
    "extend_access",
    "find_code",
    "first_refusal",
    "give_access",
    "holdings",
    "issue_code",
    "issue_codes",
    "lapsed_holds",
    "lost_payments",
    "may_see",
    "public_text",
    "quote_of",
    "read_code",
    "refund_lines",
    "refund_order",
    "release_expired",
    "sell_as_training",
    "sell_no_longer_as_training",
    "set_state",
    "settle_lost_payments",
    "standing",
    "standings",
    "training_of",
]
