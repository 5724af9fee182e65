"""Every way to place an order refuses what can't be ordered before it takes money."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.urls import reverse
from django.utils import timezone
from oscar.apps.checkout import exceptions, views
from oscar.apps.payment.exceptions import RedirectRequired
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.ledger import redemption
from oscar_training_credits.credits.models import Redemption
from oscar_training_credits.shop.checkout import mixins, session
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...sites import return_views
from ...support.books import assert_balanced
from ...support.gateways import install
from ...support.shop import Learner, text_of, words

Basket = get_model("basket", "Basket")
Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.urlconf("tests.sites.return_views")]

TEXT = "ACME-TEAM-2026"
RETURNS = ["in-payment", "before", "bare", "wired"]


def address_of(name):
    return reverse(f"gateway:deep:{name}")


@pytest.fixture
def captured():
    return_views.captured.clear()
    return return_views.captured


class Away:
    """A gateway that sends customers away."""

    def handle_payment(self, view, order_number, total):
        raise RedirectRequired(url="https://pay.example/")


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


def learner_with_course():
    """A learner who has one course for 20 credits in the basket, and no code."""
    learner = Learner(make_learner())
    learner.add(make_training(credits=20, credit_only=True, price=None).product)
    return learner


@pytest.fixture
def learner(code, monkeypatch):
    """A learner who has gone away to pay £25 besides 20 credits."""
    install(monkeypatch, Away())
    learner = learner_with_course()
    learner.add(make_product(price="25.00"))
    learner.apply(TEXT)
    learner.place()
    return learner


@pytest.fixture
def lapsed(learner):
    """The time of their hold is over."""
    Redemption.objects.update(expires_at=timezone.now())
    redemption.release_expired()
    return learner


@pytest.fixture
def late(lapsed, code):
    """Their hold has lapsed, and the code pays no more."""
    set_state(code, "disabled")
    return lapsed


@pytest.mark.parametrize("name", RETURNS)
def test_who_comes_back_in_time_gets_the_order(learner, captured, name):
    response = learner.client.get(address_of(name))

    assert response.url == reverse("checkout:thank-you")
    assert len(captured) == 1
    assert Redemption.objects.get().order == learner.order()
    assert_balanced()


@pytest.mark.parametrize("name", RETURNS)
def test_no_money_is_captured_for_an_order_that_will_be_refused(late, captured, name):
    page = late.client.get(address_of(name), follow=True)

    assert captured == []
    assert not Order.objects.exists()
    assert "This order needs 20 credits" in words(text_of(page))
    assert [basket.num_lines for basket in Basket.open.filter(owner=late.user)] == [2]


@pytest.mark.parametrize("name", RETURNS)
def test_what_lapsed_is_held_again_before_the_money_is_captured(lapsed, captured, name):
    lapsed.client.get(address_of(name))

    states = Redemption.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["released", "captured"]
    assert len(captured) == 1


def test_a_view_of_its_own_refuses_a_basket_without_a_code(captured):
    learner = learner_with_course()
    learner.add(make_product(price="25.00"))
    learner.client.get(reverse("checkout:index"), follow=True)

    response = learner.client.post(address_of("direct"))

    assert response.url == reverse("training_credits:enter-code")
    assert captured == []
    assert Basket.objects.get(owner=learner.user).status == Basket.OPEN


def test_control_without_the_holds_the_money_is_captured_for_nothing(
    late, captured, monkeypatch
):
    monkeypatch.setattr(session, "hold_credits", lambda *_: None)
    monkeypatch.setattr(mixins, "hold_in_locked", lambda *_: None)

    late.client.get(address_of("in-payment"))

    assert captured == ["handle_payment"]
    assert not Order.objects.exists()


def test_ordinary_goods_go_through_views_that_know_nothing_of_training(captured):
    learner = Learner(make_learner())
    learner.add(make_product(price="25.00"))
    learner.client.get(reverse("checkout:index"), follow=True)

    response = learner.client.post(address_of("direct"))

    assert response.url == reverse("checkout:thank-you")


def test_every_such_view_is_named_wherever_it_stands():
    messages = {
        message.msg.partition(" ")[0]: message
        for message in run_checks(tags=["training_credits"])
        if message.id == "training_credits.E003"
    }

    assert set(messages) == {
        f"gateway:deep:{name}" for name in ("in-payment", "before", "bare", "direct")
    }
    assert messages["gateway:deep:bare"].obj is return_views.Bare
    assert "get_class" in messages["gateway:deep:direct"].hint


# A site whose payment step is skipped


@pytest.fixture
def skipping(monkeypatch):
    """A site whose payment step always leads on to the preview."""

    def skip(view, request):
        raise exceptions.PassedSkipCondition(url=reverse("checkout:preview"))

    def get_skip_conditions(view, request):
        return [] if view.preview else ["skip_always"]

    core = views.PaymentDetailsView
    monkeypatch.setattr(core, "skip_always", skip, raising=False)
    monkeypatch.setattr(core, "get_skip_conditions", get_skip_conditions)


@pytest.mark.parametrize("step", ["index", "payment-details", "preview"])
def test_a_site_that_skips_the_payment_step_leads_to_a_box(code, skipping, step):
    learner = learner_with_course()
    learner.client.get(reverse("checkout:index"), follow=True)

    page = learner.client.get(reverse(f"checkout:{step}"), follow=True)

    assert page.redirect_chain[-1][0] == reverse("training_credits:enter-code")
    assert 'name="code"' in text_of(page)
    assert "This order needs 20 credits" in words(text_of(page))


def test_there_the_code_is_entered_and_the_order_placed(code, skipping):
    learner = learner_with_course()
    here = reverse("training_credits:enter-code")

    back = learner.client.post(
        reverse("training_credits:apply"), {"code": TEXT, "next": here}
    )
    page = learner.client.get(back.url)

    assert back.url.partition("#")[0] == here
    assert "100 credits available, 80 left" in words(text_of(page))
    assert f'href="{reverse("checkout:index")}"' in text_of(page)
    assert "no-store" in page["Cache-Control"]
    assert learner.place().url == reverse("checkout:thank-you")


def test_a_refusal_at_the_payment_step_leads_to_the_box(late):
    page = late.client.get(address_of("wired"))

    assert f'href="{reverse("training_credits:enter-code")}"' in text_of(page)


def test_an_empty_basket_leads_to_the_courses():
    page = Learner(make_learner()).client.get(reverse("training_credits:enter-code"))

    assert "Your basket is empty" in words(text_of(page))
    assert 'name="code"' not in text_of(page)
