from __future__ import annotations

import pytest

from oscar_training_credits.credits.models import WebhookEndpoint
from oscar_training_credits.credits.webhooks import endpoints


@pytest.fixture
def endpoint(db, receiver) -> WebhookEndpoint:
    return endpoints.make_endpoint(receiver.url, description="Accounting")
