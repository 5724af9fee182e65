from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from wagtail.signals import page_published, page_unpublished

from . import selling
from .models import TrainingPageMixin


@receiver(page_published, dispatch_uid="training_credits.publish_terms")
def publish_terms(
    sender: Any, instance: Any, revision: Any = None, **kwargs: Any
) -> None:
    # Wagtail also sends this of a page that is only scheduled, and not live yet.
    if isinstance(instance, TrainingPageMixin) and instance.live:  # type: ignore[attr-defined]
        selling.publish_terms(instance, by=revision.user if revision else None)


@receiver(page_unpublished, dispatch_uid="training_credits.take_down")
def take_down(sender: Any, instance: Any, **kwargs: Any) -> None:
    if isinstance(instance, TrainingPageMixin):
        selling.take_down(instance)


def take_down_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    # Only now, as pages of a tree that go together see each other live until then.
    if instance.live:
        selling.take_down(instance)


def follow_bare_page(
    sender: Any, instance: Any, raw: bool = False, **kwargs: Any
) -> None:
    """Receive Django's `post_save` of a page that was read without its own class."""
    model = instance.specific_class
    if raw or model is None or not selling.sells_training(model):
        return
    if page := model._default_manager.filter(pk=instance.pk).first():
        selling.follow_page(page)


for base in selling.bases_of_training_pages():
    post_save.connect(
        follow_bare_page, sender=base, dispatch_uid=f"training_credits.bare.{base}"
    )

for model in selling.training_page_models():
    post_delete.connect(
        take_down_deleted, sender=model, dispatch_uid=f"training_credits.{model}"
    )
