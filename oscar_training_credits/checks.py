"""System checks: what is missing in a site's wiring, by name, with the fix.

They look at the classes and views that are really in use, however they came there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.cache import BaseCache, caches
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.db import connection
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from .conf import BUY_AGAIN, MAILS, PREFIX, THROTTLE, USE_NOTICES, settings
from .shop.loading import MIXINS
from .shop.views_in_use import views_in_use

LOADER = "oscar_training_credits.shop.loading.class_loader"
WIRE = (
    f'Set OSCAR_DYNAMIC_CLASS_LOADER = "{LOADER}",'
    " or mix {mixin} into your own class."
)
API_CHECKOUT = "oscarapicheckout"
BY_LOADER = (
    " A class of yours that imports Oscar's by itself gets it by"
    ' oscar.core.loading.get_class("checkout.views", "PaymentDetailsView") instead.'
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
    "CLOSED_CONTENT",
    "CLIENT_ADDRESS",
    "LEARNER_LANGUAGE",
)
CREDIT_CODES = "oscar_training_credits.policies.credit_code"
LISTS_OF_PATHS = ("CODE_RULES", "CODE_HANDLERS")
LONGEST_SOURCE_TYPE = 128  # as in Oscar's model
LONGEST_GRACE = 36_500
READ_COMMITTED = "read committed"
LEVEL_OPTION = r"default_transaction_isolation\s*=\s*'?((?:\\ |\w| (?=\w))+)"


@register("training_credits")
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every setting has the right type, and every dotted path leads somewhere."""
    return [
        *_check_paths(),
        *_check_kinds(),
        *_check_mails(),
        *_check_low_balance(),
        *_check_notices(),
        *_check_outbox(),
        *_check_webhooks(),
        *_check_keys(),
        *_check_names(),
        *_check_holds(),
        *_check_refunds(),
        *_check_places(),
        *_check_requests(),
        *_check_sale(),
        *_check_payment(),
        *_check_throttle(),
        *_check_tasks(),
    ]


@register("training_credits", deploy=True)
def check_requests(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Learners whose code nobody looks after can ask somebody for credits."""
    if settings.REQUESTS_ADDRESS:
        return []
    text = f"{PREFIX}REQUESTS_ADDRESS names no address."
    return [
        Info(
            f"{text} Learners can ask for credits only the managers of their code.",
            hint="Name the e-mail address of those who answer for your shop.",
            id="training_credits.I001",
        )
    ]


@register("training_credits")
def check_classes(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The classes that guard credit-only lines are in use."""
    from oscar.core.loading import get_class

    from .shop.order.creator import OrderCreatorMixin
    from .shop.partner.strategy import SelectorMixin, StrategyMixin

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
def check_search(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The search index of products knows which of them have no price in money."""
    from haystack import connections
    from haystack.exceptions import NotHandled
    from oscar.core.loading import get_model

    from .shop.catalogue.search_indexes import ProductIndexMixin

    messages: list[CheckMessage] = []
    chosen: dict[str, Any] = getattr(django_settings, "HAYSTACK_CONNECTIONS", {})
    for alias, backend in chosen.items():
        if backend["ENGINE"].endswith(".SimpleEngine"):  # it stores no prices
            continue
        unified = connections[alias].get_unified_index()
        try:
            index = unified.get_index(get_model("catalogue", "Product"))
        except NotHandled:
            continue
        if not isinstance(index, ProductIndexMixin):
            messages.append(
                Warning(
                    f"The search index of products in HAYSTACK_CONNECTIONS[{alias!r}]"
                    " gives credit-only products the price 0.",
                    hint='Add "EXCLUDED_INDEXES": '
                    '["oscar.apps.search.search_indexes.ProductIndex"] to it, or mix'
                    " ProductIndexMixin into your own index; then rebuild the index.",
                    id="training_credits.W009",
                )
            )
    return messages


@register("training_credits")
def check_views(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The checkout's real views guard credit-only lines, and our own are reachable."""
    return [
        *_check_checkout(),
        *_check_urls(),
        *_check_api(),
        *_check_api_checkout(),
    ]


@register("training_credits")
def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Transactions read what they waited for; SQLite's take their lock at once."""
    return [*_check_isolation(), *_check_sqlite()]


def _check_isolation() -> Iterator[CheckMessage]:
    for alias, database in django_settings.DATABASES.items():
        if level := _other_level(database):
            yield Error(
                f"The database {alias!r} begins transactions at {level}, and not at"
                " “read committed”: in those of the site's own, caps are passed and"
                " places are claimed twice.",
                hint="Leave isolation_level out of its OPTIONS, and choose another"
                " level only for the transactions that need it.",
                id="training_credits.E006",
            )


def _other_level(database: Any) -> str:
    """Return the level that a database is set to, if it is not “read committed”."""
    options = database.get("OPTIONS", {})
    engine = database["ENGINE"].rpartition(".")[2]
    if engine == "mysql":
        level = options.get("isolation_level", READ_COMMITTED) or "the server's default"
        return "" if level.lower() == READ_COMMITTED else str(level)
    if engine not in ("postgresql", "postgis"):
        return ""
    if "isolation_level" in options:
        from django.db.backends.postgresql.psycopg_any import IsolationLevel

        level = IsolationLevel(options["isolation_level"])
        name = level.name.replace("_", " ").lower()
    else:
        set_to = re.search(LEVEL_OPTION, str(options.get("options", "")))
        name = set_to.group(1).replace("\\", "").lower() if set_to else READ_COMMITTED
    return "" if name == READ_COMMITTED else name


def _check_sqlite() -> list[CheckMessage]:
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
    from oscar.apps.checkout.mixins import OrderPlacementMixin as Placing

    from .shop.checkout.session import PAYMENT_STEPS
    from .shop.checkout.views import PaymentDetailsViewMixin

    used = list(views_in_use())
    for view in used:
        if mixin := _missing_guard(view.view_class):
            yield _missing(view.name, mixin, "training_credits.E003", view.view_class)
        if issubclass(view.view_class, Placing) and not _is_exempt(view.callback):
            yield _in_one_transaction(view.name)
    known = {view.name for view in used}
    for name in PAYMENT_STEPS:
        # Behind a function there is no class to be looked at.
        if name not in known and _exists(name):
            yield _missing(name, PaymentDetailsViewMixin, "training_credits.E003")


def _missing_guard(view_class: type) -> type | None:
    """Return the mixin that a view lacks which places orders; None if it is fine."""
    from oscar.apps.checkout.mixins import OrderPlacementMixin as Placing
    from oscar.apps.checkout.views import PaymentDetailsView as Paying

    from .shop.checkout.mixins import TrainingOrderPlacementMixin
    from .shop.checkout.views import PaymentDetailsViewMixin

    for base, mixin in (
        (Paying, PaymentDetailsViewMixin),
        (Placing, TrainingOrderPlacementMixin),
    ):
        if issubclass(view_class, base) and not issubclass(view_class, mixin):
            return mixin
    return None


def _is_exempt(view: Any) -> bool:
    exempt = getattr(view, "_non_atomic_requests", ())
    return not connection.settings_dict["ATOMIC_REQUESTS"] or (
        connection.alias in exempt
    )


def _exists(name: str) -> bool:
    try:
        return bool(reverse(name))
    except NoReverseMatch:
        return False


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
    from oscarapi.serializers.checkout import CheckoutSerializer
    from oscarapi.views.basket import AddVoucherView
    from oscarapi.views.checkout import CheckoutView

    from .rest.basket import AddVoucherViewMixin
    from .rest.checkout import CheckoutSerializerMixin, CheckoutViewMixin

    mixins = {
        AddVoucherView: AddVoucherViewMixin,
        CheckoutView: CheckoutViewMixin,
        CheckoutSerializer: CheckoutSerializerMixin,
    }
    used = [view for view in views_in_use() if not _is_api_checkouts(view.view_class)]
    for base, mixin in mixins.items():
        for view in used:
            serializer = getattr(view.view_class, "serializer_class", None) or object
            for cls in (view.view_class, serializer):
                if issubclass(cls, base) and not issubclass(cls, mixin):
                    yield _unextended_api(view.name, mixin)
    answers = any(issubclass(view.view_class, AddVoucherView) for view in used)
    if answers and not _exists("training_credits_api:codes"):
        yield Warning(
            "A credit code that was applied by API can't be taken off by API.",
            hint='Add path("api/", include("oscar_training_credits.rest.urls")).',
            id="training_credits.W005",
        )


def _check_api_checkout() -> Iterator[CheckMessage]:
    if apps.is_installed(API_CHECKOUT) or any(
        _is_api_checkouts(view.view_class) for view in views_in_use()
    ):
        yield Error(
            "django-oscar-api-checkout takes payment after an order is written, and"
            " writes a declined order anew: training would open before it is paid, and"
            " the credits of a declined order would be lost.",
            hint=f'Take "{API_CHECKOUT}" out of INSTALLED_APPS and its addresses out of'
            " your URLs, and sell training by django-oscar-api or Oscar's checkout.",
            id="training_credits.E007",
        )


def _is_api_checkouts(view_class: type) -> bool:
    """Tell whether a view is django-oscar-api-checkout's, or derives from one."""
    serializer = getattr(view_class, "serializer_class", None) or object
    ancestors = (*view_class.__mro__, *getattr(serializer, "__mro__", ()))
    return any(each.__module__.startswith(f"{API_CHECKOUT}.") for each in ancestors)


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


def _missing(name: str, mixin: type, id: str, obj: type | None = None) -> Error:
    path = f"{mixin.__module__}.{mixin.__qualname__}"
    return Error(
        f"{name} does not know training credits: credit-only lines are not guarded.",
        hint=WIRE.format(mixin=path) + (BY_LOADER if obj else ""),
        obj=obj,
        id=id,
    )


def _check_paths() -> Iterator[CheckMessage]:
    for name in DOTTED_PATHS:
        yield from _check_path(name, getattr(settings, name))
    if settings.ENROLMENT_BACKEND is not None:
        yield from _check_path("ENROLMENT_BACKEND", settings.ENROLMENT_BACKEND)
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


def _check_kinds() -> Iterator[CheckMessage]:
    kinds: Any = settings.CODE_HANDLERS
    if isinstance(kinds, (list, tuple)) and CREDIT_CODES in kinds[1:]:
        yield Warning(
            f"{PREFIX}CODE_HANDLERS asks {kinds[0]} before credit codes: it sees every"
            " code that is typed; Oscar's vouchers are looked for in plain text.",
            hint=f'Write "{CREDIT_CODES}" first.',
            id="training_credits.W031",
        )


def _check_mails() -> Iterator[CheckMessage]:
    chosen: Any = settings.MAILS
    if not isinstance(chosen, (list, tuple)) or any(x not in MAILS for x in chosen):
        yield _wrong(
            "MAILS",
            f"must be a list of some of {', '.join(MAILS)}",
            "E027",
            hint="Write a list of the mails that are sent, [] for none.",
        )


def _check_low_balance() -> Iterator[CheckMessage]:
    percent: Any = settings.LOW_BALANCE_PERCENT
    if not _is_count(percent) or percent > 100:
        yield _wrong(
            "LOW_BALANCE_PERCENT",
            "must be a percentage",
            "E038",
            hint="Write a whole number from 1 to 100.",
        )


def _check_notices() -> Iterator[CheckMessage]:
    if settings.USE_NOTICES not in USE_NOTICES:
        yield _wrong(
            "USE_NOTICES",
            f"must be one of {', '.join(USE_NOTICES)}",
            "E041",
            hint='Write "never" if managers hear only what they have asked for.',
        )
    days: Any = settings.ACCESS_ENDS_DAYS
    if not isinstance(days, (list, tuple)) or not all(map(_is_count, days)):
        yield _wrong(
            "ACCESS_ENDS_DAYS",
            "must be a list of numbers of days",
            "E042",
            hint="Write a list of positive whole numbers, [] for no notice.",
        )


def _check_outbox() -> Iterator[CheckMessage]:
    days: Any = settings.DELIVERY_DAYS
    if days is not None and not _is_count(days):
        yield _wrong(
            "DELIVERY_DAYS",
            "must be a number of days, or None",
            "E043",
            hint="Write for example 90.",
        )
    if not _is_count(settings.INVITATIONS_A_DAY):
        yield _wrong(
            "INVITATIONS_A_DAY",
            "must be a number of people",
            "E044",
            hint="Write for example 20.",
        )


def _check_webhooks() -> Iterator[CheckMessage]:
    hosts: Any = settings.WEBHOOK_HOSTS
    if not isinstance(hosts, (list, tuple)) or not all(map(_is_host, hosts)):
        yield _wrong(
            "WEBHOOK_HOSTS",
            "must be a list of receivers",
            "E046",
            hint='Write each as "host:port", [] for none.',
        )
    if settings.WEBHOOKS and not find_spec("standardwebhooks"):
        yield Error(
            "Webhooks are on, but what signs them is not installed.",
            hint='Install "django-oscar-training-credits[webhooks]".',
            id="training_credits.E045",
        )


def _is_host(text: Any) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(r".+:[0-9]{1,5}", text))


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
    if not _are_names(statuses):
        yield _wrong(
            "REFUND_STATUSES",
            "must be a list of statuses",
            "E015",
            hint='Write ["Cancelled"], even for one, or [] for none.',
        )
    elif statuses and not (
        possible := _possible_statuses("Order", "Line")
    ).intersection(statuses):
        yield Warning(
            f"No order or line can have a status of {PREFIX}REFUND_STATUSES"
            f" ({', '.join(statuses)}): cancelling gives nothing back.",
            hint="Write them as OSCAR_ORDER_STATUS_PIPELINE and"
            " OSCAR_LINE_STATUS_PIPELINE do"
            f" ({', '.join(sorted(possible)) or 'both are empty'}), or [] for none.",
            id="training_credits.W006",
        )
    yield from _check_paid(statuses)
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


def _check_paid(refunding: Any) -> Iterator[CheckMessage]:
    statuses: Any = settings.PAID_STATUSES
    if not _are_names(statuses):
        yield _wrong(
            "PAID_STATUSES",
            "must be a list of statuses",
            "E024",
            hint='Write ["Paid"], even for one, or [] to open training with the order.',
        )
        return
    if _are_names(refunding) and (both := set(statuses).intersection(refunding)):
        yield Error(
            f"{', '.join(sorted(both))} stands in {PREFIX}PAID_STATUSES and in"
            f" {PREFIX}REFUND_STATUSES: an order can't be paid and given back at once.",
            hint="Take it out of one of them.",
            id="training_credits.E025",
        )
    possible = _possible_statuses("Order")
    initial = getattr(django_settings, "OSCAR_INITIAL_ORDER_STATUS", "")
    if unknown := [each for each in statuses if each not in {*possible, initial}]:
        yield Warning(
            f"No order can have the status {', '.join(unknown)} of"
            f" {PREFIX}PAID_STATUSES: training that waits for it never opens.",
            hint="Write them as OSCAR_ORDER_STATUS_PIPELINE does"
            f" ({', '.join(sorted(possible)) or 'it is empty'}).",
            id="training_credits.W007",
        )


def _are_names(statuses: Any) -> bool:
    return isinstance(statuses, (list, tuple)) and all(
        isinstance(status, str) for status in statuses
    )


def _possible_statuses(*models: str) -> set[str]:
    """Return every status that an order or a line of the site can come to have."""
    pipelines = [
        _pipeline(model, f"OSCAR_{model.upper()}_STATUS_PIPELINE") for model in models
    ]
    steps = [step for pipeline in pipelines for step in pipeline.items()]
    return {status for before, after in steps for status in (before, *after)}


def _pipeline(model: str, setting: str) -> dict[str, Any]:
    from oscar.core.loading import get_model

    # A site's own model may have another one than the setting.
    own = vars(get_model("order", model)).get("pipeline")
    return own or getattr(django_settings, setting, None) or {}


def _check_places() -> Iterator[CheckMessage]:
    if not _is_count(settings.MOST_PLACES):
        yield _wrong(
            "MOST_PLACES",
            "must be a number of places",
            "E019",
            hint="Write 1 to sell to each learner alone, or a higher number.",
        )


def _check_requests() -> Iterator[CheckMessage]:
    if not _is_count(settings.REQUEST_DAYS):
        yield _wrong(
            "REQUEST_DAYS",
            "must be a number of days",
            "E034",
            hint="Write for example 14.",
        )
    address: Any = settings.REQUESTS_ADDRESS
    if address != "" and not (isinstance(address, str) and "@" in address):
        yield _wrong(
            "REQUESTS_ADDRESS",
            "must be an e-mail address",
            "E035",
            hint='Write one address as text, or "" for none.',
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


def _check_tasks() -> Iterator[CheckMessage]:
    from .credits.codes.workers import library

    tasks = library()
    if tasks is not None and settings.TASK_BACKEND not in tasks.task_backends:
        yield _wrong(
            "TASK_BACKEND",
            f"names {settings.TASK_BACKEND!r}, which is not in TASKS",
            "E033",
            hint="Name one of TASKS by its alias.",
        )


def _is_rate(rate: Any) -> bool:
    from .credits.codes.throttling import Rate

    try:
        return rate is None or bool(Rate.parse(rate))
    except (TypeError, ValueError):
        return False


def _wrong(name: str, problem: str, number: str, *, hint: str) -> Error:
    return Error(
        f"{PREFIX}{name} {problem}.", hint=hint, id=f"training_credits.{number}"
    )
