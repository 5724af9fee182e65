from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from wagtail.signals import page_published

from ..shop.training import sell_as_training
from .models import TrainingPageMixin


@receiver(page_published, dispatch_uid="training_credits.publish_terms")
def publish_terms(sender: Any, instance: Any, **kwargs: Any) -> None:
    """Make a page's terms the live ones, now that the page is published."""
    if isinstance(instance, TrainingPageMixin) and instance.product:
        sell_as_training(instance.product, **instance.terms)
