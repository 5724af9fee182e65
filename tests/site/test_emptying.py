"""What a test committed is taken away before the next one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sites.models import Site
from django.core.management import call_command

from oscar_training_credits.test.factories import make_learner

from ..support.databases import empty_tables, tables_with_rows
from ..support.orders import place_order

pytestmark = pytest.mark.django_db(transaction=True)


def described():
    # A proxy of the tests' own (`support.offers`), which no migration knows of, and
    # which is there once a module that uses it has been imported.
    types = ContentType.objects.exclude(app_label="offer", model="points")
    permissions = Permission.objects.filter(content_type__in=types)
    natural = sorted(each.natural_key() for each in permissions)
    return natural, types.count(), list(Site.objects.values())


def test_nothing_is_left_that_flush_would_delete(course):
    place_order(make_learner(), (course.product, 3))
    Group.objects.create(name="Staff").permissions.add(Permission.objects.first())
    Site.objects.update(name="Ours")

    empty_tables()

    left = tables_with_rows()
    ours = described()
    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    assert left == tables_with_rows()
    assert ours == described()
