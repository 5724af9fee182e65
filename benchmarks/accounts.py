"""The peer django-oscar-accounts: a transfer to the account of redemptions."""

from __future__ import annotations

import itertools
from decimal import Decimal

import django
from django.conf import settings
from oscar import defaults

from .serving import QUICK, Case, Spend, database, serve, spends_a_second

MANY = 20 if QUICK else 10_000
OSCAR = (
    "Analytics Checkout Address Shipping Catalogue Communication Partner Basket"
    " Payment Offer Order Customer Search Voucher Wishlists Dashboard"
)
DASHBOARD = (
    "Reports Users Orders Catalogue Offers Partners Pages Ranges Reviews Vouchers"
    " Communications Shipping"
)

settings.configure(
    **{name: getattr(defaults, name) for name in dir(defaults) if name.isupper()},
    SECRET_KEY="benchmark",  # noqa: S106
    DATABASES={"default": database()},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sites",
        "django.contrib.flatpages",
        "oscar.config.Shop",
        *(f"oscar.apps.{name.lower()}.apps.{name}Config" for name in OSCAR.split()),
        *(
            f"oscar.apps.dashboard.{name.lower()}.apps.{name}DashboardConfig"
            for name in DASHBOARD.split()
        ),
        "oscar.apps.catalogue.reviews.apps.CatalogueReviewsConfig",
        "oscar_accounts.apps.AccountsConfig",
        "haystack",
        "treebeard",
    ],
    HAYSTACK_CONNECTIONS={
        "default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    SITE_ID=1,
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from oscar_accounts import facade  # noqa: E402
from oscar_accounts.models import Account, AccountType  # noqa: E402

codes: list[Account] = []
redemptions: list[Account] = []


def spending(number_of_codes: int) -> Case:
    def prepare(number: int) -> Spend:
        user = get_user_model().objects.get()
        mine = itertools.cycle(codes[:number_of_codes][number % number_of_codes :])
        return lambda: facade.transfer(
            # As a request would read it: the object remembers no balance.
            Account.objects.get(pk=next(mine).pk),
            redemptions[0],
            Decimal(1),
            user=user,
        )

    return lambda: spends_a_second(prepare)


def prepare() -> None:
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_user("benchmark")
    root = AccountType.add_root(name="Benchmark")
    # Not by `save`, which fails on a new one with today's Django; without a limit, so
    # that nobody has to fund ten thousand of them first.
    terms = {"account_type": root, "credit_limit": None}
    keys = [None, *map(str, range(MANY))]
    made = Account.objects.bulk_create(
        Account(name=f"Code {key}", code=key, **terms) for key in keys
    )
    redemptions.append(made[0])
    codes.extend(made[1:])


if __name__ == "__main__":
    prepare()
    serve({"hot": spending(1), "many": spending(MANY)})
