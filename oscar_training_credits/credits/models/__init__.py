from .access import Access
from .codes import AppliedCode, CreditCode, CreditGrant
from .ledger import (
    LedgerEntry,
    Redemption,
    RedemptionLine,
    Refund,
    RefundLine,
    SettledLine,
)
from .training import ExpressPurchase, MoneyChoice, ParkedPrice, TrainingProduct

__all__ = [
    "Access",
    "AppliedCode",
    "CreditCode",
    "CreditGrant",
    "ExpressPurchase",
    "LedgerEntry",
    "MoneyChoice",
    "ParkedPrice",
    "Redemption",
    "RedemptionLine",
    "Refund",
    "RefundLine",
    "SettledLine",
    "TrainingProduct",
]
