"""The credits that a product gives, in its form in Oscar's dashboard."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from ....credits.models import CreditPack
from ...catalogue.packs import pack_of, sell_as_pack, sell_no_longer_as_pack
from ..widgets import PlainSelect

PREFIX = "pack"


class PackRefused(ValidationError):
    """The product can't be a pack of credits."""


class PackForm(forms.Form):
    """What the product gives as a pack of credits, if it is one.

    It is made as the formsets of Oscar's view of a product are. Where a site's own
    template leaves it out, it changes nothing.
    """

    shown = forms.BooleanField(widget=forms.HiddenInput, required=False, initial=True)

    def __init__(
        self,
        product_class: Any,
        user: Any,
        data: Any = None,
        files: Any = None,
        *,
        instance: Any,
    ) -> None:
        # Credits are the shop's to sell, and no partner's.
        self.is_offered = bool(user.is_staff)
        is_sent = data is not None and f"{PREFIX}-shown" in data and self.is_offered
        super().__init__(data if is_sent else None, prefix=PREFIX)
        self.is_left_out = data is not None and not is_sent
        self.product = instance
        self.pack = pack_of(instance) if instance and instance.pk else None
        self.fields.update(_fields())
        if self.pack:
            self.initial = forms.model_to_dict(self.pack)

    def shown_fields(self) -> list[Any]:
        return self.visible_fields()

    def is_valid(self) -> bool:
        return self.is_left_out or super().is_valid()

    def clean(self) -> None:
        super().clean()
        given = self.cleaned_data
        rest = given.get("days") or given.get("content")
        if "credits" in given and not given["credits"] and rest:
            text = _("Say how many credits it gives, or leave all of it empty.")
            self.add_error("credits", text)

    def save(self) -> None:
        """Save what was entered.

        Raises:
            PackRefused: the product is training, or has variants.
        """
        if self.is_left_out:
            return
        given = self.cleaned_data
        terms = {name: given[name] for name in ("credits", "days", "content")}
        if terms["credits"]:
            try:
                sell_as_pack(self.product, **terms)
            except ValidationError as error:
                raise PackRefused(error.messages) from error
        elif self.pack:
            sell_no_longer_as_pack(self.product)

    def refuse(self, error: ValidationError) -> None:
        self.add_error("credits", error.messages)


def _fields() -> dict[str, Any]:
    names = ("credits", "days", "content")
    fields: dict[str, Any] = forms.fields_for_model(
        CreditPack, fields=names, widgets={"content": PlainSelect}
    )
    fields["credits"].required = False
    return fields
