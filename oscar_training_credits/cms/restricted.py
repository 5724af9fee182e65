"""Restricted values: in the page object, and yet not there for a visitor's request.

While a visitor's request is answered, a restricted field of a page reads empty for
whoever has not opened the page for that visitor (`TrainingPageMixin.open_for`). So no
serializer, exporter or template of another app that reads what it finds shows it.

The value itself stays where Django put it, and what stores a page reads that. Nothing
is hidden from Wagtail's admin, nor where no request is answered: from commands, tasks,
migrations and shells.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, NoReturn

from django.core.exceptions import (
    FieldDoesNotExist,
    ImproperlyConfigured,
    ValidationError,
)
from django.db import models
from django.urls import get_urlconf, set_urlconf
from modelcluster.models import (
    get_all_child_m2m_relations,
    get_all_child_relations,
)
from wagtail.blocks import StreamValue
from wagtail.fields import StreamField

from .exceptions import RestrictedFieldClosed
from .selling import acting_user

WRITERS = (
    "add",
    "clear",
    "commit",
    "create",
    "get_or_create",
    "remove",
    "set",
    "update_or_create",
)

# Not an argument nor an attribute of a page or a request: between `save`, `copy` or
# `create_alias` and the field that is read lie calls of Django and Wagtail that pass on
# neither, and make page objects of their own. A context variable is one for each thread
# and each asynchronous task, so that no visitor reads by another's leave.
_is_open: ContextVar[bool | None] = ContextVar("training_credits_open", default=None)


@contextmanager
def restricted_fields_open() -> Iterator[None]:
    """Let all pages be read as they are stored, for code that moves or copies them.

    Of use in a visitor's request only. Everybody who is answered from what is read
    here sees the restricted values.
    """
    with _all(is_open=True):
        yield


@contextmanager
def restricted_fields_closed() -> Iterator[None]:
    """Let all pages be read as a visitor without access reads them.

    For a command or a task that makes something for the public of what it reads.
    """
    with _all(is_open=False):
        yield


@contextmanager
def _all(*, is_open: bool) -> Iterator[None]:
    token = _is_open.set(is_open)
    try:
        yield
    finally:
        _is_open.reset(token)


def answers_visitor() -> bool:
    """Tell whether a request is being answered, and not one to Wagtail's admin."""
    # Django sets the URL configuration for each request, and unsets it at its end.
    return get_urlconf() is not None and acting_user() is None


class RestrictedFields(models.Model):
    """What a page does so that its restricted fields are neither shown nor lost."""

    restricted_fields: ClassVar[tuple[str, ...]] = ()
    """The names of the fields that only learners with access may see."""

    _restricted_shown: bool | None = None
    """Whether the visitor may see them; None if nobody has asked."""
    _restricted_loaded = False
    _restricted_own: frozenset[str] = frozenset()
    """Those that code has set on this object, so that it knows what is there."""
    _restricted_read: frozenset[str] = frozenset()
    """Those that somebody has read as empty."""

    class Meta:
        abstract = True

    @restricted_fields_open()
    def save(self, *args: Any, **kwargs: Any) -> Any:
        return super().save(*args, **kwargs)

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Any:
        return _loaded(super().from_db(*args, **kwargs))

    @classmethod
    def from_serializable_data(cls, *args: Any, **kwargs: Any) -> Any:
        page = super().from_serializable_data(*args, **kwargs)  # type: ignore[misc]
        return page and _loaded(page)

    @restricted_fields_open()
    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        _loaded(self)

    def show_restricted_fields(self) -> None:
        """Let this object be read as it is stored, whoever is answered with it."""
        self._restricted_shown = True

    def hide_restricted_fields(self) -> None:
        """Let the restricted fields of this object read empty, wherever it is read.

        Raises:
            ImproperlyConfigured: a restricted field is a relation whose rows are not
                kept with the page.
        """
        for name in self.restricted_fields:
            guard(type(self), name)
        self._restricted_shown = False
        self._restricted_own = frozenset()

    # As `save`: what stores a page, or makes another one of it, reads what is there.

    @restricted_fields_open()
    def _save_table(self, *args: Any, **kwargs: Any) -> Any:
        # A deserialised object calls `save_base` of Django's own class.
        return super()._save_table(*args, **kwargs)  # type: ignore[misc]

    def _prepare_related_fields_for_save(
        self, operation_name: str, *args: Any, **kwargs: Any
    ) -> Any:
        if operation_name != "save":  # but in bulk, which reads the fields hereafter
            self._restricted_own = frozenset(self.restricted_fields)
        return super()._prepare_related_fields_for_save(  # type: ignore[misc]
            operation_name, *args, **kwargs
        )

    @restricted_fields_open()
    def full_clean(self, *args: Any, **kwargs: Any) -> None:
        super().full_clean(*args, **kwargs)

    @restricted_fields_open()
    def clean_fields(self, *args: Any, **kwargs: Any) -> None:
        super().clean_fields(*args, **kwargs)

    @restricted_fields_open()
    def with_content_json(self, *args: Any, **kwargs: Any) -> Any:
        return super().with_content_json(*args, **kwargs)  # type: ignore[misc]

    @restricted_fields_open()
    def save_revision(self, *args: Any, **kwargs: Any) -> Any:
        return super().save_revision(*args, **kwargs)  # type: ignore[misc]

    @restricted_fields_open()
    def copy(self, *args: Any, **kwargs: Any) -> Any:
        return super().copy(*args, **kwargs)  # type: ignore[misc]

    @restricted_fields_open()
    def create_alias(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_alias(*args, **kwargs)  # type: ignore[misc]

    @restricted_fields_open()
    def update_aliases(self, *args: Any, **kwargs: Any) -> Any:
        return super().update_aliases(*args, **kwargs)  # type: ignore[misc]

    @restricted_fields_open()
    def copy_for_translation(self, *args: Any, **kwargs: Any) -> Any:
        return super().copy_for_translation(*args, **kwargs)  # type: ignore[misc]

    def make_preview_request(self, *args: Any, **kwargs: Any) -> Any:
        # Wagtail begins a request here that it doesn't end.
        before = get_urlconf()
        try:
            return super().make_preview_request(*args, **kwargs)  # type: ignore[misc]
        finally:
            set_urlconf(before)


def _loaded(page: Any) -> Any:
    """Note that what `page` holds was read, and not set by code that knows it."""
    page._restricted_loaded = True
    page._restricted_own = page._restricted_read = frozenset()
    return page


def guard_fields(model: type[Any]) -> None:
    """Guard all restricted fields of a page model that can be; checks name the rest."""
    for name in model.restricted_fields:
        try:
            if can_hide(model, name):
                guard(model, name)
        except FieldDoesNotExist:
            continue


def guard(model: type[Any], name: str) -> None:
    """Put a `Guard` before each attribute of `model` that shows the field `name`.

    Raises:
        ImproperlyConfigured: it is a relation whose rows are not kept with the page,
            so that to empty it would delete them.
    """
    field: Any = model._meta.get_field(name)
    if not can_hide(model, name):
        raise ImproperlyConfigured(
            f"{model.__name__}.restricted_fields: {name!r} is not part of the page."
        )
    if field.auto_created:
        attributes = {field.get_accessor_name()}
    else:
        attributes = {field.name, field.attname}
    for attribute in attributes:
        inner = inspect.getattr_static(model, attribute)
        if not isinstance(inner, Guard):
            setattr(model, attribute, Guard(inner, field, attribute))


class Guard:
    """The attribute of a restricted field: what is stored, or nothing."""

    def __init__(self, inner: Any, field: Any, attribute: str) -> None:
        self._inner = inner
        self._field = field
        self._attribute = attribute
        self._name: str = field.name

    def __get__(self, page: Any, owner: Any = None) -> Any:
        if page is None:
            return self._inner.__get__(None, owner)
        if self._is_closed(page):
            page._restricted_read |= {self._name}
            return self._nothing(type(page))
        if self._attribute in page.__dict__:
            return self._inner.__get__(page, owner)
        with restricted_fields_open():  # it may have to be loaded first
            return self._inner.__get__(page, owner)

    def __set__(self, page: Any, value: Any) -> None:
        if not _is_open.get():
            if self._is_closed(page) and self._would_lose(page, value):
                self._refuse()
            page._restricted_own |= {self._name}
        if hasattr(self._inner, "__set__"):
            self._inner.__set__(page, value)
        else:
            page.__dict__[self._attribute] = value

    def _is_closed(self, page: Any) -> bool:
        if _is_open.get() or self._name not in page.restricted_fields:
            return False
        if self._name in page._restricted_own:
            return False
        if page._restricted_shown is not None:
            return not page._restricted_shown
        is_stored = page._restricted_loaded or not page._state.adding
        return is_stored and (_is_open.get() is False or answers_visitor())

    def _would_lose(self, page: Any, value: Any) -> bool:
        """Tell whether to set `value` may undo what nobody has seen."""
        if self._name in page._restricted_read:
            return True
        if not self._field.is_relation:
            value = self._field.to_python(value)
        stored = page.__dict__.get(getattr(self._field, "attname", ""), "unknown")
        return is_empty(value) and not is_empty(stored)

    def _nothing(self, model: type[Any]) -> Any:
        field = self._field
        if isinstance(field, StreamField):
            return ClosedStream(field.stream_block, [])
        if field.one_to_many or field.many_to_many:
            return self._no_rows(model)
        return empty_value(field)

    def _no_rows(self, model: type[Any]) -> Any:
        nobody = model()
        self._inner.__set__(nobody, [])
        rows = self._inner.__get__(nobody, model)
        for writer in WRITERS:
            setattr(rows, writer, self._refuse)
        return rows

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise RestrictedFieldClosed(self._name)


class ClosedStream(StreamValue):
    """An empty stream in the place of one that is restricted: nothing can be added."""

    def _refuse(self, *args: Any) -> NoReturn:
        raise RestrictedFieldClosed("a StreamField")

    __setitem__ = __delitem__ = insert = _refuse


def empty_value(field: Any) -> Any:
    """Return what a field of one value holds when it holds nothing."""
    if field.is_relation:
        return None
    try:
        return field.to_python("")
    except (ValidationError, ValueError):
        return None


def is_empty(value: Any) -> bool:
    return value is None or (hasattr(value, "__len__") and len(value) == 0)


def can_hide(model: type[models.Model], name: str) -> bool:
    """Tell whether the field `name` of a page can be emptied without a change to it."""
    field: Any = model._meta.get_field(name)
    if not (field.one_to_many or field.many_to_many or field.auto_created):
        return True
    kept = get_all_child_relations(model) + get_all_child_m2m_relations(model)
    return field in kept
