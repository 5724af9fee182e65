"""Settings of a site whose django-oscar-api has not heard of training credits."""

from tests.settings import *  # noqa: F403

OSCARAPI_OVERRIDE_MODULES = []
ROOT_URLCONF = "tests.sites.api_without_training_urls"
