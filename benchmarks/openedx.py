"""The peer openedx-ledger: a transaction on a ledger, by its own API."""

from __future__ import annotations

import itertools
import time

import django
from django.conf import settings

from .serving import QUICK, Case, Spend, database, serve, spends_a_second

MANY = 20 if QUICK else 10_000

settings.configure(
    SECRET_KEY="benchmark",  # noqa: S106
    DATABASES={"default": database()},
    # Its locks are in the cache, which all processes must share.
    CACHES={
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "simple_history",
        "openedx_ledger",
    ],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command  # noqa: E402
from openedx_ledger import api, models  # noqa: E402

ledgers: list[models.Ledger] = []


def spending(number_of_codes: int) -> Case:
    def prepare(number: int) -> Spend:
        mine = itertools.cycle(ledgers[:number_of_codes][number % number_of_codes :])
        tag, numbers = time.time_ns(), itertools.count()

        def spend() -> None:
            ledger, key = next(mine), f"{tag}-{number}-{next(numbers)}"
            while True:
                try:
                    api.create_transaction(ledger, -1, key)
                except models.LedgerLockAttemptFailed:
                    time.sleep(0.001)
                else:
                    return

        return spend

    return lambda: spends_a_second(prepare)


def prepare() -> None:
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    made = models.Ledger.objects.bulk_create(
        models.Ledger(idempotency_key=f"ledger-{number}") for number in range(MANY)
    )
    ledgers.extend(made)
    models.Transaction.objects.bulk_create(
        models.Transaction(
            ledger=ledger,
            quantity=50_000_000,
            idempotency_key="deposit",
            state=models.TransactionStateChoices.COMMITTED,
        )
        for ledger in ledgers
    )


if __name__ == "__main__":
    prepare()
    serve({"hot": spending(1), "many": spending(MANY)})
