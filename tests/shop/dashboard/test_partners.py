"""Partner users of Oscar's dashboard see, list and change only what they sell."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access, Delivery, TrainingProduct
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support import enrolment
from ...support.editors import product_form
from ...support.enrolment import backend
from ...support.orders import confirm, place_order
from ...support.shop import text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

Partner = get_model("partner", "Partner")
Range = get_model("offer", "Range")
TEXT = "ACME-TEAM-2026"
OF_ACCESS = (
    "view_access",
    "add_access",
    "change_access",
    "view_delivery",
    "change_delivery",
)


def seller(partner, *permissions) -> Client:
    """Return the client of a user of `partner`, who is no staff."""
    client = Client()
    client.user = make_learner()
    partner.users.add(client.user)
    codenames = ("dashboard_access", *permissions)
    client.user.user_permissions.set(
        Permission.objects.filter(codename__in=codenames).exclude(
            codename="dashboard_access", content_type__app_label="dashboard"
        )
    )
    client.force_login(client.user)
    return client


def sold_by(partner, training):
    training.product.stockrecords.update(partner=partner)
    return training


@pytest.fixture
def acme():
    return Partner.objects.create(name="Acme")


@pytest.fixture
def rival():
    return Partner.objects.create(name="Rival")


@pytest.fixture
def mine(acme):
    return sold_by(acme, make_training("Mine", credits=20))


@pytest.fixture
def theirs(rival):
    return sold_by(rival, make_training("Theirs", credits=500))


class ProductForm:
    def __init__(self, client, product):
        self.client = client
        self.address = reverse("dashboard:catalogue-product", args=[product.pk])
        if not product.categories.exists():
            product.categories.add(create_from_breadcrumbs("Courses"))
        self.page = text_of(client.get(self.address))
        self.data = product_form(self.page)

    def send(self, **terms):
        named = {f"training-{name}": value for name, value in terms.items()}
        return self.client.post(self.address, {**self.data, **named, "action": "save"})


def errors(response):
    return dict(response.context["training_form"].errors)


def test_a_path_over_the_courses_of_others_is_refused(acme, mine, theirs):
    path = sold_by(acme, make_training("Bargain", credits=1))
    form = ProductForm(seller(acme), path.product)
    assert "Mine" in form.page
    assert "Theirs" not in form.page

    response = form.send(kind="path", course_1=mine.pk, course_2=theirs.pk)

    assert list(errors(response)) == ["course_2"]
    assert TrainingProduct.objects.get(pk=path.pk).kind == "course"


def test_a_path_over_ones_own_courses_is_made(acme, mine):
    path = sold_by(acme, make_training("Bargain", credits=1))

    response = ProductForm(seller(acme), path.product).send(
        kind="path", course_1=mine.pk
    )

    assert response.status_code == 302
    assert path.path_courses.get().course == mine


def test_a_path_that_staff_made_keeps_the_courses_of_others(acme, mine, theirs):
    path = sold_by(
        acme, make_training("Both", kind="path", path_courses=(mine, theirs))
    )

    response = ProductForm(seller(acme), path.product).send(credits="7")

    assert response.status_code == 302
    assert [each.course for each in path.path_courses.order_by("position")] == [
        mine,
        theirs,
    ]


@pytest.mark.parametrize("includes_all", [True, False])
def test_no_plan_is_made_by_a_partner(acme, mine, theirs, includes_all):
    content = Range.objects.create(
        name="Everything", includes_all_products=includes_all
    )
    form = ProductForm(seller(acme), mine.product)
    assert "Everything" not in form.page

    response = form.send(kind="plan", plan_content=content.pk)

    assert list(errors(response)) == ["plan_content"]
    assert TrainingProduct.objects.get(pk=mine.pk).kind == "course"


def test_a_plan_that_staff_made_keeps_its_content(acme):
    content = Range.objects.create(name="Some")
    plan = sold_by(acme, make_training("Plan", kind="plan", plan_content=content))

    response = ProductForm(seller(acme), plan.product).send(credits="7")

    assert response.status_code == 302
    plan.refresh_from_db()
    assert (plan.credits, plan.plan_content) == (7, content)


def test_staff_may_list_everything(mine, theirs):
    boss = Client()
    boss.force_login(make_learner(is_staff=True, is_superuser=True))
    content = Range.objects.create(name="Everything", includes_all_products=True)

    page = ProductForm(boss, make_training("New").product).page

    assert {"Mine", "Theirs", content.name} <= {
        word for word in ("Mine", "Theirs", "Everything") if word in page
    }


# Access


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example")


@pytest.fixture
def both(learner, mine, theirs):
    return [
        api.give_access(learner, each, reason="Goodwill") for each in (mine, theirs)
    ]


def test_a_partner_lists_the_access_to_what_it_sells(acme, both):
    client = seller(acme, *OF_ACCESS)

    page = words(text_of(client.get(reverse("training_credits:access-list"))))

    assert "Mine" in page
    assert "Theirs" not in page


@pytest.mark.parametrize("name", ["detail", "extend", "end"])
@pytest.mark.parametrize(("which", "status"), [(0, 200), (1, 404)])
def test_a_partner_opens_only_its_own_access(acme, both, name, which, status):
    client = seller(acme, *OF_ACCESS)
    address = reverse(f"training_credits:access-{name}", args=[both[which].pk])

    assert client.get(address).status_code == status


def test_a_partner_ends_no_access_of_others(acme, both):
    address = reverse("training_credits:access-end", args=[both[1].pk])

    response = seller(acme, *OF_ACCESS).post(address, {"reason": "Mine alone"})

    assert response.status_code == 404
    assert Access.objects.get(pk=both[1].pk).ends_at is None


def test_a_partner_gives_access_to_its_own_alone(acme, mine, theirs, learner):
    client = seller(acme, *OF_ACCESS)
    address = reverse("training_credits:access-give")
    page = text_of(client.get(address))
    assert "Mine" in page
    assert "Theirs" not in page
    form = {"email": learner.email, "reason": "Goodwill"}

    for training in (theirs, mine):
        client.post(address, {**form, "training": training.pk, "key": uuid4().hex})

    assert [access.training for access in Access.objects.all()] == [mine]


@pytest.fixture
def failed(both, settings):
    """News of both that has not arrived."""
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH
    backend.heard.clear()
    backend.recover()
    for access in both:
        Delivery.objects.create(
            key=uuid4().hex, access=access, kind="given", starts_at=access.starts_at
        )
    return [access.deliveries.get() for access in both]


def test_a_partner_lists_its_own_deliveries(acme, failed):
    client = seller(acme, *OF_ACCESS)

    page = words(text_of(client.get(reverse("training_credits:delivery-list"))))

    assert "Mine" in page
    assert "Theirs" not in page


@pytest.mark.parametrize("form", ["one", "all"])
def test_a_partner_tries_its_own_deliveries_again(acme, failed, form):
    client = seller(acme, *OF_ACCESS)
    address = reverse("training_credits:delivery-try-again")
    sent = {"all": [{"all": "1"}], "one": [{"delivery": each.pk} for each in failed]}

    for data in sent[form]:
        client.post(address, data)

    arrived = Delivery.objects.exclude(delivered_at=None)
    assert list(arrived) == [failed[0]]


# Orders


@pytest.fixture
def code():
    return make_code(1000, text=TEXT)


@pytest.fixture
def order(learner, code, mine, theirs):
    """Mine for 20 credits, theirs for 500."""
    return place_order(learner, (mine.product, 1), (theirs.product, 1), text=TEXT)


def line_of(order, training):
    return order.lines.get(product=training.product)


def detail(order):
    return reverse("dashboard:order-detail", args=[order.number])


def chosen(*lines, **data):
    form = {"selected_line": [line.pk for line in lines], **data}
    return form | {f"selected_line_qty_{line.pk}": 1 for line in lines}


def test_a_partner_sees_what_of_its_own_can_be_given_back(acme, order):
    page = words(text_of(seller(acme).get(detail(order))))

    assert "20 credits of this order can be given back" in page


def test_a_partner_gives_its_part_of_the_order_back(acme, code, order):
    asked = seller(acme).post(detail(order), {"order_action": "give_all_credits_back"})

    page = words(text_of(asked))
    assert "Give 20 credits of order" in page
    assert "Theirs" not in page


def test_a_partner_gives_nothing_of_others_back(acme, code, order, mine, theirs):
    form = chosen(
        line_of(order, mine),
        line_of(order, theirs),
        line_action="give_credits_back",
        confirmed=uuid4().hex,
    )

    page = seller(acme).post(detail(order), form, follow=True)

    assert "Another partner sells Theirs." in words(text_of(page))
    assert code.balance() == 480


@pytest.mark.parametrize("is_list", [True, False])
def test_a_partner_cancels_no_order_of_others(acme, code, order, is_list):
    client = seller(acme)
    form = {"new_status": "Cancelled"}
    if is_list:
        address = reverse("dashboard:order-list")
        form |= {"action": "change_order_statuses", "selected_order": order.pk}
    else:
        address = detail(order)
        form |= {"order_action": "change_order_status"}

    page = client.post(address, form, follow=True)

    order.refresh_from_db()
    assert order.status != "Cancelled"
    assert code.balance() == 480
    assert "Another partner sells Theirs." in words(text_of(page))


def test_a_partner_cancels_an_order_of_its_own(acme, code, mine, learner):
    order = place_order(learner, (mine.product, 1), text=TEXT)
    form = {"order_action": "change_order_status", "new_status": "Cancelled"}

    confirm(seller(acme), detail(order), form)

    order.refresh_from_db()
    assert order.status == "Cancelled"
    assert code.balance() == 1000


def test_a_partner_cancels_goods_beside_its_course(acme, rival, code, mine, learner):
    book = make_product("A book")
    book.stockrecords.update(partner=rival)
    order = place_order(learner, (mine.product, 1), (book, 1), text=TEXT)
    form = {"order_action": "change_order_status", "new_status": "Cancelled"}

    confirm(seller(acme), detail(order), form)

    order.refresh_from_db()
    assert order.status == "Cancelled"


def test_a_partner_cancels_no_line_of_others(acme, code, order, theirs):
    line = line_of(order, theirs)
    form = chosen(line, line_action="change_line_statuses", new_status="Cancelled")

    page = seller(acme).post(detail(order), form, follow=True)

    line.refresh_from_db()
    assert line.status != "Cancelled"
    assert "Another partner sells Theirs." in words(text_of(page))
