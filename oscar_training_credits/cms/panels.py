"""What editors see beside the fields of a training page."""

from __future__ import annotations

from typing import Any

from django.utils.functional import cached_property
from wagtail.admin.panels import Panel


class TermsElsewherePanel(Panel):
    """Says of a translation where its terms are edited; else there is nothing."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "training_credits/cms/terms_elsewhere.html"

        @cached_property
        def page(self) -> Any:
            return self.instance.terms_page() if self.instance else None

        def is_shown(self) -> bool:
            return self.page is not None

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            user = self.request.user if self.request else None
            may_edit = user and self.page.permissions_for_user(user).can_edit()
            return {**context, "page": self.page, "may_edit": may_edit}
