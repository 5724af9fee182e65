"""What an editor does in the real page editor, by the test client."""

from __future__ import annotations

import json

from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model
from wagtail.test.utils.form_data import (
    nested_form_data,
    querydict_from_html,
    rich_text,
    streamfield,
)

from oscar_training_credits.credits.models import TrainingProduct
from oscar_training_credits.test.factories import make_learner
from sandbox.academy.seed.pages import make_folder
from sandbox.academy.seed.people import make_editors

from .pages import SECRET, course_index
from .shop import text_of, words

Product = get_model("catalogue", "Product")


class Editor:
    """Somebody who may edit and publish course pages, and nothing else."""

    def __init__(self):
        index = course_index()
        self.user = make_learner()
        self.user.groups.add(
            make_editors(home=index.get_parent(), folder=make_folder())
        )
        self.client = Client()
        self.client.login(username=self.user.email, password="password")

    def form(self, page):
        """Return what the page's edit form holds, as a browser would send it."""
        return self.read_form(self.client.get(admin("edit", page.pk)))

    def read_form(self, response):
        data = querydict_from_html(text_of(response), form_id="page-edit-form")
        form = response.context["form"]
        listed = form.initial.get("path_courses") or ()
        courses = [child.value for child in listed if child.value]
        return {**data.dict(), **streams(courses)}

    def save(self, page, **changes):
        """Save a draft."""
        data = {**self.form(page), **changes}
        response = self.client.post(admin("edit", page.pk), data)
        page.refresh_from_db()
        return response

    def publish(self, page, **changes):
        return self.save(page, **{"action-publish": "1", **changes})

    def preview(self, page, mode="", **changes):
        """Show the page as the form would make it, in the preview panel."""
        address = admin("preview_on_edit", page.pk)
        answer = self.client.post(address, {**self.form(page), **changes})
        assert answer.json() == {"is_valid": True, "is_available": True}
        return text_of(self.client.get(address, {"mode": mode}))

    def choose(self, view="choose", **query):
        """Return the titles that the product chooser lists."""
        response = self.client.get(chooser(view), query)
        shown = text_of(response)
        if view == "choose":
            shown = json.loads(shown)["html"]
        titles = Product.objects.values_list("title", flat=True)
        return {title for title in titles if title in words(shown)}


def admin(name, *args):
    return reverse(f"wagtailadmin_pages:{name}", args=args)


def chooser(name, *args):
    return reverse(f"training_product_chooser:{name}", args=args)


def streams(courses=()):
    """Return the fields that the browser's script makes, with a path's `courses`."""
    lesson = {"title": SECRET, "minutes": "5", "text": rich_text("<p>Text</p>")}
    fields = {
        "lessons": streamfield([("lesson", lesson)]),
        "body": streamfield([]),
        "path_courses": streamfield([("course", course.pk) for course in courses]),
    }
    return nested_form_data(fields)


def in_bulk(editor, action, *pages, **typed):
    address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", action])
    query = "&".join(f"id={page.pk}" for page in pages)
    back = reverse("wagtailadmin_explore", args=[course_index().pk])
    return editor.client.post(f"{address}?{query}&next={back}", typed, follow=True)


def complaints(response):
    """Return what a page's form complains about, by field."""
    return {
        field: list(texts) for field, texts in response.context["form"].errors.items()
    }


def terms_of(product):
    training = TrainingProduct.objects.get(product=product)
    return training.credits, training.credit_only, training.access_days


def price_of(product):
    return product.stockrecords.get().price


def product_form(page):
    """Return what Oscar's form of a product would send, as it is shown."""
    data = querydict_from_html(page, form_id="create_update_product_form").dict()
    ticked = BeautifulSoup(page, "html.parser").select("input[type=checkbox][checked]")
    return {**data, **{box["name"]: box.get("value", "on") for box in ticked}}
