"""A manager limits a code, and never lets it be wider than staff have set it."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import edit_code
from oscar_training_credits.credits.codes.limiting import limit_code
from oscar_training_credits.credits.codes.rules import Purchase, first_refusal
from oscar_training_credits.credits.models import CodeChange, CreditCode
from oscar_training_credits.exceptions import WiderThanAllowed, WiderThanParent
from oscar_training_credits.test.factories import make_learner

from ...support.shop import text_of, words

Range = get_model("offer", "Range")

pytestmark = pytest.mark.django_db

EMPTY = {"credits_per_learner": None, "email_domains": "", "content": None}


def stored(code: CreditCode) -> CreditCode:
    return CreditCode.objects.get(pk=code.pk)


def may_use(code: CreditCode, address: str) -> bool:
    return first_refusal(stored(code), Purchase(make_learner(email=address))) is None


@pytest.fixture
def limit(code, bea):
    def set_limits(**limits: Any) -> CreditCode:
        limit_code(code, limits, by=bea.user)
        return stored(code)

    return set_limits


def test_a_cap_is_narrowed_and_widened_up_to_what_staff_have_set(code, limit, bea):
    edit_code(code, {"credits_per_learner": 30})

    assert limit(credits_per_learner=10).credits_per_learner == 10
    assert limit(credits_per_learner=20).credits_per_learner == 20
    with pytest.raises(WiderThanAllowed):
        limit(credits_per_learner=31)
    assert limit(credits_per_learner=None).credits_per_learner == 30
    changes = code.changes.filter(changed_by=bea.user).order_by("pk")
    assert [change.details for change in changes] == [
        [["credits_per_learner", "30", "10"]],
        [["credits_per_learner", "10", "20"]],
        [["credits_per_learner", "20", "30"]],
    ]


def test_what_staff_set_later_is_the_bound(code, limit):
    limit(credits_per_learner=10)
    edit_code(code, {"credits_per_learner": 5})

    with pytest.raises(WiderThanAllowed):
        limit(credits_per_learner=6)
    assert limit(credits_per_learner=None).credits_per_learner == 5


def test_domains_narrow_and_are_taken_off_again(code, limit):
    limit(email_domains="sales.acme.example")
    assert not may_use(code, "lee@acme.example")
    assert may_use(code, "lou@sales.acme.example")

    limit(email_domains="")

    assert may_use(code, "lea@beta.example")


def test_domains_stay_within_those_of_staff(code, limit):
    edit_code(code, {"email_domains": "acme.example", "include_subdomains": True})

    limit(email_domains="sales.acme.example")
    assert not may_use(code, "lee@acme.example")
    for domains in ("beta.example", "acme.example\nbeta.example"):
        with pytest.raises(WiderThanAllowed):
            limit(email_domains=domains)
    back = limit(email_domains="")
    assert (back.email_domains, back.include_subdomains) == ("acme.example", True)


def test_who_was_named_by_staff_keeps_a_code_closed(code, limit):
    limit(email_domains="acme.example")
    named = make_learner(email="ann@other.example")
    edit_code(code, {"learners": [named]})

    limit(email_domains="")
    assert not may_use(code, "lee@acme.example")
    named.delete()

    assert not may_use(code, "lou@acme.example")


def test_a_code_for_named_learners_gets_no_domain_by_a_manager(code, limit):
    edit_code(code, {"learners": [make_learner(email="ann@acme.example")]})

    with pytest.raises(WiderThanAllowed):
        limit(email_domains="acme.example")


def test_content_is_narrowed_where_staff_have_set_none(code, limit):
    one, other = (Range.objects.create(name=name) for name in ("One", "Other"))

    assert limit(content=one).content == one
    assert limit(content=None).content is None
    edit_code(code, {"content": one})
    with pytest.raises(WiderThanAllowed):
        limit(content=other)


def test_a_child_is_not_wider_than_its_parent(code, bea):
    child = api.cut_code(code, 10, label="Sales").code
    limit_code(child, {"credits_per_learner": 9}, by=bea.user)
    edit_code(code, {"credits_per_learner": 5})

    with pytest.raises(WiderThanParent):
        limit_code(child, {"credits_per_learner": None}, by=bea.user)
    assert stored(child).credits_per_learner == 9


def test_the_page_sets_limits_and_says_what_the_shop_has_set(bea, code):
    edit_code(code, {"credits_per_learner": 30})
    Range.objects.create(name="Ours alone")
    public = Range.objects.create(name="Web courses", is_public=True)
    address = reverse("training_credits:my-code-limits", args=[code.pk])
    page = words(text_of(bea.client.get(address)))
    assert "30 at most, as the shop has set" in page
    assert "Ours alone" not in page

    form = {"credits_per_learner": 20, "content": public.pk}
    form |= {"email_domains": "@acme.example"}
    done = bea.client.post(address, form, follow=True)
    again = bea.client.post(address, form, follow=True)
    wider = bea.client.post(address, {**form, "credits_per_learner": 31})
    bad = bea.client.post(address, {**form, "email_domains": "not a domain"})

    limited = stored(code)
    assert (limited.credits_per_learner, limited.content) == (20, public)
    assert limited.email_domains == "acme.example"
    assert "The limits are set." in text_of(done)
    assert "Web courses" in text_of(done)
    assert "Nothing was changed." in text_of(again)
    assert "The shop does not allow that" in text_of(wider)
    assert bad.context["form"].errors["email_domains"]
    assert CodeChange.objects.filter(kind="edited", changed_by=bea.user).count() == 1


def test_a_closed_code_takes_no_limit(bea, code):
    api.close_code(code)
    address = reverse("training_credits:my-code-limits", args=[code.pk])

    page = bea.client.post(address, {"credits_per_learner": 2}, follow=True)

    assert "Nothing was changed." in text_of(page)
