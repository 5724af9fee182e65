"""Whether the site sells again what a learner has, or has had."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import buying_again
from oscar_training_credits.credits.models import Access
from oscar_training_credits.credits.terms import ProductKind
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.orders import place_order
from ...support.pages import make_course
from ...support.shop import Learner, errors, shown_in, text_of, words

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
DAY = timedelta(days=1)
ONCE = "it can't be bought again"
LATER = "It can be bought again after that"
ENDLESS = "You have this already, without an end"


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def course(code):
    terms = {"credits": 20, "credit_only": True, "access_days": 90}
    return make_course(make_training(**terms).product, **terms)


@pytest.fixture
def learner(course):
    """A learner who has bought the course."""
    user = make_learner()
    place_order(user, (course.product, 1), text=TEXT)
    return Learner(user)


def end_access():
    ended = timezone.now() - DAY
    Access.objects.update(starts_at=ended - 90 * DAY, ends_at=ended)


def make_endless():
    Access.objects.update(ends_at=None)


RULES = {
    "always, running": ("always", None, ""),
    "always, ended": ("always", end_access, ""),
    "after its end, running": ("after end", None, LATER),
    "after its end, without an end": ("after end", make_endless, ENDLESS),
    "after its end, ended": ("after end", end_access, ""),
    "never, running": ("never", None, ONCE),
    "never, ended": ("never", end_access, ONCE),
}


@pytest.mark.parametrize(("rule", "happens", "said"), RULES.values(), ids=RULES)
def test_the_page_says_what_the_site_allows(
    learner, course, settings, rule, happens, said
):
    settings.TRAINING_CREDITS_BUY_AGAIN = rule
    if happens:
        happens()

    page = text_of(learner.client.get(course.url))

    assert ("Purchase with 20 Credits" in words(page)) is not bool(said)
    assert said in words(page)


@pytest.mark.parametrize(("rule", "happens", "said"), RULES.values(), ids=RULES)
def test_the_checkout_sells_what_the_site_allows(
    learner, course, code, settings, rule, happens, said
):
    settings.TRAINING_CREDITS_BUY_AGAIN = rule
    if happens:
        happens()
    learner.add(course.product)

    basket = words(learner.basket_page())
    learner.apply(TEXT)
    preview = learner.preview()
    learner.place(preview)

    assert said in basket
    assert said in errors(preview)
    assert code.balance() == (80 if said else 60)


@pytest.mark.parametrize(("rule", "happens", "said"), RULES.values(), ids=RULES)
def test_an_order_is_refused_whoever_writes_it(
    learner, course, code, settings, rule, happens, said
):
    settings.TRAINING_CREDITS_BUY_AGAIN = rule
    if happens:
        happens()

    if said:
        with pytest.raises(OrderRefused, match=said):
            place_order(learner.user, (course.product, 1), text=TEXT)
    else:
        place_order(learner.user, (course.product, 1), text=TEXT)

    assert code.balance() == (80 if said else 60)


def test_a_purchase_in_place_begun_before_is_not_confirmed(course, code, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    learner = Learner(make_learner())
    apply = reverse("training_credits:purchase-apply", args=[course.training.pk])
    confirm = reverse("training_credits:purchase-confirm", args=[course.training.pk])
    learner.client.post(apply, {"code": TEXT, "next": course.url})
    shown = shown_in(text_of(learner.client.get(course.url)))
    place_order(learner.user, (course.product, 1), text=TEXT)

    answer = learner.client.post(confirm, {**shown, "next": course.url}, follow=True)

    assert ONCE in words(text_of(answer))
    assert Order.objects.count() == 1
    assert code.balance() == 80


def test_what_was_given_back_can_be_bought_again(learner, course, code, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    api.refund_order(learner.order(), idempotency_key="call 1")

    place_order(learner.user, (course.product, 1), text=TEXT)

    assert code.balance() == 80
    assert api.has_access(learner.user, course.training)


def test_what_was_given_by_staff_or_opened_by_a_path_can_be_bought(
    course, code, settings
):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    user = make_learner()
    courses = (course.training,)
    path = make_training(
        kind=ProductKind.PATH, path_courses=courses, credits=20, access_days=30
    )
    place_order(user, (path.product, 1), text=TEXT)
    api.give_access(user, course.training, reason="A guest.")

    place_order(user, (course.product, 1), text=TEXT)

    assert code.balance() == 60


def test_places_for_others_are_not_asked(learner, course, code, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"

    place_order(learner.user, (course.product, 2), text=TEXT)

    assert code.balance() == 40


def test_only_what_the_learner_has_bought_counts(learner, course, settings):
    settings.TRAINING_CREDITS_BUY_AGAIN = "never"
    other = make_training()

    assert buying_again.refusals_again(learner.user, [other]) == {}
    assert buying_again.refusals_again(make_learner(), [course.training]) == {}


def test_what_has_ended_is_refused_only_for_good(learner, course, settings):
    end_access()

    answers = []
    for rule in ("after end", "never"):
        settings.TRAINING_CREDITS_BUY_AGAIN = rule
        answers.append(buying_again.refusals_again(learner.user, [course.training]))

    assert answers[0] == {}
    assert ONCE in answers[1][course.training.pk]


def test_no_query_more_where_all_is_sold_again(
    learner, course, settings, django_assert_num_queries
):
    settings.TRAINING_CREDITS_BUY_AGAIN = "always"

    with django_assert_num_queries(0):
        assert buying_again.refusals_again(learner.user, [course.training]) == {}
