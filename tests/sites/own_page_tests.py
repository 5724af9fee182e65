"""Run by test_own_page.py, on a site with a page model of its own."""

from __future__ import annotations

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.urls import reverse
from wagtail.models import Locale, Site

from oscar_training_credits.cms.checks import check_pages
from oscar_training_credits.cms.content import course_pages
from oscar_training_credits.cms.exceptions import AlreadySold
from oscar_training_credits.credits.models import TrainingProduct
from oscar_training_credits.test.factories import make_learner, make_product
from tests.sites.own_page.models import BasePage, CoursePage

pytestmark = pytest.mark.django_db


@pytest.fixture
def root():
    Locale.objects.get_or_create(language_code="en-gb")
    return BasePage.get_first_root_node() or BasePage.add_root(
        instance=BasePage(title="Root", slug="root")
    )


@pytest.fixture
def product():
    product = make_product("Django", "240.00")
    product.is_public = False
    product.save()
    return product


def make_page(root, product, **terms):
    page = CoursePage(title="Django", product=product, credits=20, **terms)
    root.add_child(instance=page)
    page.save_revision().publish()
    page.refresh_from_db()
    return page


def is_public(product):
    product.refresh_from_db()
    return product.is_public


def test_a_page_puts_its_product_on_sale_and_takes_it_off(root, product):
    page = make_page(root, product)

    assert is_public(product)
    assert TrainingProduct.objects.get().credits == 20
    page.delete()
    assert not is_public(product)


def test_two_live_pages_do_not_sell_one_product(root, product):
    make_page(root, product)

    with pytest.raises(AlreadySold):
        make_page(root, product)


def test_a_page_saved_as_an_ordinary_one_is_followed(root, product):
    page = make_page(root, product)
    page.unpublish()
    bare = BasePage.objects.get(pk=page.pk)
    bare.live = True

    bare.save()

    assert is_public(product)


def test_bulk_publishing_leaves_out_what_another_page_sells(root, product, client):
    page = make_page(root, product)
    rival = CoursePage(title="Rival", live=False, product=product)
    root.add_child(instance=rival)
    rival.save_revision()
    client.force_login(make_learner(is_staff=True, is_superuser=True))
    address = reverse("wagtail_bulk_action", args=["own_page", "basepage", "publish"])

    response = client.post(f"{address}?id={rival.pk}&next=/cms/")

    assert response.status_code == 302
    rival.refresh_from_db()
    assert (page.live, rival.live) == (True, False)
    told = [str(each) for each in get_messages(response.wsgi_request)]
    assert "“Rival” is not published" in " ".join(told)


def test_links_lead_to_the_page(root, product):
    page = make_page(root, product)
    Site.objects.update_or_create(
        is_default_site=True, defaults={"hostname": "testserver", "root_page": root}
    )
    training = TrainingProduct.objects.get()

    assert page.get_url() == "/django/"
    assert course_pages([training])[training.pk] == page.get_url()


def test_checks_look_at_the_page_model():
    assert [each.id for each in check_pages(None)] == ["training_credits.E021"]


def test_the_nightly_command_looks_at_the_pages(root, product, capsys):
    page = make_page(root, product)
    page.unpublish()
    BasePage.objects.filter(pk=page.pk).update(live=True)

    call_command("check_on_sale", "--mend")

    assert is_public(product)
