"""A site whose search keeps Oscar's own index of products."""

from tests.settings import *  # noqa: F403
from tests.settings import HAYSTACK_CONNECTIONS

HAYSTACK_CONNECTIONS["default"].pop("EXCLUDED_INDEXES")
