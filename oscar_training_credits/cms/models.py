"""A mixin for the site's own page models."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models, transaction
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_lazy as _
from modelcluster.models import (
    get_all_child_m2m_relations,
    get_all_child_relations,
)
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, Panel
from wagtail.fields import StreamField
from wagtail.models import Page

from ..credits import access
from ..credits.access import Standing
from ..credits.models import TrainingProduct
from ..credits.models.training import TermsFields
from ..credits.terms import PLAIN, Kind, Terms, check_terms
from ..shop.training import refuse_listed
from .exceptions import AlreadySold
from .forms import TrainingPageForm
from .localize import SharedField
from .panels import TermsElsewherePanel
from .path import PathBlocks, as_stream, courses_in
from .publishing import leave_out
from .selling import refuse_rival, rival_of, shop_terms

SELLING = frozenset({"live", "product"})
BY_SCHEDULER = "wagtail.publish.scheduled"
WITH_ACCESS = "with-access"
PERSONAL = "mine"


def shown_for(kind: Kind) -> dict[str, str]:
    """Return the attributes of a panel that is of use for one kind only.

    Wagtail's own script reads them; without JavaScript the panel is always shown.
    """
    rule = json.dumps({"kind": [str(kind.value)]})
    return {"data-w-rules-target": "show", "data-w-rules": rule}


class TrainingPageMixin(TermsFields):
    """For a page that sells a training product and shows what it opens.

    Mix it into any page model, before `Page`. What an editor enters becomes the live
    price when the page is published. The fields named in `restricted_fields` are
    emptied, before the page is rendered, for everybody who has no access.

    A translation sells the same product on the same terms as the page that it was
    translated from: they are edited there, and copied whenever either is saved.
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
    path_courses = StreamField(
        PathBlocks(),
        verbose_name=_("courses of the path"),
        blank=True,
        help_text=_("What the path opens, in this order."),
    )

    restricted_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that only learners with access may see."""

    is_shared: ClassVar[bool] = False
    """Everybody is served the same page, so that a front-end cache may keep it.

    It is a stranger's page. What is personal is loaded after it, from an address of
    its own that no cache keeps; without JavaScript a link leads there.
    """

    training_panels: ClassVar[list[Panel]] = [
        MultiFieldPanel(
            [
                TermsElsewherePanel(),
                FieldPanel("kind"),
                FieldPanel("product"),
                FieldPanel("path_courses", attrs=shown_for(Kind.PATH)),
                FieldPanel("plan_content", attrs=shown_for(Kind.PLAN)),
                FieldPanel("credits"),
                FieldPanel("credit_only"),
                FieldPanel("access_days"),
                FieldPanel("access_from"),
                FieldPanel("access_until"),
            ],
            heading=_("Sold as training"),
            help_text=_("The shop uses these terms from when the page is published."),
            attrs={
                "data-controller": "w-rules",
                "data-action": "change->w-rules#resolve",
            },
        )
    ]
    base_form_class = TrainingPageForm

    sells_training: ClassVar[bool] = True
    """By this the package finds the page models of the site."""

    override_translatable_fields: ClassVar[list[Any]] = [
        SharedField(name) for name in ("product", *PLAIN, "path_courses")
    ]
    """For wagtail-localize: a translation shares the terms with its source."""

    is_unfinished = False
    """Whether this is only saved as a draft, whose terms need not make sense yet."""
    was_selling = False
    """Whether the live page sold this product already, before it was saved."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        page: Any = self
        stored = self._stored()
        names = kwargs.get("update_fields")
        if stored and stored.alias_of_id and not page.alias_of_id:
            # A page of its own now: as a copy does, it begins without the product.
            self.product = None
            kwargs["update_fields"] = names and {*names, "product"}
        self.follow_terms_page()
        self.was_selling = bool(
            stored and stored.live and stored.product and stored.product == self.product
        )
        if page.live and self.was_selling and names is None:
            self.follow_shop(stored)
        is_written = names is None or SELLING.intersection(names)
        begins = page.live and self.product and not self.was_selling
        with transaction.atomic():
            if is_written and begins and not page.alias_of_id:
                refuse_rival(self)
            super().save(*args, **kwargs)

    def publish(self, revision: Any, *args: Any, **kwargs: Any) -> Any:
        """Publish `revision`, if no other live page sells its product.

        The scheduler leaves the page as it is and goes on with the others.

        Raises:
            AlreadySold: another page does.
        """
        draft = revision.as_object()
        rival = rival_of(draft)
        if rival is None:
            return super().publish(revision, *args, **kwargs)  # type: ignore[misc]
        if kwargs.get("log_action") != BY_SCHEDULER:
            raise AlreadySold(draft, rival)
        return leave_out(self, rival, revision=revision)

    @property
    def training(self) -> TrainingProduct | None:
        """The live terms, from the one place where they are kept."""
        return getattr(self.product, "training", None) if self.product else None

    @property
    def terms(self) -> dict[str, Any]:
        """The terms as they are on this page, published or not."""
        return {
            "kind": self.kind,
            "credits": self.credits,
            "credit_only": self.credit_only,
            "access_days": self.access_days,
            "access_from": self.access_from,
            "access_until": self.access_until,
            "plan_content": self.plan_content,
            "path_courses": courses_in(self.path_courses),
        }

    @property
    def draft_training(self) -> TrainingProduct | None:
        """The terms as this page would publish them, for its preview. Not saved."""
        if self.product is None:
            return None
        return TrainingProduct(product=self.product, **Terms(**self.terms).plain())

    def terms_page(self) -> Any:
        """Return the page where the terms are edited; None if it is this one.

        Of a page and its translations that is the oldest. An alias follows its
        original without our help.
        """
        page: Any = self
        if page.alias_of_id:
            return None
        older = type(page)._default_manager.filter(
            translation_key=page.translation_key, alias_of=None
        )
        if page.pk:
            older = older.filter(pk__lt=page.pk)
        return older.order_by("pk").first()

    def follow_terms_page(self) -> None:
        """Take over the terms of the page that this one is a translation of."""
        if page := self.terms_page():
            self.take_terms_of(page)

    def take_terms_of(self, page: TrainingPageMixin) -> None:
        self.product = page.product
        self.take_terms(page.terms)

    def take_terms(self, terms: dict[str, Any]) -> None:
        for name, value in terms.items():
            setattr(self, name, as_stream(value) if name == "path_courses" else value)

    def follow_shop(self, published: Any) -> None:
        """Take over the terms that the shop changed, and this version does not.

        `published` is the live page, as it is before this version is.
        """
        own, live = self.terms, shop_terms(published)
        # The live page has what the shop's terms were when this version was saved.
        before = published.terms
        changed = {name for name in live if live[name] != own[name] == before[name]}
        if changed and not self.terms_page():
            self.take_terms({name: live[name] for name in changed})

    def clean(self) -> None:
        super().clean()
        self.follow_terms_page()
        if self.is_unfinished:
            return
        if self.kind != Kind.PLAN:
            self.plan_content = None
        if self.kind != Kind.PATH:
            self.path_courses = []
        check_terms(Terms(**self.terms), product=self.product)
        if self.product and self.kind == Kind.PATH:
            refuse_listed(self.product)

    def _stored(self) -> Any:
        """Return this page as it is in the database, or None."""
        model: Any = type(self)
        return model._default_manager.filter(pk=self.pk).first() if self.pk else None

    @property
    def default_exclude_fields_in_copy(self) -> list[str]:
        # A copy is another page: it must not sell the product a second time.
        names: list[str] = super().default_exclude_fields_in_copy  # type: ignore[misc]
        return [*names, "product"]

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
        """Return how the visitor stands with what this page opens.

        One query, once for this instance of the page.
        """
        if is_preview(request):
            mode = getattr(request, "preview_mode", "")
            return Standing(has_access=mode == WITH_ACCESS)
        training = self.training
        if training is None or not self.is_personal(request):
            return access.STRANGER
        known = self.__dict__.setdefault("_standings", {})
        if request.user.pk not in known:
            known[request.user.pk] = access.standing(request.user, training)
        standing: Standing = known[request.user.pk]
        return standing

    def is_personal(self, request: Any) -> bool:
        """Tell whether this request gets a page of the visitor's own."""
        return not self.is_shared or PERSONAL in request.GET or is_preview(request)

    def personal_address(self, request: Any) -> str:
        """Return where a visitor of a shared page gets a page of their own."""
        return f"{request.path}?{PERSONAL}=1"

    def hide_restricted_fields(self) -> None:
        """Empty the restricted fields of this instance: no template can leak them."""
        for name in self.restricted_fields:
            setattr(self, name, empty_value(type(self), name))

    def serve(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().serve(request, *args, **kwargs)  # type: ignore[misc]
        if self.is_personal(request):
            # It differs by learner: no cache may show one's page to another.
            patch_cache_control(response, private=True, no_cache=True)
            patch_vary_headers(response, ["Cookie"])
        return response


class TrainingPage(TrainingPageMixin, Page):  # type: ignore[django-manager-missing]
    """For a site that has no base page of its own: a page that sells training."""

    content_panels: ClassVar[list[Any]] = [
        *Page.content_panels,
        *TrainingPageMixin.training_panels,
    ]

    class Meta:
        abstract = True


def is_preview(request: Any) -> bool:
    """Tell whether an editor is looking at a draft."""
    return bool(getattr(request, "is_preview", False))


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
