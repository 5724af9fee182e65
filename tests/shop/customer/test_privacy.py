"""Manager A never sees B's codes: on no page, in no file, by no call."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from oscar_training_credits import urls
from oscar_training_credits.credits.models import CodeChange, LedgerEntry

from ...support.shop import text_of

pytestmark = pytest.mark.django_db

PAGES = sorted(
    {
        each.name
        for each in urls.urlpatterns
        if each.name and each.name.startswith("my-code") and each.name != "my-code"
    }
)


def address_of(name: str, code: Any) -> str:
    [pattern] = [each for each in urls.urlpatterns if each.name == name]
    values = dict.fromkeys(pattern.pattern.converters, code.pk)
    return reverse(f"training_credits:{name}", kwargs=values)


def state_of(code: Any) -> Any:
    code.refresh_from_db()
    terms = (code.digest, code.state, code.credits_per_learner, code.email_domains)
    managers = list(code.managers.values_list("email", flat=True))
    return terms, managers, LedgerEntry.objects.count(), CodeChange.objects.count()


@pytest.mark.parametrize("name", ["my-code", *PAGES])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_sees_or_changes_a_code(
    code, beta, client, admin_client, name, method
):
    address, before = address_of(name, code), state_of(code)

    for other in (beta.client, admin_client):
        assert getattr(other, method)(address).status_code in {404, 405}
    assert getattr(client, method)(address).status_code in {302, 405}
    assert state_of(code) == before


@pytest.mark.parametrize("name", ["my-code", *PAGES])
def test_a_removed_manager_is_out_at_once(bea, code, name):
    address = address_of(name, code)
    assert bea.client.get(address).status_code in {200, 302, 405} or "child" in name

    code.managers.all().delete()

    assert bea.client.get(address).status_code in {404, 405}
    assert code.label not in text_of(
        bea.client.get(reverse("training_credits:my-credits"))
    )
