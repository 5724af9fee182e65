"""Forms and addresses on a site that groups the digits of the numbers it shows."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from bs4 import BeautifulSoup
from django.db.models import AutoField
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

import oscar_training_credits
from oscar_training_credits import api
from oscar_training_credits.credits.models import Delivery, TrainingProduct
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.editors import product_form
from ..support.orders import confirm, place_order
from ..support.pages import make_course
from ..support.shop import Learner, text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
FIRST = 1_145_001
# As 1,145,001 is written: with commas, dots, spaces of two widths, and 11,45,001.
LANGUAGES = ["en-gb", "de", "fr", "pl", "en-in", "de-ch", "es"]
GROUPED = re.compile(r"1\D?1\D{0,2}45\D{1,2}0\d\d")
TEMPLATES = Path(oscar_training_credits.__file__).parent / "templates"
TAG = re.compile(r"<[a-zA-Z](?:[^<>{]|\{[{%#].*?[}%#]\})*>")
OSCARS = re.compile("order_form_")
"""Its form to order all of an order again, which reads none of its fields."""
ATTRIBUTES = {"id", "name", "value", "for", "href", "action", "formaction", "src"}


@pytest.fixture(autouse=True)
def large_numbers():
    """Give each row that a test makes a number of seven digits."""
    numbers = count(FIRST)

    def give(sender, instance, raw=False, **kwargs):
        key = sender._meta.pk
        if instance._state.adding and isinstance(key, AutoField) and not instance.pk:
            instance.pk = next(numbers)

    pre_save.connect(give, weak=False)
    yield
    pre_save.disconnect(give)


@pytest.fixture(params=LANGUAGES)
def grouping(request, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    settings.LANGUAGE_CODE = request.param


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example")


@pytest.fixture
def staff():
    client = Client()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def training():
    return make_training("Django Foundations", credits=20)


@pytest.fixture
def code():
    return make_code(10_000, text=TEXT)


@pytest.fixture
def order(learner, training, code):
    return place_order(learner, (training.product, 3), text=TEXT)


def grouped_in(page: str) -> list[str]:
    """Return the attributes of a page that hold a grouped number."""
    # A chooser's page comes as JSON.
    html = json.loads(page)["html"] if page.startswith("{") else page
    found = BeautifulSoup(html, "html.parser")
    return [
        f"{name}={value}"
        for tag in found.find_all(True)
        if tag.find_parent(id=OSCARS) is None and not OSCARS.match(tag.get("id", ""))
        for name, value in tag.attrs.items()
        if (name in ATTRIBUTES or name.startswith("data-"))
        and GROUPED.search(str(value))
    ]


def form_of(page: str, *, button: str) -> tuple[str, dict]:
    """Return where the form with this button leads, and what its fields hold."""
    soup = BeautifulSoup(page, "html.parser")
    form = soup.select_one(f"button[value={button}]").find_parent("form")
    data: dict = {}
    for field in form.select("input[name]"):
        if field.get("type") != "checkbox" or field["name"] == "selected_line":
            data.setdefault(field["name"], []).append(field.get("value", ""))
    return form.get("action", ""), data


def test_credits_go_back_for_chosen_lines(grouping, staff, code, order):
    address = reverse("dashboard:order-detail", args=[order.number])
    _action, data = form_of(text_of(staff.get(address)), button="give_credits_back")

    asked = staff.post(address, {**data, "line_action": "give_credits_back"})
    soup = BeautifulSoup(text_of(asked), "html.parser")
    confirm = soup.select_one('form:has(input[name="confirmed"])')
    fields = {each["name"]: each["value"] for each in confirm.select("input[name]")}
    staff.post(address, fields)

    assert code.balance() == 10_000


def test_the_status_of_chosen_orders_is_changed(grouping, staff, order):
    address = reverse("dashboard:order-list")
    soup = BeautifulSoup(text_of(staff.get(address)), "html.parser")
    box = soup.select_one("input[name=selected_order]")

    confirm(
        staff,
        address,
        {
            "selected_order": box["value"],
            "action": "change_order_statuses",
            "new_status": "Cancelled",
        },
    )

    order.refresh_from_db()
    assert order.status == "Cancelled"


@pytest.mark.parametrize("sent", ["145,001", "one", "", "9" * 30, "\0", "-1"])
def test_what_is_no_number_selects_nothing(staff, order, sent):
    detail = reverse("dashboard:order-detail", args=[order.number])
    form = {"line_action": "give_credits_back", "selected_line": sent}
    assert staff.post(detail, form).status_code == 302
    form = {
        "action": "change_order_statuses",
        "new_status": "Cancelled",
        "selected_order": sent,
    }
    assert staff.post(reverse("dashboard:order-list"), form).status_code == 302
    order.refresh_from_db()
    assert order.status != "Cancelled"


def staff_pages(order, access, training):
    detail = reverse("dashboard:order-detail", args=[order.number])
    yield detail
    yield reverse("dashboard:order-list")
    yield reverse("training_credits:access-list")
    yield reverse("training_credits:access-give") + f"?training={training.pk}"
    for name in ("detail", "extend", "end"):
        yield reverse(f"training_credits:access-{name}", args=[access.pk])
    yield reverse("training_credits:delivery-list")
    yield reverse("training_credits_products")
    yield reverse("training_credits_usage")
    yield reverse("training_credits_changes")
    for name in ("product", "course", "range"):
        yield reverse(f"training_{name}_chooser:choose")
    yield reverse("admin:training_credits_creditcode_changelist")


def test_no_page_of_staff_groups_a_number_in_an_attribute(
    grouping, staff, learner, training, order
):
    access = api.give_access(learner, training, reason="Goodwill")
    Delivery.objects.create(
        key=uuid4().hex, access=access, kind="given", starts_at=access.starts_at
    )
    assert training.pk >= FIRST

    for address in staff_pages(order, access, training):
        response = staff.get(address)
        assert response.status_code == 200, address
        found = grouped_in(text_of(response))
        assert not found, (address, found)


def test_no_page_of_a_learner_groups_a_number_in_an_attribute(
    grouping, settings, learner, training, code, order
):
    settings.TRAINING_CREDITS_MOST_PLACES = 5_000
    client = Learner(learner)
    page = make_course(make_training("On a page").product, credits=20)
    client.add(training.product, 2)
    client.apply(TEXT)
    pages = [
        text_of(client.client.get(address))
        for address in (
            reverse("basket:summary"),
            reverse("training_credits:my-training"),
            reverse("customer:order", args=[order.number]),
            reverse("customer:order-list"),
            training.product.get_absolute_url(),
            page.url,
        )
    ]
    pages.append(text_of(client.preview()))
    placed = client.place()
    pages.append(text_of(client.client.get(placed.url, follow=True)))

    for shown in pages:
        assert not grouped_in(shown)


def test_terms_are_saved_as_they_are_shown(grouping, staff, training):
    training.product.categories.add(
        get_model("catalogue", "Category").add_root(name="Courses")
    )
    TrainingProduct.objects.update(credits=12_000, access_days=3_000)
    address = reverse("dashboard:catalogue-product", args=[training.product_id])
    data = product_form(text_of(staff.get(address)))

    response = staff.post(address, {**data, "action": "save"})

    assert response.status_code == 302
    training.refresh_from_db()
    assert (training.credits, training.access_days) == (12_000, 3_000)


def test_a_learner_buys_on_a_page_with_large_numbers(grouping, learner, code):
    page = make_course(make_product("On a page"), credits=1_200)
    client = Learner(learner).client
    training = TrainingProduct.objects.get(product=page.product)
    apply = reverse("training_credits:purchase-apply", args=[training.pk])
    client.post(apply, {"code": TEXT, "next": page.url})
    soup = BeautifulSoup(text_of(client.get(page.url)), "html.parser")
    confirm = reverse("training_credits:purchase-confirm", args=[training.pk])
    form = soup.select_one(f'form[action="{confirm}"]')

    client.post(
        confirm, {each["name"]: each["value"] for each in form.select("input[name]")}
    )

    assert code.balance() == 8_800
    assert words(text_of(client.get(page.url)))


# The templates themselves


def test_no_template_puts_a_bare_number_of_a_row_into_markup():
    """What a browser sends back, or a script reads, is written for machines."""
    bare = re.compile(r"""(?x) (?: \. (?: id|pk|counter0?|quantity ) ) $""")
    found = []
    for file in sorted(TEMPLATES.rglob("*.html")):
        for tag in TAG.findall(file.read_text()):
            markup = re.sub(r"\{%.*?%\}", "", tag)
            for variable in re.findall(r"\{\{\s*([^}]+?)\s*\}\}", markup):
                if bare.search(variable):
                    found.append((file.name, variable))
    assert found == []
