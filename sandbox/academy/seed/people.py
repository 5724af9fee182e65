"""Who can log in."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Q
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission

PASSWORD = "sandbox-pass"


@dataclass(frozen=True)
class Person:
    email: str
    first_name: str
    last_name: str
    can: str
    is_editor: bool = False
    is_staff: bool = False
    is_superuser: bool = False


PEOPLE = [
    Person("learner@example.com", "Lee", "Learner", "buys and takes courses"),
    Person("learner2@example.com", "Sam", "Learner", "the same, a second one"),
    Person("manager@example.com", "Max", "Manager", "a customer's training manager"),
    Person(
        "editor@example.com", "Eve", "Editor", "writes the course pages", is_editor=True
    ),
    Person(
        "staff@example.com", "Stef", "Staff", "runs the shop's dashboard", is_staff=True
    ),
    Person(
        "admin@example.com",
        "Ada",
        "Admin",
        "may do everything",
        is_staff=True,
        is_superuser=True,
    ),
]


# Oscar's dashboard asks staff for the permissions of each model, too.
STAFF_APPS = [
    "address",
    "analytics",
    "basket",
    "catalogue",
    "communication",
    "customer",
    "flatpages",
    "offer",
    "order",
    "partner",
    "payment",
    "reviews",
    "shipping",
    "training_credits",
    "voucher",
]


def make_people(*, home, folder: Collection) -> None:
    editors = make_editors(home=home, folder=folder)
    staff = make_staff()
    users = get_user_model()._default_manager
    for person in PEOPLE:
        if users.filter(email=person.email).exists():
            continue
        user = users.create_user(
            username=person.email.partition("@")[0],
            email=person.email,
            password=PASSWORD,
            first_name=person.first_name,
            last_name=person.last_name,
            is_staff=person.is_staff,
            is_superuser=person.is_superuser,
        )
        if person.is_editor:
            user.groups.add(editors)
        elif person.is_staff and not person.is_superuser:
            user.groups.add(staff)


def make_staff() -> Group:
    """Return the group that may use all of the shop's dashboard, but make no users."""
    group, _ = Group.objects.get_or_create(name="Shop staff")
    of_the_shop = Q(content_type__app_label__in=STAFF_APPS)
    may_view_users = Q(content_type__app_label="auth", codename="view_user")
    group.permissions.set(Permission.objects.filter(of_the_shop | may_view_users))
    return group


def make_editors(*, home, folder: Collection) -> Group:
    """Return the group that may write and publish pages, add pictures, see reports."""
    group, created = Group.objects.get_or_create(name="Course editors")

    def permission(codename: str, app_label: str) -> Permission:
        return Permission.objects.get(
            codename=codename, content_type__app_label=app_label
        )

    group.permissions.add(
        permission("access_admin", "wagtailadmin"),
        # Training credits: to make a product in the page editor.
        permission("add_product", "catalogue"),
        permission("submit_translation", "simple_translation"),
        # Training credits: the menu Training, and the number on Wagtail's home.
        permission("view_trainingproduct", "training_credits"),
        permission("view_termschange", "training_credits"),
    )
    if not created:
        return group
    for kind in ("add_page", "change_page", "publish_page"):
        GroupPagePermission.objects.create(
            group=group, page=home, permission=permission(kind, "wagtailcore")
        )
    for kind in ("add_image", "change_image", "choose_image"):
        GroupCollectionPermission.objects.create(
            group=group, collection=folder, permission=permission(kind, "wagtailimages")
        )
    return group
