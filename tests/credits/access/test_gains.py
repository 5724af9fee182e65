"""Nobody pays for what adds nothing to what they have, or are buying."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import granting, places
from oscar_training_credits.credits.models import Access, Place
from oscar_training_credits.exceptions import PlaceRefused
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.shop.order import creator
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.gateways import Gateway, install
from ...support.orders import place_order
from ...support.pages import make_course
from ...support.racing import Meeting, at_once, told
from ...support.shop import Learner, errors, shown_in, text_of, words

Basket = get_model("basket", "Basket")
Option = get_model("catalogue", "Option")
Order = get_model("order", "Order")
Range = get_model("offer", "Range")

TEXT = "ACME-TEAM-2026"
NOTHING = "It would add nothing to your access"
SAID = "You have access to this already. Buying it adds nothing."

one_by_one = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def code():
    return make_code(1000, text=TEXT)


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture
def endless(code, learner):
    """A course without an end, which the learner has."""
    training = make_training("Endless", credits=35, price="90.00")
    place_order(learner.user, (training.product, 1), text=TEXT)
    return training


class TestOneByOne:
    pytestmark = one_by_one

    def test_the_basket_says_so_and_leads_no_further(self, learner, endless, code):
        learner.add(endless.product)
        learner.apply(TEXT)

        basket = words(learner.basket_page())
        preview = learner.preview()

        assert f"{SAID} Remove it before you go on." in basket
        assert NOTHING in errors(preview)
        assert preview.request["PATH_INFO"] == reverse("basket:summary")

    def test_a_confirmation_sent_all_the_same_takes_nothing(
        self, learner, endless, code
    ):
        learner.add(endless.product)
        learner.apply(TEXT)

        learner.place()

        assert (Order.objects.count(), code.balance()) == (1, 965)

    def test_whoever_writes_the_order_is_refused(self, learner, endless, code):
        with pytest.raises(OrderRefused, match=NOTHING):
            place_order(learner.user, (endless.product, 1), text=TEXT)

        assert code.balance() == 965

    def test_an_order_ordered_again_takes_nothing(self, learner, endless, code):
        number = learner.order().number
        address = reverse("customer:order", args=[number])

        learner.client.post(address, {"action": "reorder"})
        learner.apply(TEXT)
        preview = learner.preview()

        assert Basket.open.get(owner=learner.user).num_lines == 1
        assert NOTHING in errors(preview)
        assert code.balance() == 965

    def test_nor_for_money(self, learner, endless):
        with pytest.raises(OrderRefused, match=NOTHING):
            place_order(learner.user, (endless.product, 1))

    @pytest.mark.urlconf("tests.support.gateways")
    def test_no_gateway_is_asked(self, learner, code, monkeypatch):
        gateway = install(monkeypatch, Gateway())
        training = make_training(credits=None, price="90.00")
        learner.add(training.product)
        page = learner.preview()
        api.give_access(learner.user, training, reason="A guest.")

        refused = learner.client.post(
            reverse("checkout:preview"),
            {"action": "place_order", **shown_in(text_of(page))},
            follow=True,
        )

        assert NOTHING in errors(refused)
        assert gateway.charged == []

    def test_a_place_for_somebody_else_adds_something(
        self, learner, endless, code, settings
    ):
        settings.TRAINING_CREDITS_MOST_PLACES = 5

        place_order(learner.user, (endless.product, 2), text=TEXT)

        assert code.balance() == 895

    def test_access_that_lasts_longer_adds_something(self, learner, code):
        training = make_training(credits=20, access_days=30)
        for _ in range(2):
            place_order(learner.user, (training.product, 1), text=TEXT)

        first, second = Access.objects.order_by("pk")
        assert second.starts_at == first.ends_at

    def test_a_code_that_ends_access_before_it_begins_adds_nothing(self, learner):
        end = timezone.now() + timedelta(days=9)
        make_code(100, text=TEXT, expires_at=end, ends_access=True)
        training = make_training(credits=20)
        place_order(learner.user, (training.product, 1), text=TEXT)

        with pytest.raises(OrderRefused, match=NOTHING):
            place_order(learner.user, (training.product, 1), text=TEXT)

    def test_what_a_plan_opens_for_ever_is_not_sold_besides(self, learner, code):
        everything = Range.objects.create(name="All", includes_all_products=True)
        plan = make_training("Plan", kind="plan", plan_content=everything)
        course = make_training("Course", credits=20)
        place_order(learner.user, (plan.product, 1))

        with pytest.raises(OrderRefused, match=NOTHING):
            place_order(learner.user, (course.product, 1), text=TEXT)


TERMS = {
    "both without an end": (None, None, True),
    "the path ends": (30, None, False),
    "the course ends": (None, 30, True),
    "the course ends first": (90, 30, True),
    "the path ends first": (30, 90, False),
}


@pytest.mark.django_db
@pytest.mark.any_database
@pytest.mark.parametrize(("path", "course", "refused"), TERMS.values(), ids=TERMS)
def test_a_course_beside_the_path_that_opens_it(learner, code, path, course, refused):
    listed = make_training("Course", credits=20, access_days=course)
    whole = make_training(
        "Path", kind="path", path_courses=(listed,), credits=20, access_days=path
    )
    for training in (listed, whole):
        learner.add(training.product)
    learner.apply(TEXT)

    preview = learner.preview()
    learner.place(preview)

    assert (NOTHING in errors(preview)) is refused
    assert ("“Course” can't be ordered" in errors(preview)) is refused
    assert Order.objects.exists() is not refused


# Two tabs


@pytest.fixture
def place_of(code):
    """A place of somebody's order of an endless course."""
    training = make_training("Endless", credits=20, price=None, credit_only=True)
    course = make_course(training.product, credits=20, credit_only=True)
    order = place_order(make_learner(), (training.product, 2), text=TEXT)
    free = Place.objects.filter(order_line__order=order).order_by("pk").first()
    return course, free


def claiming(place_to_claim, learner):
    def claim():
        try:
            places.claim(place_to_claim, learner.user)
        except PlaceRefused as refused:
            return refused.reason.value
        return "claimed"

    return claim


def buying_on_the_page(course, learner):
    step = "training_credits:purchase-{}".format
    args, data = [course.training.pk], {"next": course.url}
    learner.client.post(reverse(step("apply"), args=args), {"code": TEXT, **data})
    form = {**shown_in(text_of(learner.client.get(course.url))), **data}

    def buy():
        answer = learner.client.post(reverse(step("confirm"), args=args), form)
        return words(text_of(learner.client.get(answer.url)))

    return buy


def buying_at_the_checkout(course, learner):
    learner.add(course.product)
    learner.apply(TEXT)
    page = learner.preview()
    return lambda: told(learner.place(page)).errors


BUYING = {"page": buying_on_the_page, "checkout": buying_at_the_checkout}


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.mark.parametrize("buying", BUYING.values(), ids=BUYING)
    def test_an_endless_course_is_claimed_or_bought(
        self, place_of, learner, code, buying
    ):
        course, free = place_of
        buy = buying(course, learner)

        claimed, _bought = at_once([claiming(free, learner), buy])

        bought = Order.objects.filter(user=learner.user).count()
        assert (claimed == "claimed") + bought == 1
        assert Access.objects.filter(learner=learner.user).count() == 1
        assert code.balance() == 960 - 20 * bought
        assert list(api.audit()) == []

    def test_it_is_bought_on_the_page_or_at_the_checkout(self, place_of, learner, code):
        course, _free = place_of
        tabs = [buying(course, learner) for buying in BUYING.values()]

        at_once(tabs)

        assert Order.objects.filter(user=learner.user).count() == 1
        assert code.balance() == 940
        assert list(api.audit()) == []

    def test_control_without_the_learners_lock_it_is_paid_for_nothing(
        self, place_of, learner, code, monkeypatch
    ):
        course, free = place_of
        buy = buying_at_the_checkout(course, learner)
        both_have_read, offer = Meeting(2), places.offer_to
        read = creator.items_of

        def read_together(basket):
            items = read(basket)
            both_have_read()
            return items

        def offer_together(user, place):
            offered = offer(user, place)
            both_have_read()
            return offered

        monkeypatch.setattr(creator, "items_of", read_together)
        monkeypatch.setattr(granting, "lock_learners", lambda pks: None)
        monkeypatch.setattr(places, "offer_to", offer_together)

        at_once([claiming(free, learner), buy])

        assert Access.objects.filter(learner=learner.user).count() == 2
        assert code.balance() == 940
