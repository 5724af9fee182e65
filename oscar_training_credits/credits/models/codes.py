"""Codes, the credits granted to them, and the baskets they are applied to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Sum, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import email_domain
from ..terms import MOST_GRANTED, far_away_text, is_far_away
from .columns import ServiceColumns, ServiceColumnsQuerySet

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class CreditCodeQuerySet(ServiceColumnsQuerySet["CreditCode"]):
    key_range: range | None = None
    """Of which keys they are at most; None if that is not known."""

    def _clone(self) -> CreditCodeQuerySet:
        clone: CreditCodeQuerySet = super()._clone()  # type: ignore[misc]
        clone.key_range = self.key_range
        return clone

    def among(self, keys: range) -> CreditCodeQuerySet:
        """Narrow them to these keys, and what is asked of their grants as well.

        A database would not know that, and read the grants of all codes.
        """
        codes = self.filter(pk__gte=keys.start, pk__lt=keys.stop)
        codes.key_range = keys
        return codes

    def grants(self) -> CreditGrantQuerySet:
        """Return grants of which all are that the codes have, and others maybe."""
        grants = CreditGrant.objects.all()
        if self.key_range is None:
            return grants
        first, after_last = self.key_range.start, self.key_range.stop
        return grants.filter(code__gte=first, code__lt=after_last)

    def with_audience(self, learner: Any = None) -> CreditCodeQuerySet:
        """Read along whether the codes name learners or groups, and `learner` there.

        Otherwise asking a code costs queries, by whose number a stranger could tell it
        from a text that is no code.
        """
        learners = CreditCode.learners.through._default_manager
        groups = CreditCode.groups.through._default_manager
        named = learners.filter(creditcode=OuterRef("pk"))
        grouped = groups.filter(creditcode=OuterRef("pk"))
        codes = self.annotate(has_learners=Exists(named), has_groups=Exists(grouped))
        if learner is None or not learner.is_authenticated:
            return codes
        # Named after the site's own user model, which need not have groups.
        field: Any = CreditCode.learners.field
        mine = {field.m2m_reverse_field_name(): learner.pk}
        own_groups: Any = getattr(learner, "groups", None)
        in_group = (
            Value(False)
            if own_groups is None
            else Exists(grouped.filter(group__in=own_groups.values("pk")))
        )
        return codes.annotate(
            read_for=Value(learner.pk, output_field=learner._meta.pk),
            names_reader=Exists(named.filter(**mine)),
            groups_reader=in_group,
        )

    def for_nobody(self) -> CreditCodeQuerySet:
        """Those that name nobody any more, as all whom they were for are deleted."""
        codes = self.filter(named_only=True, email_domains="")
        learners = CreditCode.learners.through._default_manager
        groups = CreditCode.groups.through._default_manager
        return codes.exclude(
            Exists(learners.filter(creditcode=OuterRef("pk")))
            | Exists(groups.filter(creditcode=OuterRef("pk")))
        )


class CreditCode(ServiceColumns):
    """A code that learners type, without its text.

    At rest there is a keyed digest of the text and its last four characters.
    The balance is on the code's grants.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DISABLED = "disabled", _("Disabled")
        CLOSED = "closed", _("Closed")

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {"digest", "last_four", "state", "is_test"}
    )
    ROW_COLUMN: ClassVar[str] = "created_at"

    parent = models.ForeignKey(
        "self",
        verbose_name=_("child of"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="children",
    )
    """The code that its first credits were moved from; none for most."""
    digest = models.CharField(max_length=64, editable=False)
    last_four = models.CharField(
        _("last four characters"), max_length=4, editable=False
    )
    label = models.CharField(
        _("label"),
        max_length=200,
        help_text=_(
            "For whom or what it is, for example “ACME, spring cohort”."
            " Learners who use the code see it."
        ),
    )
    reference = models.CharField(
        _("reference"),
        max_length=100,
        blank=True,
        help_text=_("The number of the contract, or of the deal in your CRM."),
    )
    holder = models.CharField(
        _("holder"),
        max_length=200,
        blank=True,
        help_text=_("The customer's organisation."),
    )
    notes = models.TextField(
        _("notes"), blank=True, help_text=_("For staff. Learners do not see them.")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.ACTIVE
    )
    starts_at = models.DateTimeField(_("usable from"), null=True, blank=True)
    expires_at = models.DateTimeField(_("usable until"), null=True, blank=True)
    content = models.ForeignKey(
        "offer.Range",
        verbose_name=_("only for"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("The products it may pay for. Leave it empty for all."),
    )
    learners = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("only for these learners"),
        blank=True,
        related_name="+",
        help_text=_(
            "Leave all of this empty, and everybody may use it. Otherwise whoever is"
            " one of these learners, or in one of the groups, or has an address at"
            " one of the domains may use it."
        ),
    )
    groups = models.ManyToManyField(
        "auth.Group",
        verbose_name=_("only for these groups"),
        blank=True,
        related_name="+",
    )
    email_domains = models.TextField(
        _("only for e-mail addresses at"),
        blank=True,
        help_text=_(
            "Domains such as acme.example, one on each line. They are as good as the"
            " addresses of your learners: anybody can type one that nobody checks."
        ),
    )
    include_subdomains = models.BooleanField(_("and their subdomains"), default=False)
    named_only = models.BooleanField(
        _("only for those named here"),
        default=False,
        help_text=_(
            "Ticked by itself once somebody is named, and it stays so when the last"
            " learner or group is gone: nobody can use the code then. To let"
            " everybody use it, name nobody and untick it."
        ),
    )
    credits_per_learner = models.PositiveIntegerField(
        _("credits per learner"),
        null=True,
        blank=True,
        help_text=_("The most that one learner may spend. Leave it empty for no cap."),
        validators=[MinValueValidator(1)],
    )
    redemptions_per_learner = models.PositiveIntegerField(
        _("orders per learner"),
        null=True,
        blank=True,
        help_text=_("How often one learner may use it. Leave it empty for no cap."),
        validators=[MinValueValidator(1)],
    )
    one_order_only = models.BooleanField(
        _("for one order only"),
        default=False,
        help_text=_("What is left after that order can't be spent."),
    )
    ends_access = models.BooleanField(
        _("access ends with the code"),
        default=False,
        help_text=_("Access bought with it ends when the code does, if not before."),
    )
    is_test = models.BooleanField(
        _("test code"),
        default=False,
        help_text=_(
            "To try things out: it works for staff only, and counts in no report. It"
            " stays one for good."
        ),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = CreditCodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("credit code")
        verbose_name_plural = _("credit codes")
        # Lists sort by these, ties by the key in the same direction.
        indexes = [
            models.Index(fields=["label", "id"], name="training_credits_code_label"),
            models.Index(fields=["expires_at", "id"], name="training_credits_code_end"),
            models.Index(fields=["state", "id"], name="training_credits_code_state"),
            models.Index(
                fields=["starts_at"],
                condition=Q(starts_at__isnull=False),
                name="training_credits_code_start",
            ),
            models.Index(
                fields=["is_test"],
                condition=Q(is_test=True),
                name="training_credits_code_test",
            ),
        ]
        permissions = [
            (
                "adjust_creditcode",
                _("Can adjust the credits of codes, and close codes"),
            ),
            ("cut_creditcode", _("Can move credits to child codes and back")),
            ("rotate_creditcode", _("Can give codes a new text")),
            ("import_creditcode", _("Can import codes from files")),
            ("export_creditcode", _("Can export lists of codes")),
            ("explain_creditcode", _("Can ask why a code works for a learner")),
            ("report_creditcode", _("Can see reports on credits")),
        ]
        constraints = [
            # Not `unique`: PostgreSQL would keep a second index, for LIKE.
            models.UniqueConstraint(
                fields=["digest"], name="training_credits_one_code_per_digest"
            ),
            models.CheckConstraint(
                name="training_credits_code_ends_after_start",
                condition=Q(starts_at=None)
                | Q(expires_at=None)
                | Q(expires_at__gt=F("starts_at")),
                violation_error_message=_("It must end after it starts."),
            ),
            models.CheckConstraint(
                name="training_credits_access_ends_with_code",
                condition=Q(ends_access=False) | Q(expires_at__isnull=False),
                violation_error_message=_(
                    "Say until when the code is usable: access is to end then."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self._named(self.label)

    def shortened(self, length: int) -> str:
        """Return its name in so many characters at most, never without its end."""
        excess = len(str(self)) - length
        if excess <= 0:
            return str(self)
        kept = max(len(self.label) - excess - 1, 0)
        return self._named(f"{self.label[:kept].rstrip()}…")

    def _named(self, label: str) -> str:
        text = _("%(label)s (code ending %(ending)s)")
        if self.is_test:
            text = _("%(label)s (test code ending %(ending)s)")
        return text % {"label": label, "ending": self.last_four}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the code; one with a domain is for those named here from then on."""
        if email_domain.listed(self.email_domains) and not self.named_only:
            self.named_only = True
            if names := kwargs.get("update_fields"):
                kwargs["update_fields"] = {*names, "named_only"}
        super().save(*args, **kwargs)

    def clean(self) -> None:
        far_away = [
            name
            for name in ("starts_at", "expires_at")
            if is_far_away(getattr(self, name))
        ]
        if far_away:
            raise ValidationError(dict.fromkeys(far_away, far_away_text()))
        try:
            tidy = email_domain.tidied(email_domain.listed(self.email_domains))
        except ValidationError as error:
            raise ValidationError({"email_domains": error.messages}) from error
        self.email_domains = "\n".join(tidy)

    def left_out(self) -> frozenset[str]:
        # What an object remembers may restrict a code, but never open it.
        opens = frozenset() if self.named_only else frozenset({"named_only"})
        return self.SERVICE_COLUMNS | opens

    @property
    def is_capped(self) -> bool:
        """It limits how much one learner, or one order, may have."""
        caps = (self.credits_per_learner, self.redemptions_per_learner)
        return self.one_order_only or caps != (None, None)

    def names_learners(self) -> bool:
        """Tell whether it is for learners by name, whether or not for others too."""
        known: bool | None = getattr(self, "has_learners", None)
        return self.learners.exists() if known is None else known

    def names_groups(self) -> bool:
        """Tell whether it is for groups, whether or not for others too."""
        known: bool | None = getattr(self, "has_groups", None)
        return self.groups.exists() if known is None else known

    def names(self, learner: AbstractBaseUser) -> bool:
        """Tell whether it is for this learner by name."""
        if getattr(self, "read_for", None) == learner.pk:
            return bool(getattr(self, "names_reader", False))
        return self.names_learners() and self.learners.filter(pk=learner.pk).exists()

    def names_group_of(self, learner: AbstractBaseUser) -> bool:
        """Tell whether it is for a group of this learner."""
        if getattr(self, "read_for", None) == learner.pk:
            return bool(getattr(self, "groups_reader", False))
        # A site's own user model need not have groups.
        mine: Any = getattr(learner, "groups", None)
        if mine is None or not self.names_groups():
            return False
        return self.groups.filter(pk__in=mine.values("pk")).exists()

    def balance(self, at: datetime | None = None) -> int:
        """Return the credits that its unexpired grants still hold."""
        grants = self.grants.unexpired(at or timezone.now())
        return grants.aggregate(total=Sum("remaining"))["total"] or 0


class CreditGrantQuerySet(ServiceColumnsQuerySet["CreditGrant"]):
    def unexpired(self, at: datetime) -> CreditGrantQuerySet:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at))


class CreditGrant(ServiceColumns):
    """Credits put on a code at one time, from one origin, with their own expiry."""

    class Origin(models.TextChoices):
        SALE = "sale", _("Sale")
        GOODWILL = "goodwill", _("Goodwill")
        IMPORT = "import", _("Import")
        ADJUSTMENT = "adjustment", _("Adjustment")

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset({"remaining", "expires_at"})
    ROW_COLUMN: ClassVar[str] = "code"

    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.PROTECT,
        related_name="grants",
    )
    source = models.ForeignKey(
        "self",
        verbose_name=_("moved from"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="moved_to",
    )
    """The grant of the parent code that its credits were moved from."""
    credits = models.PositiveIntegerField(
        _("credits"),
        validators=[MinValueValidator(1), MaxValueValidator(MOST_GRANTED)],
    )
    remaining = models.PositiveIntegerField(_("remaining"), editable=False)
    # What lists of codes are narrowed by. With an index on `remaining` itself each
    # spend would write to all indexes of the table; the digits seldom change.
    remaining_digits = models.GeneratedField(
        expression=Case(
            *(When(remaining__lt=10**digits, then=digits) for digits in range(10)),
            default=10,
        ),
        output_field=models.PositiveSmallIntegerField(),
        db_persist=True,
        serialize=False,
    )
    origin = models.CharField(
        _("origin"), max_length=10, choices=Origin.choices, default=Origin.SALE
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    paid_amount = models.DecimalField(
        _("sold for"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_(
            "What the customer pays for all of them, without tax. Leave it empty if it"
            " is not known, or for a present."
        ),
    )
    paid_currency = models.CharField(_("currency"), max_length=12, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    objects = CreditGrantQuerySet.as_manager()

    class Meta:
        verbose_name = _("grant")
        verbose_name_plural = _("grants")
        indexes = [
            models.Index(
                fields=["remaining_digits", "code"], name="training_credits_grant_left"
            ),
            models.Index(fields=["expires_at"], name="training_credits_grant_end"),
        ]
        constraints = [
            models.CheckConstraint(
                name="training_credits_grant_not_overdrawn",
                condition=Q(remaining__gte=0, remaining__lte=F("credits")),
            ),
            models.CheckConstraint(
                name="training_credits_grant_not_empty", condition=Q(credits__gte=1)
            ),
            models.CheckConstraint(
                name="training_credits_grant_paid_in_a_currency",
                condition=Q(paid_amount=None, paid_currency="")
                | Q(paid_amount__gte=0) & ~Q(paid_currency=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining}/{self.credits}"

    @property
    def origin_grant(self) -> CreditGrant:
        """The grant that its credits were first put on, which knows their price."""
        return self.source or self

    def clean(self) -> None:
        if is_far_away(self.expires_at):
            raise ValidationError({"expires_at": far_away_text()})
        if self.expires_at and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": _("This moment has passed.")})


class CodeChange(models.Model):
    """What was done to a code, for the record: who, when and why."""

    class Kind(models.TextChoices):
        ISSUED = "issued", _("Issued")
        TOPPED_UP = "topped_up", _("Topped up")
        ADJUSTED = "adjusted", _("Adjusted")
        EXTENDED = "extended", _("Extended")
        DISABLED = "disabled", _("Disabled")
        ENABLED = "enabled", _("Made active again")
        CLOSED = "closed", _("Closed")
        ROTATED = "rotated", _("New text")
        EDITED = "edited", _("Edited")
        MAILED = "mailed", _("Mailed")
        CUT = "cut", _("Moved to a child code")
        TAKEN_BACK = "taken_back", _("Taken back from a child code")
        STATEMENT = "statement", _("Statement mailed")

    class Reason(models.TextChoices):
        MISTAKE = "mistake", _("A mistake is put right")
        CONTRACT = "contract", _("The contract has changed")
        GOODWILL = "goodwill", _("Goodwill")
        LOST = "lost", _("The code was lost")
        LEAKED = "leaked", _("The code has leaked, or was misused")
        ENDED = "ended", _("The programme has ended")
        CANCELLED = "cancelled", _("The order was cancelled")
        OTHER = "other", _("Something else")

    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.PROTECT,
        related_name="changes",
    )
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    credits = models.IntegerField(
        _("credits"),
        default=0,
        help_text=_("Positive when added, negative when taken."),
    )
    details = models.JSONField(default=list)
    """Triples of a field's name, and its value before and after, as text."""
    reason = models.CharField(
        _("reason"), max_length=10, choices=Reason.choices, blank=True
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=64, null=True, editable=False
    )
    """What must not be done twice, where the caller names it."""
    changed_at = models.DateTimeField(_("when"), default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("change of a code")
        verbose_name_plural = _("changes of codes")
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key"], name="training_credits_changed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code_id}: {self.kind}"


class TurnedAway(models.Model):
    """How often a learner who may use a code could not, on one day for one reason."""

    code = models.ForeignKey(CreditCode, on_delete=models.CASCADE, related_name="+")
    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    reason = models.CharField(_("reason"), max_length=50)
    day = models.DateField(_("day"), help_text=_("In the site's time zone."))
    times = models.PositiveIntegerField(_("times"), default=1)

    class Meta:
        verbose_name = _("learner turned away")
        verbose_name_plural = _("learners turned away")
        indexes = [
            models.Index(fields=["day"], name="training_credits_turned_day"),
        ]

    def __str__(self) -> str:
        return f"{self.code_id}: {self.reason}"


class CodeManager(models.Model):
    """A person on the customer's side who looks after a code.

    Invited by their address, and named by their account once they have accepted.
    """

    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.CASCADE,
        related_name="managers",
        db_index=False,
    )
    email = models.EmailField(_("e-mail address"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("manager of a code")
        verbose_name_plural = _("managers of codes")
        constraints = [
            models.UniqueConstraint(
                fields=["code", "email"], name="training_credits_manager_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code_id}: {self.email}"


class AppliedCode(models.Model):
    """A code that a learner has applied to a basket, in the order applied."""

    basket = models.ForeignKey(
        "basket.Basket", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    code = models.ForeignKey(CreditCode, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["basket", "code"], name="training_credits_code_applied_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.basket_id}: {self.code_id}"
