"""A learner's account is deleted: access goes along, and the learning system hears."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.access import places
from oscar_training_credits.credits.models import Access, CreditGrant, Delivery, Place
from oscar_training_credits.credits.outbox import Result
from oscar_training_credits.shop.order.refunds import refund_lines
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support import enrolment
from ...support.enrolment import backend
from ...support.orders import place_order
from ...support.shop import text_of, words

DELIVERIES = reverse("training_credits:delivery-list")
AGAIN = reverse("training_credits:delivery-try-again")
MINUTE = timedelta(minutes=1)
TEXT = "ACME-TEAM-2026"
User = get_user_model()

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture(autouse=True)
def backend_is_set(settings):
    backend.heard.clear()
    backend.recover()
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH


@pytest.fixture
def learner():
    return make_learner(email="ann@acme.example")


@pytest.fixture
def course():
    return make_training("Django Foundations", access_days=10)


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def given(commit, learner, course):
    with commit():
        access = api.give_access(learner, course, reason="Goodwill")
    backend.heard.clear()
    return access


def client_of(**fields: Any) -> Client:
    client = Client()
    client.force_login(make_learner(is_staff=True, **fields))
    return client


def client_with(*codenames: str) -> Client:
    user = make_learner(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss():
    return client_of(is_superuser=True)


def in_admin(learner: Any) -> None:
    address = reverse("admin:auth_user_delete", args=[learner.pk])
    client_of(is_superuser=True).post(address, {"post": "yes"})


def in_admins_list(learner: Any) -> None:
    form = {"action": "delete_selected", "_selected_action": learner.pk, "post": "yes"}
    client_of(is_superuser=True).post(reverse("admin:auth_user_changelist"), form)


def in_wagtail(learner: Any) -> None:
    address = reverse("wagtailusers_users:delete", args=[learner.pk])
    client_of(is_superuser=True).post(address)


def in_profile(learner: Any) -> None:
    client = Client()
    client.force_login(learner)
    client.post(reverse("customer:profile-delete"), {"password": "password"})


WAYS: dict[str, Callable[[Any], Any]] = {
    "Django's admin": in_admin,
    "Django's admin, the list": in_admins_list,
    "Wagtail's admin": in_wagtail,
    "their own profile": in_profile,
    "the model": lambda learner: learner.delete(),
    "a queryset": lambda learner: User.objects.filter(pk=learner.pk).delete(),
}
every_way = pytest.mark.parametrize("delete", WAYS.values(), ids=WAYS)


def findings() -> str:
    written = StringIO()
    call_command("check_ledger", stdout=written)
    return written.getvalue()


# What goes, and what stays


@every_way
def test_access_goes_with_its_learner_and_the_learning_system_hears(
    delete, commit, learner, given, course
):
    pk, access_pk = learner.pk, given.pk

    with commit():
        delete(learner)

    assert not User.objects.filter(pk=pk).exists()
    assert not Access.objects.exists()
    (news,) = backend.heard
    assert (news.kind, news.is_account_deleted) == ("ended", True)
    assert (news.learner.pk, news.learner.email) == (pk, "ann@acme.example")
    assert (news.training, news.access.pk) == (course, access_pk)
    assert news.starts_at == given.starts_at
    assert given.starts_at < news.ends_at <= timezone.now()
    assert not api.access_status(news.learner, course).has_access


@every_way
def test_what_was_bought_stays_sound(delete, commit, learner, course):
    make_code(100, text=TEXT)
    with commit():
        order = place_order(learner, (course.product, 1), text=TEXT)
    line = order.lines.get()

    with commit():
        delete(learner)

    order.refresh_from_db()
    assert order.user is None
    assert findings() == ""
    outcome = refund_lines([(line, 1)], idempotency_key="erased")
    assert outcome.credits == 20
    assert CreditGrant.objects.get().remaining == 100
    assert findings() == ""


def test_a_claimed_place_stays_claimed_and_can_be_refunded(
    commit, settings, learner, course
):
    settings.TRAINING_CREDITS_MOST_PLACES = 5
    make_code(100, text=TEXT)
    buyer = make_learner()
    order = place_order(buyer, (course.product, 2), text=TEXT)
    place = Place.objects.earliest("pk")
    places.claim(place, learner)

    with commit():
        in_admin(learner)

    place.refresh_from_db()
    assert place.claimed_at
    assert findings() == ""
    refund_lines([(order.lines.get(), 2)], idempotency_key="all back")
    assert CreditGrant.objects.get().remaining == 100
    assert findings() == ""


def test_staff_who_may_delete_users_may_delete_a_learner(learner, given):
    client = client_with("delete_user", "view_user")

    address = reverse("admin:auth_user_delete", args=[learner.pk])
    client.post(address, {"post": "yes"})

    assert not User.objects.filter(pk=learner.pk).exists()


@pytest.mark.parametrize("codename", ["delete_access", "delete_user", None])
def test_access_is_never_deleted_by_itself(codename, boss, given):
    client = client_with(codename, "view_access") if codename else boss
    address = reverse("admin:training_credits_access_delete", args=[given.pk])
    listed = reverse("admin:training_credits_access_changelist")
    form = {"action": "delete_selected", "_selected_action": given.pk, "post": "yes"}

    assert client.get(address).status_code == 403
    assert client.post(address, {"post": "yes"}).status_code == 403
    client.post(listed, form)
    change = reverse("admin:training_credits_access_change", args=[given.pk])

    assert Access.objects.filter(pk=given.pk).exists()
    assert address not in text_of(client.get(change))


# News of what is gone


def test_without_a_backend_nothing_is_written(settings, learner, given):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = None

    learner.delete()

    assert not Delivery.objects.exists()


def test_nobody_is_told_twice_that_access_has_ended(commit, learner, given):
    with commit():
        api.end_access(given, reason="They left")
    assert backend.kinds == ["ended"]

    with commit():
        learner.delete()

    assert backend.kinds == ["ended"]
    assert not Delivery.objects.exists()


def test_an_end_that_has_not_arrived_is_told_by_the_deletion(commit, learner, given):
    backend.fail(OSError())
    with commit():
        api.end_access(given, reason="They left")
    backend.recover()
    backend.heard.clear()

    with commit():
        learner.delete()
    outbox.try_all_again(seconds=5)

    assert [(news.kind, news.is_account_deleted) for news in backend.heard] == [
        ("ended", True)
    ]


def test_a_deletion_that_is_rolled_back_is_no_news(learner, given):
    with transaction.atomic():
        learner.delete()
        transaction.set_rollback(True)

    assert Access.objects.exists()
    assert Delivery.objects.pending().count() == 0


def test_what_identifies_them_is_wiped_once_it_has_arrived(commit, learner, given):
    backend.fail(OSError())
    with commit():
        learner.delete()
    waiting = Delivery.objects.get()
    assert waiting.deleted["email"] == "ann@acme.example"
    backend.recover()

    assert outbox.try_again(waiting.pk) is Result.ARRIVED

    arrived = Delivery.objects.get()
    assert (arrived.access_id, arrived.deleted) == (None, None)
    assert arrived.delivered_at


def test_training_is_kept_until_the_news_has_arrived(commit, learner, given, course):
    backend.fail(OSError())
    with commit():
        learner.delete()
    with pytest.raises(ProtectedError):
        course.product.delete()
    backend.recover()
    outbox.try_all_again(seconds=5)

    course.product.delete()

    assert backend.heard[-1].kind == "ended"


def test_news_of_two_deleted_accounts_do_not_wait_for_each_other(
    commit, learner, given, course
):
    other = make_learner()
    with commit():
        api.give_access(other, course, reason="Goodwill")

    def refuse_ann(news):
        if news.learner.email == "ann@acme.example":
            raise OSError

    backend.answer = refuse_ann
    with commit():
        learner.delete()
    with commit():
        other.delete()
    later = timezone.now() + 2 * MINUTE
    with mock.patch("django.utils.timezone.now", return_value=later):
        outbox.deliver_due()

    assert Delivery.objects.filter(access=None).pending().count() == 1


def test_an_end_waits_for_news_that_is_under_way(commit, learner, course):
    """Else a slow *given* would arrive after it, and open the course for ever."""
    with commit():
        given = api.give_access(learner, course, reason="Goodwill")
    lease = timezone.now() + 3 * MINUTE
    Delivery.objects.filter(access=given).update(delivered_at=None, taken_until=lease)
    backend.heard.clear()

    with commit():
        learner.delete()

    assert backend.heard == []
    with mock.patch("django.utils.timezone.now", return_value=lease + MINUTE):
        outbox.deliver_due()
    assert backend.kinds == ["ended"]


# What staff see


@pytest.fixture
def waiting(commit, learner, given):
    backend.fail(OSError())
    with commit():
        learner.delete()
    backend.recover()
    return Delivery.objects.get()


def test_staff_see_and_send_it(waiting, boss):
    page = words(text_of(boss.get(DELIVERIES)))
    assert "Deleted account" in page
    assert "Django Foundations" in page
    assert "ann@acme.example" not in page

    boss.post(AGAIN, {"delivery": waiting.pk})

    assert backend.heard[-1].is_account_deleted
    arrived = words(text_of(boss.get(f"{DELIVERIES}?state=arrived")))
    assert "Deleted account" in arrived


def test_staff_find_it_by_its_training(waiting, boss):
    found = text_of(boss.get(f"{DELIVERIES}?training=foundations"))
    other = text_of(boss.get(f"{DELIVERIES}?training=flask"))

    assert "Deleted account" in found
    assert "Deleted account" not in other


def test_the_list_can_be_sorted_with_it(waiting, boss):
    for column in ("learner", "training", "-learner", "-training"):
        assert boss.get(f"{DELIVERIES}?sort={column}").status_code == 200


def test_partner_users_do_not_see_it(waiting, course):
    seller = make_learner()
    seller.user_permissions.set(
        Permission.objects.filter(
            codename__in=["dashboard_access", "view_delivery", "change_delivery"]
        )
    )
    record = course.product.stockrecords.get()
    record.partner.users.add(seller)
    client = Client()
    client.force_login(seller)

    page = client.get(DELIVERIES)
    client.post(AGAIN, {"delivery": waiting.pk})
    client.post(AGAIN, {"all": "1"})

    assert page.status_code == 200
    assert "Deleted account" not in text_of(page)
    assert not Delivery.objects.get().delivered_at


def test_ordinary_goods_hear_nothing(commit):
    learner = make_learner()
    place_order(learner, (make_product(), 1))

    with commit():
        learner.delete()

    assert not Delivery.objects.exists()
    assert backend.heard == []
