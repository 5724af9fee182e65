"""The public Python API: what other code may call, and what it gets back."""

from .credits.access.deliveries import AccessEvent
from .credits.access.granting import (
    bring_forward,
    end_access,
    extend_access,
    give_access,
)
from .credits.access.opening import open_paid
from .credits.access.places import ClaimReason, find_place, places_of
from .credits.access.places import claim as claim_place
from .credits.access.places import renew_link as renew_place
from .credits.access.status import (
    AccessStatus,
    access_status,
    access_statuses,
    has_access,
    holdings,
)
from .credits.codes.applying import read_code
from .credits.codes.checking import CodeBalance, check_code
from .credits.codes.code_text import find as find_code
from .credits.codes.finding import Condition, condition_of
from .credits.codes.issuing import (
    IssuedCode,
    add_grant,
    issue_code,
    issue_codes,
    open_to_everybody,
    rotate_code,
    set_state,
)
from .credits.codes.refusals import BaseReason, Reason, Refusal, public_text
from .credits.codes.rules import Purchase, first_refusal
from .credits.codes.throttling import Requester
from .credits.ledger.adjusting import adjust_credits, close_code
from .credits.ledger.auditing import Finding, lapsed_holds
from .credits.ledger.credit_requests import expire_requests
from .credits.ledger.credit_requests import withdraw as withdraw_request
from .credits.ledger.cutting import ChildTerms, cut_code, take_back
from .credits.ledger.extending import (
    Extension,
    ExtensionObstacle,
    extend_code,
    extend_codes,
    plan_extension,
)
from .credits.ledger.forecast import Forecast, forecasts
from .credits.ledger.packs import TakenBack
from .credits.ledger.packs import issue_due as issue_packs
from .credits.ledger.packs import issue_paid as issue_paid_packs
from .credits.ledger.packs import take_back as take_back_packs
from .credits.ledger.quoting import Quote
from .credits.ledger.redemption import release_expired, return_ended
from .credits.ledger.refunding import Outcome, RefundReason, RefundRefusal
from .credits.ledger.reporting import (
    Grouping,
    RollForward,
    roll_forward,
    roll_forward_by,
    roll_forward_money,
    roll_forward_series,
)
from .credits.ledger.usage import Use, UseGrouping, use_of_credits
from .credits.models import (
    Access,
    CodeChange,
    CreditCode,
    CreditGrant,
    CreditPack,
    CreditRequest,
    PackSale,
    Place,
    Redemption,
    Refund,
    TakenPayment,
    TrainingProduct,
)
from .credits.outbox import deliver_due
from .credits.terms import Paid, Terms
from .shop.basket.applied_codes import apply_code, remove_code
from .shop.basket.quotes import quote_of
from .shop.catalogue.packs import pack_of, sell_as_pack, sell_no_longer_as_pack
from .shop.catalogue.training import (
    sell_as_training,
    sell_no_longer_as_training,
    training_of,
)
from .shop.communication.requests import approve as approve_request
from .shop.communication.requests import ask as ask_for_credits
from .shop.communication.requests import decline as decline_request
from .shop.direct_purchase.point_of_sale import purchase, redeem
from .shop.order.audit_rules import audit
from .shop.order.places_bought import claim_url
from .shop.order.refund_preview import (
    Destination,
    LineToRefund,
    RefundPreview,
    preview_refund,
)
from .shop.order.refunds import cancel_lines, refund_lines, refund_order
from .shop.order.settlements import CodeCredits, LineCredits, OrderCredits, credits_of
from .shop.payment.lost_payments import lost_payments, resolve_lost_payments
from .shop.requesters import requester_of
from .shop.voucher.codes import VoucherLike

__all__ = [
    "Access",
    "AccessEvent",
    "AccessStatus",
    "BaseReason",
    "ChildTerms",
    "ClaimReason",
    "CodeBalance",
    "CodeChange",
    "CodeCredits",
    "Condition",
    "CreditCode",
    "CreditGrant",
    "CreditPack",
    "CreditRequest",
    "Destination",
    "Extension",
    "ExtensionObstacle",
    "Finding",
    "Forecast",
    "Grouping",
    "IssuedCode",
    "LineCredits",
    "LineToRefund",
    "OrderCredits",
    "Outcome",
    "PackSale",
    "Paid",
    "Place",
    "Purchase",
    "Quote",
    "Reason",
    "Redemption",
    "Refund",
    "RefundPreview",
    "RefundReason",
    "RefundRefusal",
    "Refusal",
    "Requester",
    "RollForward",
    "TakenBack",
    "TakenPayment",
    "Terms",
    "TrainingProduct",
    "Use",
    "UseGrouping",
    "VoucherLike",
    "access_status",
    "access_statuses",
    "add_grant",
    "adjust_credits",
    "apply_code",
    "approve_request",
    "ask_for_credits",
    "audit",
    "bring_forward",
    "cancel_lines",
    "check_code",
    "claim_place",
    "claim_url",
    "close_code",
    "condition_of",
    "credits_of",
    "cut_code",
    "decline_request",
    "deliver_due",
    "end_access",
    "expire_requests",
    "extend_access",
    "extend_code",
    "extend_codes",
    "find_code",
    "find_place",
    "first_refusal",
    "forecasts",
    "give_access",
    "has_access",
    "holdings",
    "issue_code",
    "issue_codes",
    "issue_packs",
    "issue_paid_packs",
    "lapsed_holds",
    "lost_payments",
    "open_paid",
    "open_to_everybody",
    "pack_of",
    "places_of",
    "plan_extension",
    "preview_refund",
    "public_text",
    "purchase",
    "quote_of",
    "read_code",
    "redeem",
    "refund_lines",
    "refund_order",
    "release_expired",
    "remove_code",
    "renew_place",
    "requester_of",
    "resolve_lost_payments",
    "return_ended",
    "roll_forward",
    "roll_forward_by",
    "roll_forward_money",
    "roll_forward_series",
    "rotate_code",
    "sell_as_pack",
    "sell_as_training",
    "sell_no_longer_as_pack",
    "sell_no_longer_as_training",
    "set_state",
    "take_back",
    "take_back_packs",
    "training_of",
    "use_of_credits",
    "withdraw_request",
]
