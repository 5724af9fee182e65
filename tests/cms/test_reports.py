"""Training in Wagtail's admin: what there is, how it is used, what was changed."""

from __future__ import annotations

import csv
from datetime import date, datetime
from datetime import timezone as datetime_timezone

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits.credits.models import TermsChange
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..support.editors import Editor
from ..support.orders import place_order
from ..support.pages import make_course
from ..support.shop import text_of, words

pytestmark = pytest.mark.django_db

VIEW = ["access_admin", "view_trainingproduct", "view_termschange"]


def editor(*codenames: str) -> Client:
    """Return a browser of an editor who has these permissions."""
    user = make_learner(is_staff=True)
    group = Group.objects.create(name=f"Editors {user.pk}")
    group.permissions.set(Permission.objects.filter(codename__in=codenames))
    user.groups.add(group)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client():
    return editor(*VIEW)


def report(client, name, **query):
    return client.get(reverse(f"training_credits_{name}"), query)


def rows(response) -> list[dict[str, str]]:
    return list(csv.DictReader(b"".join(response).decode().splitlines()))


@pytest.fixture
def trainings(course):
    unpriced = make_training("Nothing", credits=None)
    unpriced.product.stockrecords.update(price=None)
    return {
        "with a page": course.training,
        "credit-only": make_training("Secure", credits=35, credit_only=True),
        "for money": make_training("Money", credits=None),
        "without a price": unpriced,
        "path": make_training("Path", kind="path", path_courses=(course.training,)),
    }


FILTERS = [
    ({"has_page": "yes"}, {"with a page"}),
    (
        {"has_page": "no", "kind": "course"},
        {"credit-only", "for money", "without a price"},
    ),
    ({"credit_only": "yes"}, {"credit-only"}),
    ({"has_price": "no"}, {"without a price"}),
    ({"kind": "path"}, {"path"}),
    ({"q": "secure"}, {"credit-only"}),
    ({"kind": "plan"}, set()),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_training_products_are_listed_and_filtered(client, trainings, query, expected):
    found = rows(report(client, "products", export="csv", **query))

    titles = {name: training.product.title for name, training in trainings.items()}
    assert {row["Product"] for row in found} == {titles[name] for name in expected}


def test_the_list_shows_price_page_and_access(client, course):
    sell_as_training(course.product, credits=20, access_days=30)

    page = text_of(report(client, "products"))

    assert reverse("wagtailadmin_pages:edit", args=[course.pk]) in page
    assert "30 days" in words(page)
    assert "Course" in words(page)


def test_a_product_without_a_page_leads_to_the_shop(client):
    training = make_training("Alone")

    page = text_of(report(client, "products"))

    assert reverse("dashboard:catalogue-product", args=[training.product_id]) in page


def test_the_use_of_training_is_counted(client):
    course, other = make_training("Used", credits=20), make_training("Unused")
    make_code(100, text="ACME-TEAM-2026")
    for _ in range(2):
        place_order(make_learner(), (course.product, 1), text="ACME-TEAM-2026")
    place_order(make_learner(), (course.product, 1))

    found = rows(report(client, "usage", export="csv"))

    used, unused = sorted(found, key=lambda row: row["Product"], reverse=True)
    assert (used["Orders"], used["Credits spent"]) == ("3", "40")
    assert used["Learners with access"] == "3"
    assert used["Last order"]
    assert (unused["Product"], unused["Orders"]) == (other.product.title, "0")


def test_the_use_is_sorted_by_what_is_asked(client):
    course = make_training("Zebra")
    make_training("Ant")
    place_order(make_learner(), (course.product, 1))

    page = words(text_of(report(client, "usage", ordering="-orders")))

    assert page.index("Zebra") < page.index("Ant")


def test_the_history_says_who_changed_what_from_what_to_what(client):
    boss = make_learner(username="boss", email="")
    product = make_product("Course")
    sell_as_training(product, credits=20)

    sell_as_training(product, credits=35, credit_only=True, by=boss)

    page = words(text_of(report(client, "changes")))
    assert "credits 20 35 boss" in page
    assert "price in money 25.00 GBP boss" in page


def test_the_history_speaks_as_the_page_editor_does(client):
    course, product = make_training("Inside"), make_product("Path")
    terms = {"credits": 20, "kind": "path", "path_courses": (course,)}
    sell_as_training(product, **terms)
    sell_as_training(product, **terms, credit_only=True, access_until=date(2027, 1, 2))

    page = words(text_of(report(client, "changes")))

    assert "kind Course Path" in page
    assert "courses of the path Inside" in page
    assert "credit-only No Yes" in page
    assert "access until 2 Jan 2027" in page


def test_the_history_has_no_box_to_search_the_shop(client, course):
    page = text_of(report(client, "changes"))

    header = page.partition("data-search-form")[2].partition("</form>")[0]
    assert 'name="changed_at_from"' in header
    assert 'name="q"' not in header


def test_the_list_shows_prices_in_their_currency(client):
    make_training("Secure", price="240.00")

    assert "£240.00" in words(text_of(report(client, "products")))


@pytest.mark.parametrize("name", ["products", "usage", "changes"])
@pytest.mark.parametrize("export", ["csv", "xlsx"])
def test_every_report_can_be_exported(client, course, name, export):
    response = report(client, name, export=export)

    assert response.status_code == 200
    assert b"".join(response)


@pytest.mark.parametrize("export", ["csv", "xlsx"])
@pytest.mark.parametrize("name", ["products", "usage", "changes"])
def test_an_exported_file_has_a_name_of_its_own(client, course, name, export):
    disposition = report(client, name, export=export)["Content-Disposition"]

    today = timezone.localdate().isoformat()
    assert f'filename="training-{name}-{today}.{export}"' in disposition


def test_exported_products_are_in_words(client):
    make_training("Secure", price="240.00", credits=20, access_days=90)
    make_training("Closed", price=None, credits=35, credit_only=True)

    second, first = rows(report(client, "products", export="csv", ordering="title"))

    assert first == {
        "Product": "Secure",
        "UPC": first["UPC"],
        "Kind": "Course",
        "Credits": "20",
        "Credit-only": "No",
        "Price in money": "240.00",
        "Currency": "GBP",
        "Live page": "No",
        "Private": "No",
        "Days of access": "90",
        "Access from": "",
        "Access until": "",
    }
    assert (second["Credit-only"], second["Price in money"]) == ("Yes", "")
    assert second["Currency"] == ""


@pytest.mark.parametrize(
    ("first_name", "name"), [("Eve", "Eve Editor"), ("", "boss")], ids=["name", "none"]
)
def test_exported_changes_are_in_words(client, settings, first_name, name):
    settings.TIME_ZONE = "Asia/Tokyo"
    last_name = "Editor" if first_name else ""
    boss = make_learner(
        username="boss", email="", first_name=first_name, last_name=last_name
    )
    product = make_product("Course")
    sell_as_training(product, credits=20, by=boss)
    sell_as_training(product, credits=20, access_days=90, by=boss)
    change = TermsChange.objects.latest("pk")
    moment = datetime(2026, 11, 26, 20, 15, 30, 999, tzinfo=datetime_timezone.utc)
    TermsChange.objects.filter(pk=change.pk).update(changed_at=moment)

    found = rows(report(client, "changes", export="csv"))
    shown = words(text_of(report(client, "changes")))

    [last] = [row for row in found if row["What"] == "days of access"]
    assert last == {
        "Product": "Course",
        "What": "days of access",
        "From": "",
        "To": "90",
        "By": name,
        "When": "2026-11-27 05:15:30",
    }
    assert f"days of access 90 {name}" in shown


def test_reports_are_for_those_who_may_see_them():
    without = editor("access_admin")
    home = text_of(without.get(reverse("wagtailadmin_home")))
    assert "/training/products/" not in home

    for name in ("products", "usage", "changes"):
        assert report(without, name).status_code == 302


def test_the_home_counts_training_products(client, course):
    home = text_of(client.get(reverse("wagtailadmin_home")))

    assert "1 Training product" in words(home)
    assert reverse("training_credits_products") in home
    assert reverse("training_credits_changes") in home


def test_the_editors_of_the_sandbox_see_them():
    home = text_of(Editor().client.get(reverse("wagtailadmin_home")))

    for name in ("products", "usage", "changes"):
        assert reverse(f"training_credits_{name}") in home


def test_a_group_can_be_given_the_permissions():
    client = editor("access_admin")
    boss = make_learner(is_superuser=True, is_staff=True)
    client.force_login(boss)

    page = words(text_of(client.get(reverse("wagtailusers_groups:add"))))

    assert "training product" in page.lower()


def test_fifty_products_cost_as_many_queries_as_one(
    client, django_assert_max_num_queries
):
    make_training()
    report(client, "usage")
    for _ in range(49):
        make_training()

    with django_assert_max_num_queries(20):
        report(client, "usage")
    with django_assert_max_num_queries(20):
        report(client, "products")


def test_every_page_counts(client):
    first, second = make_product("One"), make_product("Two")
    make_course(first, credits=20)
    make_course(second, credits=20)

    found = rows(report(client, "products", export="csv", has_page="yes"))

    assert len(found) == 2
