"""Who calls the API, and what they may do: a token's scopes, and its user's rights."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission

from ..credits import api_tokens
from ..shop.dashboard.mixins import may
from .problems import InsufficientScope, NotPermitted


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer …`, as in RFC 6750."""

    @sensitive_variables()
    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        text = words[1].decode("latin-1") if len(words) == 2 else ""
        token = api_tokens.find_token(text)
        if token is None or not token.user.is_active:
            raise AuthenticationFailed
        api_tokens.note_use(token)
        return token.user, token

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="training credits"'


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes the tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}


class TokenPermission(BasePermission):
    """Asks the token for the scope that a view needs, and its user for the right.

    A view says so in `needs`: by method the scope, and the permission that the page
    of the dashboard asks for the same. Only staff have any, as in the dashboard no
    code belongs to a partner.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        if request.auth is None:
            return False
        method = "GET" if request.method == "HEAD" else request.method
        if method not in view.needs:
            # Such as OPTIONS, which tells nothing that the schema does not.
            return True
        require(request, *view.needs[method])
        return True


def require(request: Any, scope: str, right: Any) -> None:
    """Refuse what the token is not for, or its user has no right to.

    `right` is a permission for one of our models, or what asks the user.

    Raises:
        InsufficientScope: the token does not have the scope.
        NotPermitted: its user could not do it in the dashboard either.
    """
    if scope not in request.auth.scopes:
        raise InsufficientScope(scope)
    user = request.user
    if not user.is_staff:
        raise NotPermitted(_("Its user is not staff."))
    if callable(right):
        if not right(user):
            raise NotPermitted("")
    elif not may(user, right):
        text = _("Its user needs the permission %(permission)s.")
        raise NotPermitted(text % {"permission": right})
