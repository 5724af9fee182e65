"""The sandbox, and what else of Wagtail serves pages to strangers."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import path
from wagtail.contrib.sitemaps.views import sitemap

from sandbox.urls import urlpatterns as sandbox_urls

HAS_API_V3 = find_spec("wagtail.api.v3") is not None

urlpatterns = [path("sitemap.xml", sitemap), *sandbox_urls]
if HAS_API_V3:
    from wagtail.api.v3.urls import api

    urlpatterns.insert(0, path("api/v3/", api.urls))
