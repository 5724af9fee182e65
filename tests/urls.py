"""The sandbox, and what else of Wagtail serves pages to strangers."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import include, path
from wagtail.contrib.sitemaps.views import sitemap

from sandbox.urls import urlpatterns as sandbox_urls

from .support import visits

HAS_API_V3 = find_spec("wagtail.api.v3") is not None

urlpatterns = [path("sitemap.xml", sitemap), *visits.urlpatterns, *sandbox_urls]
for package, prefix in {
    "wagtail_machine_readable": "",
    "wagtail_transfer": "transfer/",
}.items():
    if find_spec(package):
        urlpatterns.insert(0, path(prefix, include(f"{package}.urls")))
if HAS_API_V3:
    from wagtail.api.v3.urls import api

    urlpatterns.insert(0, path("api/v3/", api.urls))
