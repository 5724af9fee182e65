"""A mixin for the site's own page models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models, transaction
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel, Panel
from wagtail.fields import StreamField
from wagtail.models import Page

from ..aliases import Request
from ..credits.access import status
from ..credits.access.status import AccessStatus
from ..credits.models import TrainingProduct
from ..credits.models.training import TermsFields
from ..credits.terms import PLAIN, ProductKind, Terms, check_terms
from ..shop import personal
from ..shop.catalogue.training import offered_product, refuse_listed, training_of
from .forms import TrainingPageForm
from .gone import gone_in, refuse_gone
from .localize import SharedField
from .panels import GonePanel, PricePanel, PrivacyPanel, TermsElsewherePanel
from .path import PathBlocks, as_stream, courses_in
from .publishing import leave_out, reason_not_to_publish
from .restricted import RestrictedFields
from .selling import follow_live_pages, follow_page, refuse_other_seller, shop_terms

SELLING = frozenset({"live", "product"})
BY_SCHEDULER = "wagtail.publish.scheduled"
WITH_ACCESS = "with-access"
PERSONAL = "mine"


def shown_for(kind: ProductKind) -> dict[str, str]:
    """Return the attributes of a panel that is of use for one kind only.

    Wagtail's own script reads them; without JavaScript the panel is always shown.
    """
    rule = json.dumps({"kind": [str(kind.value)]})
    return {"data-w-rules-target": "show", "data-w-rules": rule}


class TrainingPageMixin(RestrictedFields, TermsFields):
    """For a page that sells a training product and shows what it opens.

    Mix it into any page model, before `Page`. What an editor enters becomes the live
    price when the page is published. The fields named in `restricted_fields` read empty
    for everybody who has no access, and for whatever reads the page in a visitor's
    request without `open_for`.

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

    is_shared: ClassVar[bool] = False
    """Everybody is served the same page, so that a front-end cache may keep it.

    It is a stranger's page. What is personal is loaded after it, from an address of
    its own that no cache keeps; without JavaScript a link leads there.
    """

    training_panels: ClassVar[list[Panel]] = [
        MultiFieldPanel(
            [
                TermsElsewherePanel(),
                GonePanel(),
                PrivacyPanel(),
                FieldPanel("kind"),
                FieldPanel("product"),
                FieldPanel("path_courses", attrs=shown_for(ProductKind.PATH)),
                FieldPanel("plan_content", attrs=shown_for(ProductKind.PLAN)),
                FieldPanel("credits"),
                FieldPanel("credit_only"),
                PricePanel(),
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

    gone: frozenset[str] = frozenset()
    """The fields that this version had filled with what has been deleted since."""
    is_unfinished = False
    """Whether this is only saved as a draft, whose terms need not make sense yet."""

    class Meta:
        abstract = True

    def save(
        self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        page: Any = self
        fields = None if update_fields is None else {*update_fields}
        touches_sale = fields is None or not fields.isdisjoint(SELLING)
        stored = self._stored()
        if stored and stored.alias_of_id and not page.alias_of_id:
            # A page of its own now: as a copy does, it begins without the product.
            self.product = None
            if fields:
                fields.add("product")
        if self.stands_in_for() is not self:
            # Taken over to be shown; a second page must not sell it.
            self.product = None
        self.follow_terms_page()

        sells = bool(page.live and self.product)
        sold_it = bool(stored and stored.live and stored.product == self.product)
        if sells and sold_it and fields is None:
            self.follow_shop(stored)
        with transaction.atomic():
            if sells and not sold_it and touches_sale and not page.alias_of_id:
                refuse_other_seller(self)
            super().save(*args, update_fields=fields, **kwargs)
            if touches_sale:
                self._tell_shop(stored)

    def _tell_shop(self, stored: Any) -> None:
        """Let the shop follow this page, which was `stored` before it was saved."""
        page: Any = self
        if stored and stored.product and stored.product != self.product:
            follow_live_pages(stored.product)
        known = stored.live_revision_id if stored else None
        if page.live_revision_id in (None, known):
            # Else it is being published, which Wagtail tells us with who does it.
            follow_page(self)

    def publish(self, revision: Any, *args: Any, **kwargs: Any) -> Any:
        """Publish `revision`, if it can be live.

        The scheduler leaves the page as it is and goes on with the others.

        Raises:
            AlreadySold: another live page sells its product.
            NotPublished: it is not valid, as when its product has been deleted.
        """
        obstacle = reason_not_to_publish(revision.as_object())
        if obstacle is None:
            return super().publish(revision, *args, **kwargs)  # type: ignore[misc]
        if kwargs.get("log_action") != BY_SCHEDULER:
            raise obstacle
        return leave_out(self, obstacle, revision=revision)

    @classmethod
    def from_serializable_data(
        cls, data: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Return the page that a version holds, without what is gone meanwhile."""
        gone = gone_in(cls, data)
        data = {**data, **dict.fromkeys(gone)}
        page = super().from_serializable_data(data, *args, **kwargs)
        if page is not None:
            page.gone = gone
        return page

    @property
    def training(self) -> TrainingProduct | None:
        """The live terms, from the one place where they are kept."""
        product = self._read_product() or self.stands_in_for().product
        return training_of(product) if product else None

    def _read_product(self) -> Any:
        """Return the product, read with what offering it asks if it is not read yet."""
        product: Any = self._meta.get_field("product")
        if self.product_id and not product.is_cached(self):
            self.product = offered_product(pk=self.product_id)
        return self.product

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

    @property
    def shop_text(self) -> str:
        """What the shop says of the product, where staff wrote nothing there.

        Plain text, or HTML that is marked safe. Copied when the page is published.
        """
        # A page model of a site's own may be without it.
        return str(getattr(self, "search_description", ""))

    @property
    def shop_image(self) -> Any:
        """The picture, an image of Wagtail's, that goes with `shop_text`, or None."""
        return None

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

    def stands_in_for(self) -> Any:
        """Return the page that this one is shown instead of; itself if of none.

        What stands in for a page sells and opens what that page does, and has no terms
        of its own. So do the variants of wagtail-personalisation. Override it for
        copies that another package or your own code serves in a page's place.
        """
        metadata = getattr(self, "_personalisable_page_metadata", None)
        original: Any = metadata and metadata.canonical_page
        if original is None or original.pk == self.pk:
            return self
        return original.specific

    def terms_elsewhere(self) -> Any:
        """Return the page where an editor finds the terms; None if it is this one."""
        original = self.stands_in_for()
        return original if original is not self else self.terms_page()

    def follow_original(self) -> None:
        """Have the product and the terms of the page that this one stands in for.

        Only in this object, to show it.
        """
        if (original := self.stands_in_for()) is not self:
            self.take_terms_of(original)

    def follow_terms_page(self) -> None:
        """Take over the terms of the page that this one is a translation of."""
        if page := self.terms_page():
            self.take_terms_of(page)

    def take_terms_of(self, page: TrainingPageMixin) -> None:
        self.gone = page.gone
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
        if self.kind != ProductKind.PLAN:
            self.plan_content = None
        if self.kind != ProductKind.PATH:
            self.path_courses = []
        refuse_gone(self)
        check_terms(Terms(**self.terms), product=self.product)
        if self.product and self.kind == ProductKind.PATH:
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

    def get_context(
        self, request: Request, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        self.follow_original()
        access_status = self.open_for(request)
        context: dict[str, Any] = super().get_context(  # type: ignore[misc]
            request, *args, **kwargs
        )
        return {**context, "training": access_status}

    def open_for(self, request: Request) -> AccessStatus:
        """Show the restricted fields of this object to a visitor who has access.

        Everybody else gets them empty. For a view of yours that reads them; the page
        itself does it when it is served.
        """
        access_status = self.access_status(request)
        if access_status.has_access:
            self.show_restricted_fields()
        else:
            self.hide_restricted_fields()
        return access_status

    def access_status(self, request: Request) -> AccessStatus:
        """Return how the visitor stands with what this page opens.

        One query, once for this instance of the page. With access the page is for this
        visitor alone, so that no browser shows it after log-out.
        """
        access_status = self._access_status(request)
        if access_status.has_access:
            personal.mark(request)
        return access_status

    def _access_status(self, request: Request) -> AccessStatus:
        if is_preview(request):
            mode = getattr(request, "preview_mode", "")
            return AccessStatus(has_access=mode == WITH_ACCESS)
        training = self.training
        if training is None or not self.is_personal(request):
            return status.NO_ACCESS
        known = self.__dict__.setdefault("_access_statuses", {})
        if request.user.pk not in known:
            known[request.user.pk] = status.access_status(request.user, training)
        access_status: AccessStatus = known[request.user.pk]
        return access_status

    def is_personal(self, request: Request) -> bool:
        """Tell whether this request gets a page of the visitor's own."""
        return not self.is_shared or PERSONAL in request.GET or is_preview(request)

    def personal_url(self, request: Request) -> str:
        """Return where a visitor of a shared page gets a page of their own."""
        return f"{request.path}?{PERSONAL}=1"

    def serve(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        response = super().serve(request, *args, **kwargs)  # type: ignore[misc]
        if self.is_personal(request):
            keep_private(response)
        return response

    def serve_preview(self, request: Request, mode_name: str) -> Any:
        response = super().serve_preview(request, mode_name)  # type: ignore[misc]
        return personal.guard(response, request)


def keep_private(response: Any) -> None:
    """Let no cache show one learner's page to another, whatever is said of it later.

    A mixin before ours has the last word in `serve`, but not once it is rendered.
    """
    make_private(response)
    if hasattr(response, "add_post_render_callback"):
        response.add_post_render_callback(make_private)


def make_private(response: Any) -> None:
    if "public" in response.headers.get("Cache-Control", ""):
        del response.headers["Cache-Control"]
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Cookie"])


class TrainingPage(TrainingPageMixin, Page):  # type: ignore[django-manager-missing]
    """For a site that has no base page of its own: a page that sells training."""

    content_panels: ClassVar[list[Any]] = [
        *Page.content_panels,
        *TrainingPageMixin.training_panels,
    ]

    class Meta:
        abstract = True


def is_preview(request: Request) -> bool:
    """Tell whether an editor is looking at a draft."""
    return bool(getattr(request, "is_preview", False))
