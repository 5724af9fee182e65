"""A site that has its own templates hears which of them show no credits."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import oscar
import pytest
from django.core.checks import run_checks
from django.template import engines

pytestmark = pytest.mark.any_database

OSCARS = Path(oscar.__file__).parent / "templates"
LOAD = "{% load training_credits %}"


@pytest.fixture
def own_templates(tmp_path, settings):
    """A folder of the site's own templates, in front of all others."""
    folder = tmp_path / "templates"
    folder.mkdir()
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [folder]}]
    return folder


def copy_oscars(name: str, folder: Path) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(OSCARS / name, file)
    return file


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def lacking() -> list:
    return [
        message
        for message in run_checks(tags=["training_credits"])
        if message.id == "training_credits.W040"
    ]


def files_named() -> set[str]:
    return {message.msg.partition(",")[0] for message in lacking()}


def test_a_site_that_copied_all_of_oscars_templates_hears_of_each_that_matters(
    own_templates,
):
    shutil.copytree(OSCARS / "oscar", own_templates / "oscar")

    assert files_named() == {
        "oscar/basket/partials/basket_content.html",
        "oscar/basket/partials/basket_totals.html",
        "oscar/catalogue/partials/stock_record.html",
        "oscar/checkout/payment_details.html",
        "oscar/checkout/preview.html",
        "oscar/checkout/thank_you.html",
        "oscar/communication/emails/commtype_order_placed_body.html",
        "oscar/communication/emails/commtype_order_placed_body.txt",
        "oscar/customer/baseaccountpage.html",
        "oscar/customer/order/order_detail.html",
        "oscar/customer/order/order_list.html",
        "oscar/dashboard/catalogue/product_update.html",
        "oscar/dashboard/orders/order_detail.html",
        "oscar/partials/mini_basket.html",
    }


def test_what_the_hints_say_mends_them(own_templates):
    shutil.copytree(OSCARS / "oscar", own_templates / "oscar")

    for message in lacking():
        file = Path(re.search(r"which is (\S+),", message.msg)[1])
        line = re.search(r"add (.*) (?:in|where|near|at|above|among)", message.hint)[1]
        add_to_the_last_block(file, line)
    forget_read_templates()

    assert lacking() == []


def forget_read_templates() -> None:
    for loader in engines["django"].engine.template_loaders:
        loader.reset()


def add_to_the_last_block(file: Path, line: str) -> None:
    text = file.read_text()
    before, end, after = text.rpartition("{% endblock")
    inside = f"{before}{LOAD}{line}{end}{after}"
    file.write_text(inside if end else f"{text}{LOAD}{line}")


def test_the_message_names_the_file_and_the_line(own_templates):
    file = copy_oscars("oscar/checkout/payment_details.html", own_templates)

    (message,) = lacking()

    assert str(file) in message.msg
    assert "no box for a code" in message.msg
    assert f"{LOAD} add {{% code_box %}} above" in message.hint


def test_a_page_that_includes_no_part_of_oscars_is_named_itself(own_templates):
    text = "{% extends 'oscar/layout.html' %}{% block content %}Own{% endblock %}"
    write(own_templates, "oscar/basket/basket.html", text)

    assert files_named() == {"oscar/basket/basket.html"}


def test_a_template_that_fills_a_block_and_keeps_ours_is_left_alone(own_templates):
    text = (
        "{% extends 'oscar/checkout/payment_details.html' %}"
        "{% block payment_details %}<p>Own</p>{{ block.super }}{% endblock %}"
    )
    write(own_templates, "oscar/checkout/payment_details.html", text)

    assert lacking() == []


def test_a_template_that_fills_a_block_and_drops_ours_is_named(own_templates):
    text = (
        "{% extends 'oscar/checkout/payment_details.html' %}"
        "{% block payment_details %}<p>Own</p>{% endblock %}"
    )
    write(own_templates, "oscar/checkout/payment_details.html", text)

    assert files_named() == {"oscar/checkout/payment_details.html"}


def test_a_tag_in_a_template_that_is_included_counts(own_templates):
    copy_oscars("oscar/checkout/payment_details.html", own_templates)
    text = "{% extends 'oscar/checkout/checkout.html' %}{% block payment_details %}"
    text += "{% include 'own/box.html' %}{% endblock %}"
    write(own_templates, "oscar/checkout/payment_details.html", text)
    write(
        own_templates, "own/box.html", LOAD + "{% if user %}{% code_box %}{% endif %}"
    )

    assert lacking() == []


def test_the_template_that_a_view_names_is_read(own_templates, monkeypatch):
    from django.urls import resolve, reverse

    view = resolve(reverse("checkout:preview")).func.view_class
    monkeypatch.setattr(view, "template_name_preview", "own/preview.html")
    write(own_templates, "own/preview.html", "{{ order_total.incl_tax }}")

    assert files_named() == {"own/preview.html"}
    assert len(lacking()) == 3


def test_the_page_of_one_product_class_is_read(own_templates):
    write(own_templates, "oscar/catalogue/detail-for-class-course.html", "Own")

    assert files_named() == {"oscar/catalogue/detail-for-class-course.html"}


def test_a_page_that_prints_no_money_needs_no_credits_there(own_templates):
    write(own_templates, "oscar/partials/mini_basket.html", "Basket")

    assert lacking() == []


def test_a_template_that_cannot_be_read_is_left_to_django(own_templates):
    write(own_templates, "oscar/checkout/preview.html", "{% if %}")
    write(own_templates, "oscar/checkout/thank_you.html", "{% extends 'no.html' %}")
    write(own_templates, "oscar/catalogue/detail.html", "{% include 'no.html' %}")

    assert files_named() == {"oscar/catalogue/detail.html"}
