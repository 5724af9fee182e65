"""Who may call what: scopes of the token, rights of its user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from oscar_training_credits.backoffice import urls
from oscar_training_credits.backoffice.base import ApiView
from oscar_training_credits.credits import api_tokens
from oscar_training_credits.credits.codes import issuing
from oscar_training_credits.credits.models import CreditCode, Scope
from oscar_training_credits.test.factories import make_code, make_learner

from ..support.api_caller import RIGHTS, ROOT, Caller, caller_in, caller_with
from ..support.roles import client_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def operations() -> list[tuple[str, str, str, Any]]:
    """Return what there is: path, method, scope, and right."""
    found = []
    for pattern in urls.urlpatterns:
        view = pattern.callback.view_class
        if not issubclass(view, ApiView):
            continue
        path = "/" + str(pattern.pattern).replace("<training_row:pk>", "1")
        path = path.replace("<training_order:number>", "100001")
        for method, (scope, right) in view.needs.items():
            if hasattr(view, method.lower()):
                found.append((path, method, scope, right))
    return found


OPERATIONS = operations()
IDS = [f"{method} {path}" for path, method, *_rest in OPERATIONS]
each_operation = pytest.mark.parametrize(
    ("path", "method", "scope", "right"), OPERATIONS, ids=IDS
)


def ask(caller: Caller, path: str, method: str) -> int:
    if method == "GET":
        return int(caller.get(path).status_code)
    return int(caller.send(path, method=method.lower()).status_code)


def test_there_are_operations():
    assert len(OPERATIONS) > 20


@each_operation
def test_strangers_are_told_to_bring_a_token(path, method, scope, right):
    answer = Client().generic(method, f"{ROOT}{path}")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Content-Type"] == "application/problem+json"


@each_operation
@pytest.mark.parametrize("role", ["learner", "manager", "partner", "staff"])
def test_others_than_staff_with_the_right_are_refused(path, method, scope, right, role):
    make_code()

    assert ask(caller_in(role), path, method) == 403


@each_operation
def test_a_token_without_the_scope_is_refused(path, method, scope, right):
    others = [each for each in Scope.values if each != scope]

    assert ask(caller_with(scopes=others), path, method) == 403


@each_operation
def test_the_scope_and_the_right_are_enough(path, method, scope, right):
    if callable(right):
        name = "change_order" if "change" in right.__name__ else "view_order"
        rights = {"view_order", name}
    else:
        rights = {right}

    status = ask(caller_with(*rights, scopes=[scope]), path, method)

    # There is no such row, or nothing was sent: it was let in.
    assert status in (200, 400, 404)


@each_operation
def test_one_right_less_is_too_few(path, method, scope, right):
    if callable(right):
        name = "change_order" if "change" in right.__name__ else "view_order"
    else:
        name = right
    fewer = [each for each in RIGHTS if each != name]

    assert ask(caller_with(*fewer), path, method) == 403


def test_who_is_refused_is_told_what_is_lacking():
    code = make_code()
    lacking = caller_with("view_creditcode", "change_creditcode")
    closed = lacking.send(f"/codes/{code.pk}/state/", state="closed").json()

    assert closed["detail"] == "Its user needs the permission adjust_creditcode."
    learner = caller_in("learner").get("/codes/").json()
    assert learner["detail"] == "Its user is not staff."


@pytest.mark.parametrize(
    "change",
    ["revoked", "expired", "inactive", "no longer staff", "deleted"],
)
def test_a_token_that_is_over_lets_nobody_in(change):
    caller = caller_with()
    token, user = caller.issued.token, caller.user
    assert caller.get("/codes/").status_code == 200

    if change == "revoked":
        api_tokens.revoke_token(token)
    elif change == "expired":
        token.expires_at = timezone.now() - timedelta(seconds=1)
        token.save()
    elif change == "inactive":
        user.is_active = False
        user.save()
    elif change == "no longer staff":
        user.is_staff = False
        user.save()
    else:
        user.delete()

    assert caller.get("/codes/").status_code in (401, 403)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer a b",
        "Basic YTpi",
        "bearer \xff",
    ],
)
def test_what_is_no_token_lets_nobody_in(header):
    caller_with()

    answer = Client().get(f"{ROOT}/codes/", headers={"Authorization": header})

    assert answer.status_code == 401


def test_a_session_of_staff_is_no_token():
    client = client_in("superuser", ())

    assert client.get(f"{ROOT}/codes/").status_code == 401


@pytest.fixture
def site_cache(settings):
    """A site that keeps all pages for a while."""
    here = "django.middleware.cache"
    settings.MIDDLEWARE = [
        f"{here}.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        f"{here}.FetchFromCacheMiddleware",
    ]
    yield
    cache.clear()


def test_no_cache_of_the_site_answers_in_place_of_the_api(site_cache):
    caller, code = caller_with(), make_code(10)
    path = f"/codes/{code.pk}/"
    first = caller.get(path)
    issuing.add_grant(code, 5)

    assert "no-store" in first["Cache-Control"]
    assert caller.get(path).json()["balance"] == 15
    api_tokens.revoke_token(caller.issued.token)
    assert caller.get(path).status_code == 401


def test_a_token_is_kept_as_a_digest_alone():
    issued = api_tokens.issue_token(
        make_learner(), name="CRM", scopes=[Scope.CODES_READ]
    )

    row = str(type(issued.token).objects.values().get())
    assert issued.text not in row
    assert issued.text.startswith("tct_")


def test_it_is_noted_once_an_hour_that_a_token_is_used():
    caller = caller_with()
    caller.get("/codes/")
    token = caller.issued.token
    token.refresh_from_db()
    noted = token.used_at

    caller.get("/codes/")

    token.refresh_from_db()
    assert noted
    assert token.used_at == noted


def test_nothing_changes_on_get():
    caller = caller_with()
    make_code()
    before = list(CreditCode.objects.values())

    for path, method, *_rest in OPERATIONS:
        if method == "POST":
            caller.get(path)

    assert list(CreditCode.objects.values()) == before
