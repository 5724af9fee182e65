"""What the shop sells: courses, a handbook, credits, and one voucher."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from django.core.files.base import ContentFile
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_training_credits.api import sell_as_pack

from .artwork import picture
from .courses import HANDBOOK, Bundle, Course

Benefit = get_model("offer", "Benefit")
Condition = get_model("offer", "Condition")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Country = get_model("address", "Country")
Partner = get_model("partner", "Partner")
Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Range = get_model("offer", "Range")
StockRecord = get_model("partner", "StockRecord")
Voucher = get_model("voucher", "Voucher")

VOUCHER = "SPRING10"


def make_countries() -> None:
    """For the addresses on invoices."""
    for code, name in (("GB", "United Kingdom"), ("IE", "Ireland")):
        Country.objects.get_or_create(
            iso_3166_1_a2=code,
            defaults={
                "printable_name": name,
                "name": name,
                "is_shipping_country": True,
            },
        )


def make_course_product(course: Course):
    return make_product(
        upc=f"course-{course.slug}",
        title=course.title,
        kind="Course",
        category="Courses",
        price=course.price,
        description=(
            f"<p>{course.intro}</p>"
            f'<p><a href="/courses/{course.slug}/">All about this course</a></p>'
        ),
        palette=course.palette,
        motif=course.motif,
    )


def make_bundle_product(bundle: Bundle, *, kind: str, address: str):
    return make_product(
        upc=f"{kind.lower()}-{bundle.slug}",
        title=bundle.title,
        kind=kind,
        category=f"{kind}s",
        price=bundle.price,
        description=f'<p>{bundle.intro}</p><p><a href="{address}">What is in it</a></p>',
        palette=bundle.palette,
        motif=bundle.motif,
    )


def make_handbook():
    return make_product(
        upc="handbook-query-planner", kind="Handbook", category="Handbooks", **HANDBOOK
    )


def make_pack() -> None:
    """Sell credits to customers: a code of their own, for £10 a credit."""
    product = make_product(
        upc="credits-100",
        title="100 training credits",
        kind="Credits",
        category="Credits",
        price=Decimal("1000.00"),
        description="<p>A code with 100 credits for your team, for a year.</p>",
        palette=["#0f2f57", "#1d6fa5", "#8fd3f4"],
        motif="rings",
    )
    sell_as_pack(product, credits=100, days=365)


def make_product(
    *,
    upc: str,
    title: str,
    kind: str,
    category: str,
    price: Decimal | None,
    description: str,
    palette: list[str],
    motif: str,
):
    if product := Product.objects.filter(upc=upc).first():
        return product
    product_class, _ = ProductClass.objects.get_or_create(
        name=kind, defaults={"requires_shipping": False, "track_stock": False}
    )
    product = Product.objects.create(
        upc=upc, title=title, product_class=product_class, description=description
    )
    product.categories.add(create_from_breadcrumbs(category))
    partner, _ = Partner.objects.get_or_create(name="Northlight Academy")
    # No price for a credit-only course: nobody could buy it with money even if
    # training credits were switched off.
    StockRecord.objects.create(
        product=product, partner=partner, partner_sku=upc, price=price
    )
    artwork: ContentFile = picture(upc, palette=palette, motif=motif)
    product.images.create(original=artwork, caption=title)
    return product


def make_range(name: str, *products):
    content, created = Range.objects.get_or_create(name=name)
    if created:
        for product in products:
            content.add_product(product)
    return content


def everything():
    content, _ = Range.objects.get_or_create(
        name="Everything", defaults={"includes_all_products": True}
    )
    return content


def make_voucher() -> None:
    """Ten per cent off everything, for as long as this sandbox will be about."""
    if Voucher.objects.filter(code=VOUCHER).exists():
        return
    offer = ConditionalOffer.objects.create(
        name="Spring offer",
        description="10 % off the whole basket.",
        offer_type=ConditionalOffer.VOUCHER,
        condition=Condition.objects.create(
            range=everything(), type=Condition.COUNT, value=1
        ),
        benefit=Benefit.objects.create(
            range=everything(), type=Benefit.PERCENTAGE, value=10
        ),
    )
    voucher = Voucher.objects.create(
        name="Spring offer",
        code=VOUCHER,
        usage=Voucher.MULTI_USE,
        start_datetime=datetime(2024, 1, 1, tzinfo=timezone.utc),
        end_datetime=datetime(2039, 12, 31, tzinfo=timezone.utc),
    )
    voucher.offers.add(offer)
