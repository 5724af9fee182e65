"""The training terms in the form of a product in Oscar's dashboard."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date
from decimal import Decimal

import pytest
from django.db.models.signals import post_save
from django.urls import reverse
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access.granting import give_access
from oscar_training_credits.credits.models import TermsChange, TrainingProduct
from oscar_training_credits.test.factories import (
    make_learner,
    make_product,
    make_training,
)

from ...support.editors import price_of, product_form
from ...support.orders import place_order
from ...support.shop import text_of, words

Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

PRICE = "stockrecords-0-price"
LATER = "2027-02-01"


@pytest.fixture
def staff(client):
    client.force_login(make_learner(username="staff", is_staff=True, is_superuser=True))
    return client


class Form:
    """The form of one product, as staff see it and send it back."""

    def __init__(self, staff, product):
        self.staff, self.product = staff, product
        self.address = reverse("dashboard:catalogue-product", args=[product.pk])
        if not product.categories.exists():
            product.categories.add(create_from_breadcrumbs("Courses"))
        self.page = text_of(staff.get(self.address))
        self.data = product_form(self.page)

    def send(self, data=None, **terms):
        """Save it with other terms, and perhaps other data."""
        named = {f"training-{name}": value for name, value in terms.items()}
        sent = {**self.data, **(data or {}), **named, "action": "save"}
        return self.staff.post(self.address, sent)

    def save(self, data=None, **terms):
        response = self.send(data, **terms)
        assert response.status_code == 302, errors(response)
        return TrainingProduct.objects.filter(product=self.product).first()


def errors(response):
    form = response.context["training_form"]
    return {name: list(messages) for name, messages in form.errors.items()}


def history(product):
    rows = TermsChange.objects.filter(training__product=product).order_by("pk")
    return list(rows.values_list("term", "before", "after", "changed_by__username"))


def test_a_product_becomes_a_course(staff):
    product = make_product(price="240.00")

    training = Form(staff, product).save(kind="course", credits="20", access_days="90")

    assert (training.kind, training.credits, training.access_days) == ("course", 20, 90)
    assert price_of(product) == Decimal("240.00")
    assert ("credits", "", "20", "staff") in history(product)


def test_a_new_product_is_training_from_the_start(staff):
    product_class = make_product().product_class
    category = create_from_breadcrumbs("Courses")
    address = reverse("dashboard:catalogue-product-create", args=[product_class.slug])
    form = product_form(text_of(staff.get(address)))
    sent = {"title": "Docker", "upc": "", "productcategory_set-0-category": category.pk}

    response = staff.post(
        address, {**form, **sent, "training-kind": "course", "training-credits": "20"}
    )

    assert response.status_code == 302, errors(response)
    assert Product.objects.get(title="Docker").training.credits == 20


def test_a_product_that_is_no_training_is_saved_as_before(staff):
    product = make_product(price="9.00")

    assert Form(staff, product).save({PRICE: "8.00"}) is None

    assert price_of(product) == Decimal("8.00")


def test_the_form_shows_the_terms(staff):
    training = make_training(
        credits=20, access_from=date(2027, 1, 4), access_until=date(2027, 6, 30)
    )

    data = Form(staff, training.product).data

    assert data["training-kind"] == "course"
    assert data["training-credits"] == "20"
    assert data["training-access_from"] == "2027-01-04"
    assert data["training-access_until"] == "2027-06-30"


def test_saving_something_else_changes_no_terms(staff):
    first, second = make_training("One"), make_training("Two")
    path = make_training("Path", kind="path", path_courses=(second, first), credits=60)

    Form(staff, path.product).save({"title": "Better path"})

    path = TrainingProduct.objects.get(pk=path.pk)
    assert str(path) == "Better path"
    assert path.listed_courses() == (second, first)
    assert [row for row in history(path.product) if row[3]] == []


def test_a_path_gets_its_courses_in_order(staff):
    first, second, third = (make_training(title) for title in ("One", "Two", "Three"))
    product = make_product()

    path = Form(staff, product).save(
        kind="path", credits="60", course_1=third.pk, course_3=first.pk
    )

    assert path.listed_courses() == (third, first)
    path = Form(staff, product).save(course_2=second.pk, course_3=first.pk)
    assert path.listed_courses() == (third, second, first)


def test_a_plan_gets_its_range(staff):
    everything = Range.objects.create(name="Everything", includes_all_products=True)

    plan = Form(staff, make_product()).save(
        kind="plan", credits="120", plan_content=everything.pk, access_days="365"
    )

    assert plan.plan_content == everything


@pytest.mark.parametrize(
    ("terms", "field", "message"),
    [
        ({"kind": "course", "credit_only": "on"}, "credits", "Say how many credits"),
        ({"kind": "course", "credits": "0"}, "credits", "greater than or equal to 1"),
        ({"kind": "course", "credits": "-5"}, "credits", "greater than or equal to 1"),
        (
            {"kind": "course", "access_days": "-5"},
            "access_days",
            "greater than or equal to 1",
        ),
        ({"kind": "course", "credits": "9" * 30}, "credits", "less than or equal to"),
        ({"kind": "course", "credits": "a few"}, "credits", "Enter a whole number."),
        ({"kind": "plan", "credits": "5"}, "plan_content", "Choose the range"),
        ({"kind": "path", "credits": "5"}, "course_1", "Choose the courses"),
        (
            {"kind": "course", "access_from": "soon"},
            "access_from",
            "Enter a valid date",
        ),
        (
            {
                "kind": "course",
                "access_from": "2027-02-01",
                "access_until": "2027-01-01",
            },
            "access_until",
            "before the first",
        ),
        ({"kind": "tour"}, "kind", "Select a valid choice"),
        ({"credits": "20"}, "kind", "Choose a kind"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(staff, terms, field, message):
    product = make_product(price="240.00")

    response = Form(staff, product).send({"title": "Changed"}, **terms)

    assert response.status_code == 200
    assert message in errors(response)[field][0]
    assert len(errors(response)[field]) == 1
    assert message in words(text_of(response))
    assert not TrainingProduct.objects.filter(product=product).exists()
    assert price_of(product) == Decimal("240.00")


def test_a_path_that_would_contain_itself_is_refused(staff):
    course = make_training("One")

    response = Form(staff, course.product).send(kind="path", course_1=course.pk)

    assert "A path can't contain itself." in errors(response)["course_1"]


# Credit-only, and the price in money in the same form


def test_credit_only_puts_the_price_by_and_gives_it_back(staff):
    product = make_training(credits=20, price="240.00").product

    Form(staff, product).save(credit_only="on")
    assert price_of(product) is None

    Form(staff, product).save(credit_only="")
    assert price_of(product) == Decimal("240.00")
    assert [row for row in history(product) if row[0] == "price"] == [
        ("price", "240.00 GBP", "", "staff"),
        ("price", "", "240.00 GBP", "staff"),
    ]


def test_a_price_that_is_entered_as_credit_only_ends_is_the_price(staff):
    product = make_training(credits=20, price="240.00", credit_only=True).product

    Form(staff, product).save({PRICE: "199.00"}, credit_only="")

    assert price_of(product) == Decimal("199.00")


def test_a_price_that_is_entered_as_credit_only_begins_is_put_by(staff):
    product = make_training(credits=20, price="240.00").product

    Form(staff, product).save({PRICE: "199.00"}, credit_only="on")
    assert price_of(product) is None

    Form(staff, product).save(credit_only="")
    assert price_of(product) == Decimal("199.00")


# Nothing is undone or lost unawares


def test_what_was_published_meanwhile_is_not_undone(staff):
    product = make_training(credits=20).product
    form = Form(staff, product)
    api.sell_as_training(product, credits=35)

    response = form.send({"title": "Better title"})

    assert "Somebody has changed this to “35”" in errors(response)["credits"][0]
    assert TrainingProduct.objects.get(product=product).credits == 35
    again = product_form(text_of(response))
    staff.post(form.address, {**again, "action": "save"})
    assert TrainingProduct.objects.get(product=product).credits == 20


def test_what_became_training_meanwhile_stays_training(staff):
    product = make_product()
    form = Form(staff, product)
    api.sell_as_training(product, credits=35)

    response = form.send()

    assert "Somebody has changed this to “Course”" in errors(response)["kind"][0]
    assert TrainingProduct.objects.get(product=product).credits == 35


def test_courses_that_were_listed_meanwhile_stay_listed(staff):
    first, second = make_training("One"), make_training("Two")
    path = make_training("Path", kind="path", path_courses=(first,), credits=60)
    form = Form(staff, path.product)
    api.sell_as_training(
        path.product, kind="path", path_courses=(first, second), credits=60
    )

    response = form.send()

    assert "Somebody has changed this to “One, Two”" in errors(response)["course_1"][0]
    assert path.listed_courses() == (first, second)


def test_a_template_without_the_fields_changes_nothing(staff):
    product = make_training(credits=20, access_days=90).product
    form = Form(staff, product)
    form.data = {
        name: value
        for name, value in form.data.items()
        if not name.startswith("training-")
    }

    form.save({"title": "Better title"})

    training = TrainingProduct.objects.get(product=product)
    assert (training.credits, training.access_days) == (20, 90)


# Back to an ordinary product


def test_training_that_nobody_has_becomes_an_ordinary_product(staff):
    product = make_training(credits=20, price="240.00", credit_only=True).product

    assert Form(staff, product).save(kind="") is None

    assert price_of(product) == Decimal("240.00")


def test_what_is_no_training_any_more_can_be_asked_for_again():
    product = make_training(credits=20).product

    for _twice in range(2):
        api.sell_no_longer_as_training(product)

    assert api.training_of(product) is None
    assert not TrainingProduct.objects.filter(product=product).exists()


def test_training_that_learners_have_stays_training(staff):
    training = make_training(credits=20)
    give_access(make_learner(), training, reason="Pilot", by=None)

    response = Form(staff, training.product).send(kind="")

    assert "It stays training" in errors(response)["kind"][0]
    assert TrainingProduct.objects.filter(pk=training.pk).exists()


@contextmanager
def meanwhile(happens):
    """Let something happen after the form is checked, before its terms are saved."""

    def saved(**kwargs):
        happens()

    post_save.connect(saved, sender=Product)
    try:
        yield
    finally:
        post_save.disconnect(saved, sender=Product)


def test_training_that_a_learner_gets_as_it_is_saved_stays_training(staff):
    training = make_training(credits=20)
    form = Form(staff, training.product)
    learner = make_learner()

    with meanwhile(lambda: api.give_access(learner, training, reason="Pilot")):
        response = form.send({"title": "Not this"}, kind="")

    assert "It stays training" in errors(response)["kind"][0]
    assert TrainingProduct.objects.get(pk=training.pk).product.title == "A course"


def test_a_course_that_is_listed_as_it_becomes_a_path_stays_a_course(staff):
    course, other = make_training("One"), make_training("Two")
    form = Form(staff, course.product)
    path = make_product("Path")

    def list_it():
        if not hasattr(path, "training"):
            api.sell_as_training(path, kind="path", path_courses=(course,))

    with meanwhile(list_it):
        response = form.send(kind="path", course_1=other.pk)

    assert "It is a course of a path" in words(text_of(response))
    assert TrainingProduct.objects.get(pk=course.pk).kind == "course"


# Prices in money on record, whichever way they change


def test_a_price_in_money_is_on_record(staff):
    product = make_training(credits=20, price="240.00").product

    Form(staff, product).save({PRICE: "199.00"})

    assert history(product)[-1] == ("price", "240.00 GBP", "199.00 GBP", "staff")


def test_prices_changed_in_bulk_are_on_record(staff):
    training = make_training(credits=20, price="240.00").product
    other = make_product(price="5.00")
    partners = [each.stockrecords.get().partner_id for each in (training, other)]
    confirm = staff.post(
        reverse("dashboard:catalogue-product-list"),
        {"action": "set_product_price", "selected_product": [training.pk, other.pk]},
    )

    staff.post(
        confirm.url,
        {
            "selected_products": [training.pk, other.pk],
            "partners": partners,
            "new_price": "9.00",
            "confirm_irreversible": "on",
        },
    )

    assert history(training)[-1] == ("price", "240.00 GBP", "9.00 GBP", "staff")
    assert TermsChange.objects.filter(term="price").count() == 1


def test_a_price_changed_by_code_is_on_record_without_a_name():
    product = make_training(credits=20, price="240.00").product
    record = product.stockrecords.get()

    record.price = "199.00"
    record.save()
    record.save()
    record.num_in_stock = 5
    record.save(update_fields=["num_in_stock"])

    prices = [row for row in history(product) if row[0] == "price"]
    assert prices == [("price", "240.00 GBP", "199.00 GBP", None)]


def test_stock_that_an_order_takes_is_no_change_of_price():
    training = make_training(credits=20, price="240.00")
    ProductClass.objects.update(track_stock=True)
    training.product.stockrecords.update(num_in_stock=5)
    product = Product.objects.get(pk=training.product_id)

    place_order(make_learner(), (product, 1))

    assert product.stockrecords.get().num_allocated == 1
    assert not TermsChange.objects.filter(term="price").exists()
