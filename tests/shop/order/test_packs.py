"""Credits on sale: bought at Oscar's checkout, on a code once the order is paid."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.ledger import packs
from oscar_training_credits.credits.models import (
    CreditCode,
    CreditGrant,
    LedgerEntry,
    PackSale,
)
from oscar_training_credits.credits.terms import end_of
from oscar_training_credits.shop.catalogue.packs import pack_of, sell_as_pack
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.books import assert_balanced
from ...support.editors import product_form
from ...support.shop import Learner, text_of, words
from ...support.vouchers import make_voucher

Order = get_model("order", "Order")

pytestmark = [pytest.mark.django_db, pytest.mark.all_databases]


@pytest.fixture
def buyer() -> Learner:
    return Learner(make_learner(email="buyer@example.com", first_name="Bea"))


@pytest.fixture
def pack() -> Any:
    """100 credits for £1,000."""
    product = make_product("100 credits", "1000.00")
    sell_as_pack(product, credits=100, days=30)
    return product


@pytest.fixture
def pays_later(settings, monkeypatch):
    """A site whose orders are written first and paid afterwards."""
    settings.TRAINING_CREDITS_PAID_STATUSES = ["Paid"]
    settings.OSCAR_INITIAL_ORDER_STATUS = "Pending"
    steps = {"Pending": ("Paid", "Cancelled"), "Paid": ("Cancelled",), "Cancelled": ()}
    monkeypatch.setattr(Order, "pipeline", steps)
    monkeypatch.setattr(Order, "cascade", {})


def bought(buyer: Learner, product: Any, quantity: int = 1) -> Any:
    buyer.add(product, quantity)
    response = buyer.place()
    assert response.url == reverse("checkout:thank-you"), text_of(response)
    return buyer.order()


def spend(
    credits: int, *, code: CreditCode, learner: Any = None, title: str = "Course"
) -> None:
    api.purchase(
        make_training(title, credits=credits),
        learner=learner or make_learner(),
        code=code,
        idempotency_key="once",
    )


def test_a_pack_puts_credits_on_a_code_of_the_buyers_own(buyer, pack):
    order = bought(buyer, pack, 2)

    code = CreditCode.objects.get()
    grant = code.grants.get()
    assert (grant.credits, code.balance()) == (200, 200)
    assert (grant.origin, grant.paid_amount) == ("sale", Decimal("2000.00"))
    today = timezone.localdate()
    assert grant.expires_at == end_of(today + timedelta(days=30))
    assert code.reference == order.number
    assert [each.user for each in code.managers.all()] == [buyer.user]
    assert_balanced()


def test_a_voucher_lowers_the_price_and_not_the_credits(buyer, pack):
    make_voucher("SPRING10")
    buyer.add(pack)
    buyer.apply("SPRING10")
    buyer.place()

    grant = CreditGrant.objects.get()
    assert (grant.credits, grant.paid_amount) == (100, Decimal("900.00"))


def test_credits_cannot_buy_credits(pack):
    with pytest.raises(ValidationError, match="only money can buy"):
        sell_as_training(pack, credits=20)
    with pytest.raises(ValidationError, match="can't be bought with credits"):
        sell_as_pack(make_training(credits=20).product, credits=100)


def test_a_code_pays_for_the_course_beside_a_pack_and_not_for_the_pack(buyer, pack):
    code = make_code(2_000, text="ACME-TEAM-2026")
    buyer.add(make_training(credits=20, price="240.00").product)
    buyer.add(pack)
    buyer.apply("ACME-TEAM-2026")
    buyer.place()

    assert code.balance() == 1_980
    assert buyer.order().total_incl_tax == Decimal("1000.00")
    assert CreditGrant.objects.exclude(code=code).get().credits == 100


def test_a_visitor_needs_an_account_for_a_pack(client, pack, settings):
    settings.OSCAR_ALLOW_ANON_CHECKOUT = True
    client.post(reverse("basket:add", args=[pack.pk]), {"quantity": 1})

    response = client.get(reverse("checkout:shipping-address"), follow=True)

    assert reverse("customer:login") in str(response.redirect_chain)
    assert not Order.objects.exists()


def test_nothing_is_granted_until_the_order_is_paid_and_once_then(
    buyer, pack, pays_later
):
    order = bought(buyer, pack)
    assert not CreditCode.objects.exists()
    assert "when this order is paid" in words(
        text_of(buyer.client.get(reverse("customer:order", args=[order.number])))
    )

    order.set_status("Paid")
    order.save()
    packs.issue_due(order)
    packs.issue_paid()

    assert CreditGrant.objects.get().credits == 100
    assert CreditCode.objects.get().balance() == 100
    note = order.notes.get().message
    assert "100 credits are on Credits of Bea" in note


def test_a_status_that_was_set_by_an_update_is_made_up_for(buyer, pack, pays_later):
    order = bought(buyer, pack)
    Order.objects.filter(pk=order.pk).update(status="Paid")

    packs.issue_paid()
    packs.issue_paid()

    assert CreditGrant.objects.get().credits == 100


def test_an_order_that_is_cancelled_before_it_is_paid_grants_nothing(
    buyer, pack, pays_later, settings
):
    settings.TRAINING_CREDITS_REFUND_STATUSES = ["Cancelled"]
    order = bought(buyer, pack)

    order.set_status("Cancelled")
    Order.objects.filter(pk=order.pk).update(status="Paid")
    packs.issue_paid()

    assert not CreditGrant.objects.exists()
    assert "will not be put on a code" in order.notes.get().message


def test_cancelling_takes_back_what_is_unspent_and_says_what_was_spent(
    buyer, pack, pays_later, settings
):
    settings.TRAINING_CREDITS_REFUND_STATUSES = ["Cancelled"]
    order = bought(buyer, pack)
    order.set_status("Paid")
    code = CreditCode.objects.get()
    spend(40, code=code)

    order.set_status("Cancelled")
    packs.take_back(order.lines.all())

    assert code.balance() == 0
    assert LedgerEntry.objects.get(kind="adjust").credits == -60
    assert PackSale.objects.get().taken_back == 60
    note = " ".join(order.notes.values_list("message", flat=True))
    assert "60 credits bought were taken back from" in note
    assert "40 credits were spent" in note
    assert_balanced()


def test_staff_read_before_they_cancel_what_is_taken_back(
    buyer, pack, pays_later, settings, admin_client
):
    settings.TRAINING_CREDITS_REFUND_STATUSES = ["Cancelled"]
    order = bought(buyer, pack)
    order.set_status("Paid")
    code = CreditCode.objects.get()
    spend(40, code=code)
    address = reverse("dashboard:order-detail", args=[order.number])

    form = {"order_action": "change_order_status", "new_status": "Cancelled"}
    asked = words(text_of(admin_client.post(address, form)))

    assert "60 of 100 credits bought are taken back from Credits of Bea" in asked
    assert code.balance() == 60
    admin_client.post(address, {**form, "confirmed": "yes"})
    assert code.balance() == 0


def test_a_sale_that_is_paid_and_granted_nothing_is_found(buyer, pack, pays_later):
    order = bought(buyer, pack)
    Order.objects.filter(pk=order.pk).update(status="Paid")
    sale = PackSale.objects.get()

    [found] = api.audit()
    call_command("open_paid_access")

    assert (found.model, found.pk) == ("packsale", sale.pk)
    assert list(api.audit()) == []
    CreditGrant.objects.update(credits=101)
    assert "packsale" in {each.model for each in api.audit()}


def test_a_pack_tops_up_the_code_that_its_manager_chose(buyer, pack):
    first = bought(buyer, pack)
    code = CreditCode.objects.get()
    page = buyer.client.get(reverse("training_credits:my-code", args=[code.pk]))
    assert "100 credits" in words(text_of(page))

    buyer.client.post(
        reverse("training_credits:my-code-top-up", args=[code.pk]), {"pack": pack.pk}
    )
    buyer.place()

    assert buyer.order() != first
    assert [grant.credits for grant in code.grants.order_by("pk")] == [100, 100]
    assert CreditCode.objects.count() == 1


def test_a_code_that_is_closed_meanwhile_gives_way_to_a_new_one(
    buyer, pack, pays_later
):
    first = bought(buyer, pack)
    first.set_status("Paid")
    old = CreditCode.objects.get()
    top_up = reverse("training_credits:my-code-top-up", args=[old.pk])
    buyer.client.post(top_up, {"pack": pack.pk})
    buyer.place()
    api.close_code(old)

    buyer.order().set_status("Paid")

    new = CreditCode.objects.exclude(pk=old.pk).get()
    assert new.balance() == 100
    address = reverse("training_credits:my-code-text", args=[new.pk])
    assert "The code is:" in text_of(buyer.client.post(address, follow=True))


def test_nobody_tops_up_a_code_of_somebody_else(buyer, pack):
    other = make_code(5)
    address = reverse("training_credits:my-code-top-up", args=[other.pk])

    assert buyer.client.post(address, {"pack": pack.pk}).status_code == 404


def test_the_buyer_sees_the_code_once(buyer, pack):
    bought(buyer, pack)
    code = CreditCode.objects.get()
    thanks = text_of(buyer.client.get(reverse("checkout:thank-you")))
    address = reverse("training_credits:my-code-text", args=[code.pk])
    assert f'action="{address}"' in thanks
    assert f"/credits/{code.pk}/" in mail.outbox[0].body

    shown = text_of(buyer.client.post(address, follow=True))
    again = text_of(buyer.client.post(address, follow=True))

    [text] = re.findall(r'id="new-code"[^>]*value="([^"]+)"', shown)
    assert api.find_code(text) == code
    assert text not in again
    assert "shown before" in again
    assert text not in text_of(buyer.client.get(address))


def test_a_manager_reads_who_used_what_and_gives_the_code_a_new_text(buyer, pack):
    bought(buyer, pack)
    code = CreditCode.objects.get()
    learner = make_learner(email="lee@example.com", first_name="Lee")
    spend(20, code=code, learner=learner, title="Django")
    page = reverse("training_credits:my-code", args=[code.pk])

    shown = words(text_of(buyer.client.get(page)))
    rotate = reverse("training_credits:my-code-rotate", args=[code.pk])
    first = text_of(buyer.client.post(rotate, {"key": "k"}, follow=True))
    again = text_of(buyer.client.post(rotate, {"key": "k"}, follow=True))

    assert "Lee Django 20" in shown
    assert "Credits left 80" in shown
    [text] = re.findall(r'id="new-code"[^>]*value="([^"]+)"', first)
    assert api.find_code(text) == code
    assert "its new text already" in words(again)


def test_a_manager_pauses_a_code_and_not_what_staff_have_disabled(buyer, pack):
    bought(buyer, pack)
    code = CreditCode.objects.get()
    address = reverse("training_credits:my-code-pause", args=[code.pk])

    def state_after(**form: str) -> str:
        buyer.client.post(address, form)
        code.refresh_from_db()
        return code.state

    assert state_after() == "disabled"
    assert state_after(resume="") == "active"
    api.set_state(code, "disabled", by=make_learner(is_staff=True))
    assert state_after(resume="") == "disabled"


def test_managers_invite_and_remove_each_other(
    buyer, pack, django_capture_on_commit_callbacks
):
    bought(buyer, pack)
    code = CreditCode.objects.get()
    address = reverse("training_credits:my-code-managers", args=[code.pk])
    with django_capture_on_commit_callbacks(execute=True):
        buyer.client.post(address, {"address": "Kim@acme.example"})
        buyer.client.post(address, {"address": "kim@acme.example"})
    assert [each.to for each in mail.outbox[1:]] == [["kim@acme.example"]]
    assert "(invited)" in text_of(buyer.client.get(address))

    alone = buyer.client.post(address, {"remove": "buyer@example.com"}, follow=True)
    buyer.client.post(address, {"remove": "kim@acme.example"})

    assert "Somebody must look after the code" in text_of(alone)
    assert [each.user for each in code.managers.all()] == [buyer.user]


def test_staff_sell_a_product_as_a_pack_in_the_dashboard(admin_client):
    product = make_product("50 credits", "500.00")
    product.categories.add(create_from_breadcrumbs("Credits"))
    address = reverse("dashboard:catalogue-product", args=[product.pk])
    page = text_of(admin_client.get(address))
    assert "Sold as a pack of credits" in page

    def saved(**fields: str) -> Any:
        form = {**product_form(page), "action": "save"}
        form |= {f"pack-{name}": value for name, value in fields.items()}
        response = admin_client.post(address, form)
        pack = pack_of(type(product).objects.get(pk=product.pk))
        return response.status_code, pack and (pack.credits, pack.days)

    assert saved(credits="50", days="365") == (302, (50, 365))
    assert saved(credits="", days="365") == (200, (50, 365))
    assert saved(credits="0", days="") == (200, (50, 365))
    assert saved(credits="", days="") == (302, None)
    sell_as_training(product, credits=20)
    assert saved(credits="50") == (200, None)


def test_a_partner_sells_no_credits(client):
    product = make_product("50 credits", "500.00")
    product.categories.add(create_from_breadcrumbs("Credits"))
    user = make_learner(email="partner@example.com")
    access = Permission.objects.get(codename="dashboard_access")
    user.user_permissions.add(access)
    product.stockrecords.get().partner.users.add(user)
    client.force_login(user)
    address = reverse("dashboard:catalogue-product", args=[product.pk])
    page = text_of(client.get(address))
    form = {**product_form(page), "action": "save"}

    client.post(address, {**form, "pack-shown": "True", "pack-credits": "50"})

    assert "Sold as a pack" not in page
    assert pack_of(type(product).objects.get(pk=product.pk)) is None
