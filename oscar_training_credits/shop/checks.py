"""System checks of the shop's templates: each shows what is needed of credits.

A site that copied Oscar's templates has them in front of ours, and nobody there would
see a box for codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Warning, register
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template
from django.urls import NoReverseMatch, resolve, reverse

from .templates_in_use import Reach, reach_of

OWN_PAGES_OF_PRODUCTS = "oscar/catalogue/detail-for-*.html"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of Oscar's, or a part of one that no view names."""

    template: str
    """The template that Oscar gives it."""
    url: str = ""
    """The URL whose view may name another one."""
    attribute: str = "template_name"


@dataclass(frozen=True, slots=True)
class Need:
    """What a page must lead to, and what a visitor misses without."""

    any_of: tuple[str, ...]
    """Tags of ours, names of URLs, or templates."""
    line: str
    where: str
    missing: str
    part: str = ""
    """The template that Oscar's page includes for it."""
    if_money: bool = False
    """Needed only where the page prints money."""


BASKET = Page("oscar/basket/basket.html", "basket:summary")
PAYMENT = Page("oscar/checkout/payment_details.html", "checkout:payment-details")
PREVIEW = Page(
    "oscar/checkout/preview.html", "checkout:preview", "template_name_preview"
)
THANKS = Page("oscar/checkout/thank_you.html", "checkout:thank-you")
ORDER = Page("oscar/customer/order/order_detail.html", "customer:order")
ORDERS = Page("oscar/customer/order/order_list.html", "customer:order-list")
ACCOUNT = Page("oscar/customer/baseaccountpage.html")
PRODUCT = Page("oscar/catalogue/detail.html")
PRODUCTS = Page("oscar/catalogue/partials/product.html")
MINI_BASKET = Page("oscar/partials/mini_basket.html")
MAIL = Page("oscar/communication/emails/commtype_order_placed_body.html")
TEXT_MAIL = Page("oscar/communication/emails/commtype_order_placed_body.txt")
STAFF_ORDER = Page("oscar/dashboard/orders/order_detail.html", "dashboard:order-detail")
STAFF_PRODUCT = Page(
    "oscar/dashboard/catalogue/product_update.html", "dashboard:catalogue-product"
)

TOTAL = Need(
    ("basket_total", "total_in_words"),
    "{% basket_total request.basket %}",
    "where it prints the total",
    "no credits in the total",
    if_money=True,
)
LINE = Need(
    ("credits_of_line",),
    "{% credits_of_line line as credits %}"
    "{% if credits is not None %}{{ credits|in_credits }}{% endif %}",
    "where it prints the price of a line",
    "no credits beside the lines",
)
PAID = Need(
    ("settlement_of",),
    "{% settlement_of order as settlement %}"
    "{% if settlement %}{{ settlement.total }}{% endif %}",
    "where it prints the order's total",
    "a total without credits",
)
CONTENT = Need(
    ("contents_of",),
    "{% contents_of order as contents %}{% if contents %}"
    '{% include "training_credits/order_content.html" %}{% endif %}',
    "near the top",
    "no link to what was bought",
)
PRICE = Need(
    ("credits_of_product", "training_purchase"),
    "{% credits_of_product product request as terms %}"
    "{% if terms %}{{ terms.credits|in_credits }}{% endif %}",
    "where it prints the price",
    "no price in credits",
    part="oscar/catalogue/partials/stock_record.html",
)


def _content_of_mail(kind: str) -> Need:
    line = (
        "{% contents_of order domain=site.domain as contents %}{% if contents %}"
        f'{{% include "training_credits/order_mail_content.{kind}" %}}{{% endif %}}'
    )
    return Need(CONTENT.any_of, line, "at the end", CONTENT.missing)


NEEDS = {
    BASKET: (
        Need(
            ("code_box",),
            "{% code_box %}",
            "in place of Oscar's form for vouchers",
            "no box for a code",
            part="oscar/basket/partials/basket_content.html",
        ),
        Need(
            LINE.any_of,
            LINE.line,
            LINE.where,
            LINE.missing,
            part="oscar/basket/partials/basket_content.html",
        ),
        Need(
            TOTAL.any_of,
            "{% total_in_words order_total basket %}",
            TOTAL.where,
            TOTAL.missing,
            part="oscar/basket/partials/basket_totals.html",
            if_money=True,
        ),
    ),
    PAYMENT: (
        Need(
            ("code_box",),
            "{% code_box %}",
            "above the form for other payment",
            "no box for a code",
        ),
    ),
    PREVIEW: (
        Need(
            ("shown_terms",),
            "{% shown_terms %}",
            "inside the form that places the order",
            "no mark of what was shown, so a price that rises is not shown again",
        ),
        Need(
            ("code_box",),
            "{% code_box editable=False %}",
            "where it says how the order is paid",
            "no split between credits and money",
        ),
        Need(
            LINE.any_of,
            LINE.line,
            LINE.where,
            LINE.missing,
            part="oscar/checkout/checkout.html",
        ),
    ),
    THANKS: (PAID, CONTENT),
    ORDER: (PAID, CONTENT),
    ORDERS: (
        Need(
            ("order_total",),
            "{% order_total order %}",
            "where it prints the total of an order",
            PAID.missing,
        ),
    ),
    ACCOUNT: (
        Need(
            ("training_credits:my-training",),
            "<a href=\"{% url 'training_credits:my-training' %}\">My training</a>",
            "in the menu",
            "no way to My training",
        ),
    ),
    PRODUCT: (PRICE,),
    PRODUCTS: (PRICE,),
    MINI_BASKET: (TOTAL,),
    MAIL: (PAID, _content_of_mail("html")),
    TEXT_MAIL: (PAID, _content_of_mail("txt")),
    STAFF_ORDER: (
        Need(
            ("training_credits/dashboard_refund_actions.html",),
            '{% include "training_credits/dashboard_refund_actions.html" %}',
            "among the actions for lines, inside their form",
            "no way to give credits back",
        ),
    ),
    STAFF_PRODUCT: (
        Need(
            ("training_credits/dashboard_terms.html",),
            "{% if training_form %}"
            '{% include "training_credits/dashboard_terms.html"'
            " with form=training_form only %}{% endif %}",
            "inside the form",
            "no terms of training",
        ),
    ),
}


@register("training_credits")
def check_templates(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Our templates stand in front of Oscar's, and the site's own lead to our tags."""
    if _is_oscars("oscar/checkout/preview.html"):
        return [_hidden()]
    # What several pages lack by the same file is said once.
    found = {
        (message.msg, message.hint): message
        for page, needs in [*NEEDS.items(), *_pages_of_some_products()]
        for message in _check_page(page, needs)
    }
    return list(found.values())


def _is_oscars(name: str) -> bool:
    try:
        template: Any = get_template(name)
    except (TemplateDoesNotExist, TemplateSyntaxError):
        return False
    return "/oscar/templates/oscar/" in Path(template.origin.name).as_posix()


def _hidden() -> Warning:
    return Warning(
        "Oscar's templates hide those of training credits: nobody sees a code box.",
        hint='Put "oscar_training_credits" before Oscar\'s apps in INSTALLED_APPS.',
        id="training_credits.W001",
    )


def _pages_of_some_products() -> Iterator[tuple[Page, tuple[Need, ...]]]:
    """Yield the pages that Oscar takes for one product or one product class."""
    names = {
        path.relative_to(folder).as_posix()
        for backend in engines.all()
        if isinstance(backend, DjangoTemplates)
        for folder in map(Path, backend.template_dirs)
        for path in folder.glob(OWN_PAGES_OF_PRODUCTS)
    }
    for name in sorted(names):
        yield Page(name), NEEDS[PRODUCT]


def _check_page(page: Page, needs: tuple[Need, ...]) -> Iterator[CheckMessage]:
    name = _template_of(page)
    if (reach := reach_of(name)) is None:
        return
    for need in needs:
        is_needed = reach.prints_money or not need.if_money
        if is_needed and not reach.leads_to(need.any_of):
            yield _lacking(name, need, reach)


def _template_of(page: Page) -> str:
    """Return the template of a page as the site's own view names it."""
    try:
        view = resolve(reverse(page.url, args=_arguments(page.url))).func
    except NoReverseMatch:
        return page.template
    named = getattr(getattr(view, "view_class", None), page.attribute, None)
    return str(named or page.template)


def _arguments(url: str) -> tuple[str, ...]:
    return {
        "customer:order": ("1",),
        "dashboard:order-detail": ("1",),
        "dashboard:catalogue-product": ("1",),
    }.get(url, ())


def _lacking(name: str, need: Need, reach: Reach) -> Warning:
    if need.part in reach.files:
        name = need.part
    return Warning(
        f"{name}, which is {reach.files[name]}, shows {need.missing}.",
        hint=f"After {{% load training_credits %}} add {need.line} {need.where}; or"
        " extend the template of the same name instead of replacing it, and keep"
        " {{ block.super }} in its blocks.",
        id="training_credits.W040",
    )
