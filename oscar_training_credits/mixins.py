"""The base of a mixin that is put on top of a class which only the site knows."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Extension = Any
else:
    Extension = object
