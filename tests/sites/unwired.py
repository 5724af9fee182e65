"""A site that has the package's apps and addresses, but Oscar's own class loader."""

from tests.settings import *  # noqa: F403

OSCAR_DYNAMIC_CLASS_LOADER = "oscar.core.loading.default_class_loader"
