"""The sandbox without the API for back offices."""

from __future__ import annotations

from oscar_training_credits.backoffice import urls as api
from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [
    pattern
    for pattern in sandbox_urls
    if getattr(pattern, "urlconf_module", None) is not api
]
