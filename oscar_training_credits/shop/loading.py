"""The class loader that puts our mixins on top of the site's classes.

Oscar asks the loader named by `OSCAR_DYNAMIC_CLASS_LOADER` for each class it uses.
Ours asks the loader that the site had before, so that a class is Oscar's own or the
site's fork of it, and answers with that class and our mixin on top.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils.module_loading import import_string

from ..conf import settings

MIXINS = {
    ("analytics.reports", "UserReportGenerator"): "dashboard.reports.UserReportMixin",
    ("basket.forms", "AddToBasketForm"): "basket.forms.AddToBasketFormMixin",
    ("basket.forms", "BasketLineForm"): "basket.forms.BasketLineFormMixin",
    ("basket.utils", "LineDiscountRegistry"): "basket.utils.LineOfferConsumerMixin",
    ("basket.views", "BasketView"): "basket.mixins.BasketViewMixin",
    ("basket.views", "VoucherAddView"): "basket.mixins.VoucherAddViewMixin",
    (
        "catalogue.expressions",
        "ExpandDownwardsCategoryQueryset",
    ): "catalogue.expressions.CategoryQuerysetMixin",
    (
        "catalogue.expressions",
        "ExpandUpwardsCategoryQueryset",
    ): "catalogue.expressions.CategoryQuerysetMixin",
    (
        "catalogue.managers",
        "ProductQuerySet",
    ): "catalogue.managers.ProductQuerySetMixin",
    ("catalogue.views", "ProductDetailView"): "personal.PersonalPageMixin",
    (
        "checkout.mixins",
        "OrderPlacementMixin",
    ): "checkout.mixins.TrainingOrderPlacementMixin",
    (
        "checkout.session",
        "CheckoutSessionMixin",
    ): "checkout.session.TrainingCheckoutSessionMixin",
    ("checkout.views", "PaymentDetailsView"): "checkout.views.PaymentDetailsViewMixin",
    ("checkout.views", "ThankYouView"): "personal.PersonalPageMixin",
    ("customer.views", "OrderDetailView"): "personal.PersonalPageMixin",
    ("customer.views", "OrderHistoryView"): "order.mixins.OrderListMixin",
    (
        "dashboard.catalogue.bulk_actions",
        "SetProductPriceAction",
    ): "dashboard.catalogue.products.SetProductPriceActionMixin",
    (
        "dashboard.catalogue.forms",
        "StockRecordForm",
    ): "dashboard.catalogue.products.StockRecordFormMixin",
    (
        "dashboard.catalogue.views",
        "ProductCreateUpdateView",
    ): "dashboard.catalogue.products.ProductFormMixin",
    (
        "dashboard.catalogue.views",
        "ProductDeleteView",
    ): "dashboard.catalogue.products.ProductDeleteViewMixin",
    (
        "dashboard.orders.views",
        "OrderDetailView",
    ): "dashboard.orders.views.DashboardOrderMixin",
    (
        "dashboard.orders.views",
        "OrderListView",
    ): "dashboard.orders.views.DashboardOrderListMixin",
    ("dashboard.orders.views", "OrderStatsView"): "dashboard.reports.OrderStatsMixin",
    (
        "dashboard.ranges.views",
        "RangeDeleteView",
    ): "dashboard.ranges.views.RangeDeleteViewMixin",
    ("dashboard.users.views", "UserDetailView"): "dashboard.users.views.CustomerMixin",
    ("dashboard.views", "IndexView"): "dashboard.reports.IndexViewMixin",
    ("offer.applicator", "Applicator"): "basket.applicator.ApplicatorMixin",
    ("order.reports", "OrderReportGenerator"): "dashboard.reports.OrderReportMixin",
    ("order.utils", "OrderCreator"): "order.creator.OrderCreatorMixin",
    ("order.utils", "OrderDispatcher"): "order.mixins.OrderDispatcherMixin",
    ("partner.strategy", "Selector"): "partner.strategy.SelectorMixin",
}
"""Our mixins, by the Oscar class that they extend."""


def class_loader(
    module_label: str, classnames: list[str], module_prefix: str
) -> list[type]:
    """Return the named classes as the site has them, with our mixins on top."""
    base_loader = import_string(settings.BASE_CLASS_LOADER)
    classes = base_loader(module_label, classnames, module_prefix)
    return [
        extended(cls, module_label, name)
        for cls, name in zip(classes, classnames, strict=True)
    ]


def extended(cls: type, module_label: str, name: str) -> type:
    path = MIXINS.get((module_label, name))
    return with_mixin(cls, import_string(f"{__package__}.{path}")) if path else cls


@cache
def with_mixin(cls: type, mixin: type) -> type:
    """Return `cls` with `mixin` on top, the same class at every call.

    A class that has the mixin already, because the site mixed it in by hand, is
    returned as it is.
    """
    if issubclass(cls, mixin):
        return cls
    namespace: dict[str, Any] = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    metaclass: Any = type(cls)
    extended_class: type = metaclass(cls.__name__, (mixin, cls), namespace)
    return extended_class
