from .access import Access, AccessChange, Delivery, Place
from .codes import AppliedCode, CreditCode, CreditGrant
from .ledger import (
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from .payments import TakenPayment
from .training import (
    ExpressPurchase,
    MoneyChoice,
    ParkedPrice,
    PathCourse,
    TermsChange,
    TrainingProduct,
)

__all__ = [
    "Access",
    "AccessChange",
    "AppliedCode",
    "CreditCode",
    "CreditGrant",
    "Delivery",
    "ExpressPurchase",
    "LedgerEntry",
    "MoneyChoice",
    "ParkedPrice",
    "PathCourse",
    "Place",
    "Redemption",
    "RedemptionLine",
    "Refund",
    "RefundLine",
    "SettledLine",
    "TakenPayment",
    "TermsChange",
    "TrainingProduct",
]
