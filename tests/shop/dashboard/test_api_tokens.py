"""Staff make tokens for the API in the dashboard, and revoke them."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from oscar_training_credits.credits import api_tokens
from oscar_training_credits.credits.models import ApiToken, Scope
from oscar_training_credits.test.factories import make_learner

from ...support.api_caller import ROOT
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LIST = reverse("training_credits:api-token-list")
NEW = reverse("training_credits:api-token-create")
ALL = ("view_apitoken", "add_apitoken", "change_apitoken")
PAGES = {
    "api-token-list": "view_apitoken",
    "api-token-create": "add_apitoken",
    "api-token": "view_apitoken",
    "api-token-revoke": "change_apitoken",
}


@pytest.fixture
def staff():
    return client_of(*ALL, "view_creditcode")


def form_of(client: Client, **more: object) -> dict[str, object]:
    page = client.get(NEW)
    generated = page.context["form"]["generated"].value()
    return {"name": "CRM", "scopes": ["codes:read"], "generated": generated, **more}


def text_on(page: object) -> str:
    found = re.search(r'value="(tct_[\w-]+)"', page.content.decode())
    return found.group(1) if found else ""


def test_a_token_is_made_shown_once_and_works(staff):
    page = staff.post(NEW, form_of(staff), follow=True)

    text = text_on(page)
    token = ApiToken.objects.get()
    assert text.endswith(token.last_four)
    assert token.user == staff.user
    assert text_on(staff.get(page.redirect_chain[0][0])) == ""
    headers = {"Authorization": f"Bearer {text}"}
    assert Client().get(f"{ROOT}/codes/", headers=headers).status_code == 200
    assert text not in str(dict(staff.session))


def test_a_second_click_makes_no_second_token(staff):
    form = form_of(staff)

    staff.post(NEW, form)
    page = staff.post(NEW, form, follow=True)

    assert ApiToken.objects.count() == 1
    assert text_on(page) == form["generated"]


@pytest.mark.parametrize(
    "more",
    [{"scopes": []}, {"scopes": ["all"]}, {"name": ""}, {"generated": "tct_easy"}],
)
def test_a_token_that_makes_no_sense_is_not_made(staff, more):
    page = staff.post(NEW, form_of(staff, **more))

    assert page.status_code == 200
    assert page.context["form"].errors
    assert not ApiToken.objects.exists()


def test_nobody_takes_the_token_of_somebody_else(staff):
    other = client_of(*ALL)
    form = form_of(staff)
    staff.post(NEW, form)

    page = other.post(NEW, form)

    assert "This page was used before" in text_of(page)
    assert ApiToken.objects.get().user == staff.user


def test_a_revoked_token_is_over(staff):
    issued = api_tokens.issue_token(staff.user, name="CRM", scopes=[Scope.CODES_READ])
    revoke = reverse("training_credits:api-token-revoke", args=[issued.token.pk])

    asked = staff.get(revoke)
    assert "Revoke the token?" in text_of(asked)
    assert ApiToken.objects.get().revoked_at is None
    for _again in range(2):
        staff.post(revoke)

    assert api_tokens.find_token(issued.text) is None
    assert "Revoked" in text_of(staff.get(LIST))


@pytest.mark.parametrize("role", [*NOBODY, "partner", *ALL, "superuser"])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_for_those_with_its_permission(name, role):
    token = api_tokens.issue_token(
        client_of().user, name="CRM", scopes=[Scope.CODES_READ]
    ).token
    args = [token.pk] if name in ("api-token", "api-token-revoke") else []

    status = (
        client_in(role, ALL)
        .get(reverse(f"training_credits:{name}", args=args))
        .status_code
    )

    assert (status == 200) is (role in ("superuser", PAGES[name]))
    assert status in (200, 302, 403)


@pytest.mark.urlconf("tests.sites.without_api_urls")
def test_without_the_api_there_are_no_tokens(staff):
    assert staff.get(LIST).status_code == 404
    assert "API tokens" not in text_of(staff.get(reverse("dashboard:index")))


def test_a_command_makes_a_token_too(staff):
    out = StringIO()

    username = staff.user.get_username()
    call_command("create_api_token", username, "CRM", "codes:read", stdout=out)

    token = api_tokens.find_token(out.getvalue().strip())
    assert (token.user, token.scopes) == (staff.user, ["codes:read"])
    with pytest.raises(CommandError, match="There is no user nobody"):
        call_command("create_api_token", "nobody", "CRM", "codes:read")


def test_the_command_makes_no_token_that_the_api_would_refuse():
    learner = make_learner()

    with pytest.raises(CommandError, match="is not staff"):
        call_command("create_api_token", learner.get_username(), "CRM", "codes:read")

    assert not ApiToken.objects.exists()
