#!/usr/bin/env bash
# wagtail-cache 3.0.0: with its middleware and default settings, a visitor's basket in
# Oscar is always empty. `WAGTAIL_CACHE_IGNORE_COOKIES` is on by default and takes every
# cookie out of the request but Django's own two, so also `oscar_open_basket`, before
# Oscar's lazy `request.basket` is looked up. The empty page is then kept for everybody.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" wagtail==7.4.4 wagtail-cache==3.0.0 factory-boy==3.3.3 setuptools==80.9.0
oscar_site
cat >>"$FOLDER/settings.py" <<'PYTHON'
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
STATIC_URL = "static/"
STATICFILES_DIRS = []
INSTALLED_APPS += ["django.contrib.staticfiles", "widget_tweaks", "wagtailcache"]
MIDDLEWARE = [
    "wagtailcache.cache.UpdateCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
    "wagtailcache.cache.FetchFromCacheMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ]
        },
    }
]
PYTHON
cat >"$FOLDER/urls.py" <<'PYTHON'
from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
PYTHON
seen "In the database: 1 line
On the page, with wagtail-cache: no
On the page, with WAGTAIL_CACHE off: yes" <<'PYTHON'
import logging

from django.test import Client, override_settings
from oscar.apps.basket.models import Line
from oscar.test.factories import create_product

logging.disable()  # sorl-thumbnail misses a picture of Oscar's
product = create_product(title="A handbook", price="25.00", num_in_stock=5)
visitor = Client()
visitor.post(f"/basket/add/{product.pk}/", {"quantity": 1})


def shown():
    page = visitor.get("/basket/").content.decode()
    return "yes" if product.title in page else "no"


print("In the database:", Line.objects.count(), "line")
print("On the page, with wagtail-cache:", shown())
with override_settings(WAGTAIL_CACHE=False):
    print("On the page, with WAGTAIL_CACHE off:", shown())
PYTHON
