"""A year of use, so that the pages of the dashboard have something to show.

All of it is made as the shop makes it, on the days on which it would have happened:
the ledger lets nobody write its entries.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import time_machine
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.terms import end_of
from oscar_training_credits.exceptions import CreditCodeRefused

Basket = get_model("basket", "Basket")
Product = get_model("catalogue", "Product")

NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
BIRCH = "Birch & Partners"
HARBOUR = "Harbour Rail"
LARKFIELD = "Larkfield Hospital"
FIRST_TEXT = "BIRCH-FRAME-2026"
PEOPLE = {
    BIRCH: (
        "Priya Anand, Tom Birch, Yuki Mori, Carla Reyes, Ben Okafor, Ines Duarte,"
        " Finn Larsen, Mei Lin, Sara Haas, Luc Moreau"
    ),
    HARBOUR: "Jonas Weber, Ama Owusu, Nia Price, Ravi Menon, Elin Berg",
    LARKFIELD: "Rosa Lima, Omar Haddad",
}
DJANGO, SECURITY, DATA = COURSES = [
    "course-django-foundations",
    "course-secure-by-design",
    "course-data-with-postgres",
]


def make_history() -> None:
    if api.find_code(FIRST_TEXT):
        return
    with override_settings(EMAIL_BACKEND=NO_MAIL), transaction.atomic():
        History().make()


class History:
    def __init__(self) -> None:
        self.today = timezone.now()
        # The same each time: screenshots of two sandboxes can be compared.
        self.dice = random.Random(20)
        users = get_user_model()._default_manager
        self.staff = users.get(email="staff@example.com")
        self.manager = users.get(email="manager@example.com")
        with self.ago(420):
            self.people = {
                company: [make_learner(name, company) for name in names.split(", ")]
                for company, names in PEOPLE.items()
            }
        products = Product.objects.filter(upc__in=COURSES)
        self.courses = {product.upc: product for product in products}
        self.wishes = {company: self.wishes_at(company) for company in PEOPLE}

    def make(self) -> None:
        # What learners who try the sandbox buy with it is for somebody to see.
        managing.add_manager(api.find_code("ACME-TEAM-2026"), self.manager)
        self.make_framework()
        self.make_intakes()
        self.make_hospital()
        self.make_states()
        self.make_access()

    def wishes_at(self, company: str) -> list[tuple[Any, str]]:
        """Return who wants what, in no order: nobody buys what they have."""
        pairs = list(product(self.people[company], COURSES))
        self.dice.shuffle(pairs)
        return pairs

    @contextmanager
    def ago(self, days: float) -> Iterator[datetime]:
        with time_machine.travel(self.today - timedelta(days=days), tick=True):
            yield timezone.now()

    def end_of_day(self, days: int) -> datetime:
        return end_of(timezone.localdate(self.today) + timedelta(days=days))

    def issue(self, label: str, credits: int, **terms: Any) -> Any:
        return api.issue_code(label=label, credits=credits, by=self.staff, **terms).code

    def make_framework(self) -> None:
        """A large customer that tops up, and whose people learn all year."""
        with self.ago(340):
            code = self.issue(
                "Birch, framework agreement",
                500,
                text=FIRST_TEXT,
                holder=BIRCH,
                reference="C-2025-117",
                paid=pounds("4750.00"),
                notes="Tom Birch orders by phone. Invoices to their London office.",
            )
        managing.add_manager(code, self.manager)
        with self.ago(150):
            api.add_grant(code, 150, paid=pounds("1425.00"), by=self.staff)
        with self.ago(120):
            api.adjust_credits(
                code,
                -10,
                reason="mistake",
                note="Typed 150 for 140",
                by=self.staff,
            )
        orders = [self.learn(code, BIRCH, days) for days in range(330, 5, -15)]
        with self.ago(40):
            api.refund_order(orders[-4], idempotency_key="history", by=self.staff)
        with self.ago(12):
            self.order_places(code, self.people[BIRCH][1], quantity=3)

    def make_intakes(self) -> None:
        """A code that ends soon, with much left, and one that is over."""
        with self.ago(400):
            old = self.issue(
                "Harbour Rail, last intake",
                120,
                text="HARBOUR-2025-IN",
                holder=HARBOUR,
                reference="HR/25",
                expires_at=self.end_of_day(-58),
                paid=pounds("1200.00"),
            )
        with self.ago(210):
            new = self.issue(
                "Harbour Rail, this intake",
                200,
                holder=HARBOUR,
                reference="HR/26",
                expires_at=self.end_of_day(24),
                paid=pounds("1900.00"),
                credits_per_learner=100,
            )
        for days in (300, 240, 180, 130):
            self.learn(old, HARBOUR, days)
        for days in (160, 95, 62, 48, 33, 20, 9):
            self.learn(new, HARBOUR, days)

    def make_hospital(self) -> None:
        """A small code that is used up, whose learners go on trying it."""
        with self.ago(130):
            code = self.issue(
                "Larkfield, nurses",
                35,
                text="LARK-NURSES-2026",
                holder=LARKFIELD,
                paid=pounds("350.00"),
            )
        first, second = self.people[LARKFIELD]
        self.buy(code, first, SECURITY, 110)
        for days in (21, 6, 2):
            self.try_in_vain("LARK-NURSES-2026", second, days)
        self.try_in_vain("HARBOUR-2025-IN", self.people[HARBOUR][0], 4)
        with self.ago(1):
            self.issue(
                "Larkfield, apology",
                20,
                origin="goodwill",
                holder=LARKFIELD,
                starts_at=self.end_of_day(13),
                note="For the course that was cancelled",
            )

    def make_states(self) -> None:
        """One code in each state that is not there yet."""
        with self.ago(90):
            leaked = self.issue("Birch, trade fair", 60, holder=BIRCH)
            pilot = self.issue("Birch, pilot group", 45, holder=BIRCH)
        with self.ago(30):
            record = {"reason": "leaked", "note": "Seen in a forum", "by": self.staff}
            api.set_state(leaked, "disabled", **record)
            api.close_code(pilot, reason="ended", by=self.staff)
        self.issue(
            "Harbour Rail, engineers",
            80,
            holder=HARBOUR,
            email_domains=["harbour-rail.example"],
            include_subdomains=True,
            redemptions_per_learner=2,
        )
        self.issue("To try things out", 50, text="TRY-OUT-2026", is_test=True)

    def make_access(self) -> None:
        """Access that staff gave, made longer and ended."""
        first, second = self.people[LARKFIELD]
        training = api.training_of(self.courses[DATA])
        record = {"by": self.staff}
        with self.ago(50):
            given = api.give_access(
                first, training, reason="Her course was cancelled", **record
            )
            other = api.give_access(second, training, reason="Trial", **record)
        with self.ago(20):
            if given.ends_at:
                later = given.ends_at + timedelta(days=60)
                api.extend_access(given, until=later, reason="Was ill", **record)
            api.end_access(other, reason="Trial is over", **record)

    def learn(self, code: Any, company: str, days: float) -> Any:
        """Return an order of the next wish at a company, so many days ago."""
        return self.buy(code, *self.wishes[company].pop(), days)

    def buy(self, code: Any, learner: Any, upc: str, days: float) -> Any:
        with self.ago(days):
            return api.purchase(
                api.training_of(self.courses[upc]),
                learner=learner,
                code=code,
                idempotency_key=f"history-{code.pk}-{days}",
            )

    def order_places(self, code: Any, buyer: Any, *, quantity: int) -> None:
        basket = self.basket_of(buyer, quantity=quantity)
        order = api.redeem(basket, code=code)
        first, *_others = api.places_of(order)
        api.claim_place(first, self.people[HARBOUR][1])

    def try_in_vain(self, text: str, learner: Any, days: float) -> None:
        with self.ago(days):
            basket = self.basket_of(learner)
            with suppress(CreditCodeRefused):
                api.apply_code(basket, text, requester=None)
            basket.delete()

    def basket_of(self, owner: Any, *, quantity: int = 1) -> Any:
        basket = Basket._default_manager.create(owner=owner)
        basket.strategy = get_class("partner.strategy", "Selector")().strategy(
            user=owner
        )
        basket.add_product(self.courses[DJANGO], quantity)
        return basket


def make_learner(name: str, company: str) -> Any:
    first, last = name.split()
    email = f"{first}.{last}@{company.split()[0]}.example".lower()
    return get_user_model()._default_manager.create_user(
        username=email,
        email=email,
        first_name=first,
        last_name=last,
    )


def pounds(amount: str) -> api.Paid:
    return api.Paid(Decimal(amount), "GBP")
