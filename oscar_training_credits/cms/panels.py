"""What editors see beside the fields of a training page."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from wagtail.admin.panels import Panel

from . import privacy
from .gone import notes_on_gone


class TermsElsewherePanel(Panel):
    """Says where the terms are edited, if not here; else there is nothing."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "training_credits/cms/terms_elsewhere.html"

        @cached_property
        def page(self) -> Any:
            return self.instance.terms_elsewhere() if self.instance else None

        def is_shown(self) -> bool:
            return self.page is not None

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            user = self.request.user if self.request else None
            may_edit = user and self.page.permissions_for_user(user).can_edit()
            return {
                **context,
                "page": self.page,
                "is_translation": self.instance.terms_page() is not None,
                "may_edit": may_edit,
            }


class GonePanel(Panel):
    """Says what this version lacks: what has been deleted, or a product to sell."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "training_credits/cms/gone.html"

        @cached_property
        def notes(self) -> list[str]:
            if not self.instance:
                return []
            return [*notes_on_gone(self.instance).values(), *self.nothing_sold()]

        def nothing_sold(self) -> list[str]:
            page = self.instance
            is_asked = page.product or page.credits is None or "product" in page.gone
            if is_asked or page.terms_elsewhere():
                return []
            return [_("Nothing is sold yet: the page has a price, and no product.")]

        def is_shown(self) -> bool:
            return bool(self.notes)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            return {**context, "notes": self.notes}


class PrivacyPanel(Panel):
    """Says of a private page to whom its product is sold; else there is nothing."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "training_credits/cms/privacy.html"

        @cached_property
        def note(self) -> str:
            return privacy.note_on(self.instance) if self.instance else ""

        def is_shown(self) -> bool:
            return bool(self.note)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            return {**context, "note": self.note}


class PricePanel(Panel):
    """Shows the price in money, which is the shop's, beside the one in credits."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "training_credits/cms/price.html"

        def is_shown(self) -> bool:
            return bool(self.instance and self.instance.product)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            product = self.instance.product
            records = product.stockrecords.exclude(price=None).order_by("pk")
            user = self.request.user if self.request else None
            link = reverse("dashboard:catalogue-product", args=[product.pk])
            return {
                **context,
                "records": records,
                "is_public": product.is_public,
                "link": link if user and user.is_staff else "",
            }
