#!/usr/bin/env bash
# Wagtail 8.0.1: a page whose foreign key cascades goes with the row that it points to, as
# in Django, but the pages below it stay: the delete of Django's own cascade takes one row
# out of Wagtail's tree. A product deleted in the shop takes its course page; the lessons
# stay live, at an address that answers 404, and become those of the next course page
# that is made there, as it gets the same place in the tree.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" wagtail==8.0.1 factory-boy==3.3.3 setuptools==80.9.0
oscar_site
wagtail_pages <<'PYTHON'
from django.db import models
from wagtail.models import Page


class Course(Page):
    product = models.ForeignKey("catalogue.Product", on_delete=models.CASCADE)
PYTHON
seen "Deleted with the product: catalogue.Product 1, wagtailcore.Page 1
The lesson is live: True, at /welding/lesson/
Its address answers: 404
Its parent: None
Its parent, once there is another course: Cooking
Below it, after Wagtail's \`fixtree\`: a lesson on welding" <<'PYTHON'
import io
import logging

from academy.first_page import home
from academy.models import Course
from django.test import Client
from oscar.test.factories import create_product
from wagtail.models import Page

logging.disable()
welding, cooking = create_product(title="Welding"), create_product(title="Cooking")
home.add_child(instance=Page(title="About", slug="about"))
course = home.add_child(instance=Course(title="Welding", slug="welding", product=welding))
lesson = course.add_child(instance=Page(title="a lesson on welding", slug="lesson"))

gone = welding.delete()[1]
kinds = ("catalogue.Product", "wagtailcore.Page")
print("Deleted with the product:", ", ".join(f"{kind} {gone[kind]}" for kind in kinds))


def parent():
    return Page.objects.ancestor_of(lesson).filter(depth=lesson.depth - 1).first()


lesson = Page.objects.get(pk=lesson.pk)
print(f"The lesson is live: {lesson.live}, at {lesson.url}")
print("Its address answers:", Client().get(lesson.url).status_code)
print("Its parent:", parent())
home = Page.objects.get(pk=home.pk)
course = home.add_child(instance=Course(title="Cooking", slug="cooking", product=cooking))
print("Its parent, once there is another course:", parent())
call_command("fixtree", interactive=False, verbosity=0, stdout=io.StringIO())
course = Page.objects.get(pk=course.pk)
print("Below it, after Wagtail's `fixtree`:", course.get_children().get())
PYTHON
