#!/usr/bin/env bash
# django-oscar-api 3.3.0: three learners have the last seat of a course in their baskets. In
# Oscar's own checkout who comes too late is sent back to the basket, as all seats are taken.
# The API's checkout asks nobody whether there still is one: it places another order,
# and the number of seats left becomes negative.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 django-oscar-api==3.3.0 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
cat >>"$FOLDER/settings.py" <<'PYTHON'
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
OSCAR_ALLOW_ANON_CHECKOUT = True
INSTALLED_APPS += ["rest_framework", "oscarapi"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
    }
]
PYTHON
cat >"$FOLDER/urls.py" <<'PYTHON'
from django.apps import apps
from django.urls import include, path

urlpatterns = [
    path("api/", include("oscarapi.urls")),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
PYTHON
seen "First learner, by the API: ordered
Second learner, by the shop: sent to /basket/
Third learner, by the API: ordered
Seats left: -1" <<'PYTHON'
import logging

from oscar.test.factories import create_product
from rest_framework.test import APIClient

logging.disable()  # mails about orders have no site of their own here
course = create_product(price="90.00", num_in_stock=1)
course.product_class.requires_shipping = False
course.product_class.save()
first, second, third = learners = [APIClient() for _ in range(3)]
for learner in (first, third):
    product = f"http://testserver/api/products/{course.pk}/"
    sent = {"url": product, "quantity": 1}
    learner.post("/api/basket/add-product/", sent, format="json")
second.post(f"/basket/add/{course.pk}/", {"quantity": 1})


def order(learner):
    basket = learner.get("/api/basket/").json()["url"]
    sent = {"basket": basket, "guest_email": "learner@example.com"}
    answer = learner.post("/api/checkout/", sent, format="json")
    return "ordered" if answer.status_code == 200 else answer.json()


print("First learner, by the API:", order(first))
print("Second learner, by the shop: sent to", second.get("/checkout/")["Location"])
print("Third learner, by the API:", order(third))
print("Seats left:", course.stockrecords.get().net_stock_level)
PYTHON
