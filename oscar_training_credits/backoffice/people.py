"""Learners in the API: named by their e-mail address, and shown with it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from ..credits.wording import name_of
from ..shop.dashboard.fields import learner_with

ADDRESS = serializers.EmailField(max_length=254)


@extend_schema_field(ADDRESS)
class LearnerField(serializers.Field):
    """The e-mail address of an account; read as the account."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return learner_with(ADDRESS.run_validation(data))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error

    def to_representation(self, value: Any) -> str:
        return address_of(value)


@extend_schema_field(
    inline_serializer(
        "Person",
        {
            "id": serializers.IntegerField(),
            "name": serializers.CharField(),
            "email": serializers.CharField(),
        },
        allow_null=True,
    )
)
class PersonField(serializers.ReadOnlyField):
    """Who somebody is; null for nobody, or where the account is gone."""

    def to_representation(self, value: Any) -> dict[str, Any]:
        shown: dict[str, Any] = person(value)
        return shown


def person(user: Any) -> Any:
    """Return what is shown of somebody; None for nobody."""
    if user is None:
        return None
    return {"id": user.pk, "name": name_of(user), "email": address_of(user)}


def address_of(user: Any) -> str:
    return str(getattr(user, user.get_email_field_name(), ""))
