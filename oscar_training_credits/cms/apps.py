from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TrainingPagesConfig(AppConfig):
    name = "oscar_training_credits.cms"
    label = "training_credits_cms"
    verbose_name = _("Training pages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers  # noqa: F401
        from .restricted import guard_fields
        from .selling import training_page_models

        for model in training_page_models():
            guard_fields(model)
