"""Learners ask for credits from the page that lacks them; managers and staff answer."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import AppliedCode, CreditRequest
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.pages import make_course
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import Learner, text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
ASK = reverse("training_credits:ask")
BASKET = reverse("basket:summary")
MY_TRAINING = reverse("training_credits:my-training")
LINK = "Ask your learning administrator for credits"


@pytest.fixture
def client():
    client = Client()
    client.user = make_learner(email="lee@acme.example", first_name="Lee")
    client.force_login(client.user)
    return client


@pytest.fixture
def boss():
    boss = Client()
    boss.user = make_learner(email="kim@acme.example")
    boss.force_login(boss.user)
    return boss


@pytest.fixture
def code(boss):
    """A code that is too small, beside a big one of the same manager."""
    code = make_code(5, text=TEXT, label="Small")
    managing.add_manager(code, boss.user)
    return code


@pytest.fixture
def big(boss):
    big = make_code(100, label="Big")
    managing.add_manager(big, boss.user)
    return big


@pytest.fixture
def course():
    return make_course(make_product("Django", None), credits=20, credit_only=True)


@pytest.fixture
def training(course):
    return course.training


@pytest.fixture
def asked(client, training, code):
    return api.ask_for_credits(client.user, {training: 1}, code=code)[0]


def at(name, *args):
    return reverse(f"training_credits:{name}", args=args)


def test_from_a_page_to_the_purchase(client, boss, code, big, course, training):
    """The way of the link in each step, without a browser."""
    assert LINK not in text_of(client.get(course.url))
    fields = {"code": TEXT, "next": course.url}
    client.post(at("purchase-apply", training.pk), fields)
    page = text_of(client.get(course.url))
    assert LINK in page
    assert at("ask-for", training.pk) in page

    form = text_of(client.get(at("ask-for", training.pk)))
    assert "You ask for 20 credits , for: Django" in words(form)
    assert "Small (code ending 2026)" in form
    for _click in range(2):
        answer = client.post(at("ask-for", training.pk), {"note": "Exam <soon>"})
        assert answer.url == MY_TRAINING
    [asked] = CreditRequest.objects.all()
    assert (asked.code, asked.note) == (code, "Exam <soon>")
    assert "Credits you have asked for" in text_of(client.get(MY_TRAINING))

    assert "1 request waits for you" in text_of(boss.get(at("my-credits")))
    assert "Lee: Django" in text_of(boss.get(at("my-requests")))
    page = text_of(boss.get(at("my-request", asked.pk)))
    assert "Exam &lt;soon&gt;" in page
    approve = {"approve": "1", "parent": code.pk}
    refused = boss.post(at("my-request", asked.pk), approve)
    assert "Only 5 credits are left on this code" in text_of(refused)
    for _click in range(2):
        answer = boss.post(
            at("my-request", asked.pk), {"approve": "1", "parent": big.pk}
        )
        assert answer.url == at("my-requests")
    assert (big.balance(), big.children.count()) == (80, 1)

    assert at("use-request", asked.pk) in text_of(client.get(MY_TRAINING))
    for _click in range(2):
        answer = client.get(at("use-request", asked.pk))
        assert answer.url.startswith(f"{course.url}?purchase=open#")
    page = text_of(client.get(answer.url))
    assert at("purchase-confirm", training.pk) in page
    assert LINK not in page
    assert not api.has_access(client.user, training)


@pytest.mark.parametrize("kind", ["expired", "spent"])
def test_a_code_that_was_refused_names_its_managers(client, code, training, kind):
    text = "ACME-TEAM-2027"
    refused = make_code(20, text=text, label="Refused")
    managing.set_managers(refused, ["kim@acme.example"])
    boss = make_learner(email="kim2@acme.example")
    managing.add_manager(refused, boss)
    if kind == "expired":
        refused.expires_at = refused.created_at.replace(year=2020)
        refused.save()
    else:
        api.adjust_credits(refused, -20, reason="mistake")

    client.post(at("purchase-apply", training.pk), {"code": text})
    client.post(at("ask-for", training.pk), {"note": ""})

    assert CreditRequest.objects.get().code == refused


@pytest.mark.parametrize("address", ["", "desk@shop.example"])
def test_without_a_manager_the_site_is_asked_if_it_names_an_address(
    client, course, training, settings, address
):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = address

    page = text_of(client.get(course.url))
    client.post(at("ask-for", training.pk), {"note": ""})

    assert (LINK in page) == bool(address)
    assert CreditRequest.objects.count() == bool(address)
    stranger = text_of(Client().get(course.url))
    assert LINK not in stranger


def test_a_basket_asks_for_what_it_lacks(client, code, big, training):
    other = make_training("Other", credits=7, price=None, credit_only=True)
    paid = make_training("Paid", credits=5, price=None, credit_only=True)
    for each, number in ((paid, 1), (training, 1), (other, 1)):
        add = reverse("basket:add", args=[each.product.pk])
        client.post(add, {"quantity": number})
    client.post(at("apply"), {"code": TEXT})
    assert at("ask") in text_of(client.get(BASKET))

    client.post(ASK, {"note": ""})
    asked = CreditRequest.objects.get()
    client.post(reverse("basket:add", args=[paid.product.pk]))
    child = api.approve_request(asked, parent=big).child
    get_model_lines(client).filter(product=other.product).delete()
    answer = client.get(at("use-request", asked.pk))

    assert (asked.credits, asked.content) == (27, "Django, Other")
    assert answer.url == BASKET
    assert get_model_lines(client).filter(product=other.product).count() == 1
    assert AppliedCode.objects.filter(code=child).count() == 1
    assert LINK not in text_of(client.get(BASKET))


def get_model_lines(client):
    from oscar.core.loading import get_model

    lines = get_model("basket", "Line").objects
    return lines.filter(basket__owner=client.user, basket__status="Open")


def test_nothing_is_asked_where_nothing_lacks(client, settings):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = "desk@shop.example"

    assert client.get(ASK).url == BASKET
    assert client.post(ASK, {"note": ""}).url == BASKET
    assert client.post(at("ask-for", 999_999)).status_code == 404
    money = make_training("Money", credits=None)
    assert client.post(at("ask-for", money.pk)).status_code == 302
    assert not CreditRequest.objects.exists()


def test_too_long_a_note_is_told(client, training, settings):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = "desk@shop.example"

    answer = client.post(at("ask-for", training.pk), {"note": "x" * 501})

    assert "at most 500 characters" in text_of(answer)
    assert not CreditRequest.objects.exists()


@pytest.mark.parametrize("name", ["use-request", "withdraw-request"])
def test_a_request_is_its_learners_alone(asked, boss, big, name):
    api.approve_request(asked, parent=big)

    for stranger in (boss, client_of("view_creditrequest")):
        for call in (stranger.get, stranger.post):
            assert call(at(name, asked.pk)).status_code in (404, 405)
    assert Client().post(at(name, asked.pk)).url.count("login") == 1
    assert not AppliedCode.objects.exists()


def test_a_manager_sees_requests_for_own_codes_alone(asked, big, client):
    other = Client()
    other.user = make_learner()
    other.force_login(other.user)
    managing.add_manager(make_code(100, label="Theirs"), other.user)

    for stranger in (other, client):
        assert "Django" not in text_of(stranger.get(at("my-requests")))
        for answer in ({"approve": "1", "parent": big.pk}, {"decline": "1"}, None):
            post = {**(answer or {}), "reason": "No"}
            assert stranger.get(at("my-request", asked.pk)).status_code == 404
            assert stranger.post(at("my-request", asked.pk), post).status_code == 404
    asked.refresh_from_db()
    assert asked.is_open


def test_a_manager_gives_from_own_codes_alone_and_says_why_not(
    asked, boss, client, django_capture_on_commit_callbacks
):
    theirs = make_code(100, label="Theirs")
    page = at("my-request", asked.pk)

    boss.post(page, {"approve": "1", "parent": theirs.pk})
    boss.post(page, {"decline": "1", "reason": " "})
    assert theirs.balance() == 100
    assert CreditRequest.objects.get().is_open
    with django_capture_on_commit_callbacks(execute=True):
        boss.post(page, {"decline": "1", "reason": "Next year <only>"})
        boss.post(page, {"decline": "1", "reason": "Next year <only>"})
    said = boss.post(page, {"approve": "1", "parent": asked.code_id}, follow=True)

    assert "It has been answered meanwhile" in text_of(said)
    assert len(mail.outbox) == 1
    assert "Next year &lt;only&gt;" in text_of(client.get(MY_TRAINING))


def test_a_learner_withdraws(asked, client, boss):
    for _click in range(2):
        assert client.post(at("withdraw-request", asked.pk)).url == MY_TRAINING

    page = text_of(client.get(MY_TRAINING))
    assert "Withdrawn" in page
    assert at("withdraw-request", asked.pk) not in page
    answer = {"approve": "1", "parent": asked.code_id}
    assert boss.post(at("my-request", asked.pk), answer).status_code == 302
    assert client.get(at("use-request", asked.pk)).url == MY_TRAINING


def test_what_is_sold_no_longer_is_not_bought(asked, big, client, training):
    api.approve_request(asked, parent=big)
    training.delete()

    for page in (MY_TRAINING, at("use-request", asked.pk)):
        assert client.get(page, follow=True).status_code == 200


STAFF = ("view_creditrequest", "change_creditrequest", "cut_creditcode")


@pytest.mark.parametrize(
    "role", [*NOBODY, "partner", "superuser", "view_creditrequest"]
)
def test_who_sees_requests_in_the_dashboard(asked, role):
    client = client_in(role, STAFF)

    for url in (at("request-list"), at("request-detail", asked.pk)):
        opens = role in ("superuser", "view_creditrequest")
        expected = 302 if role == "anonymous" else 200 if opens else 403
        assert client.get(url).status_code == expected
        assert (client.get(url, {"learner": "lee"}).status_code) == expected


@pytest.mark.parametrize("number", [True, False], ids=["number", "text"])
def test_staff_answer_by_permission(asked, big, number):
    page = at("request-detail", asked.pk)
    named = f"#{big.pk}" if number else api.rotate_code(big).text
    approve = {"approve": "1", "parent": named}

    client_of(STAFF[0], STAFF[1]).post(page, approve)
    client_of(STAFF[0], STAFF[2]).post(page, {"decline": "1", "reason": "No"})
    assert CreditRequest.objects.get().is_open
    staff = client_of(*STAFF)
    for wrong in ("", "#999999", "nothing"):
        answer = staff.post(page, {**approve, "parent": wrong})
        assert "There is no such code." in text_of(answer)
    assert "Say why." in text_of(staff.post(page, {"decline": "1", "reason": ""}))
    for _click in range(2):
        assert staff.post(page, approve).url == at("request-list")

    assert (big.balance(), big.children.count()) == (80, 1)
    assert "Approved" in text_of(staff.get(page))


@pytest.mark.parametrize("price", [None, "240.00"], ids=["credits only", "or money"])
def test_a_refusal_at_the_checkout_leads_to_the_form(settings, price):
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = "training@northlight.example"
    spent = make_code(20, text=TEXT, label="Team")
    learner = Learner(make_learner())
    course = make_training(price=price, credits=20, credit_only=price is None)
    learner.add(course.product)
    learner.apply(TEXT)
    shown = learner.preview()
    api.adjust_credits(spent, -20, reason="mistake")

    refused = learner.place(shown)
    if refused.status_code == 302:
        refused = learner.client.get(refused.url)

    assert LINK not in text_of(shown)
    assert f'href="{ASK}"' in text_of(refused)
    assert LINK in text_of(refused)
