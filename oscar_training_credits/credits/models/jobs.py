"""Work on many codes that takes longer than a page: issued together, or imported."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class CodeJob(models.Model):
    """Many codes that are issued or imported in steps, each of them committed.

    No text of a code is stored. Those that are issued are derived from the site's
    secret and a salt, so that they can be written to a file until the salt is gone.
    """

    class Kind(models.TextChoices):
        ISSUE = "issue", _("Issue many codes")
        IMPORT = "import", _("Import of codes")

    class State(models.TextChoices):
        CHECKING = "checking", _("Being checked")
        DRAFT = "draft", _("To be confirmed")
        REFUSED = "refused", _("Refused")
        RUNNING = "running", _("Running")
        STOPPED = "stopped", _("Stopped")
        DONE = "done", _("Done")

    AT_WORK: ClassVar[tuple[str, str]] = (State.CHECKING, State.RUNNING)

    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.DRAFT
    )
    terms = models.JSONField(_("terms"), default=dict, encoder=DjangoJSONEncoder)
    """What the codes have in common, as `issue_codes` takes it; ids for rows."""
    total = models.PositiveIntegerField(_("how many"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    failed = models.PositiveIntegerField(_("rows with errors"), default=0)
    salt = models.CharField(max_length=64, blank=True, editable=False)
    """What the texts are derived from, with the secret; empty once they are gone."""
    key_mark = models.CharField(max_length=16, blank=True, editable=False)
    """By which the secret is known again among those of the site."""
    error = models.TextField(_("why it stopped"), blank=True)
    stopped_while = models.CharField(
        _("what it did before"),
        max_length=10,
        choices=State.choices,
        default=State.RUNNING,
        editable=False,
    )
    active_at = models.DateTimeField(_("last step"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    handed_out_at = models.DateTimeField(_("file handed out"), null=True)
    idempotency_key = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("job on many codes")
        verbose_name_plural = _("jobs on many codes")
        constraints = [
            models.CheckConstraint(
                name="training_credits_job_not_overdone",
                condition=Q(done__lte=F("total")),
            ),
            models.UniqueConstraint(
                fields=["idempotency_key"], name="training_credits_planned_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.pk})"

    @property
    def is_confirmed(self) -> bool:
        """Staff have said that it is to begin."""
        return bool(self.key_mark)

    @property
    def is_checking(self) -> bool:
        """Its rows are being checked, or were when it stopped."""
        was = self.stopped_while if self.state == self.State.STOPPED else self.state
        return bool(was == self.State.CHECKING)

    @property
    def can_be_discarded(self) -> bool:
        """It has not made a code, and is not about to."""
        if self.state in (self.State.RUNNING, self.State.DONE):
            return False
        return self.state == self.State.REFUSED or not self.is_confirmed


class CodeJobPart(models.Model):
    """Some rows of a file that is imported: digests in the place of texts.

    As they are read at first, and as they are to be imported once they are checked.
    """

    job = models.ForeignKey(
        CodeJob, on_delete=models.CASCADE, related_name="parts", db_index=False
    )
    number = models.PositiveIntegerField()
    rows = models.JSONField(default=list)
    errors = models.JSONField(default=list)
    """Triples: the number of a row, the column, and what is wrong."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "number"], name="training_credits_one_part_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.number}"


class CodeJobEvent(models.Model):
    """What somebody did about a job, for the record."""

    class Kind(models.TextChoices):
        CREATED = "created", _("Prepared")
        CONFIRMED = "confirmed", _("Confirmed")
        STARTED_AGAIN = "started_again", _("Started again")
        HANDED_OUT = "handed_out", _("File downloaded")
        FORGOTTEN = "forgotten", _("Texts deleted")

    job = models.ForeignKey(CodeJob, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(_("what"), max_length=15, choices=Kind.choices)
    at = models.DateTimeField(_("when"), default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    def __str__(self) -> str:
        return f"{self.job_id}: {self.kind}"
