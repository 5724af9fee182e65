"""Codes, the credits granted to them, and the baskets they are applied to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Sum, Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import domains
from ..terms import MOST_GRANTED

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser


class CreditCodeQuerySet(models.QuerySet["CreditCode"]):
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


class CreditCode(models.Model):
    """A code that learners type, without its text.

    At rest there is a keyed digest of the text and its last four characters.
    The balance is on the code's grants.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DISABLED = "disabled", _("Disabled")

    digest = models.CharField(max_length=64, unique=True, editable=False)
    ending = models.CharField(_("ending"), max_length=4, editable=False)
    label = models.CharField(
        _("label"),
        max_length=200,
        help_text=_(
            "For whom or what it is, for example “ACME, spring cohort”."
            " Learners who use the code see it."
        ),
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
        constraints = [
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
        return _("%(label)s (code ending %(ending)s)") % {
            "label": self.label,
            "ending": self.ending,
        }

    def clean(self) -> None:
        try:
            tidy = domains.tidied(domains.listed(self.email_domains))
        except ValidationError as error:
            raise ValidationError({"email_domains": error.messages}) from error
        self.email_domains = "\n".join(tidy)

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


class CreditGrantQuerySet(models.QuerySet["CreditGrant"]):
    def unexpired(self, at: datetime) -> CreditGrantQuerySet:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at))


class CreditGrant(models.Model):
    """Credits put on a code at one time, from one origin, with their own expiry."""

    class Origin(models.TextChoices):
        SALE = "sale", _("Sale")
        GOODWILL = "goodwill", _("Goodwill")
        IMPORT = "import", _("Import")
        ADJUSTMENT = "adjustment", _("Adjustment")

    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.PROTECT,
        related_name="grants",
    )
    credits = models.PositiveIntegerField(
        _("credits"),
        validators=[MinValueValidator(1), MaxValueValidator(MOST_GRANTED)],
    )
    remaining = models.PositiveIntegerField(_("remaining"), editable=False)
    origin = models.CharField(
        _("origin"), max_length=10, choices=Origin.choices, default=Origin.SALE
    )
    note = models.CharField(_("note"), max_length=200, blank=True)
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
        constraints = [
            models.CheckConstraint(
                name="training_credits_grant_not_overdrawn",
                condition=Q(remaining__gte=0, remaining__lte=F("credits")),
            ),
            models.CheckConstraint(
                name="training_credits_grant_not_empty", condition=Q(credits__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.remaining}/{self.credits}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row, but never what remains: only the ledger moves credits.

        What an object remembers may have been spent since it was read.
        """
        chosen = kwargs.get("force_insert") or kwargs.get("update_fields") is not None
        if not (self._state.adding or chosen):
            names = {field.attname for field in self._meta.concrete_fields}
            left_out = {"id", "remaining", *self.get_deferred_fields()}
            kwargs["update_fields"] = names - left_out
        super().save(*args, **kwargs)

    def clean(self) -> None:
        if self.expires_at and self.expires_at <= timezone.now():
            raise ValidationError({"expires_at": _("This moment has passed.")})


class AppliedCode(models.Model):
    """A code that a learner has applied to a basket, in the order applied."""

    basket = models.ForeignKey(
        "basket.Basket", on_delete=models.CASCADE, related_name="+"
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
