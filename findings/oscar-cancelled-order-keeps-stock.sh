#!/usr/bin/env bash
# django-oscar 4.2.1: an order that is cancelled, with a pipeline whose statuses cascade
# to the lines, keeps what it allocated of the stock. Nothing in Oscar calls the event
# handler's `cancel_stock_allocations`, so the last seat stays taken.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
cat >>"$FOLDER/settings.py" <<'PYTHON'
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Cancelled",), "Cancelled": ()}
OSCAR_LINE_STATUS_PIPELINE = OSCAR_ORDER_STATUS_PIPELINE
OSCAR_ORDER_STATUS_CASCADE = {"Cancelled": "Cancelled"}
PYTHON
seen "Order and line: Cancelled, Cancelled
Allocated: 1
Left to sell: 0" <<'PYTHON'
from oscar.apps.order.processing import EventHandler
from oscar.test.basket import add_product
from oscar.test.factories import create_basket, create_order, create_product

product = create_product(price="90.00", num_in_stock=1)
basket = create_basket(empty=True)
basket.add_product(product)
order = create_order(number="1", basket=basket)
EventHandler().handle_order_status_change(order, "Cancelled")

record = product.stockrecords.get()
print(f"Order and line: {order.status}, {order.lines.get().status}")
print("Allocated:", record.num_allocated)
print("Left to sell:", record.net_stock_level)
PYTHON
