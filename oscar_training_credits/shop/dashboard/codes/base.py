"""What the pages of credit codes have in common."""

from __future__ import annotations

from django.urls import reverse
from django.utils.translation import gettext as _

from ..mixins import PermissionMixin

LIST = "training_credits:code-list"


class CodesMixin(PermissionMixin):
    """A page of codes: for staff, as no code belongs to a partner."""

    permission = "view_creditcode"
    staff_only = True


def code_url(code_id: int) -> str:
    """Return the page of a code in the dashboard."""
    return reverse("training_credits:code-detail", kwargs={"pk": code_id})


def used_before() -> str:
    """Return what is said of a form whose key stands for something else."""
    return _("This page was used before. Open it once more, and try again.")
