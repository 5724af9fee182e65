"""Rows for tests, made as Oscar's own `oscar.test.factories` makes them."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth import get_user_model
from oscar.core.loading import get_class, get_model
from oscar.test.factories import ProductClassFactory, create_product

from ..credits.codes.issuing import IssuedCode, issue_code
from ..credits.models import CreditCode, TrainingProduct
from ..shop.catalogue.training import sell_as_training

numbers = count(1)


def make_learner(**fields: Any) -> Any:
    """Return a new user, who can log in with the password “password”."""
    number = next(numbers)
    fields = {
        "username": f"learner{number}",
        "email": f"learner{number}@example.com",
        "password": "password",
        **fields,
    }
    return get_user_model()._default_manager.create_user(**fields)


def make_product(title: str = "A book", price: Decimal | str | None = "25.00") -> Any:
    """Return a product that needs no shipping and has no stock to run out of."""
    product_class = get_model("catalogue", "ProductClass").objects.filter(
        name="Course"
    ).first() or ProductClassFactory(
        name="Course", requires_shipping=False, track_stock=False
    )
    product = create_product(
        title=title,
        price=Decimal(price) if price is not None else None,
        product_class=product_class.name,
        partner_name="Academy",
    )
    return get_model("catalogue", "Product").objects.get(pk=product.pk)


def make_training(
    title: str = "A course",
    *,
    price: Decimal | str | None = "240.00",
    credits: int | None = 20,
    **terms: Any,
) -> TrainingProduct:
    """Return a product sold as training."""
    return sell_as_training(make_product(title, price), credits=credits, **terms)


def make_code(credits: int = 100, **terms: Any) -> CreditCode:
    """Return a new code with one grant."""
    return make_issued(credits, **terms).code


def make_issued(credits: int = 100, **terms: Any) -> IssuedCode:
    """Return a new code with one grant, and its text."""
    return issue_code(**{"label": "ACME", "credits": credits, **terms})


def make_basket(owner: Any = None, *lines: tuple[Any, int]) -> Any:
    """Return an open basket of (product, quantity), priced by the site's strategy."""
    Basket = get_model("basket", "Basket")
    basket = Basket._default_manager.create(owner=owner)
    basket.strategy = get_class("partner.strategy", "Selector")().strategy(user=owner)
    for product, quantity in lines:
        basket.add_product(product, quantity)
    return basket
