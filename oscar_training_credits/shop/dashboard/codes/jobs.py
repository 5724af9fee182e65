"""Oscar's dashboard: many codes issued, or imported, with a page of the progress."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import DetailView, FormView, View

from ....aliases import Request
from ....credits import wording
from ....credits.codes import cells, importing, jobs, workers
from ....credits.models import CodeJob, CreditCode, CreditGrant
from ....exceptions import FileRefused, JobStopped
from ...csv_files import csv_response
from ...files import FORMATS
from ..fields import day_of
from . import sheets
from .base import CodesMixin
from .forms import ImportForm, ManyCodesForm

State = CodeJob.State

RECENT = 20
MOST_ERRORS = 100
"""How many rows with errors the page of an import shows; its file has all."""
SECONDS = 10.0
"""How long one post works on a job where there are no workers."""
SECONDS_WITH_SCRIPT = 2.0
FORM_MEGABYTES = 1
REFRESH = 3


class _ManyMixin(CodesMixin):
    kind = CodeJob.Kind.ISSUE
    takes_code = True
    permission = "add_creditcode"
    name = "code-many"
    title = gettext_lazy("Issue many codes")

    def jobs(self) -> QuerySet[CodeJob]:
        return CodeJob.objects.filter(kind=self.kind).select_related("created_by")


class _ImportMixin(_ManyMixin):
    kind = CodeJob.Kind.IMPORT
    permission = "import_creditcode"
    name = "code-import"
    title = gettext_lazy("Import codes")


class IssueManyView(_ManyMixin, FormView):  # type: ignore[type-arg]
    """Plans many codes that are alike, and leads to what is to be confirmed."""

    request: Request
    form_class: Any = ManyCodesForm
    template_name = "training_credits/dashboard_codes_many.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            heading=self.title,
            job_page=f"training_credits:{self.name}-job",
            recent=list(self.jobs().order_by("-pk")[:RECENT]),
            **kwargs,
        )

    def form_valid(self, form: Any) -> HttpResponse:
        jobs.forget_what_is_over()
        job = form.plan(by=self.request.user)
        return redirect(f"training_credits:{self.name}-job", pk=job.pk)


@method_decorator(csrf_exempt, name="dispatch")
class ImportView(_ImportMixin, IssueManyView):
    """Checks a file, and leads to its errors or to what is to be confirmed.

    Whether it is too large is known before anything of it is read; what checks the
    token would read it.
    """

    form_class = ImportForm
    template_name = "training_credits/dashboard_codes_import.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            required=cells.REQUIRED,
            columns=cells.COLUMNS,
            most_rows=wording.large_number(importing.MOST_ROWS),
            most_at_once=wording.large_number(jobs.MOST_CHECKED_AT_ONCE),
            most_sheet_rows=wording.large_number(sheets.MOST_SHEET_ROWS),
            most_megabytes=sheets.MOST_BYTES // sheets.MEGABYTE,
            **kwargs,
        )

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        if size > sheets.MOST_BYTES + FORM_MEGABYTES * sheets.MEGABYTE:
            context = self.get_context_data(
                form=self.form_class(), refusal=sheets.too_large()
            )
            return self.render_to_response(context, status=413)
        return self.post_with_token(request, *args, **kwargs)

    @method_decorator(csrf_protect)
    def post_with_token(
        self, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            return super().form_valid(form)
        except FileRefused as refused:
            form.add_error("file", str(refused))
            return self.form_invalid(form)


@method_decorator(never_cache, name="dispatch")
class IssueJobView(_ManyMixin, DetailView):  # type: ignore[type-arg]
    """What is to be confirmed, how far it is, and what came of it."""

    request: Request
    template_name = "training_credits/dashboard_codes_job.html"
    context_object_name = "job"

    def get_queryset(self) -> QuerySet[CodeJob]:
        return self.jobs()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        job, has_workers = self.object, workers.has_workers()
        is_stuck = job.state == State.STOPPED or (has_workers and jobs.is_stalled(job))
        is_running = job.state in CodeJob.AT_WORK and not is_stuck
        name = job.terms.get("label") or job.terms.get("file", "")
        return super().get_context_data(
            heading=_("%(kind)s: %(name)s") % {"kind": self.title, "name": name},
            title=self.title,
            page=f"training_credits:{self.name}",
            act=reverse(f"training_credits:{self.name}-act", args=[job.pk]),
            facts=facts_of(job),
            percent=job.done * 100 // job.total if job.total else 0,
            is_checking=job.is_checking,
            is_stuck=is_stuck,
            is_running=is_running,
            advances_here=is_running and not has_workers,
            refresh=REFRESH if is_running and has_workers else 0,
            texts_end_at=jobs.texts_end_at(job),
            is_mine=job.created_by_id == self.request.user.pk,
            has_errors=bool(job.failed) and not job.is_checking,
            errors=list(islice(importing.errors_of(job), MOST_ERRORS)),
            most_errors=MOST_ERRORS,
            events=list(job.events.select_related("by").order_by("pk")),
            **kwargs,
        )


class ImportJobView(_ImportMixin, IssueJobView):
    pass


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class IssueActView(_ManyMixin, View):
    """Confirms a job, goes on with it, discards it, or lets its texts be gone."""

    http_method_names = ["post"]

    def post(self, request: Request, pk: int) -> HttpResponse:
        job = get_object_or_404(self.jobs(), pk=pk)
        act = self.ACTS.get(request.POST.get("do", ""))
        if act is not None:
            act(self, job)
        return redirect(self.after(job))

    def after(self, job: CodeJob) -> str:
        if not CodeJob.objects.filter(pk=job.pk).exists():
            return reverse(f"training_credits:{self.name}")
        return reverse(f"training_credits:{self.name}-job", args=[job.pk])

    def confirm(self, job: CodeJob) -> None:
        if jobs.confirm(job, by=self.request.user):
            self.work(job, SECONDS_WITH_SCRIPT)

    def go_on(self, job: CodeJob) -> None:
        jobs.go_on(job, by=self.request.user)
        self.advance(job)

    def advance(self, job: CodeJob) -> None:
        has_script = "script" in self.request.POST
        self.work(job, SECONDS_WITH_SCRIPT if has_script else SECONDS)

    def work(self, job: CodeJob, seconds: float) -> None:
        if not workers.has_workers():
            jobs.run(job.pk, seconds=seconds)

    def discard(self, job: CodeJob) -> None:
        if jobs.discard(job):
            messages.info(self.request, _("Nothing was issued."))

    def forget(self, job: CodeJob) -> None:
        if job.created_by_id != self.request.user.pk:
            raise PermissionDenied
        jobs.forget_texts(job, by=self.request.user)

    ACTS = {
        "confirm": confirm,
        "go-on": go_on,
        "advance": advance,
        "discard": discard,
        "forget": forget,
    }


class ImportActView(_ImportMixin, IssueActView):
    pass


class CodesFileView(_ManyMixin, View):
    """The texts of the codes that were issued, for who issued them, by a post."""

    http_method_names = ["post"]

    def post(self, request: Request, pk: int) -> HttpResponse | StreamingHttpResponse:
        job = get_object_or_404(self.jobs(), pk=pk)
        if job.created_by_id != request.user.pk:
            raise PermissionDenied
        try:
            texts = jobs.hand_out(job, by=request.user)
        except JobStopped as error:
            messages.error(request, str(error))
            texts = None
        if texts is None:
            return redirect("training_credits:code-many-job", pk=pk)
        respond = FORMATS.get(request.POST.get("as", ""), csv_response)
        response: StreamingHttpResponse = respond(f"codes-{pk}", _lines(job, texts))
        add_never_cache_headers(response)
        return response


class ImportErrorsView(_ImportMixin, View):
    """All rows of a file that are wrong, and why."""

    http_method_names = ["get", "head"]

    def get(self, request: Request, pk: int) -> StreamingHttpResponse:
        job = get_object_or_404(self.jobs(), pk=pk)
        return csv_response(f"import-{pk}-errors", _error_lines(job))


def _lines(job: CodeJob, texts: Iterator[str]) -> Iterator[list[Any]]:
    """Yield what an import reads: headings, and a row for each code."""
    terms = job.terms
    yield [name for name in cells.COLUMNS if name != "notes"]
    rest = [
        terms["credits"],
        terms["label"],
        terms["paid"][0] if terms["paid"] else "",
        _day(terms["starts_at"]),
        _day(terms["expires_at"], is_end=True),
        terms["reference"],
        terms["holder"],
    ]
    for text in texts:
        yield [text, *rest]


def _day(moment: str | None, *, is_end: bool = False) -> str:
    day = day_of(parse_datetime(moment), is_end=is_end) if moment else None
    return day.isoformat() if day else ""


def _error_lines(job: CodeJob) -> Iterator[list[Any]]:
    yield [_("Row"), _("Column"), _("What is wrong")]
    for number, column, text in importing.errors_of(job):
        yield [number, column, text]


def facts_of(job: CodeJob) -> list[tuple[str, str]]:
    """Return what a job is about, in words."""
    terms = job.terms
    if job.kind == CodeJob.Kind.IMPORT:
        facts = [(_("File"), terms.get("file", ""))]
        if terms.get("credits"):
            facts.append((_("Credits on all of them"), str(terms["credits"])))
        return facts
    facts = [
        (_("Credits on each code"), str(terms["credits"])),
        (_("Credits on all of them"), str(terms["credits"] * job.total)),
    ]
    for name, value in terms.items():
        if value not in (None, "", [], False) and name != "credits":
            facts.append((_name_of(name), _in_words(name, value)))
    return facts


def _name_of(name: str) -> str:
    if name == "paid":
        return _("Each code is sold for")
    model: Any = CreditGrant if name == "origin" else CreditCode
    text = str(model._meta.get_field(name).verbose_name)
    return text[:1].upper() + text[1:]


def _in_words(name: str, value: Any) -> str:
    if name in ("starts_at", "expires_at"):
        moment: datetime | None = parse_datetime(value)
        if moment is None:
            return ""
        is_end = name == "expires_at"
        return wording.end_in_words(moment) if is_end else wording.day_of(moment)
    if name == "origin":
        return str(CreditGrant.Origin(value).label)
    if name == "paid":
        return " ".join(map(str, value))
    if name in ("content", "learners", "groups"):
        rows: Any = CreditCode._meta.get_field(name).related_model
        keys = value if isinstance(value, list) else [value]
        named = rows._default_manager.filter(pk__in=keys)
        return ", ".join(
            wording.name_of(row) if name == "learners" else str(row) for row in named
        )
    if isinstance(value, list):
        return ", ".join(value)
    return _("Yes") if value is True else str(value)


PAGES: list[tuple[str, str, Any]] = [
    ("many/", "code-many", IssueManyView),
    ("many/<training_row:pk>/", "code-many-job", IssueJobView),
    ("many/<training_row:pk>/act/", "code-many-act", IssueActView),
    ("many/<training_row:pk>/file/", "code-many-file", CodesFileView),
    ("import/", "code-import", ImportView),
    ("import/<training_row:pk>/", "code-import-job", ImportJobView),
    ("import/<training_row:pk>/act/", "code-import-act", ImportActView),
    ("import/<training_row:pk>/errors/", "code-import-errors", ImportErrorsView),
]
"""The end of each address, its name, and its view."""
