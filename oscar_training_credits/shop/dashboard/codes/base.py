"""What the pages of credit codes have in common."""

from __future__ import annotations

from django.utils.translation import gettext as _

from ..mixins import PermissionMixin

LIST = "training_credits:code-list"


class CodesMixin(PermissionMixin):
    """A page of codes: for staff, as no code belongs to a partner."""

    permission = "view_creditcode"
    staff_only = True


def used_before() -> str:
    """Return what is said of a form whose key stands for something else."""
    return _("This page was used before. Open it once more, and try again.")
