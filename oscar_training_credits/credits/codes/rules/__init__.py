"""The rules that a code must pass, each written once.

A rule is a function of a code and a purchase that returns a `Refusal` or None.
The setting `TRAINING_CREDITS_CODE_RULES` lists those that are asked, in order. A
site adds its own by its dotted path, with reasons of its own if it likes: see
`BaseReason`.

Who is not entitled to a code must learn nothing from it, not even that it has
expired. So the rules about who come before those whose answer would help.
"""

from .asking import Purchase, Rule, answers, first_refusal, refusals
from .audience import for_learner, is_for_nobody
from .content import opens_content, payable_products
from .limits import credits_left, within_credits, within_one_order, within_orders
from .state import enabled, funded, is_spendable, started, unexpired

__all__ = [
    "Purchase",
    "Rule",
    "answers",
    "credits_left",
    "enabled",
    "first_refusal",
    "for_learner",
    "funded",
    "is_for_nobody",
    "is_spendable",
    "opens_content",
    "payable_products",
    "refusals",
    "started",
    "unexpired",
    "within_credits",
    "within_one_order",
    "within_orders",
]
