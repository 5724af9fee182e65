#!/usr/bin/env bash
# django-ledger 0.8.5: an invoice of three trainings at 33.33, half delivered, is 50.00 of
# receivables and three times 16.66 of earnings. The two cents between are not put to one
# account by a rule: for each, a side and a posting on it are drawn at random, and it is
# raised or lowered by a cent. The same invoice, entered again, gives other books, and
# receivables are not half of the invoice.
. "$(dirname "$0")/_site.sh"
packages "django==5.2.19" django-ledger==0.8.5
plain_site
echo 'INSTALLED_APPS += ["django_ledger"]' >>"$FOLDER/settings.py"
seen "The same invoice, 40 times, is in receivables: 49.98, 49.99, 50.00
Earnings from welding are always the same: False" <<'PYTHON'
from decimal import Decimal

from django.contrib.auth.models import User
from django_ledger.io import roles
from django_ledger.io.io_core import get_localdate
from django_ledger.models import EntityModel, InvoiceModel, ItemModel
from django_ledger.models import TransactionModel

staff = User.objects.create_user("staff")
academy = EntityModel.create_entity(
    name="Academy", use_accrual_method=True, admin=staff, fy_start_month=1
)
chart = academy.create_chart_of_accounts(assign_as_default=True, commit=True)
academy.populate_default_coa(activate_accounts=True)
customer = academy.create_customer({"customer_name": "A company"})
seat = academy.create_uom(name="Seat", unit_abbr="seat")
costs = academy.get_coa_accounts().filter(role__in=roles.GROUP_COGS).first()


def training(code, name):
    earnings = chart.create_account(
        code, roles.INCOME_OPERATIONAL, name, "credit", active=True
    )
    service = ItemModel(
        entity=academy, name=name, uom=seat, item_role=ItemModel.ITEM_ROLE_SERVICE,
        item_type=ItemModel.ITEM_TYPE_LABOR, earnings_account=earnings,
        cogs_account=costs,
    )
    service.clean()
    service.save()
    return service


trainings = [training("4101", "Welding"), training("4102", "Cooking")]
trainings.append(training("4103", "Sewing"))
one_each = {"unit_cost": Decimal("33.33"), "quantity": Decimal(1), "total_amount": None}


def posted():
    invoice = academy.create_invoice(customer, "on_receipt", date_draft=get_localdate())
    lines = {each.item_number: dict(one_each) for each in trainings}
    invoice.migrate_itemtxs(lines, InvoiceModel.ITEMIZE_REPLACE, commit=True)
    invoice.accrue, invoice.progress = True, Decimal("0.5")
    invoice.save()
    invoice.mark_as_review(commit=True)
    invoice.mark_as_approved(academy.slug, staff, commit=True)
    postings = TransactionModel.objects.filter(journal_entry__ledger=invoice.ledger)
    return dict(postings.values_list("account__name", "amount"))


books = [posted() for _ in range(40)]
receivable = sorted({str(each["Accounts Receivable"]) for each in books})
print("The same invoice, 40 times, is in receivables:", ", ".join(receivable))
earned = {each["Welding"] for each in books}
print("Earnings from welding are always the same:", len(earned) == 1)
PYTHON
