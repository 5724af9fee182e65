"""What must hold on a site that has forked Oscar's apps.

`tests/shop/test_forks.py` runs it there, with other tests of the checkout.
"""

from __future__ import annotations

import inspect

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import Client
from django.urls import resolve, reverse

from oscar_training_credits.api import refund_order
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.gateways import Gateway, install
from ..support.shop import Learner, text_of, words
from .forking import FORKED, PACKAGE

pytestmark = [pytest.mark.django_db, pytest.mark.urlconf("tests.support.gateways")]

TEXT = "ACME-TEAM-2026"


@pytest.mark.parametrize("label", FORKED)
def test_the_apps_are_the_sites_own(label):
    assert apps.get_app_config(label).name == f"{PACKAGE}.{label}"


def test_the_checkout_is_the_sites_own():
    view = resolve(reverse("checkout:preview")).func.view_class

    assert any(cls.__module__.startswith(PACKAGE) for cls in inspect.getmro(view))


def test_our_migrations_fit_those_of_the_forks(settings):
    settings.MIGRATION_MODULES = {}

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_no_check_complains():
    assert run_checks(tags=["training_credits"]) == []


def test_the_sites_own_payment_is_asked_for_the_money_alone(monkeypatch):
    gateway = install(monkeypatch, Gateway())
    code = make_code(100, text=TEXT)
    learner = Learner(make_learner())
    learner.add(make_training(credits=20, credit_only=True).product)
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)

    learner.place()

    assert learner.client.session["asked for"] == "25.00"
    assert [str(total) for total in gateway.charged] == ["25.00"]
    assert code.balance() == 80


def test_the_dashboard_shows_the_order_and_gives_its_credits_back():
    code = make_code(100, text=TEXT)
    learner = Learner(make_learner())
    learner.add(make_training(credits=20, credit_only=True).product)
    learner.apply(TEXT)
    learner.place()
    order = learner.order()
    staff = Client()
    staff.force_login(make_learner(is_staff=True, is_superuser=True))

    listed = staff.get(reverse("dashboard:order-list"))
    shown = staff.get(reverse("dashboard:order-detail", args=[order.number]))
    product = order.lines.get().product
    edited = staff.get(reverse("dashboard:catalogue-product", args=[product.pk]))
    refund_order(order, idempotency_key="forked")

    assert "20 credits" in words(text_of(listed))
    assert "20 credits" in words(text_of(shown))
    assert edited.status_code == 200
    assert code.balance() == 100
