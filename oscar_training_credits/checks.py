"""System checks: what is missing in a site's wiring, by name, with the fix.

They look at the classes and views that are really in use, however they came there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connection
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.module_loading import import_string

from .conf import BUY_AGAIN, PREFIX, THROTTLE, settings
from .shop.loading import MIXINS

LOADER = "oscar_training_credits.shop.loading.class_loader"
WIRE = (
    f'Set OSCAR_DYNAMIC_CLASS_LOADER = "{LOADER}",'
    " or mix {mixin} into your own class."
)
GUARDS = {
    "checkout.views.PaymentDetailsView",
    "order.utils.OrderCreator",
    "partner.strategy.Selector",
}
DOTTED_PATHS = (
    "BASE_CLASS_LOADER",
    "CODE_GENERATOR",
    "AMOUNT_TEXT",
    "CONTENT_LOCATOR",
    "CLIENT_ADDRESS",
)
LISTS_OF_PATHS = ("CODE_RULES", "CODE_KINDS")
LONGEST_SOURCE_TYPE = 128  # as in Oscar's model
LONGEST_GRACE = 36_500


@register("training_credits")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every setting has the right type, and every dotted path leads somewhere."""
    return [
        *_check_paths(),
        *_check_keys(),
        *_check_names(),
        *_check_holds(),
        *_check_refunds(),
        *_check_places(),
        *_check_sale(),
        *_check_payment(),
        *_check_throttle(),
    ]


@register("training_credits")
def check_classes(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The classes that guard credit-only lines are in use."""
    from oscar.core.loading import get_class

    from .shop.orders import OrderCreatorMixin
    from .shop.pricing import SelectorMixin, StrategyMixin

    guards = {
        "partner.strategy.Selector": (
            type(get_class("partner.strategy", "Selector")().strategy()),
            StrategyMixin,
            SelectorMixin,
            "training_credits.E001",
        ),
        "order.utils.OrderCreator": (
            get_class("checkout.mixins", "OrderCreator"),
            OrderCreatorMixin,
            OrderCreatorMixin,
            "training_credits.E002",
        ),
    }
    return [
        _missing(name, remedy, id)
        for name, (cls, mixin, remedy, id) in guards.items()
        if not issubclass(cls, mixin)
    ]


@register("training_credits")
def check_mixins(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The other classes that we extend are extended: a site may mix in by hand."""
    from oscar.core.exceptions import AppNotFoundError
    from oscar.core.loading import get_class

    messages: list[CheckMessage] = []
    for (module, name), path in MIXINS.items():
        mixin = import_string(f"{__package__}.shop.{path}")
        try:
            cls = get_class(module, name)
        except AppNotFoundError:
            continue
        if f"{module}.{name}" not in GUARDS and not issubclass(cls, mixin):
            messages.append(_unextended(f"{module}.{name}", mixin))
    return messages


@register("training_credits")
def check_views(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The checkout's real views guard credit-only lines, and our own are reachable."""
    return [*_check_checkout(), *_check_urls(), *_check_api()]


@register("training_credits")
def check_templates(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Our templates stand in front of Oscar's."""
    try:
        template: Any = get_template("oscar/checkout/preview.html")
    except TemplateDoesNotExist:
        return []
    if "/oscar/templates/oscar/" not in Path(template.origin.name).as_posix():
        return []
    return [
        Warning(
            "Oscar's templates hide those of training credits: nobody sees a code box.",
            hint='Put "oscar_training_credits" before Oscar\'s apps in INSTALLED_APPS.',
            id="training_credits.W001",
        )
    ]


@register("training_credits")
def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """SQLite takes its lock when a transaction begins."""
    return [
        Warning(
            f"The SQLite database {alias!r} begins transactions without a lock: two"
            " purchases at once fail with “database is locked”.",
            hint='Set OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20}.',
            id="training_credits.W002",
        )
        for alias, database in django_settings.DATABASES.items()
        if database["ENGINE"].endswith("sqlite3")
        and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE"
    ]


@register("training_credits", deploy=True)
def check_cache(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Wrong codes are counted once for all processes, and none is missed."""
    alias: Any = settings.CACHE
    if alias not in django_settings.CACHES:
        return []
    backend = type(caches[alias])
    if issubclass(backend, DummyCache):
        problem = "keeps nothing: strangers can use no code"
    elif issubclass(backend, LocMemCache):
        problem = "is one cache for each process: each allows the limit of wrong codes"
    elif backend.incr is BaseCache.incr:
        problem = "does not count wrong codes that are tried at the same moment"
    else:
        return []
    return [
        Warning(
            f"The cache {alias!r} ({backend.__name__}) {problem}.",
            hint="Use Redis or Memcached, or name such a cache in"
            f" {PREFIX}CACHE by its alias.",
            id="training_credits.W030",
        )
    ]


def _check_checkout() -> Iterator[CheckMessage]:
    from .shop.checkout import PaymentDetailsViewMixin

    for name in ("checkout:payment-details", "checkout:preview"):
        try:
            view = resolve(reverse(name)).func
        except NoReverseMatch:
            continue
        view_class = getattr(view, "view_class", object)
        if not issubclass(view_class, PaymentDetailsViewMixin):
            yield _missing(name, PaymentDetailsViewMixin, "training_credits.E003")
        exempt = connection.alias in getattr(view, "_non_atomic_requests", ())
        if connection.settings_dict["ATOMIC_REQUESTS"] and not exempt:
            yield _in_one_transaction(name)


def _check_urls() -> Iterator[CheckMessage]:
    try:
        reverse("training_credits:apply")
    except NoReverseMatch:
        yield Error(
            "The addresses of training credits are not in the site's URLs.",
            hint='Add path("training/", include("oscar_training_credits.urls")).',
            id="training_credits.E004",
        )


def _check_api() -> Iterator[CheckMessage]:
    if not apps.is_installed("oscarapi"):
        return
    from .rest.basket import AddVoucherViewMixin
    from .rest.checkout import CheckoutSerializerMixin, CheckoutViewMixin

    for name, mixins in {
        "api-basket-add-voucher": (AddVoucherViewMixin,),
        "api-checkout": (CheckoutViewMixin, CheckoutSerializerMixin),
    }.items():
        try:
            view = resolve(reverse(name)).func
        except NoReverseMatch:
            return
        view_class = getattr(view, "view_class", object)
        serializer_class = getattr(view_class, "serializer_class", object)
        for mixin in mixins:
            if not issubclass(view_class, mixin) and not issubclass(
                serializer_class, mixin
            ):
                yield _unextended_api(name, mixin)
    try:
        reverse("training_credits_api:codes")
    except NoReverseMatch:
        yield Warning(
            "A credit code that was applied by API can't be taken off by API.",
            hint='Add path("api/", include("oscar_training_credits.rest.urls")).',
            id="training_credits.W005",
        )


def _unextended_api(name: str, mixin: type) -> Error:
    return Error(
        f"{name} does not know training credits: its orders open training before any"
        " money is paid, or its codes are vouchers only.",
        hint='Put "oscar_training_credits.rest" first in OSCARAPI_OVERRIDE_MODULES,'
        f" or mix {mixin.__module__}.{mixin.__qualname__} into your own class.",
        id="training_credits.E005",
    )


def _in_one_transaction(name: str) -> Warning:
    return Warning(
        f"{name} runs in one transaction (ATOMIC_REQUESTS): while a gateway charges,"
        " nobody else sees that credits are held, and what fails after an order is"
        " placed can undo it.",
        hint="Decorate the view with django.db.transaction.non_atomic_requests, outside"
        " of decorators that do not use functools.wraps.",
        id="training_credits.W004",
    )


def _unextended(name: str, mixin: type) -> Warning:
    return Warning(
        f"{name} does not know training credits.",
        hint=WIRE.format(mixin=f"{mixin.__module__}.{mixin.__qualname__}"),
        id="training_credits.W003",
    )


def _missing(name: str, mixin: type, id: str) -> Error:
    path = f"{mixin.__module__}.{mixin.__qualname__}"
    return Error(
        f"{name} does not know training credits: credit-only lines are not guarded.",
        hint=WIRE.format(mixin=path),
        id=id,
    )


def _check_paths() -> Iterator[CheckMessage]:
    for name in DOTTED_PATHS:
        yield from _check_path(name, getattr(settings, name))
    if settings.ACCESS_GRANTER is not None:
        yield from _check_path("ACCESS_GRANTER", settings.ACCESS_GRANTER)
    for name in LISTS_OF_PATHS:
        paths = getattr(settings, name)
        if isinstance(paths, (list, tuple)):
            for path in paths:
                yield from _check_path(name, path)
        else:
            yield _wrong(
                name,
                "must be a list of dotted paths",
                "E010",
                hint='Write ["path.to.one", "path.to.another"], even for one.',
            )


def _check_path(name: str, path: Any) -> Iterator[CheckMessage]:
    try:
        found = import_string(path)
    except (ImportError, AttributeError, TypeError, ValueError):
        yield _wrong(
            name,
            f"names {path!r}, which cannot be imported",
            "E011",
            hint='Write the path as "package.module.function", and see that it exists.',
        )
    else:
        if not callable(found):
            yield _wrong(
                name,
                f"names {path!r}, which cannot be called",
                "E011",
                hint="Name a function.",
            )


def _check_keys() -> Iterator[CheckMessage]:
    keys: Any = settings.CODE_KEYS
    if not isinstance(keys, (list, tuple)) or not keys or not all(keys):
        yield _wrong(
            "CODE_KEYS",
            "must be a list with at least one secret",
            "E012",
            hint="Write [current, old, ...]; leave it out to use SECRET_KEY.",
        )


def _check_names() -> Iterator[CheckMessage]:
    name: Any = settings.SOURCE_TYPE
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_SOURCE_TYPE:
        yield _wrong(
            "SOURCE_TYPE",
            "must be a name",
            "E013",
            hint=f"Write 1 to {LONGEST_SOURCE_TYPE} letters for Oscar's source type.",
        )


def _check_holds() -> Iterator[CheckMessage]:
    if not _is_count(settings.HOLD_MINUTES):
        yield _wrong(
            "HOLD_MINUTES",
            "must be a number of minutes",
            "E014",
            hint="Write a whole number above 0.",
        )


def _check_refunds() -> Iterator[CheckMessage]:
    statuses: Any = settings.REFUND_STATUSES
    if not isinstance(statuses, (list, tuple)) or not all(
        isinstance(status, str) for status in statuses
    ):
        yield _wrong(
            "REFUND_STATUSES",
            "must be a list of statuses",
            "E015",
            hint='Write ["Cancelled"], even for one, or [] for none.',
        )
    days: Any = settings.REFUND_GRACE_DAYS
    if days is not None and (type(days) is not int or not 0 <= days <= LONGEST_GRACE):
        yield _wrong(
            "REFUND_GRACE_DAYS",
            "must be a number of days",
            "E016",
            hint=f"Write 1 to {LONGEST_GRACE}, or None to refuse expired credits.",
        )
    yield from _check_yes_or_no(
        "REFUND_ENDS_ACCESS",
        "E017",
        hint="Write False to let learners keep what was given back.",
    )


def _check_places() -> Iterator[CheckMessage]:
    if not _is_count(settings.MOST_PLACES):
        yield _wrong(
            "MOST_PLACES",
            "must be a number of places",
            "E019",
            hint="Write 1 to sell to each learner alone, or a higher number.",
        )


def _check_sale() -> Iterator[CheckMessage]:
    if settings.BUY_AGAIN not in BUY_AGAIN:
        yield _wrong(
            "BUY_AGAIN",
            f"is {settings.BUY_AGAIN!r}, which says nothing",
            "E009",
            hint=f"Write one of {', '.join(map(repr, BUY_AGAIN))}.",
        )


def _check_payment() -> Iterator[CheckMessage]:
    yield from _check_yes_or_no(
        "API_IS_PAID_FIRST",
        "E018",
        hint="Write True only if nothing is ordered by API before it is paid.",
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _check_yes_or_no(name: str, id_: str, *, hint: str) -> Iterator[CheckMessage]:
    if not isinstance(getattr(settings, name), bool):
        yield _wrong(name, "must be True or False", id_, hint=hint)


def _check_throttle() -> Iterator[CheckMessage]:
    limits: Any = getattr(django_settings, f"{PREFIX}THROTTLE", {})
    if isinstance(limits, dict):
        for scope, rate in limits.items():
            if scope not in THROTTLE or not _is_rate(rate):
                yield _wrong(
                    "THROTTLE",
                    f"has {scope!r}: {rate!r}, which is no limit",
                    "E030",
                    hint=f"Limits are {', '.join(THROTTLE)}; write"
                    ' "10/h", "30/15m" or None.',
                )
    else:
        yield _wrong(
            "THROTTLE",
            "must be a dictionary of limits",
            "E030",
            hint='Write for example {"network": "60/h"}.',
        )
    if settings.CACHE not in django_settings.CACHES:
        yield _wrong(
            "CACHE",
            f"names {settings.CACHE!r}, which is not in CACHES",
            "E031",
            hint="Name one of CACHES by its alias.",
        )
    count: Any = settings.PROXY_COUNT
    if type(count) is not int or count < 0:
        yield _wrong(
            "PROXY_COUNT",
            "must be the number of proxies",
            "E032",
            hint="Write 0 without a proxy, 1 behind one.",
        )


def _is_rate(rate: Any) -> bool:
    from .credits.throttling import Rate

    try:
        return rate is None or bool(Rate.parse(rate))
    except (TypeError, ValueError):
        return False


def _wrong(name: str, problem: str, number: str, *, hint: str) -> Error:
    return Error(
        f"{PREFIX}{name} {problem}.", hint=hint, id=f"training_credits.{number}"
    )
