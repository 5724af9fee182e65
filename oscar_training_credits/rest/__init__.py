"""django-oscar-api, with credits. Name this first in `OSCARAPI_OVERRIDE_MODULES`."""
