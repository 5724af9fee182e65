"""What happens to the rows of others that codes refer to."""

from __future__ import annotations

from typing import Any

from .access import deliveries
from .models import Access, CreditCode


def audience_changed(sender: Any, *, instance: Any, action: str, **kwargs: Any) -> None:
    """Note that a code is for those named only, from the first learner or group on.

    Before they can be deleted: that sends no signal of the rows between them.
    """
    if action == "post_add" and not instance.named_only:
        instance.named_only = True
        CreditCode.objects.filter(pk=instance.pk).update(named_only=True)


def access_deleted(sender: Any, *, instance: Access, **kwargs: Any) -> None:
    """Tell the enrolment backend of access that goes with its learner's account."""
    deliveries.write_deleted(instance)
