from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingCreditsConfig(AppConfig):
    """Templates, tags, commands and wiring; the models live in `.credits`."""

    name = "oscar_training_credits"
    label = "oscar_training_credits"
    verbose_name = _("Training credits: shop")

    def ready(self) -> None:
        from django.contrib.auth import get_user_model
        from django.core.signals import got_request_exception
        from django.db.models.signals import (
            m2m_changed,
            post_delete,
            post_save,
            pre_delete,
            pre_save,
        )
        from oscar.apps.order import signals
        from oscar.core.loading import get_model

        from . import checks  # noqa: F401
        from .credits import outbox
        from .credits.models import CodeChange, CodeManager, Delivery
        from .shop import checks as shop_checks  # noqa: F401
        from .shop import error_reports
        from .shop.catalogue import history
        from .shop.communication import code_notices, mails
        from .shop.customer import receivers as customer_receivers
        from .shop.order import receivers
        from .signals import access_ended, access_given

        sender = outbox.Sender(mails.send, prepare=code_notices.send_used)
        outbox.register(Delivery.Channel.MAIL, sender)
        post_save.connect(
            code_notices.code_changed,
            sender=CodeChange,
            dispatch_uid="training_credits.code_changed",
        )
        post_save.connect(
            code_notices.manager_added,
            sender=CodeManager,
            dispatch_uid="training_credits.manager_added",
        )
        got_request_exception.connect(
            error_reports.hide_codes, dispatch_uid="training_credits.error_reports"
        )
        pre_delete.connect(
            customer_receivers.account_deleting,
            sender=get_user_model(),
            dispatch_uid="training_credits.account_deleting",
        )
        access_given.connect(
            customer_receivers.access_given, dispatch_uid="training_credits.access"
        )
        access_ended.connect(
            customer_receivers.access_ended, dispatch_uid="training_credits.place"
        )
        signals.order_placed.connect(
            receivers.order_placed, dispatch_uid="training_credits.order_placed"
        )
        post_save.connect(
            receivers.order_saved,
            sender=get_model("order", "Order"),
            dispatch_uid="training_credits.order_saved",
        )
        signals.order_status_changed.connect(
            receivers.order_status_changed, dispatch_uid="training_credits.order"
        )
        signals.order_line_status_changed.connect(
            receivers.line_status_changed, dispatch_uid="training_credits.order_line"
        )
        Range = get_model("offer", "Range")
        for change, parts in {
            post_save: (Range,),
            post_delete: (Range.included_products.through,),
            m2m_changed: (
                Range.excluded_products.through,
                Range.classes.through,
                Range.included_categories.through,
            ),
        }.items():
            for part in parts:
                change.connect(
                    receivers.range_changed,
                    sender=part,
                    dispatch_uid="training_credits.range",
                )
        StockRecord = get_model("partner", "StockRecord")
        pre_save.connect(
            history.price_changing,
            sender=StockRecord,
            dispatch_uid="training_credits.price_changing",
        )
        post_save.connect(
            history.price_changed,
            sender=StockRecord,
            dispatch_uid="training_credits.price_changed",
        )
