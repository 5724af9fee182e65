"""A site whose addresses begin with their language, beside Wagtail's catch-all."""

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [
    *i18n_patterns(
        path("lernen/", include("oscar_training_credits.urls")),
        prefix_default_language=False,
    ),
    *sandbox_urls,
]
