from __future__ import annotations

from collections.abc import Iterator

import pytest

from oscar_training_credits.credits.models import WebhookEndpoint
from oscar_training_credits.credits.webhooks import endpoints

from ...support.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    with receiving() as receiver:
        settings.TRAINING_CREDITS_WEBHOOKS = True
        settings.TRAINING_CREDITS_WEBHOOK_HOSTS = [receiver.host]
        yield receiver


@pytest.fixture
def endpoint(db, receiver) -> WebhookEndpoint:
    return endpoints.make_endpoint(receiver.url, description="Accounting")
