#!/usr/bin/env bash
# django-oscar 4.2.1: a range of a product type holds the variants of a parent of that
# type if the range is asked, and does not if the ranges are asked for the product.
# The two spell the same question: `range.contains_product(child)` and
# `Range.objects.contains_product(child)`. Offers ask the first.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
seen "The range says: True
The queryset says: False" <<'PYTHON'
from oscar.core.loading import get_model
from oscar.test.factories import create_product

Range = get_model("offer", "Range")
parent = create_product(structure="parent", product_class="Course")
child = create_product(structure="child", parent=parent)
courses = Range.objects.create(name="Courses")
courses.classes.add(parent.product_class)

print("The range says:", courses.contains_product(child))
found = Range.objects.contains_product(child)
print("The queryset says:", found.filter(pk=courses.pk).exists())
PYTHON
