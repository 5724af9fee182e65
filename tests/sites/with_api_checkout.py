"""A site that takes orders by django-oscar-api-checkout."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "oscarapicheckout"]
