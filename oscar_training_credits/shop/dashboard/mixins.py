"""What our pages of Oscar's dashboard have in common: who may open them, a search."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings as django_settings
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.formats import date_format
from django_tables2 import SingleTableView
from oscar.core.loading import get_class
from oscar.views.decorators import check_permissions, permissions_required

from ...aliases import Request
from ...credits.patience import PatientMixin

DashboardTable: Any = get_class("dashboard.tables", "DashboardTable")

NO_WRAP = {"td": {"class": "text-nowrap"}}
NUMBER = {"th": {"class": "text-right"}, "td": {"class": "text-right"}}


class PermissionMixin(PatientMixin):
    """A page for those with one permission for a model of ours."""

    permission: str
    staff_only = False
    """Closed to partner users, whatever permissions they have."""

    @classmethod
    def is_open_to(cls, user: Any) -> bool:
        return bool(check_permissions(user, cls.needs()))

    @classmethod
    def needs(cls) -> list[str]:
        """Return what Oscar asks of a user: permissions, and properties."""
        staff = ["is_staff"] if cls.staff_only else []
        return [*needed(cls.permission), *staff]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        guard = permissions_required(
            self.needs(), login_url=reverse_lazy("dashboard:login")
        )
        show: Any = super().dispatch
        response: HttpResponse = guard(show)(request, *args, **kwargs)
        return response


class OptionalPageMixin(PermissionMixin):
    """A page that is there only where the site has what it is about."""

    @classmethod
    def is_there(cls) -> bool:
        raise NotImplementedError

    @classmethod
    def is_open_to(cls, user: Any) -> bool:
        return cls.is_there() and super().is_open_to(user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.is_there():
            raise Http404
        return super().dispatch(request, *args, **kwargs)


class SearchedTableView(PermissionMixin, SingleTableView):
    """A table with a search form above it, whose fields are in the address."""

    request: Request
    search_form_class: Any
    context_table_name = "table"

    def get_queryset(self) -> QuerySet[Any]:
        self.form = self.search_form_class(self.request.GET)
        rows: QuerySet[Any] = self.rows()
        return self.form.filtered(rows) if self.form.is_valid() else rows.none()

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    @property
    def page_length(self) -> int:
        return int(django_settings.OSCAR_DASHBOARD_ITEMS_PER_PAGE)

    def get_table_pagination(self, table: Any) -> dict[str, Any]:
        return {"per_page": self.page_length}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(form=self.form, **kwargs)
        return context


def may(user: Any, codename: str) -> bool:
    """Tell whether a user of the dashboard has a permission for one of our models."""
    return bool(check_permissions(user, needed(codename)))


def needed(codename: str) -> list[str]:
    Permission = get_class("dashboard.permissions", "DashboardPermission")
    permissions: list[str] = Permission.get("training_credits", codename)
    return permissions


def training_matches(text: str, *, prefix: str) -> Q:
    """Match rows whose training product, at `prefix`, has `text` in its title."""
    title = Q((f"{prefix}__product__title__icontains", text))
    return title | Q((f"{prefix}__product__parent__title__icontains", text))


def moment_in_words(moment: datetime) -> str:
    """Return a moment as the templates of the dashboard show it."""
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")
