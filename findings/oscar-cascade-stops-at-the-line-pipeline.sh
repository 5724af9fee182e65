#!/usr/bin/env bash
# django-oscar 4.2.1: its docs say of `OSCAR_ORDER_STATUS_CASCADE` that it ignores the
# restrictions of `OSCAR_LINE_STATUS_PIPELINE`. It obeys them, and says nothing: a line
# keeps its status if the pipeline doesn't lead from there to the new one, or is empty, as
# it is by default. The order is paid, its lines are not, and what goes by the lines,
# such as access to the training, waits for ever.
. "$(dirname "$0")/_site.sh"
packages django-oscar[sorl-thumbnail]==4.2.1 "django==5.2.19" factory-boy==3.3.3 setuptools==80.9.0
oscar_site
cat >>"$FOLDER/settings.py" <<'PYTHON'
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Paid",), "Paid": ()}
OSCAR_ORDER_STATUS_CASCADE = {"Paid": "Paid"}
PYTHON
seen "No pipeline for lines: order Paid, line Pending
A pipeline for lines that leads elsewhere: order Paid, line Pending
A pipeline for lines that leads there: order Paid, line Paid" <<'PYTHON'
from oscar.core.loading import get_model
from oscar.test.factories import create_basket, create_order, create_product

Line = get_model("order", "Line")
for number, (words, pipeline) in enumerate(
    {
        "No pipeline for lines": {},
        "A pipeline for lines that leads elsewhere": {"Pending": ("Cancelled",)},
        "A pipeline for lines that leads there": {"Pending": ("Paid",)},
    }.items()
):
    Line.pipeline = pipeline  # as the setting, which is read once
    basket = create_basket(empty=True)
    basket.add_product(create_product(price="90.00", num_in_stock=1))
    order = create_order(number=str(number), basket=basket)
    order.set_status("Paid")
    print(f"{words}: order {order.status}, line {order.lines.get().status}")
PYTHON
