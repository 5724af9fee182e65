"""Pages that are private in Wagtail: who is sold what they sell, and who opens it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from oscar.core.loading import get_model
from wagtail.models import Page, PageViewRestriction

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access, LedgerEntry, Place
from oscar_training_credits.credits.terms import ProductKind
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ..credits.access.test_places import accept, links_in, order_page
from ..shop.direct_purchase.test_direct_purchase import Buyer
from ..support.editors import Editor, admin
from ..support.orders import place_order
from ..support.pages import SECRET, course_index, make_course, make_path, make_plan
from ..support.shop import Learner, shown_in, text_of, words

Order = get_model("order", "Order")
Line = get_model("basket", "Line")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

TEXT = "ACME-TEAM-2026"
PASSWORD = "sesame"
NOT_YOURS = "Only certain learners may open this, and you are not one of them."
LOCKED = "This opens with a password. Enter it on its page before you buy."


@pytest.fixture
def members():
    return Group.objects.create(name="Members")


@pytest.fixture(params=["page", "above"])
def place(request, course):
    """The page that is made private: the course's own, or one above it."""
    return course if request.param == "page" else course_index()


def keep_for(group, page):
    restriction = PageViewRestriction.objects.create(
        page=Page.objects.get(pk=page.pk), restriction_type="groups"
    )
    restriction.groups.add(group)
    return restriction


def keep_by_password(page):
    return PageViewRestriction.objects.create(
        page=Page.objects.get(pk=page.pk),
        restriction_type="password",
        password=PASSWORD,
    )


def keep_by_login(page):
    return PageViewRestriction.objects.create(
        page=Page.objects.get(pk=page.pk), restriction_type="login"
    )


def enter_password(learner, restriction, page):
    address = reverse(
        "wagtailcore_authenticate_with_password", args=[restriction.pk, page.pk]
    )
    learner.client.post(address, {"password": PASSWORD, "return_url": page.url})


@pytest.fixture
def private(place, members):
    """The course page, open to members alone."""
    return keep_for(members, place)


@pytest.fixture
def stranger():
    """A learner who is logged in, and no member."""
    return Learner(make_learner())


@pytest.fixture
def member(members):
    learner = Learner(make_learner())
    learner.user.groups.add(members)
    return learner


def shop_page(learner, product):
    return words(text_of(learner.client.get(product.get_absolute_url())))


def opens(learner, page):
    response = learner.client.get(page.url)
    return response.status_code == 200 and SECRET in text_of(response)


# In the shop


def test_the_shop_says_to_whom_it_does_not_sell(course, private, stranger):
    page = shop_page(stranger, course.product)

    assert NOT_YOURS in page
    assert "Add to basket" not in page
    assert "alert when this product is back" not in page


def test_it_is_not_put_into_the_basket(course, private, stranger):
    response = stranger.add(course.product)

    said = [str(message) for message in response.wsgi_request._messages]
    assert NOT_YOURS in " ".join(said)
    assert not Line.objects.exists()


def test_a_member_buys_it(course, private, member):
    assert NOT_YOURS not in shop_page(member, course.product)
    make_code(100, text=TEXT)

    member.add(course.product)
    member.apply(TEXT)
    member.place()

    assert api.has_access(member.user, course.training)
    assert opens(member, course)


def test_a_visitor_sees_the_price_and_is_refused_once_logged_in(course, private):
    visitor = Learner()
    assert "Add to basket" in shop_page(visitor, course.product)
    visitor.add(course.product)

    visitor.client.post(
        reverse("customer:login"),
        {
            "login-username": make_learner(email="new@acme.example").email,
            "login-password": "password",
            "login_submit": "1",
        },
    )

    assert NOT_YOURS in words(visitor.basket_page())
    response = visitor.client.get(reverse("checkout:index"), follow=True)
    assert response.redirect_chain[-1][0] == reverse("basket:summary")
    assert NOT_YOURS in words(text_of(response))


def test_what_becomes_private_in_the_basket_says_so_there(
    course, place, members, stranger
):
    make_code(100, text=TEXT)
    stranger.add(course.product)
    stranger.apply(TEXT)
    keep_for(members, place)

    assert NOT_YOURS in words(stranger.basket_page())
    response = stranger.client.get(reverse("checkout:preview"), follow=True)

    assert response.redirect_chain[-1][0] == reverse("basket:summary")
    assert NOT_YOURS in words(text_of(response))


def test_what_becomes_private_while_it_is_confirmed_is_not_ordered(
    course, place, members, stranger
):
    make_code(100, text=TEXT)
    stranger.add(course.product)
    stranger.apply(TEXT)
    page = stranger.preview()
    keep_for(members, place)

    stranger.place(page)

    assert not Order.objects.exists()
    assert not LedgerEntry.objects.filter(credits__lt=0).exists()


def test_no_order_is_written_whoever_asks_for_it(course, private):
    with pytest.raises(OrderRefused, match="you are not one of them"):
        place_order(make_learner(), (course.product, 1))


def test_several_places_are_not_sold_either(course, private, stranger):
    stranger.add(course.product, 3)

    assert not Line.objects.exists()


@pytest.mark.urlconf("tests.api_urls")
def test_the_api_says_so_too(course, private, stranger):
    product = reverse("product-detail", args=[course.product.pk])

    response = stranger.client.post(
        reverse("api-basket-add-product"),
        {"url": f"http://testserver{product}", "quantity": 1},
        content_type="application/json",
    )

    assert response.status_code == 406
    assert NOT_YOURS in text_of(response)


def test_a_superuser_is_sold_all(course, private):
    boss = Learner(make_learner(is_superuser=True))

    assert NOT_YOURS not in shop_page(boss, course.product)


def test_a_page_for_those_who_are_logged_in_is_sold_to_them(course, place, stranger):
    keep_by_login(place)

    assert "Add to basket" in shop_page(stranger, course.product)
    assert "Add to basket" in shop_page(Learner(), course.product)


def test_a_restriction_without_groups_closes_it_to_everybody(course, place, member):
    PageViewRestriction.objects.create(
        page=Page.objects.get(pk=place.pk), restriction_type="groups"
    )

    assert NOT_YOURS in shop_page(member, course.product)


def test_a_page_with_a_password_is_sold_to_those_who_entered_it(
    course, place, stranger
):
    restriction = keep_by_password(place)
    assert LOCKED in shop_page(stranger, course.product)
    assert "Add to basket" in shop_page(Learner(), course.product)
    stranger.add(course.product)
    assert not Line.objects.exists()

    enter_password(stranger, restriction, course)
    make_code(100, text=TEXT)
    stranger.add(course.product)
    stranger.apply(TEXT)
    stranger.place()

    assert Order.objects.count() == 1
    # In another browser, where nobody has entered it.
    assert opens(Learner(stranger.user), course)


def test_all_restrictions_of_a_page_and_those_above_must_be_met(
    course, members, member
):
    keep_for(members, course)
    keep_for(Group.objects.create(name="Others"), course_index())

    assert NOT_YOURS in shop_page(member, course.product)


def test_a_draft_that_is_private_closes_nothing(course, private, stranger):
    course.unpublish()
    course.product.is_public = True
    course.product.save()

    assert "Add to basket" in shop_page(stranger, course.product)


def test_what_another_open_page_sells_is_for_all(course, members, stranger):
    home = course_index().get_parent()
    alias = course.create_alias(parent=home, update_slug="open")
    keep_for(members, course_index())

    assert NOT_YOURS not in shop_page(stranger, course.product)

    # An alias has the restrictions of its source, whose own this one is.
    keep_for(members, course)
    assert alias.live
    assert NOT_YOURS in shop_page(stranger, course.product)


# On the page


def test_the_page_does_not_sell_to_those_who_may_not_open_it(course, private):
    buyer = Buyer(course)
    make_code(100, text=TEXT)

    buyer.post("purchase-apply", {"code": TEXT})

    assert buyer.client.get(course.url).status_code == 302
    assert not get_model("basket", "Basket").objects.exists()


def test_what_becomes_private_in_an_open_tab_is_not_sold(course, place, members):
    buyer = Buyer(course)
    make_code(100, text=TEXT)
    buyer.box(TEXT)
    page = buyer.page()
    keep_for(members, place)

    buyer.post("purchase-confirm", shown_in(page))

    assert not Order.objects.exists()
    assert not Access.objects.exists()


def test_a_member_buys_on_the_page(course, private, member):
    buyer = Buyer(course, member.user)
    make_code(100, text=TEXT)
    buyer.box(TEXT)

    buyer.confirm()

    assert opens(buyer, course)


# Who bought it opens it


@pytest.fixture
def bought(course):
    """Somebody with access to the course."""
    learner = Learner(make_learner())
    api.give_access(learner.user, course.training, reason="Bought")
    return learner


@pytest.mark.parametrize("keep", [keep_by_password, keep_by_login])
def test_a_later_restriction_takes_nothing_away(course, place, bought, stranger, keep):
    keep(place)

    assert opens(bought, course)
    assert not opens(Learner(), course)
    assert not opens(stranger, course)


def test_who_leaves_the_group_keeps_what_was_bought(course, private, bought, stranger):
    assert opens(bought, course)
    assert stranger.client.get(course.url).status_code == 302


def test_no_cache_keeps_what_a_buyer_opens(course, private, bought):
    response = bought.client.get(course.url)

    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]


def test_a_page_that_everybody_shares_opens_too(course, private, bought, monkeypatch):
    monkeypatch.setattr(type(course), "is_shared", True)

    assert bought.client.get(course.url).status_code == 200
    assert opens_own(bought, course)


def opens_own(learner, page):
    return SECRET in text_of(learner.client.get(f"{page.url}?mine=1"))


def test_what_ended_is_closed_again(course, private, bought):
    api.end_access(Access.objects.get(), reason="Refunded")

    assert bought.client.get(course.url).status_code == 302
    assert NOT_YOURS in shop_page(bought, course.product)


def test_who_has_access_may_extend_it(course, private, bought):
    assert NOT_YOURS not in shop_page(bought, course.product)


def test_pages_below_what_was_bought_open_with_it(course, members, bought, stranger):
    lesson = course.add_child(instance=Page(title="Lesson", slug="lesson"))
    own = course.add_child(instance=Page(title="Staff", slug="staff"))
    keep_for(members, course)
    keep_for(members, own)

    def answers(learner):
        codes = (learner.client.get(page.url).status_code for page in (lesson, own))
        return [code == 302 for code in codes]

    assert answers(bought) == [False, True]
    assert answers(stranger) == [True, True]


def test_who_claims_a_place_opens_it(course, private, member):
    make_code(100, text=TEXT)
    member.add(course.product, 2)
    member.apply(TEXT)
    member.place()
    link = links_in(order_page(member, member.order()))[0]
    guest = Learner(make_learner())

    accept(guest, link)

    assert Place.objects.filter(access__learner=guest.user).exists()
    assert opens(guest, course)


def test_the_buyer_of_a_path_opens_its_courses(course, members, stranger):
    path = make_path(make_product("A path"), course, kind=ProductKind.PATH, credits=50)
    keep_for(members, course)
    assert NOT_YOURS not in shop_page(stranger, path.product)

    api.give_access(stranger.user, path.training, reason="Bought")

    assert opens(stranger, course)


def test_the_buyer_of_a_plan_opens_its_courses(course, members, stranger):
    content = Range.objects.create(name="All", includes_all_products=True)
    plan = make_plan(make_product("A plan"), content, kind=ProductKind.PLAN, credits=90)
    keep_for(members, course)

    api.give_access(stranger.user, plan.training, reason="Bought")

    assert opens(stranger, course)


# What editors are told


def test_the_editor_is_told_to_whom_it_is_sold(course, private, member):
    page = words(text_of(Editor().client.get(admin("edit", course.pk))))

    assert "only to members of “Members”" in page


def test_the_editor_is_told_of_a_password(course, place):
    keep_by_password(place)

    page = words(text_of(Editor().client.get(admin("edit", course.pk))))

    assert "only to those who have entered its password" in page


def test_the_editor_is_told_of_a_log_in(course, place):
    keep_by_login(place)

    page = words(text_of(Editor().client.get(admin("edit", course.pk))))

    assert "once they have logged in" in page


def test_the_editor_is_told_where_nobody_can_buy(course, place):
    PageViewRestriction.objects.create(
        page=Page.objects.get(pk=place.pk), restriction_type="groups"
    )

    page = words(text_of(Editor().client.get(admin("edit", course.pk))))

    assert "nobody can buy" in page


def test_a_public_page_is_told_nothing(course):
    page = words(text_of(Editor().client.get(admin("edit", course.pk))))

    assert "This page is private" not in page


def test_the_report_names_private_pages(course, members):
    keep_for(members, course)
    make_course(make_product("Open to all"), credits=5)
    boss = Learner(make_learner(is_superuser=True, is_staff=True))
    address = reverse("training_credits_products")

    def listed(**query):
        page = text_of(boss.client.get(address, query))
        return [course.product.title in page, "Open to all" in page]

    assert listed(is_private="yes") == [True, False]
    assert listed(is_private="no") == [False, True]
    assert "Private" in words(text_of(boss.client.get(address)))


def test_the_nightly_check_names_what_nobody_can_buy(course, place, capsys):
    keep_for(Group.objects.create(name="Nobody"), place)

    call_command("check_on_sale")

    said = capsys.readouterr().out
    assert "nobody can buy" in said
    assert course.product.title in said


def test_the_nightly_check_is_silent_of_what_members_can_buy(
    course, private, member, capsys
):
    call_command("check_on_sale")

    assert capsys.readouterr().out == ""


# What it costs


def count(learner, address):
    learner.client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert learner.client.get(address).status_code == 200
    return len(captured)


def test_who_may_open_what_is_asked_once_for_any_number(course, private, stranger):
    strategy = stranger.client.get("/").wsgi_request.strategy
    products = [make_course(make_product(), credits=5).product for _each in range(9)]
    strategy.fetch_for_product(course.product)
    for product in products:
        assert product.training

    with CaptureQueriesContext(connection) as captured:
        for product in products:
            strategy.fetch_for_product(product)

    assert not [each for each in captured if "viewrestriction" in each["sql"]]


def test_one_query_tells_that_no_page_is_private(course, stranger):
    strategy = stranger.client.get("/").wsgi_request.strategy
    product = course.product
    assert product.training
    with CaptureQueriesContext(connection) as first:
        strategy.fetch_for_product(product)

    with CaptureQueriesContext(connection) as again:
        strategy.fetch_for_product(product)

    assert len(first) == len(again) + 1


def test_goods_cost_no_query_where_pages_are_private(course, members, stranger):
    address = make_product("A book").get_absolute_url()
    before = count(stranger, address)
    keep_for(members, course)

    assert count(stranger, address) == before


def test_a_page_is_asked_once_whether_it_is_private(stranger):
    home = course_index().get_parent()
    page = home.add_child(instance=Page(title="About us", slug="about"))

    with CaptureQueriesContext(connection) as captured:
        stranger.client.get(page.url)

    asked = [each["sql"] for each in captured if "viewrestriction" in each["sql"]]
    assert len(asked) == 1


def test_a_page_that_access_opens_opens_no_other_below_the_same_restriction(
    course, members, stranger
):
    other = make_course(make_product(), credits=5)
    api.give_access(stranger.user, course.training, reason="Tried by a test.")
    keep_for(members, course_index())

    strategy = stranger.client.get(course.url).wsgi_request.strategy

    assert strategy.fetch_for_product(course.product).availability.is_available_to_buy
    info = strategy.fetch_for_product(other.product)
    assert not info.availability.is_available_to_buy


def test_a_page_with_a_box_asks_once_for_its_restrictions_and_those_of_all(
    course, members, stranger
):
    keep_for(members, make_course(make_product(), credits=5))
    stranger.client.get(course.url)

    with CaptureQueriesContext(connection) as captured:
        stranger.client.get(course.url)

    asked = [each["sql"] for each in captured if '_pageviewrestriction"' in each["sql"]]
    assert len([each for each in asked if "restriction_type" in each]) == 1


def test_training_without_a_page_is_open(private, stranger):
    training = make_training("No page")

    assert NOT_YOURS not in shop_page(stranger, training.product)
