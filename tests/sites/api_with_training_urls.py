"""django-oscar-api as the installation guide wires it."""

from django.urls import include, path

from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [
    path("api/", include("oscar_training_credits.rest.urls")),
    path("api/", include("oscarapi.urls")),
    *sandbox_urls,
]
