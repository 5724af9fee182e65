from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingCreditsConfig(AppConfig):
    """Templates, tags, commands and wiring; the models live in `.credits`."""

    name = "oscar_training_credits"
    label = "oscar_training_credits"
    verbose_name = _("Training credits: shop")

    def ready(self) -> None:
        from oscar.apps.order import signals

        from . import checks  # noqa: F401
        from .shop import receivers

        signals.order_status_changed.connect(
            receivers.order_status_changed, dispatch_uid="training_credits.order"
        )
        signals.order_line_status_changed.connect(
            receivers.line_status_changed, dispatch_uid="training_credits.order_line"
        )
