"""What a range contains, asked by every way in: one answer to all questions of access.

For each way into a range of Oscar's, and out of it, a standalone product, a parent
and a child; and whoever asks, the answer is that of Oscar's own offers.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import RequestFactory
from oscar.core.loading import get_model
from oscar.test.factories import ProductClassFactory

from oscar_training_credits.cms.content import opened_courses
from oscar_training_credits.credits.access import status
from oscar_training_credits.credits.access.granting import give_access
from oscar_training_credits.credits.codes.rules import payable_products
from oscar_training_credits.credits.models import Access
from oscar_training_credits.credits.terms import ProductKind
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import PlanPage

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]

Category = get_model("catalogue", "Category")
Product = get_model("catalogue", "Product")
Range = get_model("offer", "Range")


class Computed:
    """A range that code computes, as Oscar's docs show one: its list is no queryset."""

    name = "Computed"

    def contains_product(self, product: Any) -> bool:
        return "in it" in product.get_title()

    def num_products(self) -> None:
        return None

    def all_products(self) -> list[Any]:
        return [each for each in Product.objects.all() if self.contains_product(each)]


def alone() -> tuple[Any, Any]:
    product = make_product("Standalone, in it")
    return product, product


def of_a_parent() -> tuple[Any, Any]:
    """Return a child, and the parent that has its type and its categories."""
    parent, child = make_product("Parent, in it"), make_product("Child")
    parent.structure = Product.PARENT
    parent.save()
    child.structure, child.parent, child.title = Product.CHILD, parent, ""
    child.product_class = None
    child.save()
    return child, parent


def by_product(content: Any, product: Any, parent: Any) -> None:
    content.add_product(product)


def by_parent(content: Any, product: Any, parent: Any) -> None:
    content.add_product(parent)


def by_type(content: Any, product: Any, parent: Any) -> None:
    content.classes.add(parent.product_class)


def by_category(content: Any, product: Any, parent: Any) -> None:
    category = Category.add_root(name="Security")
    category.product_set.add(parent)
    content.included_categories.add(category)


def by_higher_category(content: Any, product: Any, parent: Any) -> None:
    courses = Category.add_root(name="Courses")
    courses.add_child(name="IT").add_child(name="Security").product_set.add(parent)
    content.included_categories.add(courses)


def by_lower_category(content: Any, product: Any, parent: Any) -> None:
    courses = Category.add_root(name="Courses")
    courses.product_set.add(parent)
    content.included_categories.add(courses.add_child(name="Security"))


def by_everything(content: Any, product: Any, parent: Any) -> None:
    Range.objects.filter(pk=content.pk).update(includes_all_products=True)


def by_code(content: Any, product: Any, parent: Any) -> None:
    path = f"{Computed.__module__}.{Computed.__qualname__}"
    Range.objects.filter(pk=content.pk).update(proxy_class=path)


def by_no_way(content: Any, product: Any, parent: Any) -> None:
    pass


def less_product(content: Any, product: Any, parent: Any) -> None:
    content.excluded_products.add(product)


def less_parent(content: Any, product: Any, parent: Any) -> None:
    content.excluded_products.add(parent)


def less_category(content: Any, product: Any, parent: Any) -> None:
    category = Category.add_root(name="Left out")
    category.product_set.add(parent)
    content.excluded_categories.add(category)


def less_higher_category(content: Any, product: Any, parent: Any) -> None:
    old = Category.add_root(name="Old")
    old.add_child(name="Left out").product_set.add(parent)
    content.excluded_categories.add(old)


def less_another(content: Any, product: Any, parent: Any) -> None:
    content.excluded_products.add(make_product("Another"))
    content.excluded_categories.add(Category.add_root(name="Another"))


WAYS_IN = [
    by_product,
    by_parent,
    by_type,
    by_category,
    by_higher_category,
    by_lower_category,
    by_everything,
    by_code,
    by_no_way,
]
WAYS_OUT = [
    by_no_way,
    less_product,
    less_parent,
    less_category,
    less_higher_category,
    less_another,
]


def name(way: Any) -> str:
    return str(way.__name__)


def answers(content: Any, training: Any) -> dict[str, bool]:
    """Ask in every way whether who has a plan for `content` has `training`."""
    plan = make_training("A plan", kind=ProductKind.PLAN, plan_content=other_content())
    # After it was checked, as staff change the range of a plan that is sold already.
    type(plan).objects.filter(pk=plan.pk).update(plan_content=content)
    plan = type(plan).objects.get(pk=plan.pk)
    learner = make_learner()
    row = give_access(learner, plan, reason="For the test")
    row = Access.objects.get(pk=row.pk)
    code = make_code(content=content)
    return {
        "may see": status.has_access(learner, training),
        "access_status": status.access_status(learner, training).has_access,
        "access_statuses": training.pk in status.access_statuses(learner, [training]),
        "a ground": training.pk in status.grounds(learner, [training]),
        "opens": status.opens(row, training),
        "in a basket": training in status.opened_by_others([plan, training]),
        "on the page": training in on_page_of(plan),
        "paid by a code": bool(payable_products(code, [training.product_id])),
    }


def other_content() -> Any:
    return Range.objects.create(name="While it is made")


def on_page_of(plan: Any) -> list[Any]:
    page = PlanPage(kind=ProductKind.PLAN, plan_content=plan.plan_content)
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    return [each.training for each in opened_courses(page, request)]


@pytest.mark.parametrize("way_out", WAYS_OUT, ids=name)
@pytest.mark.parametrize("way_in", WAYS_IN, ids=name)
@pytest.mark.parametrize("made", [alone, of_a_parent], ids=name)
def test_every_question_of_access_has_the_answer_of_oscars_offers(
    made, way_in, way_out
):
    product, parent = made()
    training = sell_as_training(product, credits=20)
    content = Range.objects.create(name="In the plan")
    way_in(content, product, parent)
    way_out(content, product, parent)

    said = answers(Range.objects.get(pk=content.pk), training)

    offered = Range.objects.get(pk=content.pk).contains_product(product)
    assert said == dict.fromkeys(said, offered)
    if way_out in (by_no_way, less_another):
        assert offered is (way_in not in (by_lower_category, by_no_way))


def test_a_parent_that_is_sold_is_found_itself():
    _child, parent = of_a_parent()
    Product.objects.filter(pk=parent.pk).update(structure=Product.STANDALONE)
    training = sell_as_training(Product.objects.get(pk=parent.pk), credits=20)
    # What becomes a parent later stays open to those who have it.
    Product.objects.filter(pk=parent.pk).update(structure=Product.PARENT)
    content = Range.objects.create(name="In the plan")
    content.classes.add(parent.product_class)

    said = answers(content, training)

    assert said == dict.fromkeys(said, True)


def test_another_type_stays_closed():
    child, _parent = of_a_parent()
    training = sell_as_training(child, credits=20)
    content = Range.objects.create(name="In the plan")
    content.classes.add(ProductClassFactory(name="Books"))

    said = answers(content, training)

    assert said == dict.fromkeys(said, False)


def test_categories_are_told_apart_by_whole_steps_of_their_path():
    """Treebeard's path of a tenth sibling begins as no other's does."""
    product = make_product("In the tenth")
    training = sell_as_training(product, credits=20)
    roots = [Category.add_root(name=f"Root {number}") for number in range(12)]
    roots[10].product_set.add(product)
    content = Range.objects.create(name="In the plan")
    content.included_categories.add(roots[1])

    assert not any(answers(content, training).values())


def test_oscars_offers_find_categories_on_this_database():
    _child, parent = of_a_parent()
    content = Range.objects.create(name="Courses", includes_all_products=False)
    by_higher_category(content, parent, parent)

    found = Range.objects.contains_product(Product.objects.get(pk=parent.pk))

    assert list(found) == [content], connection.vendor
