"""Oscar's dashboard: credit codes listed, found, issued and looked at."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import (
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.generic import DetailView, FormView, View
from django_tables2.utils import OrderByTuple

from ....aliases import Request
from ....converters import number_in
from ....credits.codes import code_text, finding, listing, new_text
from ....credits.codes.finding import condition_of
from ....credits.codes.rules import is_for_nobody
from ....credits.ledger.balances import balances_over_time
from ....credits.ledger.quoting import spend_order
from ....credits.models import CreditCode
from ....exceptions import CodeTaken, IdempotencyKeyReused
from ...balance_chart import chart_of
from ...csv_files import csv_response
from ...files import FORMATS
from ..mixins import SearchedTableView
from . import showing
from .base import LIST, CodesMixin, used_before
from .changes import ACTIONS, BulkStateView
from .explaining import ExplainCodeView
from .forms import CodeSearchForm, NewCodeForm, settings_of
from .jobs import ImportView
from .tables import CodeTable, TablePaginator, badge, test_badge

MOST_DRAWN = 2_000
"""How many movements the drawing of a code's balance is made of."""
MOST_SHOWN = 50
"""How many rows of each part a code's page shows."""


class CodeListView(CodesMixin, SearchedTableView):
    """All codes, searched and filtered, with what can be done to several at once."""

    takes_code = True
    template_name = "training_credits/dashboard_codes.html"
    table_class = CodeTable
    search_form_class = CodeSearchForm

    found: int | None = None
    """How many codes are found, if it was looked for some."""
    most: int | None = None
    """How many were looked for at most."""

    def get_queryset(self) -> QuerySet[CreditCode]:
        codes: Any = super().get_queryset()
        # No index knows balances, which change with time: so the newest are sorted.
        by_balance = "credits_left" in OrderByTuple(self.request.GET.getlist("sort"))
        if self.form.is_valid() and (self.form.asks() or by_balance):
            self.most = self.most_found()
            keys = listing.newest(self.form.filtered, self.most)
            self.found, codes = len(keys), listing.of_keys(keys[: self.most])
        rows: QuerySet[CreditCode] = finding.with_condition(codes).order_by("-pk")
        return rows

    def most_found(self) -> int:
        """Return how many codes are looked for: on the first pages, fewer.

        Who turns all of these pages, or sorts, gets as many as any list has.
        """
        asked = self.request.GET
        page = number_in(asked.get("page", "")) or 1
        length = number_in(asked.get("per_page", "")) or self.page_length
        if asked.get("sort") or page * length >= listing.FIRST:
            return TablePaginator.CAP
        return listing.FIRST

    def rows(self) -> QuerySet[CreditCode]:
        return CreditCode.objects.all()

    def get_table_pagination(self, table: Any) -> dict[str, Any]:
        paging = super().get_table_pagination(table)
        return {**paging, "paginator_class": self.paginator}

    def paginator(self, *args: Any, **kwargs: Any) -> TablePaginator:
        paginator = TablePaginator(*args, **kwargs)
        paginator.found, paginator.looked_for = self.found, self.most
        return paginator

    def get_table_kwargs(self) -> dict[str, Any]:
        may_choose = BulkStateView.is_open_to(self.request.user)
        return {"exclude": () if may_choose else ("chosen",)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=_("Credit codes"),
            may_create=CreateCodeView.is_open_to(self.request.user),
            may_import=ImportView.is_open_to(self.request.user),
            may_export=ExportCodesView.is_open_to(self.request.user),
            may_change=BulkStateView.is_open_to(self.request.user),
            back=self.request.GET.urlencode(),
            **kwargs,
        )


class ExportCodesView(CodesMixin, View):
    """The codes that a search and its filters find, as a file: CSV or XLSX."""

    takes_code = True
    permission = "export_creditcode"
    http_method_names = ["get", "head"]

    def get(self, request: Request) -> StreamingHttpResponse:
        form = CodeSearchForm(request.GET)
        codes = finding.with_condition(CreditCode.objects.select_related("parent"))
        codes = codes.order_by("-pk")
        found = form.filtered(codes) if form.is_valid() else codes.none()
        respond = FORMATS.get(request.GET.get("as", ""), csv_response)
        response: StreamingHttpResponse = respond(
            "credit-codes", showing.exported(found)
        )
        return response


@method_decorator(sensitive_post_parameters("q"), name="dispatch")
class FindCodeView(CodesMixin, View):
    """Where the search is sent: a whole code must not be in an address.

    It leads to the code with this text, and with any other to the list.
    """

    takes_code = True
    http_method_names = ["post"]

    @sensitive_variables()
    def post(self, request: Request) -> HttpResponse:
        asked: QueryDict = request.POST.copy()
        text = asked.get("q", "").strip()
        if text and (found := code_text.find(text)):
            return redirect("training_credits:code-detail", pk=found.pk)
        if code_text.looks_generated(text):
            messages.error(request, _("There is no code with this text."))
            asked["q"] = ""
        asked["child_of"] = self.parent(asked.get("child_of", "").strip())
        names = [name for name in CodeSearchForm.base_fields if asked.get(name)]
        search = QueryDict(mutable=True)
        for name in names:
            search[name] = asked.get(name, "")
        return HttpResponseRedirect(f"{reverse(LIST)}?{search.urlencode()}")

    @sensitive_variables()
    def parent(self, text: str) -> str:
        """Return what an address may say of the parent that was typed."""
        if text and (found := code_text.find(text)):
            return f"#{found.pk}"
        return "" if code_text.looks_generated(text) else text


@method_decorator(
    [never_cache, sensitive_post_parameters("text", "generated")], name="dispatch"
)
class CreateCodeView(CodesMixin, FormView):  # type: ignore[type-arg]
    """Issues a code, and leads to the page that shows its text once."""

    request: Request
    takes_code = True
    permission = "add_creditcode"
    form_class = NewCodeForm
    template_name = "training_credits/dashboard_code_create.html"
    extra_context = {
        "heading": gettext_lazy("Issue a code"),
        "button": gettext_lazy("Issue the code"),
    }

    def get_initial(self) -> dict[str, Any]:
        like = number_in(self.request.GET.get("like", ""))
        if like is None:
            return {}
        return settings_of(get_object_or_404(CreditCode, pk=like))

    @sensitive_variables("form", "issued")
    def form_valid(self, form: Any) -> HttpResponse:
        try:
            issued = form.issue(by=self.request.user)
        except CodeTaken:
            form.add_error("text", _("There is a code with this text already."))
            return self.form_invalid(form)
        except IdempotencyKeyReused:
            form.add_error(None, used_before())
            return self.form_invalid(form)
        response = redirect("training_credits:code-text", pk=issued.code.pk)
        new_text.carry(self.request, response, issued.code.pk, issued.text)
        return response


class CodeDetailView(CodesMixin, DetailView):  # type: ignore[type-arg]
    """One code: what is left of it, where the rest went, and what was done to it."""

    request: Request
    template_name = "training_credits/dashboard_code.html"
    context_object_name = "code"

    def get_queryset(self) -> QuerySet[CreditCode]:
        codes = CreditCode.objects.select_related("content", "created_by", "parent")
        return finding.with_condition(codes)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        code, now = self.object, timezone.now()
        grants = sorted(code.grants.select_related("code"), key=spend_order)
        condition = condition_of(code, now)
        before = number_in(self.request.GET.get("before", ""))
        latest = showing.entries_of(grants, before, most=MOST_SHOWN + 1)
        entries = [showing.entry_row(entry) for entry in latest]
        orders = showing.counted_orders(code)
        children = code.children.count()
        return super().get_context_data(
            heading=str(code),
            balance=code.credits_left,
            condition=condition,
            badge=badge(condition),
            test_badge=test_badge(code),
            chart=chart_of(balances_over_time(grants, at=now, most=MOST_DRAWN)),
            grants=[showing.grant_row(grant, now) for grant in grants],
            facts=showing.facts_of(code),
            children=list(showing.child_rows(code, now, MOST_SHOWN))
            if children
            else [],
            children_count=children,
            is_for_nobody=is_for_nobody(code),
            actions=self.actions(),
            may_create=CreateCodeView.is_open_to(self.request.user),
            may_explain=ExplainCodeView.is_open_to(self.request.user),
            entries=entries[:MOST_SHOWN],
            older=entries[MOST_SHOWN - 1].pk if len(entries) > MOST_SHOWN else None,
            is_older=before is not None,
            holds=showing.holds_of(code)[:MOST_SHOWN],
            counted=len(orders) if len(orders) == showing.MOST_COUNTED else 0,
            learners=showing.learner_rows(code, orders, MOST_SHOWN),
            products=showing.product_rows(orders, MOST_SHOWN),
            changes=list(showing.change_rows(code, MOST_SHOWN)),
            now=now,
            **kwargs,
        )

    def actions(self) -> list[Any]:
        """Return the changes that this user may make, and that make sense now."""
        return [
            view
            for view in ACTIONS.values()
            if view.is_open_to(self.request.user) and view.suits(self.object)
        ]
