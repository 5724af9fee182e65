"""A site with `WAGTAIL_PAGE_MODEL`, and without the sandbox's pages."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS

LEFT_OUT = ("sandbox", "wagtail_localize", "wagtail.api.v3")

INSTALLED_APPS = [
    "tests.sites.own_page",
    *(name for name in INSTALLED_APPS if not name.startswith(LEFT_OUT)),
]
ROOT_URLCONF = "tests.sites.own_page_urls"
WAGTAIL_PAGE_MODEL = "own_page.BasePage"
SILENCED_SYSTEM_CHECKS = ["training_credits.E003"]
