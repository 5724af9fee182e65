"""What was taken from which grant for which order. Only ever added to."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ...exceptions import LedgerIsAppendOnly
from .codes import CodeChange, CreditCode, CreditGrant
from .columns import ServiceColumns, ServiceColumnsQuerySet


class RedemptionQuerySet(ServiceColumnsQuerySet["Redemption"]):
    def held(self) -> RedemptionQuerySet:
        """Those that are held.

        They have no order, by which an index finds the few of a code that has been
        ordered with a hundred thousand times.
        """
        return self.filter(state=Redemption.State.HELD, order=None)


class Redemption(ServiceColumns):
    """Credits taken from one code for one order.

    Held while other money is being paid, then captured with the order or released.
    Without other money it is captured at once. An order number that fails and is
    tried again has a new attempt.
    """

    class State(models.TextChoices):
        HELD = "held", _("Held")
        CAPTURED = "captured", _("Captured")
        RELEASED = "released", _("Released")

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset(
        {"state", "order", "expires_at"}
    )
    ROW_COLUMN: ClassVar[str] = "order_number"

    code = models.ForeignKey(
        CreditCode,
        verbose_name=_("code"),
        on_delete=models.PROTECT,
        related_name="redemptions",
        db_index=False,
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    order_number = models.CharField(_("order number"), max_length=128)
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=1)
    order = models.ForeignKey(
        "order.Order",
        verbose_name=_("order"),
        null=True,
        on_delete=models.PROTECT,
        related_name="credit_redemptions",
        db_index=False,
    )
    basket = models.ForeignKey(
        "basket.Basket",
        verbose_name=_("basket"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="credit_redemptions",
    )
    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("learner"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    credits = models.PositiveIntegerField(_("credits"))
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(
        _("held until"), null=True, help_text=_("For a hold: when it lapses by itself.")
    )

    objects = RedemptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        indexes = [
            # The latest orders of a code, which may have a hundred thousand.
            models.Index(fields=["code", "id"], name="training_credits_code_orders")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "code"], name="training_credits_one_redemption"
            ),
            models.UniqueConstraint(
                fields=["order_number", "code", "attempt"],
                name="training_credits_one_redemption_per_attempt",
            ),
            models.CheckConstraint(
                name="training_credits_captured_with_order",
                condition=Q(state="captured", order__isnull=False)
                | Q(~Q(state="captured"), order__isnull=True),
            ),
            models.CheckConstraint(
                name="training_credits_redemption_not_empty",
                condition=Q(credits__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_number}: {self.credits}"


class Refund(models.Model):
    """Credits of a redemption given back to their grants, once for each key."""

    redemption = models.ForeignKey(
        Redemption,
        verbose_name=_("redemption"),
        on_delete=models.PROTECT,
        related_name="refunds",
        db_index=False,
    )
    idempotency_key = models.CharField(
        _("idempotency key"),
        max_length=128,
        help_text=_("What asked for it. Asking again with the same key does nothing."),
    )
    credits = models.PositiveIntegerField(_("credits"))
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        constraints = [
            models.UniqueConstraint(
                fields=["redemption", "idempotency_key"],
                name="training_credits_one_refund",
            ),
            models.CheckConstraint(
                name="training_credits_refund_not_empty", condition=Q(credits__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.credits}"


class AppendOnlyQuerySet(models.QuerySet["LedgerEntry"]):
    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LedgerIsAppendOnly("Ledger entries are never changed or deleted.")

    update = _refuse
    delete = _refuse
    bulk_update = _refuse
    update_or_create = _refuse

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[LedgerEntry]:
        if kwargs.get("update_conflicts"):
            self._refuse()
        return super().bulk_create(*args, **kwargs)


class LedgerEntry(models.Model):
    """One movement on one grant, with the grant's balance after it."""

    class Kind(models.TextChoices):
        GRANT = "grant", _("Granted")
        REDEEM = "redeem", _("Redeemed")
        HOLD = "hold", _("Held")
        RELEASE = "release", _("Released")
        REFUND = "refund", _("Refunded")
        ADJUST = "adjust", _("Adjusted")
        LAPSE = "lapse", _("Lapsed")
        MOVE = "move", _("Moved")

    grant = models.ForeignKey(
        CreditGrant,
        verbose_name=_("grant"),
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
    )
    redemption = models.ForeignKey(
        Redemption,
        verbose_name=_("redemption"),
        null=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
    )
    refund = models.ForeignKey(
        Refund,
        verbose_name=_("refund"),
        null=True,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
    )
    change = models.ForeignKey(
        CodeChange,
        verbose_name=_("change"),
        null=True,
        on_delete=models.PROTECT,
        related_name="entries",
        # Nobody asks for the entries of one change, and each index slows a purchase.
        db_index=False,
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    credits = models.IntegerField(
        _("credits"), help_text=_("Positive when added, negative when taken.")
    )
    balance = models.PositiveIntegerField(_("balance after"))
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        base_manager_name = "objects"
        indexes = [
            # The latest movements of a code, which may have a hundred thousand.
            models.Index(fields=["grant", "id"], name="training_credits_grant_entries")
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["redemption", "grant", "kind"],
                name="training_credits_one_entry",
            ),
            models.UniqueConstraint(
                fields=["refund", "grant"], name="training_credits_one_refund_entry"
            ),
            models.CheckConstraint(
                name="training_credits_entry_moves_credits",
                condition=~Q(credits=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credits:+d}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise LedgerIsAppendOnly("Ledger entries are never changed.")
        # A new instance with the primary key of an old one would overwrite it.
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise LedgerIsAppendOnly("Ledger entries are never deleted.")


class Reinstatement(models.Model):
    """Credits that had expired, until a later end made them valid again.

    A grant and its code say only when they end as of today. This is what a report on
    an earlier day has to know besides.
    """

    grant = models.ForeignKey(
        CreditGrant,
        verbose_name=_("grant"),
        on_delete=models.PROTECT,
        related_name="reinstatements",
    )
    credits = models.PositiveIntegerField(_("credits"))
    expired_at = models.DateTimeField(_("had expired"))
    created_at = models.DateTimeField(_("valid again"), default=timezone.now)

    class Meta:
        verbose_name = _("reinstatement")
        verbose_name_plural = _("reinstatements")
        constraints = [
            models.CheckConstraint(
                name="training_credits_reinstated_after_expiry",
                condition=Q(credits__gte=1, expired_at__lte=F("created_at")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.grant_id}: {self.credits}"


class SettledLine(ServiceColumns):
    """An order line that was paid in credits, and what it would have cost in money."""

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset({"refunded_quantity"})
    ROW_COLUMN: ClassVar[str] = "order_line"

    order_line = models.OneToOneField(
        "order.Line", on_delete=models.PROTECT, related_name="settled_line"
    )
    unit_credits = models.PositiveIntegerField(_("credits each"))
    quantity = models.PositiveIntegerField(_("quantity"))
    refunded_quantity = models.PositiveIntegerField(_("refunded"), default=0)
    money_price = models.DecimalField(
        _("money price"),
        max_digits=12,
        decimal_places=2,
        null=True,
        help_text=_(
            "What the line would have cost in the order's currency, tax included;"
            " empty where there was no money price."
        ),
    )

    objects = ServiceColumnsQuerySet["SettledLine"].as_manager()

    class Meta:
        verbose_name = _("line paid in credits")
        verbose_name_plural = _("lines paid in credits")
        constraints = [
            models.CheckConstraint(
                name="training_credits_line_refunded_once",
                condition=Q(refunded_quantity__lte=F("quantity")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_line_id}: {self.credits}"

    @property
    def credits(self) -> int:
        return self.unit_credits * self.quantity

    @property
    def left(self) -> int:
        """How many units have not been given back."""
        return self.quantity - self.refunded_quantity

    @property
    def credits_back(self) -> int:
        return self.unit_credits * self.refunded_quantity


class RedemptionLine(ServiceColumns):
    """The part of a redemption that one grant gives to one line.

    While the credits are held there is no order line yet, only the basket's.
    """

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset({"settled_line", "refunded"})
    ROW_COLUMN: ClassVar[str] = "redemption"

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="+")
    basket_line = models.BigIntegerField(_("basket line"))
    unit_credits = models.PositiveIntegerField(_("credits each"))
    quantity = models.PositiveIntegerField(_("quantity"))
    settled_line = models.ForeignKey(
        SettledLine,
        null=True,
        on_delete=models.PROTECT,
        related_name="redemption_lines",
    )
    credits = models.PositiveIntegerField(_("credits"))
    refunded = models.PositiveIntegerField(_("refunded"), default=0)

    objects = ServiceColumnsQuerySet["RedemptionLine"].as_manager()

    class Meta:
        verbose_name = _("redemption line")
        verbose_name_plural = _("redemption lines")
        constraints = [
            models.UniqueConstraint(
                fields=["redemption", "grant", "basket_line"],
                name="training_credits_one_redemption_line",
            ),
            models.CheckConstraint(
                name="training_credits_refunded_at_most_once",
                condition=Q(refunded__lte=F("credits")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.redemption_id}: {self.credits}"


class RefundLine(models.Model):
    """The part of a refund that gives credits of one redemption line back.

    `grant` is where they went: where they came from, or a new grant if that one has
    expired. `quantity` is how many units of the order line the refund gives back.
    """

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="lines", db_index=False
    )
    redemption_line = models.ForeignKey(
        RedemptionLine, on_delete=models.PROTECT, related_name="refund_lines"
    )
    grant = models.ForeignKey(CreditGrant, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))
    credits = models.PositiveIntegerField(_("credits"))

    class Meta:
        verbose_name = _("refund line")
        verbose_name_plural = _("refund lines")
        constraints = [
            models.UniqueConstraint(
                fields=["refund", "redemption_line"],
                name="training_credits_one_refund_line",
            ),
            models.CheckConstraint(
                name="training_credits_refund_line_not_empty",
                condition=Q(credits__gte=1, quantity__gte=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_id}: {self.credits}"
