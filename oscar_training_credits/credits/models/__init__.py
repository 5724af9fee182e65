from .access import Access, AccessChange, DueAccess, Place
from .api import ApiCall, ApiToken, Scope
from .codes import (
    AppliedCode,
    CodeChange,
    CodeManager,
    CreditCode,
    CreditGrant,
    TurnedAway,
)
from .deliveries import Delivery
from .jobs import CodeJob, CodeJobEvent, CodeJobPart
from .ledger import (
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    Reinstatement,
    SettledLine,
)
from .limits import ManagerLimits
from .notices import CodeNotices
from .packs import CreditPack, PackSale, TopUpChoice
from .payments import TakenPayment
from .place_mails import PlaceMail
from .requests import CreditRequest, CreditRequestLine
from .training import (
    DirectPurchase,
    MoneyChoice,
    ParkedPrice,
    PathCourse,
    TermsChange,
    TrainingProduct,
)
from .webhooks import EventType, WebhookEndpoint

__all__ = [
    "Access",
    "AccessChange",
    "ApiCall",
    "ApiToken",
    "AppliedCode",
    "CodeChange",
    "CodeJob",
    "CodeJobEvent",
    "CodeJobPart",
    "CodeManager",
    "CodeNotices",
    "CreditCode",
    "CreditGrant",
    "CreditPack",
    "CreditRequest",
    "CreditRequestLine",
    "Delivery",
    "DirectPurchase",
    "DueAccess",
    "EventType",
    "LedgerEntry",
    "ManagerLimits",
    "MoneyChoice",
    "PackSale",
    "ParkedPrice",
    "PathCourse",
    "Place",
    "PlaceMail",
    "Redemption",
    "RedemptionLine",
    "Refund",
    "RefundLine",
    "Reinstatement",
    "Scope",
    "SettledLine",
    "TakenPayment",
    "TermsChange",
    "TopUpChoice",
    "TrainingProduct",
    "TurnedAway",
    "WebhookEndpoint",
]
