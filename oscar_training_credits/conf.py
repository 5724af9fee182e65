"""Every setting of the package, read lazily and typed.

`settings.CODE_RULES` reads `TRAINING_CREDITS_CODE_RULES` each time it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from django.apps import apps
from django.conf import settings as django_settings
from django.utils.module_loading import import_string

PREFIX = "TRAINING_CREDITS_"

THROTTLE: dict[str, str | None] = {
    "learner": "10/h",
    "session": "10/h",
    "network": "60/h",
    "overall": "1000/h",
    "allowance": "3/h",
}

CODE_RULES = [
    "oscar_training_credits.rules.enabled",
    "oscar_training_credits.rules.for_learner",
    "oscar_training_credits.rules.started",
    "oscar_training_credits.rules.unexpired",
    "oscar_training_credits.rules.funded",
    "oscar_training_credits.rules.within_one_order",
    "oscar_training_credits.rules.within_orders",
    "oscar_training_credits.rules.within_credits",
    "oscar_training_credits.rules.opens_content",
]
"""The rules that are asked where a site names none: to be extended in its settings."""

ACCESS_GIVEN = "TRAINING_ACCESS_GIVEN"
CREDITS_GIVEN_BACK = "TRAINING_CREDITS_GIVEN_BACK"
ORDER_CANCELLED = "TRAINING_ORDER_CANCELLED"
PLACE_TAKEN_BACK = "TRAINING_PLACE_TAKEN_BACK"
MANAGER_INVITED = "TRAINING_MANAGER_INVITED"
CREDIT_STATEMENT = "TRAINING_CREDIT_STATEMENT"
CREDITS_REQUESTED = "TRAINING_CREDITS_REQUESTED"
REQUEST_APPROVED = "TRAINING_REQUEST_APPROVED"
REQUEST_DECLINED = "TRAINING_REQUEST_DECLINED"
CREDITS_EXPIRE = "TRAINING_CREDITS_EXPIRE"
BALANCE_LOW = "TRAINING_BALANCE_LOW"
CODE_GIVEN = "TRAINING_CODE_GIVEN"
CODE_TOPPED_UP = "TRAINING_CODE_TOPPED_UP"
CODE_ROTATED = "TRAINING_CODE_ROTATED"
CREDITS_USED = "TRAINING_CREDITS_USED"
ACCESS_ENDS = "TRAINING_ACCESS_ENDS"
ACCESS_ENDED = "TRAINING_ACCESS_ENDED"
MAILS = [
    ACCESS_GIVEN,
    CREDITS_GIVEN_BACK,
    ORDER_CANCELLED,
    PLACE_TAKEN_BACK,
    MANAGER_INVITED,
    CREDIT_STATEMENT,
    CREDITS_REQUESTED,
    REQUEST_APPROVED,
    REQUEST_DECLINED,
    CREDITS_EXPIRE,
    BALANCE_LOW,
    CODE_GIVEN,
    CODE_TOPPED_UP,
    CODE_ROTATED,
    CREDITS_USED,
    ACCESS_ENDS,
    ACCESS_ENDED,
]
"""The communication events whose mails are sent by themselves."""

ABOUT_CODES = [
    CODE_TOPPED_UP,
    CODE_ROTATED,
    CREDITS_EXPIRE,
    BALANCE_LOW,
    CREDIT_STATEMENT,
]
"""The mails that the managers of a code may do without."""

AT_ONCE, DAILY, WEEKLY, OFF = USE_NOTICES = ("at once", "daily", "weekly", "never")

ALWAYS, AFTER_END, NEVER = BUY_AGAIN = ("always", "after end", "never")

T = TypeVar("T")


class Settings:
    @property
    def BASE_CLASS_LOADER(self) -> str:
        """The class loader that ours asks first: the one the site had before."""
        return self._get("BASE_CLASS_LOADER", "oscar.core.loading.default_class_loader")

    @property
    def CODE_RULES(self) -> list[str]:
        """The rules a code must pass, as dotted paths, in the order they are asked."""
        return self._get("CODE_RULES", CODE_RULES)

    @property
    def CODE_GENERATOR(self) -> str:
        """A function without arguments that returns a new code's text."""
        return self._get("CODE_GENERATOR", "oscar_training_credits.policies.generate")

    @property
    def CODE_KEYS(self) -> list[str]:
        """The secrets behind the digests of codes: the current one, then old ones.

        A code made under a key that is no longer listed can't be found again.
        """
        older: Sequence[Any] = django_settings.SECRET_KEY_FALLBACKS
        return self._get("CODE_KEYS", [django_settings.SECRET_KEY, *older])

    @property
    def CODE_HANDLERS(self) -> list[str]:
        """The kinds of code that the checkout's box takes, in the order asked.

        Credit codes come first: they are found by a digest, and nothing else then
        sees them. A text that no kind knows counts as a wrong code.
        """
        return self._get(
            "CODE_HANDLERS",
            [
                "oscar_training_credits.policies.credit_code",
                "oscar_training_credits.policies.voucher",
            ],
        )

    @property
    def THROTTLE(self) -> dict[str, str | None]:
        """How many wrong codes may be tried in what time, such as `10/h` or `30/15m`.

        What a site leaves out keeps its default; None switches a limit off. `learner`
        and `session` are a person's own; `network` (an IPv4 address or an IPv6 /64)
        and `overall` are shared. `allowance` is what each learner who is logged in may
        get wrong all the same while a shared limit is reached.
        """
        own: dict[str, str | None] = self._get("THROTTLE", {})
        return {**THROTTLE, **own}

    @property
    def CACHE(self) -> str:
        """The alias of the cache in which wrong codes are counted."""
        return self._get("CACHE", "default")

    @property
    def PROXY_COUNT(self) -> int:
        """How many proxies of the site stand before it and write X-Forwarded-For."""
        return self._get("PROXY_COUNT", 0)

    @property
    def CLIENT_ADDRESS(self) -> str:
        """A function from a request to the visitor's address, as text."""
        return self._get(
            "CLIENT_ADDRESS", "oscar_training_credits.policies.client_address"
        )

    @property
    def AMOUNT_TEXT(self) -> str:
        """A function that puts a number of credits into words, with plural forms."""
        return self._get("AMOUNT_TEXT", "oscar_training_credits.policies.amount_text")

    @property
    def CONTENT_LOCATOR(self) -> str:
        """A function from training products to the addresses of what they open."""
        installed = apps.is_installed("oscar_training_credits.cms")
        return self._get(
            "CONTENT_LOCATOR",
            "oscar_training_credits.cms.content.course_pages"
            if installed
            else "oscar_training_credits.policies.product_pages",
        )

    @property
    def CLOSED_CONTENT(self) -> str:
        """A function from a learner to the products whose content they can't open."""
        installed = apps.is_installed("oscar_training_credits.cms")
        return self._get(
            "CLOSED_CONTENT",
            "oscar_training_credits.cms.privacy.closed_to"
            if installed
            else "oscar_training_credits.shop.catalogue.content_links.nothing_closed",
        )

    @property
    def ENROLMENT_BACKEND(self) -> str | None:
        """A function that tells a learning system of access, with retries."""
        return self._get("ENROLMENT_BACKEND", None)

    @property
    def WEBHOOKS(self) -> bool:
        """Whether other systems are told by HTTP what happens to credits."""
        return self._get("WEBHOOKS", False)

    @property
    def WEBHOOK_HOSTS(self) -> list[str]:
        """Receivers that may be of an inner network, as "host:port"; HTTP will do."""
        return self._get("WEBHOOK_HOSTS", [])

    @property
    def TEST_MODE(self) -> bool:
        """Whether test codes work for everybody, as on a site that is being set up."""
        return self._get("TEST_MODE", False)

    @property
    def MAILS(self) -> list[str]:
        """The communication events whose mails are sent: what is left out is off."""
        return self._get("MAILS", MAILS)

    @property
    def DELIVERY_DAYS(self) -> int | None:
        """How many days mails that were sent, or given up, stay in the outbox.

        With None they stay for ever.
        """
        return self._get("DELIVERY_DAYS", 90)

    @property
    def LOW_BALANCE_PERCENT(self) -> int:
        """How much of a code's credits may be left for its managers to be told."""
        return self._get("LOW_BALANCE_PERCENT", 10)

    @property
    def INVITATIONS_A_DAY(self) -> int:
        """How many people a manager may invite to look after codes in 24 hours."""
        return self._get("INVITATIONS_A_DAY", 20)

    @property
    def USE_NOTICES(self) -> str:
        """How often managers hear what was used, where they have not chosen.

        `"at once"`, `"daily"`, `"weekly"` or `"never"`.
        """
        return self._get("USE_NOTICES", OFF)

    @property
    def ACCESS_ENDS_DAYS(self) -> list[int]:
        """How many days before their access ends learners hear of it, each once."""
        return self._get("ACCESS_ENDS_DAYS", [14, 3])

    @property
    def LEARNER_LANGUAGE(self) -> str:
        """A function from a user, or None, to the language of mails to them."""
        return self._get(
            "LEARNER_LANGUAGE", "oscar_training_credits.policies.site_language"
        )

    @property
    def REQUESTS_ADDRESS(self) -> str:
        """The e-mail address of requests for credits that no manager can answer.

        Without one, learners without a code that somebody looks after can't ask.
        """
        return self._get("REQUESTS_ADDRESS", "")

    @property
    def REQUEST_DAYS(self) -> int:
        """How many days a request for credits waits, and what it is given lasts."""
        return self._get("REQUEST_DAYS", 14)

    @property
    def HOLD_MINUTES(self) -> int:
        """How long credits stay held while other money is being paid."""
        return self._get("HOLD_MINUTES", 30)

    @property
    def MOST_PLACES(self) -> int:
        """How many places of one training product an order may hold.

        With 1 learners buy for themselves only.
        """
        return self._get("MOST_PLACES", 1)

    @property
    def BUY_AGAIN(self) -> str:
        """Whether learners may buy again what they have bought before.

        `"always"`, which extends what runs; `"after end"`, once it has ended; or
        `"never"`.
        """
        return self._get("BUY_AGAIN", ALWAYS)

    @property
    def SOURCE_TYPE(self) -> str:
        """The name of Oscar's payment source type for credits."""
        return self._get("SOURCE_TYPE", "Training credits")

    @property
    def PAID_STATUSES(self) -> list[str]:
        """The statuses in which an order is paid, so that its training opens.

        With none, training opens when the order is written.
        """
        return self._get("PAID_STATUSES", [])

    @property
    def REFUND_STATUSES(self) -> list[str]:
        """The statuses of an order or a line that give its credits back."""
        return self._get("REFUND_STATUSES", ["Cancelled", "Refunded"])

    @property
    def REFUND_GRACE_DAYS(self) -> int | None:
        """How many days credits live that are given back after they have expired.

        With None or 0 such credits are not given back.
        """
        return self._get("REFUND_GRACE_DAYS", 30)

    @property
    def REFUND_ENDS_ACCESS(self) -> bool:
        """Whether access ends when all credits of an order line are given back."""
        return self._get("REFUND_ENDS_ACCESS", True)

    @property
    def API_IS_PAID_FIRST(self) -> bool:
        """Whether an order by django-oscar-api is paid before it is written."""
        return self._get("API_IS_PAID_FIRST", False)

    @property
    def TASK_BACKEND(self) -> str:
        """The name in `TASKS` of what does long work on many codes."""
        return self._get("TASK_BACKEND", "default")

    def load(self, name: str) -> Callable[..., Any]:
        """Import the object that the dotted path in the setting `name` points to."""
        return cast("Callable[..., Any]", import_string(getattr(self, name)))

    def load_all(self, name: str) -> list[Callable[..., Any]]:
        """Import all objects that the list of dotted paths in `name` points to."""
        return [import_string(path) for path in getattr(self, name)]

    def _get(self, name: str, default: T) -> T:
        return cast("T", getattr(django_settings, PREFIX + name, default))


settings = Settings()
