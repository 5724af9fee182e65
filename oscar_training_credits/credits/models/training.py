"""How an Oscar product is sold as training."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..terms import (
    LONGEST_ACCESS,
    MOST_CREDITS,
    PLAIN,
    ProductKind,
    Terms,
    check_terms,
    end_of,
    start_of,
)


class CountField(models.PositiveIntegerField):  # type: ignore[type-arg]
    """A number from 1 on, of which forms say so, and not that it begins with 0."""

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"min_value": 1, **kwargs})

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.PositiveIntegerField", args, kwargs


class TermsFields(models.Model):
    """The terms that are columns, of a training product and of a page that sells it."""

    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=ProductKind.choices,
        default=ProductKind.COURSE,
        help_text=_(
            "A course opens itself, a path its courses, a plan a range of products."
        ),
    )
    credits = CountField(
        _("credits"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CREDITS)],
        help_text=_("The price in credits. Leave it empty if it takes no credits."),
    )
    credit_only = models.BooleanField(
        _("credit-only"),
        default=False,
        help_text=_("No price in money is shown anywhere; only credits can pay."),
    )
    access_days = CountField(
        _("days of access"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_ACCESS)],
        help_text=_("How long access lasts after purchase. Leave it empty for no end."),
    )
    access_from = models.DateField(
        _("access from"),
        null=True,
        blank=True,
        help_text=_("The first day of access. Leave it empty to start at purchase."),
    )
    access_until = models.DateField(
        _("access until"),
        null=True,
        blank=True,
        help_text=_("The last day of access for everybody. Leave it empty for none."),
    )
    plan_content = models.ForeignKey(
        "offer.Range",
        verbose_name=_("content of the plan"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_(
            "The range of products that a plan opens, also what is added to it later."
        ),
    )

    class Meta:
        abstract = True


class TrainingProduct(TermsFields):
    """The terms on which an Oscar product is sold as training.

    A course opens itself, a path the courses on its list, a plan all that a range of
    the shop contains. Without `credits` it takes no credits and only opens content
    for money. Without an end access lasts for ever.
    """

    product = models.OneToOneField(
        "catalogue.Product",
        verbose_name=_("product"),
        on_delete=models.CASCADE,
        related_name="training",
    )
    sold_by_page = models.BooleanField(
        _("sold by a page"),
        default=False,
        editable=False,
        help_text=_("A live page has put it on sale."),
    )
    """What staff do since to its being on sale is left as it is."""

    class Meta:
        verbose_name = _("training product")
        verbose_name_plural = _("training products")
        constraints = [
            models.CheckConstraint(
                name="training_credits_credit_only_has_credits",
                condition=Q(credit_only=False) | Q(credits__isnull=False),
                violation_error_message=_(
                    "A credit-only product needs a price in credits."
                ),
            ),
            models.CheckConstraint(
                name="training_credits_price_is_positive",
                condition=Q(credits=None) | Q(credits__gte=1),
            ),
            models.CheckConstraint(
                name="training_credits_plan_has_content",
                condition=Q(kind=ProductKind.PLAN, plan_content__isnull=False)
                | (~Q(kind=ProductKind.PLAN) & Q(plan_content=None)),
                violation_error_message=_("A plan has content, and nothing else has."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.product)

    @property
    def takes_credits(self) -> bool:
        return self.credits is not None

    @property
    def is_over(self) -> bool:
        """The last day of access has passed: nobody would gain anything by it."""
        closes_at = self.closes_at
        return closes_at is not None and closes_at <= timezone.now()

    @property
    def opens_at(self) -> datetime | None:
        """The moment before which nobody has access; None for none."""
        return start_of(self.access_from) if self.access_from else None

    @property
    def closes_at(self) -> datetime | None:
        """The moment from which nobody has access; None for none."""
        return end_of(self.access_until) if self.access_until else None

    @property
    def terms(self) -> Terms:
        """The terms as they are now; a path's courses cost a query."""
        plain = {name: getattr(self, name) for name in PLAIN}
        return Terms(**plain, path_courses=self.listed_courses())

    def listed_courses(self) -> tuple[TrainingProduct, ...]:
        """Return the courses of a path, in its order; none for anything else."""
        if self.kind != ProductKind.PATH or self.pk is None:
            return ()
        listed = self.path_courses.order_by("position")
        return tuple(each.course for each in listed.select_related("course__product"))

    def clean(self) -> None:
        try:
            check_terms(self.terms, product=self.product if self.product_id else None)
        except ValidationError as error:
            # A form of this model has no field for the courses of a path.
            fields = {"path_courses": "kind"}
            raise ValidationError(
                {
                    fields.get(name, name): each
                    for name, each in error.error_dict.items()
                }
            ) from error


class PathCourse(models.Model):
    """One course on the list of a path."""

    path = models.ForeignKey(
        TrainingProduct,
        on_delete=models.CASCADE,
        related_name="path_courses",
        db_index=False,
    )
    course = models.ForeignKey(
        TrainingProduct,
        verbose_name=_("course"),
        on_delete=models.PROTECT,
        related_name="in_paths",
    )
    position = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["path", "course"], name="training_credits_course_once_in_path"
            )
        ]

    def __str__(self) -> str:
        return f"{self.path_id}: {self.course_id}"


class TermsChange(models.Model):
    """One term of a training product that was changed: who, when, from, to."""

    training = models.ForeignKey(
        TrainingProduct,
        verbose_name=_("training product"),
        on_delete=models.CASCADE,
        related_name="changes",
    )
    term = models.CharField(_("term"), max_length=20)
    before = models.TextField(_("from"), blank=True)
    after = models.TextField(_("to"), blank=True)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("changed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("change of terms")
        verbose_name_plural = _("changes of terms")

    def __str__(self) -> str:
        return f"{self.term}: {self.before} → {self.after}"


class ParkedPrice(models.Model):
    """The money price that a stock record had before its product went credit-only."""

    stockrecord = models.OneToOneField(
        "partner.StockRecord", on_delete=models.CASCADE, related_name="+"
    )
    price = models.DecimalField(max_digits=12, decimal_places=2)

    def __str__(self) -> str:
        return str(self.price)


class MoneyChoice(models.Model):
    """A learner's wish to pay a basket line with money although credits could."""

    line = models.OneToOneField(
        "basket.Line", on_delete=models.CASCADE, related_name="money_choice"
    )

    def __str__(self) -> str:
        return str(self.line_id)


class DirectPurchase(models.Model):
    """A basket for one training product alone, bought from its page or sold by code.

    It is frozen from the start, so that it is never the learner's shopping basket.
    """

    basket = models.OneToOneField(
        "basket.Basket", on_delete=models.CASCADE, related_name="direct_purchase"
    )
    learner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    training = models.ForeignKey(
        TrainingProduct, on_delete=models.CASCADE, related_name="+"
    )
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=64, null=True, editable=False
    )
    """What must not be sold twice; None for what is bought from its page."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["idempotency_key"], name="training_credits_sold_once"
            )
        ]

    def __str__(self) -> str:
        return str(self.basket_id)
