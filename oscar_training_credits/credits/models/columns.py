"""Columns that only a service may write, kept out of everybody else's UPDATE.

An object remembers a row as it was when it was read. Whoever saves it as a whole (a
shell, a deserialised dump, a package that reverts to an old version) would write back
what a service has changed since: credits that are spent, a code that is disabled. So a
service names the columns that it writes, and those alone; an UPDATE of any others
leaves them as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class ServiceColumnsQuerySet(models.QuerySet[Row]):
    """Leaves the columns out of updates in bulk, where others are named as well."""

    def bulk_update(
        self, objs: Any, fields: Iterable[str], batch_size: int | None = None
    ) -> int:
        return super().bulk_update(objs, self._of_others(fields), batch_size)

    def bulk_create(self, objs: Any, *args: Any, **kwargs: Any) -> list[Row]:
        if names := kwargs.get("update_fields"):
            kwargs["update_fields"] = self._of_others(names)
        return super().bulk_create(objs, *args, **kwargs)

    def _of_others(self, names: Iterable[str]) -> list[str]:
        columns: Any = self.model
        return [name for name in names if name not in columns.SERVICE_COLUMNS]


class ServiceColumns(models.Model):
    """A row with columns that only a service may write."""

    SERVICE_COLUMNS: ClassVar[frozenset[str]] = frozenset()
    """The names of the fields."""
    ROW_COLUMN: ClassVar[str] = ""
    """A field that no service ever writes: whoever does writes a whole row."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        unread = self.get_deferred_fields()
        if unread and not self._state.adding and kwargs.get("update_fields") is None:
            # Else Django itself would name all that was read.
            names = {field.attname for field in self._meta.concrete_fields}
            fields: Any = map(self._meta.get_field, self.SERVICE_COLUMNS)
            own = {field.attname for field in fields}
            kwargs["update_fields"] = names - unread - own - {self._meta.pk.attname}
        super().save(*args, **kwargs)

    def left_out(self) -> Collection[str]:
        """Return what an UPDATE that is not a service's must not write of this row."""
        return self.SERVICE_COLUMNS

    # The one method that every save comes through, raw ones as well: a deserialised
    # object calls the `save_base` of Django's own class.
    def _do_update(
        self, base_qs: Any, using: Any, pk_val: Any, values: Any, *args: Any
    ) -> Any:
        left_out = self.left_out()
        own = {*self.SERVICE_COLUMNS, *left_out}
        if not all(field.name in own for field, *_rest in values):
            values = [each for each in values if each[0].name not in left_out]
        update: Any = super()._do_update
        return update(base_qs, using, pk_val, values, *args)
