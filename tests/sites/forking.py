"""Make a site that has forked Oscar's apps, as `manage.py oscar_fork_app` does.

The forks hold what a site's own would: a payment of its own and, where it is wired by
hand, our mixins as docs/installation.md has them. Its settings are
`tests/sites/forked.py`.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from django.core.management import call_command

from oscar_training_credits.shop.loading import MIXINS

PACKAGE = "myshop"
FORKED = ["checkout", "basket", "partner", "order", "catalogue"]
# Who mixes in by hand needs every mixin, and so a fork of every app that has one.
FORKED_FOR_MIXINS = [
    "analytics",
    "customer",
    "offer",
    "dashboard",
    "catalogue_dashboard",
    "orders_dashboard",
    "ranges_dashboard",
    "users_dashboard",
]

OWN_PAYMENT = """

class PaymentDetailsView(PaymentDetailsView):
    def handle_payment(self, order_number, total, **kwargs):
        self.request.session["asked for"] = str(total.incl_tax)
        super().handle_payment(order_number, total, **kwargs)
"""
MIXED_IN = """

import oscar_training_credits.shop.{ours} as ours


class {name}(ours.{mixin}, {name}):
    pass
"""


def fork(*, by_hand: bool) -> None:
    """Fork Oscar's apps into the package `myshop` in the current folder."""
    for label in FORKED + FORKED_FOR_MIXINS * by_hand:
        call_command("oscar_fork_app", label, PACKAGE, stdout=StringIO())
    add("checkout.views", OWN_PAYMENT)
    for (module, name), path in MIXINS.items() if by_hand else ():
        ours, _dot, mixin = path.rpartition(".")
        add(module, MIXED_IN.format(ours=ours, mixin=mixin, name=name))


def add(module: str, text: str) -> None:
    """Add to the fork of Oscar's `module`, which begins with all that Oscar has."""
    file = Path(PACKAGE, *module.split(".")).with_suffix(".py")
    if not file.exists():
        file.write_text(f"from oscar.apps.{module} import *\n")
    file.write_text(file.read_text() + text)
