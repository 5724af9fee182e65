"""Who may come to the dashboard, and with which permissions."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import Permission
from django.test import Client
from oscar.core.loading import get_model

from oscar_training_credits.credits.codes import managing
from oscar_training_credits.credits.models import CreditCode
from oscar_training_credits.test.factories import make_learner

EDITING = ("access_admin", "view_trainingproduct", "view_termschange")
"""What Wagtail asks of editors, and our reports for them."""
NOBODY = ("anonymous", "learner", "manager", "editor", "staff")
"""Who may open nothing of ours: staff without a permission are among them."""


def client_of(*permissions: str, is_staff: bool = True, **options) -> Client:
    client = Client(**options)
    client.user = make_learner(is_staff=is_staff, first_name="Stef", last_name="Staff")
    client.user.user_permissions.set(
        # Oscar has two of this name: it asks for that of partners.
        Permission.objects.filter(codename__in=permissions).exclude(
            codename="dashboard_access", content_type__app_label="dashboard"
        )
    )
    client.force_login(client.user)
    return client


def client_in(role: str, permissions: Sequence[str]) -> Client:
    """Return a client in a role: of these permissions partners have all.

    Any other role is the name of the one permission that a member of staff has.
    """
    match role:
        case "anonymous":
            return Client()
        case "learner":
            return client_of(is_staff=False)
        case "manager":
            client = client_of(is_staff=False)
            for code in CreditCode.objects.all():
                managing.set_managers(code, [client.user.email], by=None)
            return client
        case "editor":
            return client_of(*EDITING, is_staff=False)
        case "staff":
            return client_of()
        case "partner":
            client = client_of(*permissions, "dashboard_access", is_staff=False)
            get_model("partner", "Partner")._default_manager.create(
                name="Acme"
            ).users.add(client.user)
            return client
        case "superuser":
            client = client_of()
            client.user.is_superuser = True
            client.user.save()
            return client
    return client_of(role)
