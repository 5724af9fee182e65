from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CreditsConfig(AppConfig):
    name = "oscar_training_credits.credits"
    label = "training_credits"
    verbose_name = _("Training credits")
    default_auto_field = "django.db.models.BigAutoField"
