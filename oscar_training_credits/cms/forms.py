from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from wagtail.admin.forms import WagtailAdminPageForm

from ..credits.terms import Terms
from ..shop.catalogue.edit_conflicts import (
    OPENED,
    as_opened,
    opened_field,
    refuse_stale,
)
from .selling import other_seller, shop_terms

GONE = "gone_since"


class TrainingPageForm(WagtailAdminPageForm):
    """Begins with the live terms, which may have been changed outside the page.

    A page model with a form of its own takes this one as the form's base. A draft may
    be unfinished; what is published must make sense, and may not undo what somebody
    else published after the form was opened.
    """

    opened_terms = opened_field()
    gone_since = forms.CharField(required=False, widget=forms.HiddenInput)
    """What an older version had that is gone, as Wagtail saves it over the newest."""

    data: Any
    is_draft = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        page = self.instance
        self.initial[OPENED] = as_opened(live_terms(page))
        self.initial[GONE] = " ".join(sorted(page.gone))
        if page.terms_elsewhere():
            for name in ("product", *page.terms):
                self.fields.pop(name, None)
        elif published := live_page(page):
            # A draft keeps what it changes itself.
            page.follow_shop(published)
            for name in page.terms:
                self.initial[name] = getattr(page, name)

    def defer_required_fields(self) -> None:
        # Wagtail calls this when a draft is saved or previewed.
        self.is_draft = True
        super().defer_required_fields()

    def _post_clean(self) -> None:
        self.instance.is_unfinished = self.is_draft
        known = self.fields.keys() & set(self.cleaned_data.get(GONE, "").split())
        self.instance.gone = self.instance.gone | known
        super()._post_clean()
        if "product" in self.fields:
            refuse_stale(self, live_terms(self.instance), terms_of(self.instance))
            if not self.is_draft:
                self._refuse_rival()
                self._refuse_nothing()

    def _update_errors(self, errors: ValidationError) -> None:
        # A field that was refused is missing in the terms: no second error for that.
        known: Any = getattr(errors, "error_dict", None)
        if known is not None:
            fresh = {
                name: texts for name, texts in known.items() if name not in self.errors
            }
            errors = ValidationError(fresh)
        super()._update_errors(errors)

    def save(self, commit: bool = True) -> Any:
        published = live_page(self.instance)
        if published and published.terms_page() is None:
            # What was changed is told from what the editor saw, not from older terms.
            published.take_terms(shop_terms(published))
            published.save(clean=False, update_fields=[*published.terms])
        return super().save(commit=commit)

    def _refuse_nothing(self) -> None:
        """Let nobody publish what only credits can pay for, and nothing is sold."""
        page = self.instance
        if page.credit_only and page.product is None and "product" not in self.errors:
            text = _(
                "Nothing is sold without a product. Choose one, or make one there; or"
                " take the tick off credit-only."
            )
            self.add_error("product", text)

    def _refuse_rival(self) -> None:
        page = self.instance
        if page.product and (other := other_seller(page)):
            self.add_error("product", _sold_already(other, self.for_user))


def live_page(page: Any) -> Any:
    """Return the page as it is live, or None."""
    return type(page)._default_manager.filter(pk=page.pk, live=True).first()


def live_terms(page: Any) -> dict[str, str]:
    """Return the terms on which the page sells its product now, as text."""
    published = live_page(page)
    if not published or not published.training:
        return {}
    texts = published.training.terms.as_text()
    return {**texts, "product": str(published.product)}


def terms_of(page: Any) -> dict[str, str]:
    texts = Terms(**page.terms).as_text()
    return {**texts, "product": str(page.product or "")}


def _sold_already(page: Any, user: Any) -> ValidationError:
    title = page.get_admin_display_title()
    if user and page.permissions_for_user(user).can_edit():
        link = reverse("wagtailadmin_pages:edit", args=[page.pk])
        title = format_html('<a href="{}">{}</a>', link, title)
    text = _("The page “{page}” sells this product already. Choose another product.")
    return ValidationError(format_html(text, page=title))
