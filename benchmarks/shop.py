"""Oscar's own pages and orders, with the package or without: nothing else differs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

# Sets Django up.
from tests.support.count_queries import STEPS, Shopper, make_product  # isort: skip
from django.conf import settings
from django.core.management import call_command
from django.urls import reverse
from oscar.core.loading import get_model
from oscar.test.factories import ProductClassFactory

from .serving import QUICK, Case, milliseconds, once, serve

LINES = (1,) if QUICK else (1, 10, 50)
CODE = "BENCHMARK-2026"
VOUCHER = "SPRING10"


def training() -> Any:
    from oscar_training_credits.shop.catalogue.training import sell_as_training

    product = make_product()
    sell_as_training(product, credits=1)
    return product


def prepare() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    get_model("sites", "Site").objects.get_or_create(pk=1)
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="GB", name="GB", printable_name="GB", is_shipping_country=True
    )
    ProductClassFactory(name="Book", requires_shipping=False, track_stock=False)
    if settings.WITH_CREDITS:
        from oscar_training_credits.credits.codes.issuing import issue_code

        issue_code(label="Benchmark", credits=900_000_000, text=CODE)
        return
    from tests.support.vouchers import make_voucher

    make_voucher(VOUCHER)


def shopper(make: Callable[[], Any], lines: int, *codes: str) -> Shopper:
    """Return a shopper before the preview, with so many lines in the basket."""
    made = Shopper()
    basket = get_model("basket", "Basket").objects.create(owner=made.user)
    # As fifty posts to the basket would leave it.
    for product in products(make, lines):
        stock = product.stockrecords.get()
        basket.lines.create(
            product=product,
            stockrecord=stock,
            quantity=1,
            price_excl_tax=stock.price,
            price_incl_tax=stock.price,
            line_reference=f"{product.pk}_{stock.pk}",
        )
    made.apply(*codes)
    for step in STEPS:
        made.get(f"checkout:{step}")
    return made


@cache
def products(make: Callable[[], Any], number: int) -> list[Any]:
    return [make() for _product in range(number)]


def page(name: str, made: Callable[[], Shopper]) -> Case:
    kept: list[Shopper] = []

    def view() -> float:
        if not kept:
            kept.append(made())
        return milliseconds(lambda: kept[0].get(name))

    return view


def placing(made: Callable[[], Shopper]) -> Case:
    return lambda: once(made().place_order())


def with_voucher(lines: int) -> Shopper:
    made = shopper(make_product, lines)
    made.client.post(reverse("basket:vouchers-add"), {"code": VOUCHER})
    return made


def cases() -> dict[str, Case]:
    baskets: dict[str, Callable[[int], Shopper]] = {
        "books": lambda lines: shopper(make_product, lines)
    }
    if settings.WITH_CREDITS:
        baskets["money"] = lambda lines: shopper(training, lines)
        baskets["code"] = lambda lines: shopper(training, lines, CODE)
    else:
        baskets["voucher"] = with_voucher
    found: dict[str, Case] = {}
    for kind, basket in baskets.items():
        for lines in LINES:
            made = lambda basket=basket, lines=lines: basket(lines)  # noqa: E731
            found[f"basket {kind} {lines}"] = page("basket:summary", made)
            found[f"preview {kind} {lines}"] = page("checkout:preview", made)
            found[f"placing {kind} {lines}"] = placing(made)
    return found


if __name__ == "__main__":
    prepare()
    serve(cases())
