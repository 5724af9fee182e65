"""Count the queries of Oscar's pages, and print them as JSON.

`tests/shop/test_queries.py` runs it in two processes, with the package and without it.
By hand: `python -m tests.support.count_queries`, with
`DJANGO_SETTINGS_MODULE=tests.plain_settings`, and with `WITH_CREDITS=1` or not.
"""

from __future__ import annotations

import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import django

warnings.simplefilter("ignore")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import (  # noqa: E402
    CaptureQueriesContext,
    setup_test_environment,
)
from django.urls import reverse  # noqa: E402
from oscar.apps.catalogue.categories import create_from_breadcrumbs  # noqa: E402
from oscar.core.loading import get_model  # noqa: E402
from oscar.test.factories import ProductClassFactory, create_product  # noqa: E402

numbers = count(1)
STEPS = ("index", "shipping-address", "shipping-method", "payment-method")
FEW, MANY = 1, 10


def make_product() -> Any:
    number = next(numbers)
    product = create_product(
        title=f"Product {number}",
        price=Decimal("25.00"),
        product_class="Book",
        partner_name="Academy",
    )
    return get_model("catalogue", "Product").objects.get(pk=product.pk)


class Shopper:
    """A customer with an account of their own."""

    def __init__(self) -> None:
        email = f"shopper{next(numbers)}@example.com"
        users = get_user_model()._default_manager
        self.user = users.create_user(email, email, "password")
        self.client = Client()
        self.client.login(username=email, password="password")

    def get(self, name: str, *args: Any) -> Any:
        return good(self.client.get(reverse(name, args=args)))

    def fill_basket(self, products: list[Any]) -> None:
        for product in products:
            address = reverse("basket:add", args=[product.pk])
            good(self.client.post(address, {"quantity": 1}))

    def apply(self, *codes: str) -> None:
        for text in codes:
            address = reverse("training_credits:apply")
            good(self.client.post(address, {"code": text}))

    def place_order(self) -> Callable[[], Any]:
        """Return what presses the button of the preview."""
        page = self.get("checkout:preview").content.decode()
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page)
        form = {"action": "place_order", **dict(hidden)}
        return lambda: good(self.client.post(reverse("checkout:preview"), form))


def good(response: Any) -> Any:
    if response.status_code not in {200, 302}:
        raise RuntimeError(f"{response.status_code}: {response.request['PATH_INFO']}")
    return response


def queries(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)


def warm(call: Callable[[], Any]) -> int:
    """Count the second time: the first fills caches."""
    call()
    return queries(call)


def journey(products: list[Any], *codes: str) -> Iterator[tuple[str, int]]:
    """Buy the products; count each page on the way."""
    shopper = Shopper()
    shopper.fill_basket(products)
    shopper.apply(*codes)
    yield "basket", warm(lambda: shopper.get("basket:summary"))
    for step in STEPS:
        yield step, warm(lambda step=step: shopper.get(f"checkout:{step}"))
    yield "payment-details", warm(lambda: shopper.get("checkout:payment-details"))
    yield "preview", warm(lambda: shopper.get("checkout:preview"))
    yield "placing", queries(shopper.place_order())
    order = get_model("order", "Order").objects.get(user=shopper.user)
    yield "thank-you", queries(lambda: shopper.get("checkout:thank-you"))
    yield "orders", warm(lambda: shopper.get("customer:order-list"))
    yield "order", warm(lambda: shopper.get("customer:order", order.number))


def journeys(name: str, make: Callable[[], Any], *codes: str) -> dict[str, int]:
    list(journey([make()], *codes))  # warms up
    return {
        f"{step}, {lines} {name}": number
        for lines in (FEW, MANY)
        for step, number in journey([make() for _line in range(lines)], *codes)
    }


def listings(name: str, make: Callable[[], Any]) -> dict[str, int]:
    counts = {}
    for number in (1, 50):
        category = create_from_breadcrumbs(f"{number} {name}")
        products = [make() for _product in range(number)]
        for product in products:
            product.categories.add(category)
        call_command("rebuild_index", interactive=False, verbosity=0)
        listed = visit(category.get_absolute_url())().content.decode()
        if listed.count("product_pod") != number:
            raise RuntimeError(f"The list of {number} {name} is not complete.")
        counts[f"list, {number} {name}"] = warm(visit(category.get_absolute_url()))
    counts[f"product page, {name}"] = warm(visit(product.get_absolute_url()))
    return counts


def visit(address: str) -> Callable[[], Any]:
    return lambda: good(Client().get(address))


def training() -> dict[str, int]:
    from oscar_training_credits.credits.codes.issuing import issue_code
    from oscar_training_credits.shop.catalogue.training import sell_as_training

    def make() -> Any:
        product = make_product()
        credit_only = next(numbers) % 2 == 0
        sell_as_training(product, credits=20, credit_only=credit_only)
        return product

    def for_money_too() -> Any:
        product = make_product()
        sell_as_training(product, credits=20)
        return product

    Range = get_model("offer", "Range")
    everything = Range.objects.create(name="All", includes_all_products=True)
    books = Range.objects.create(name="Books")
    books.classes.add(get_model("catalogue", "ProductClass").objects.get())
    issue_code(text="CODE-ONE-2026", label="1", credits=10_000)
    issue_code(text="CODE-TWO-2026", label="2", credits=10_000)
    issue_code(text="CODE-ALL-2026", label="3", credits=10_000, content=everything)
    issue_code(text="CODE-BOOKS", label="4", credits=10_000, content=books)
    return {
        **listings("training", make),
        **journeys("training with a code", make, "CODE-ONE-2026"),
        **journeys("training with two codes", make, "CODE-ONE-2026", "CODE-TWO-2026"),
        **journeys("training with a code for all", make, "CODE-ALL-2026"),
        **journeys("training with a code for some", make, "CODE-BOOKS"),
        **journeys("training with money", for_money_too),
        **journeys("books with a code", make_product, "CODE-ONE-2026"),
    }


def main() -> None:
    setup_test_environment()
    call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
    get_model("sites", "Site").objects.get_or_create(pk=1)
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="GB", name="GB", printable_name="GB", is_shipping_country=True
    )
    ProductClassFactory(name="Book", requires_shipping=False, track_stock=False)
    counts = {
        **listings("books", make_product),
        **journeys("books", make_product),
        "empty basket": warm(visit(reverse("basket:summary"))),
    }
    if settings.WITH_CREDITS:
        counts |= training()
    elif "oscar_training_credits.credits" in sys.modules:
        raise RuntimeError("This shop was to be without the package.")
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main()
