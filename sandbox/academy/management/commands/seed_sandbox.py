from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, call_command
from django.db import transaction

from sandbox.academy.seed import pages, people, shop
from sandbox.academy.seed.codes import make_codes
from sandbox.academy.seed.courses import (
    ALL_ACCESS,
    COURSES,
    DJANGO,
    FULL_STACK,
    FULL_STACK_COURSES,
)


class Command(BaseCommand):
    help = "Fill the sandbox with courses, people and codes. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Filling the sandbox …")
        with transaction.atomic():
            seed()
        # The lists of the shop and the search of the pages come from these.
        call_command("rebuild_index", interactive=False, verbosity=0)
        call_command("wagtail_update_index", verbosity=0)


def seed() -> None:
    home = pages.make_home()
    pages.set_addresses()
    people.make_people(home=home, folder=pages.make_folder())
    shop.make_countries()
    index = pages.make_index(home)
    products = {course.slug: shop.make_course_product(course) for course in COURSES}
    for course in COURSES:
        pages.make_course_page(index, course, product=products[course.slug])
    make_codes(foundations=products[DJANGO.slug])
    pages.make_path_page(
        home,
        FULL_STACK,
        product=shop.make_bundle_product(
            FULL_STACK, kind="Path", address="/paths/full-stack/"
        ),
        courses=[products[course.slug] for course in FULL_STACK_COURSES],
    )
    pages.make_plan_page(
        home,
        ALL_ACCESS,
        product=shop.make_bundle_product(
            ALL_ACCESS, kind="Plan", address="/plans/all-access-year/"
        ),
        content=shop.everything(),
    )
    shop.make_handbook()
    shop.make_pack()
    shop.make_voucher()
