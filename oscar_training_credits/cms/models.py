"""A mixin for the site's own page models."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_lazy as _
from modelcluster.models import (
    get_all_child_m2m_relations,
    get_all_child_relations,
)
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, Panel

from ..credits import access
from ..credits.access import Standing
from ..credits.models import TrainingProduct
from ..credits.terms import LONGEST_ACCESS, MOST_CREDITS, Terms, check_terms
from .forms import TrainingPageForm

WITH_ACCESS = "with-access"


class TrainingPageMixin(models.Model):
    """For a page that sells a training product and shows what it opens.

    Mix it into any page model, before `Page`. What an editor enters becomes the live
    price when the page is published. The fields named in `restricted_fields` are
    emptied, before the page is rendered, for everybody who has no access.
    """

    product = models.ForeignKey(
        "catalogue.Product",
        verbose_name=_("product"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_("The product of the shop that this page sells."),
    )
    credits = models.PositiveIntegerField(
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
    access_days = models.PositiveIntegerField(
        _("days of access"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_ACCESS)],
        help_text=_("How long access lasts after purchase. Leave it empty for no end."),
    )

    restricted_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that only learners with access may see."""

    training_panels: ClassVar[list[Panel]] = [
        MultiFieldPanel(
            [
                FieldPanel("product"),
                FieldPanel("credits"),
                FieldPanel("credit_only"),
                FieldPanel("access_days"),
            ],
            heading=_("Sold as training"),
            help_text=_("The shop uses these terms from when the page is published."),
        )
    ]
    base_form_class = TrainingPageForm

    class Meta:
        abstract = True

    @property
    def training(self) -> TrainingProduct | None:
        """The live terms, from the one place where they are kept."""
        return getattr(self.product, "training", None) if self.product else None

    @property
    def terms(self) -> dict[str, Any]:
        """The terms as they are on this page, published or not."""
        return {
            "credits": self.credits,
            "credit_only": self.credit_only,
            "access_days": self.access_days,
        }

    @property
    def draft_training(self) -> TrainingProduct | None:
        """The terms as this page would publish them, for its preview. Not saved."""
        if self.product is None:
            return None
        return TrainingProduct(product=self.product, **self.terms)

    def clean(self) -> None:
        super().clean()
        check_terms(Terms(**self.terms), product=self.product)

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        modes: list[tuple[str, Any]] = super().preview_modes  # type: ignore[misc]
        return [*modes, (WITH_ACCESS, _("With access"))]

    def get_context(self, request: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        standing = self.standing(request)
        if not standing.has_access:
            self.hide_restricted_fields()
        context: dict[str, Any] = super().get_context(  # type: ignore[misc]
            request, *args, **kwargs
        )
        return {**context, "training": standing}

    def standing(self, request: Any) -> Standing:
        """Return how the visitor stands with what this page opens."""
        if getattr(request, "is_preview", False):
            mode = getattr(request, "preview_mode", "")
            return Standing(has_access=mode == WITH_ACCESS)
        training = self.training
        if training is None:
            return access.STRANGER
        return access.standing(request.user, training)

    def hide_restricted_fields(self) -> None:
        """Empty the restricted fields of this instance: no template can leak them."""
        for name in self.restricted_fields:
            setattr(self, name, empty_value(type(self), name))

    def serve(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().serve(request, *args, **kwargs)  # type: ignore[misc]
        # The page differs by learner: no cache may show one's page to another.
        patch_cache_control(response, private=True, no_cache=True)
        patch_vary_headers(response, ["Cookie"])
        return response


def empty_value(model: type[models.Model], name: str) -> Any:
    """Return what the field `name` of a page holds when it holds nothing.

    Raises:
        ImproperlyConfigured: it is a relation whose rows are not kept with the page,
            so that to empty it would delete them.
    """
    field: Any = model._meta.get_field(name)
    if not can_hide(model, name):
        raise ImproperlyConfigured(
            f"{model.__name__}.restricted_fields: {name!r} is not part of the page."
        )
    if field.one_to_many or field.many_to_many:
        return []
    if field.is_relation:
        return None
    try:
        return field.to_python("")
    except ValidationError:
        return None


def can_hide(model: type[models.Model], name: str) -> bool:
    """Tell whether the field `name` of a page can be emptied without a change to it."""
    field: Any = model._meta.get_field(name)
    if not (field.one_to_many or field.many_to_many or field.auto_created):
        return True
    kept = get_all_child_relations(model) + get_all_child_m2m_relations(model)
    return field in kept
