"""The rules that a code must pass, under names that never move.

`TRAINING_CREDITS_CODE_RULES` names them; the list that is asked if a site names none is
`oscar_training_credits.conf.CODE_RULES`.
"""

from .credits.codes.rules import (
    Purchase,
    Rule,
    enabled,
    first_refusal,
    for_learner,
    funded,
    opens_content,
    refusals,
    started,
    unexpired,
    within_credits,
    within_one_order,
    within_orders,
)

__all__ = [
    "Purchase",
    "Rule",
    "enabled",
    "first_refusal",
    "for_learner",
    "funded",
    "opens_content",
    "refusals",
    "started",
    "unexpired",
    "within_credits",
    "within_one_order",
    "within_orders",
]
