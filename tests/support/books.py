"""What must be true of the ledger after every test of it."""

from __future__ import annotations

from django.db.models import Sum

from oscar_training_credits.credits.models import CreditGrant


def assert_balanced() -> None:
    """Assert that each grant holds what its entries add up to, entry by entry."""
    for grant in CreditGrant.objects.annotate(entered=Sum("entries__credits")):
        assert grant.remaining == grant.entered
        balances = list(grant.entries.order_by("pk").values_list("credits", "balance"))
        total = 0
        for credits, balance in balances:
            total += credits
            assert balance == total
