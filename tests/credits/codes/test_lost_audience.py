"""A restriction that has lost all whom it names stays one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.core import serializers
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from oscar_training_credits import api
from oscar_training_credits.credits.codes import code_text
from oscar_training_credits.credits.codes.refusals import Reason, Refusal, public_text
from oscar_training_credits.credits.codes.rules import (
    Purchase,
    first_refusal,
    is_for_nobody,
)
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import make_code, make_learner, make_training

from ...support.shop import Learner, text_of, words

TEXT = "ACME-TEAM-2026"
User = get_user_model()
Doing = Callable[[Any], Any]

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def boss():
    return make_learner(is_staff=True, is_superuser=True)


@pytest.fixture
def admin(boss):
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def team():
    return Group.objects.create(name="ACME team")


def told(who: Any) -> Reason | None:
    code = code_text.find(TEXT, learner=who)
    refusal = first_refusal(code, Purchase(who))
    return refusal and refusal.reason


def assert_for_nobody(*others: Any) -> None:
    for who in (make_learner(), *others):
        assert told(who) is Reason.NOT_FOR_YOU
    for visitor in (None, AnonymousUser()):
        assert told(visitor) is Reason.NOT_LOGGED_IN
    assert is_for_nobody(code_text.find(TEXT))
    assert CreditCode.objects.for_nobody().get() == code_text.find(TEXT)


def delete_in_wagtail(admin: Client, group: Group) -> None:
    admin.post(reverse("wagtailusers_groups:delete", args=[group.pk]))


def delete_in_admin(admin: Client, group: Group) -> None:
    address = reverse("admin:auth_group_delete", args=[group.pk])
    admin.post(address, {"post": "yes"})


GROUP_GOES: dict[str, Callable[[Client, Group], Any]] = {
    "Wagtail": delete_in_wagtail,
    "Django's admin": delete_in_admin,
    "the model": lambda admin, group: group.delete(),
    "a queryset": lambda admin, group: Group.objects.filter(pk=group.pk).delete(),
}


@pytest.mark.parametrize("delete", GROUP_GOES.values(), ids=GROUP_GOES)
def test_a_code_whose_group_is_deleted_is_for_nobody(delete, admin, team):
    member = make_learner()
    member.groups.add(team)
    make_code(text=TEXT, groups=[team])

    delete(admin, team)

    assert not Group.objects.filter(pk=team.pk).exists()
    assert_for_nobody(member)


def delete_profile(learner: Any) -> None:
    client = Client()
    client.force_login(learner)
    address = reverse("customer:profile-delete")
    response = client.post(address, {"password": "password"})
    assert response.status_code == 302


LEARNER_GOES: dict[str, Doing] = {
    "their own profile": delete_profile,
    "the model": lambda learner: learner.delete(),
    "a queryset": lambda learner: User.objects.filter(pk=learner.pk).delete(),
}


@pytest.mark.parametrize("delete", LEARNER_GOES.values(), ids=LEARNER_GOES)
def test_a_code_whose_learner_is_deleted_is_for_nobody(delete):
    learner = make_learner()
    make_code(text=TEXT, learners=[learner])
    assert told(learner) is None

    delete(learner)

    assert not User.objects.filter(pk=learner.pk).exists()
    assert_for_nobody()


def test_a_stranger_who_applies_it_is_told_that_there_is_no_such_code(team):
    course = make_training(credits=20).product
    make_code(100, text=TEXT, groups=[team])
    team.delete()
    stranger = Learner(make_learner())
    stranger.add(course)

    said = stranger.apply(TEXT)

    assert public_text(Refusal(Reason.UNKNOWN)) in said
    assert "credits available" not in said


def test_who_had_applied_it_can_not_order_any_more(team):
    course = make_training(credits=20, credit_only=True).product
    code = make_code(100, text=TEXT, groups=[team])
    member = Learner(make_learner())
    member.user.groups.add(team)
    member.add(course)
    member.apply(TEXT)
    page = member.preview()
    team.delete()

    member.place(page)

    assert code.balance() == 100


def test_a_learner_who_is_named_later_counts_as_well():
    learner = make_learner()
    make_code(text=TEXT).learners.add(learner)

    learner.delete()

    assert_for_nobody()


def test_a_group_that_is_named_later_counts_as_well(team):
    make_code(text=TEXT).groups.set([team])

    team.delete()

    assert_for_nobody()


def test_a_domain_that_is_taken_away_in_code_opens_nothing():
    code = make_code(text=TEXT, email_domains=["acme.example"])

    code.email_domains = ""
    code.save()

    assert_for_nobody()


def test_a_domain_that_is_written_in_code_restricts_for_good():
    code = make_code(text=TEXT)
    code.email_domains = "acme.example"
    code.save(update_fields=["email_domains"])

    CreditCode.objects.update(email_domains="")

    assert_for_nobody()


def test_one_of_two_groups_that_goes_changes_nothing_for_the_other(team):
    other = Group.objects.create(name="Another team")
    make_code(text=TEXT, groups=[team, other])
    member = make_learner()
    member.groups.add(other)

    team.delete()

    assert told(member) is None
    assert told(make_learner()) is Reason.NOT_FOR_YOU


def test_a_group_that_its_members_have_left_is_still_named(team):
    make_code(text=TEXT, groups=[team])

    assert told(make_learner()) is Reason.NOT_FOR_YOU
    assert not CreditCode.objects.for_nobody().exists()


def test_a_code_that_never_named_anybody_is_for_everybody(team):
    make_code(text=TEXT)

    team.delete()
    make_learner().delete()

    assert told(make_learner()) is None
    assert told(None) is None


def test_a_code_can_be_issued_for_nobody_yet():
    api.issue_code(label="ACME", credits=5, text=TEXT, learners=[], named_only=True)

    assert_for_nobody()


def test_it_is_opened_to_everybody_in_code(team):
    code = make_code(text=TEXT, groups=[team])
    team.delete()

    api.open_to_everybody(code)

    assert told(make_learner()) is None


def test_many_codes_lose_their_group(team):
    list(api.issue_codes(3, label="ACME", credits=5, groups=[team]))

    team.delete()

    assert CreditCode.objects.for_nobody().count() == 3


def test_a_stranger_costs_one_query_for_a_code_that_is_for_nobody(
    team, django_assert_num_queries
):
    make_code(text=TEXT, groups=[team])
    team.delete()
    stranger = make_learner()

    with django_assert_num_queries(1):
        told(stranger)


# What staff see, and do


def change_page(code: CreditCode) -> str:
    return reverse("admin:training_credits_creditcode_change", args=[code.pk])


def posted(client: Client, code: CreditCode, **changes: Any) -> Any:
    """Save the form of a code as a browser sends it, with `changes`."""
    page = client.get(change_page(code))
    form = page.context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    (grants,) = page.context["inline_admin_formsets"]
    for each in [grants.formset.management_form, *grants.formset.forms]:
        data |= {each.add_prefix(name): each[name].value() for name in each.fields}
    # A box that is not ticked is not sent, nor a list in which nothing is chosen.
    unsent = (None, False, [])
    sent = {k: v for k, v in {**data, **changes}.items() if v not in unsent}
    response = client.post(change_page(code), sent, follow=True)
    assert response.redirect_chain, response.context["errors"]
    return response


@pytest.fixture
def lost(team):
    code = make_code(text=TEXT, groups=[team])
    team.delete()
    return code


SAYS = "Nobody can use this code: all those it was for have been deleted."


def test_staff_see_why(admin, lost):
    fine = make_code(text="ACME-FINE-2026")

    assert SAYS in words(text_of(admin.get(change_page(lost))))
    assert SAYS not in words(text_of(admin.get(change_page(fine))))


def test_staff_find_such_codes_in_the_list(admin, lost):
    make_code(label="Fine")
    make_code(label="Restricted", learners=[make_learner()])
    address = reverse("admin:training_credits_creditcode_changelist")

    shown = {
        choice: admin.get(address, {"for": choice}).context["cl"].queryset.count()
        for choice in ("all", "some", "nobody")
    }

    assert shown == {"all": 1, "some": 2, "nobody": 1}


def test_saving_something_else_opens_nothing_and_says_so_again(admin, lost):
    response = posted(admin, lost, label="Renamed")

    assert CreditCode.objects.get().label == "Renamed"
    assert SAYS in words(text_of(response))
    assert_for_nobody()


def test_staff_name_somebody_else(admin, lost):
    learner = make_learner()

    response = posted(admin, lost, learners=[learner.pk])

    assert SAYS not in words(text_of(response))
    assert told(learner) is None
    assert told(make_learner()) is Reason.NOT_FOR_YOU


def test_staff_open_it_to_everybody(admin, lost):
    posted(admin, lost, named_only=False)

    assert told(make_learner()) is None
    assert told(None) is None


def test_a_name_restricts_whether_or_not_the_box_is_ticked(admin, team):
    code = make_code(text=TEXT)

    posted(admin, code, groups=[team.pk])
    team.delete()

    assert_for_nobody()


def test_who_takes_the_last_name_away_is_told_that_nobody_is_left(admin, team):
    code = make_code(text=TEXT, groups=[team])

    response = posted(admin, code, groups=[])

    assert SAYS in words(text_of(response))
    assert_for_nobody()


# Ways past the model's own methods


def test_a_dump_of_such_a_code_is_loaded_as_it_was(lost, tmp_path):
    file = tmp_path / "codes.json"
    file.write_text(serializers.serialize("json", CreditCode.objects.all()))
    CreditCode.objects.update(named_only=False)

    call_command("loaddata", file, verbosity=0)

    assert_for_nobody()
