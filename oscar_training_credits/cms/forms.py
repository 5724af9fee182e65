from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from wagtail.admin.forms import WagtailAdminPageForm

from ..credits.terms import Terms
from .path import as_stream

OPENED = "opened_terms"


class TrainingPageForm(WagtailAdminPageForm):
    """Begins with the live terms, which may have been changed outside the page.

    A page model with a form of its own takes this one as the form's base. A draft may
    be unfinished; what is published must make sense, and may not undo what somebody
    else published after the form was opened.
    """

    opened_terms = forms.CharField(required=False, widget=forms.HiddenInput)
    """The live terms when the form was opened."""

    data: Any
    is_draft = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        page = self.instance
        self.initial[OPENED] = json.dumps(live_terms(page))
        if page.terms_page():
            for name in ("product", *page.terms):
                self.fields.pop(name, None)
        elif page.training and is_as_published(page):
            for name, value in page.training.terms.plain().items():
                self.initial[name] = value
            courses = page.training.listed_courses()
            if courses != page.terms["path_courses"]:
                page.path_courses = as_stream(courses)
                self.initial["path_courses"] = page.path_courses

    def defer_required_fields(self) -> None:
        # Wagtail calls this when a draft is saved or previewed.
        self.is_draft = True
        super().defer_required_fields()

    def _post_clean(self) -> None:
        self.instance.is_unfinished = self.is_draft
        super()._post_clean()
        if "product" in self.fields:
            self._refuse_stale_terms()
            if not self.is_draft:
                self._refuse_rival()

    def _refuse_stale_terms(self) -> None:
        """Let nobody undo unawares what was published while the form was open."""
        opened = _read(self.data.get(self.add_prefix(OPENED)))
        if opened is None:
            return
        live, wanted = live_terms(self.instance), terms_of(self.instance)
        for name in self.fields.keys() & live.keys():
            if opened.get(name) != live[name] != wanted[name]:
                self.add_error(name, _stale(self.fields[name], live[name]))
        # Whoever has read the message and saves again means it.
        self.data = self.data.copy()
        self.data[self.add_prefix(OPENED)] = json.dumps(live)

    def _refuse_rival(self) -> None:
        from .selling import rival  # which knows the page models, and they this form

        page = self.instance
        if page.product and (other := rival(page)):
            self.add_error("product", _sold_already(other, self.for_user))


def is_as_published(page: Any) -> bool:
    """Tell whether a page's terms are neither a draft's nor an older revision's."""
    if not page.live or page.has_unpublished_changes:
        return False
    published = type(page)._default_manager.filter(pk=page.pk).first()
    return bool(published and published.terms == page.terms)


def live_terms(page: Any) -> dict[str, str]:
    """Return the terms on which the page sells its product now, as text."""
    published = page.live and type(page)._default_manager.filter(pk=page.pk).first()
    if not published or not published.training:
        return {}
    texts = published.training.terms.as_text()
    return {**texts, "product": str(published.product)}


def terms_of(page: Any) -> dict[str, str]:
    texts = Terms(**page.terms).as_text()
    return {**texts, "product": str(page.product or "")}


def _read(opened: str | None) -> dict[str, str] | None:
    try:
        read = json.loads(opened or "")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _stale(field: Any, live: str) -> ValidationError:
    if not live:
        text = _("Somebody has emptied this and published it while you were editing.")
    elif isinstance(field, forms.BooleanField):
        text = _("Somebody has changed this and published it while you were editing.")
    else:
        choices = {str(key): str(name) for key, name in getattr(field, "choices", ())}
        text = _("Somebody has published “%(value)s” here while you were editing.") % {
            "value": choices.get(live, live)
        }
    mend = _("Enter what is right, and save or publish again.")
    return ValidationError(f"{text} {mend}")


def _sold_already(page: Any, user: Any) -> ValidationError:
    title = page.get_admin_display_title()
    if user and page.permissions_for_user(user).can_edit():
        link = reverse("wagtailadmin_pages:edit", args=[page.pk])
        title = format_html('<a href="{}">{}</a>', link, title)
    text = _("The page “{page}” sells this product already. Choose another product.")
    return ValidationError(format_html(text, page=title))
