from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CreditsConfig(AppConfig):
    name = "oscar_training_credits.credits"
    label = "training_credits"
    verbose_name = _("Training credits")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import (
            m2m_changed,
            post_migrate,
            post_save,
            pre_delete,
        )

        from . import guards, outbox, receivers
        from .access import deliveries
        from .models import Access, CodeChange, CreditCode, Delivery, LedgerEntry
        from .webhooks import events, sending

        outbox.register(Delivery.Channel.ENROLMENT, deliveries.SENDER)
        outbox.register(Delivery.Channel.WEBHOOK, sending.SENDER)
        post_save.connect(
            events.code_changed,
            sender=CodeChange,
            dispatch_uid="training_credits.webhook_of_change",
        )
        post_save.connect(
            events.credits_moved,
            sender=LedgerEntry,
            dispatch_uid="training_credits.webhook_of_entry",
        )

        for audience in (CreditCode.learners, CreditCode.groups):
            m2m_changed.connect(
                receivers.audience_changed,
                sender=audience.through,
                dispatch_uid="training_credits.audience",
            )
        pre_delete.connect(
            receivers.access_deleted,
            sender=Access,
            dispatch_uid="training_credits.access_deleted",
        )
        post_migrate.connect(
            guards.create_guards, sender=self, dispatch_uid="training_credits.guards"
        )
