"""What editors of course pages do, and what the shop makes of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model
from wagtail.models import PageViewRestriction

from oscar_training_credits import api
from oscar_training_credits.credits.models import Access, TrainingProduct
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)
from sandbox.academy.models import CoursePage
from sandbox.academy.seed.people import make_staff

from ..support.editors import (
    Editor,
    admin,
    chooser,
    complaints,
    price_of,
    product_form,
    streams,
    terms_of,
)
from ..support.pages import SECRET, course_index, make_course, make_plan
from ..support.shop import Learner, text_of, words

Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Range = get_model("offer", "Range")

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def shop_page(product):
    return words(text_of(Client().get(product.get_absolute_url())))


def course_page(page):
    return words(text_of(Client().get(page.url)))


@pytest.fixture
def editor():
    return Editor()


@pytest.fixture
def staff():
    user = make_learner(is_staff=True)
    user.groups.add(make_staff())
    return Learner(user).client


# Choosing a product


def test_an_editor_picks_a_product_without_leaving_the_page(editor):
    make_product("Django Foundations")
    make_product("Secure by Design")

    assert editor.choose() == {"Django Foundations", "Secure by Design"}


@pytest.mark.parametrize("view", ["choose", "choose_results"])
@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("django", {"Django Foundations"}),
        ("DESIGN", {"Secure by Design"}),
        ("dj-100", {"Django Foundations"}),
        ("dj-1", set()),
        ("cooking", set()),
    ],
    ids=["start", "other case", "UPC", "half a UPC", "nothing"],
)
def test_a_product_is_found_by_title_or_upc(editor, view, typed, found):
    django = make_product("Django Foundations")
    Product.objects.filter(pk=django.pk).update(upc="DJ-100")
    make_product("Secure by Design")

    assert editor.choose(view, q=typed) == found


def test_a_parent_product_is_not_to_be_chosen(editor):
    parent = make_product("A parent")
    Product.objects.filter(pk=parent.pk).update(structure=Product.PARENT)
    child = make_product("A child")
    Product.objects.filter(pk=child.pk).update(
        structure=Product.CHILD, parent=parent, product_class=None
    )

    assert editor.choose() == {"A child"}


def test_the_chosen_product_goes_into_the_form(editor):
    product = make_product("Django Foundations")

    answer = editor.client.get(chooser("chosen", product.pk)).json()

    assert answer["step"] == "chosen"
    assert answer["result"]["id"] == str(product.pk)
    assert answer["result"]["title"] == "Django Foundations"


@pytest.mark.parametrize("user", [None, "learner"])
def test_only_editors_see_the_chooser(user):
    make_product("A secret plan")
    visitor = Learner(make_learner() if user else None)

    response = visitor.client.get(chooser("choose"))

    assert response.status_code == 302
    assert "/cms/login/" in response.url


# Publishing


def test_an_editor_sells_a_product_as_training(editor):
    product = make_product("Django Foundations", "240.00")
    page = make_course(None)

    editor.publish(page, product=product.pk, credits="20", access_days="90")

    assert terms_of(product) == (20, False, 90)
    assert "20 credits or £240.00" in course_page(page)
    assert "Access for 90 days" in course_page(page)
    assert "Purchase with 20 Credits" in course_page(page)


def test_a_new_page_is_published_in_one_go(editor):
    product = make_product("Django Foundations", "240.00")
    add = admin("add", "academy", "coursepage", course_index().pk)
    form = {"title": "Django", "slug": "django", "intro": "Learn it."}
    terms = {"kind": "course", "product": product.pk, "credits": "20"}
    terms["action-publish"] = "1"
    comments = {"comments-TOTAL_FORMS": "0", "comments-INITIAL_FORMS": "0"}

    response = editor.client.post(add, {**form, **terms, **comments, **streams()})

    assert response.status_code == 302
    assert CoursePage.objects.get(slug="django").live
    assert terms_of(product) == (20, False, None)


def test_a_draft_leaves_the_live_price_alone(editor, course):
    editor.save(course, credits="35")

    assert terms_of(course.product) == (20, False, None)
    assert "20 credits" in course_page(course)
    assert "35 credits" not in course_page(course)
    assert editor.form(course)["credits"] == "35"


def test_publishing_changes_the_price_everywhere(editor, course):
    editor.publish(course, credits="35")

    assert "Purchase with 35 Credits" in course_page(course)
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    assert "35 credits taken, 65 credits left" in words(learner.basket_page())


def test_a_draft_of_another_product_leaves_both_alone(editor, course):
    other = make_product("Another course")

    editor.save(course, product=other.pk, credits="35")

    assert terms_of(course.product) == (20, False, None)
    assert not TrainingProduct.objects.filter(product=other).exists()


def test_terms_are_published_on_schedule(editor, course):
    tomorrow = timezone.now() + timedelta(days=1)
    editor.publish(course, credits="35", go_live_at=f"{tomorrow:%Y-%m-%d %H:%M}")
    call_command("publish_scheduled")
    assert terms_of(course.product) == (20, False, None)

    let_a_day_pass(course)
    call_command("publish_scheduled")

    assert terms_of(course.product) == (35, False, None)
    assert "Purchase with 35 Credits" in course_page(course)


def let_a_day_pass(page):
    scheduled = page.revisions.exclude(approved_go_live_at=None).get()
    scheduled.approved_go_live_at -= timedelta(days=1, minutes=1)
    scheduled.content["go_live_at"] = scheduled.approved_go_live_at.isoformat()
    scheduled.save()


def test_unpublishing_leaves_the_price(editor, course):
    editor.client.post(admin("unpublish", course.pk))

    course.refresh_from_db()
    assert not course.live
    assert terms_of(course.product) == (20, False, None)


def test_a_page_that_expires_leaves_the_price(course):
    CoursePage.objects.filter(pk=course.pk).update(
        expire_at=timezone.now() - timedelta(minutes=1)
    )

    call_command("publish_scheduled")

    course.refresh_from_db()
    assert not course.live
    assert terms_of(course.product) == (20, False, None)


def revert(editor, page, revision, **changes):
    """Open an older revision in the editor, and publish it."""
    address = admin("revisions_revert", page.pk, revision.pk)
    data = editor.read_form(editor.client.get(address))
    data |= {"action-publish": "1", "revision": revision.pk, **changes}
    return editor.client.post(admin("edit", page.pk), data)


def test_going_back_to_an_older_revision_brings_its_price_back(editor, course):
    first = course.latest_revision
    editor.publish(course, credits="35", access_days="30")

    revert(editor, course, first)

    assert terms_of(course.product) == (20, False, None)


def test_going_back_wins_over_terms_changed_elsewhere(editor, course):
    first = course.latest_revision
    editor.publish(course, credits="35")
    api.sell_as_training(course.product, credits=50)

    revert(editor, course, first)

    assert terms_of(course.product) == (20, False, None)


@pytest.mark.parametrize(
    ("typed", "field", "text"),
    [
        ({"credits": "", "credit_only": "on"}, "credits", "Say how many credits"),
        ({"credits": "0"}, "credits", "greater than or equal to 1"),
        ({"credits": "-5"}, "credits", "greater than or equal to"),
        ({"credits": "1000001"}, "credits", "less than or equal to 1000000"),
        ({"credits": "9" * 30}, "credits", "less than or equal to"),
        ({"credits": "twenty"}, "credits", "Enter a whole number"),
        ({"credits": "2.5"}, "credits", "Enter a whole number"),
        ({"access_days": "0"}, "access_days", "greater than or equal to 1"),
        ({"access_days": "-1"}, "access_days", "greater than or equal to"),
        ({"access_days": "36501"}, "access_days", "less than or equal to 36500"),
        ({"access_days": "9" * 30}, "access_days", "less than or equal to"),
        ({"access_days": "a month"}, "access_days", "Enter a whole number"),
        ({"product": "999999"}, "product", "Select a valid choice"),
    ],
    ids=str,
)
def test_terms_that_make_no_sense_are_refused_at_their_field(
    editor, course, typed, field, text
):
    response = editor.publish(course, **typed)

    assert response.status_code == 200
    assert list(complaints(response)) == [field]
    assert text in complaints(response)[field][0]
    assert text in words(text_of(response))
    assert terms_of(course.product) == (20, False, None)


def test_terms_without_a_product_are_nothing_to_the_shop(editor):
    page = make_course(None)

    editor.publish(page, credits="20")

    assert not TrainingProduct.objects.exists()
    assert "Purchase with" not in course_page(page)


def test_credits_without_a_product_are_said_to_sell_nothing(editor, course):
    page = make_course(None)
    editor.save(page, credits="25")
    told = "Nothing is sold yet: the page has a price, and no product."

    shown = words(text_of(editor.client.get(admin("edit", page.pk))))

    assert told in shown
    assert told not in words(text_of(editor.client.get(admin("edit", course.pk))))


def test_a_credit_only_page_without_a_product_is_not_published(editor):
    page = make_course(None)

    response = editor.publish(page, credits="25", credit_only="on")

    assert list(complaints(response)) == ["product"]
    assert "Nothing is sold without a product." in words(text_of(response))
    assert editor.save(page, credits="25", credit_only="on").status_code == 302


def test_a_preview_states_one_period(editor, course):
    api.sell_as_training(course.product, credits=20, access_days=90)

    shown = words(editor.preview(course, access_days="30"))

    assert "30 days of access" in shown
    assert "90 days" not in shown


def test_the_price_in_money_is_shown_beside_the_credits(editor, course):
    link = reverse("dashboard:catalogue-product", args=[course.product.pk])

    shown = text_of(editor.client.get(admin("edit", course.pk)))
    editor.user.is_staff = True
    editor.user.save()
    to_staff = text_of(editor.client.get(admin("edit", course.pk)))

    assert "Price in money: £240.00. The shop sells the product now." in words(shown)
    assert (link in shown, link in to_staff) == (False, True)


# Credit-only


def test_a_credit_only_course_has_no_price_in_money(editor, course):
    editor.publish(course, credit_only="on")

    assert terms_of(course.product) == (20, True, None)
    assert price_of(course.product) is None
    assert "20 credits" in course_page(course)
    assert "£" not in course_page(course)
    assert "£240" not in shop_page(course.product)


def test_a_draft_takes_no_price_away(editor, course):
    editor.save(course, credit_only="on")

    assert price_of(course.product) == Decimal("240.00")


def test_a_course_that_is_credit_only_no_longer_has_its_price_again(editor, course):
    editor.publish(course, credit_only="on")

    editor.publish(course, credit_only="")

    assert price_of(course.product) == Decimal("240.00")
    assert "20 credits or £240.00" in course_page(course)
    assert "£240.00" in shop_page(course.product)


def test_publishing_twice_keeps_the_price_that_was_put_by(editor, course):
    editor.publish(course, credit_only="on")
    editor.publish(course, credit_only="on", credits="35")

    editor.publish(course, credit_only="")

    assert price_of(course.product) == Decimal("240.00")


def test_a_course_paid_with_money_only_takes_no_credits(editor, course):
    editor.publish(course, credits="")

    assert terms_of(course.product) == (None, False, None)
    assert "Purchase with" not in course_page(course)
    assert "£240.00" in course_page(course)


def dashboard_form(staff, product):
    product.categories.add(create_from_breadcrumbs("Courses"))
    address = reverse("dashboard:catalogue-product", args=[product.pk])
    data = product_form(text_of(staff.get(address)))
    return address, {**data, "action": "save"}


def test_staff_cannot_set_a_price_in_money_on_a_credit_only_product(staff):
    product = make_training(credits=20, credit_only=True).product
    address, form = dashboard_form(staff, product)

    response = staff.post(address, {**form, "stockrecords-0-price": "99.00"})

    assert response.status_code == 200
    assert "This product is credit-only, so it has no money price." in words(
        text_of(response)
    )
    assert price_of(product) is None


def test_staff_cannot_add_a_stock_record_with_a_price_to_a_credit_only_product(staff):
    product = make_training(credits=20, credit_only=True).product
    partner = product.stockrecords.get().partner
    address, form = dashboard_form(staff, product)
    record = {"partner": partner.pk, "partner_sku": "X2", "price_currency": "GBP"}
    added = {f"stockrecords-1-{name}": value for name, value in record.items()}

    response = staff.post(address, {**form, **added, "stockrecords-1-price": "1.00"})

    assert "This product is credit-only" in words(text_of(response))
    assert product.stockrecords.count() == 1


@pytest.mark.parametrize("track_stock", [False, True], ids=["", "stock tracked"])
def test_staff_edit_the_rest_of_a_credit_only_product(staff, track_stock):
    product = make_training("Old title", credits=20, credit_only=True).product
    ProductClass.objects.update(track_stock=track_stock)
    address, form = dashboard_form(staff, product)

    response = staff.post(
        address, {**form, "title": "New title", "stockrecords-0-num_in_stock": "5"}
    )

    assert response.status_code == 302, words(text_of(response))
    product.refresh_from_db()
    assert product.title == "New title"
    assert price_of(product) is None


def test_staff_change_the_price_of_other_training(staff):
    product = make_training(credits=20, price="240.00").product
    address, form = dashboard_form(staff, product)

    staff.post(address, {**form, "stockrecords-0-price": "99.00"})

    assert price_of(product) == Decimal("99.00")


def test_prices_changed_in_bulk_leave_credit_only_products_alone(staff):
    credit_only = make_training(credits=20, credit_only=True).product
    other = make_training(credits=20, price="240.00").product
    products = [credit_only.pk, other.pk]
    confirm = staff.post(
        reverse("dashboard:catalogue-product-list"),
        {"action": "set_product_price", "selected_product": products},
    )

    response = staff.post(
        confirm.url,
        {
            "selected_products": [other.pk],
            "select_all_standalones": "on",
            "partners": [other.stockrecords.get().partner_id],
            "new_price": "9.00",
            "confirm_irreversible": "on",
        },
    )

    assert response.status_code == 302
    assert price_of(other) == Decimal("9.00")
    assert price_of(credit_only) is None


# The preview


def test_the_preview_shows_the_price_of_the_draft(editor, course):
    page = words(editor.preview(course, credits="35", access_days="30"))

    assert "Purchase with 35 Credits" in page
    assert "Access for 30 days" in page
    assert terms_of(course.product) == (20, False, None)


def test_the_preview_shows_the_page_as_a_stranger_sees_it(editor, course):
    page = editor.preview(course)

    assert SECRET not in page
    assert "The lessons appear here once the course is yours." in page


def test_the_preview_with_access_shows_the_lessons_and_the_button(editor, course):
    page = editor.preview(course, mode="with-access", credits="35")

    assert SECRET in page
    assert "Purchase with 35 Credits" in words(page)


def test_a_preview_of_credit_only_shows_no_price_in_money(editor, course):
    page = words(editor.preview(course, credit_only="on"))

    assert "20 credits" in page
    assert "£" not in page
    assert price_of(course.product) == Decimal("240.00")


def test_a_preview_of_credit_only_no_longer_shows_no_price_of_zero(editor, course):
    editor.publish(course, credit_only="on")

    page = words(editor.preview(course, credit_only=""))

    assert "20 credits Purchase with" in page
    assert "£" not in page


def test_a_preview_without_credits_shows_no_button(editor, course):
    page = words(editor.preview(course, credits=""))

    assert "Purchase with" not in page
    assert "£240.00" in page


def test_a_preview_shows_the_draft_even_to_an_editor_with_access(editor, course):
    learner = Learner()
    learner.client, learner.user = editor.client, editor.user
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    learner.place()
    assert SECRET in text_of(editor.client.get(course.url))

    page = editor.preview(course)

    assert SECRET not in page
    assert "Purchase with 20 Credits" in words(page)


def test_the_preview_sells_nothing(editor, course):
    page = editor.preview(course)

    assert "purchase-apply" not in page
    assert "This is a preview" in page
    assert reverse(
        "training_credits:purchase-apply", args=[course.training.pk]
    ) not in (page)


@pytest.mark.parametrize("mode", ["", "with-access"])
def test_a_new_page_is_previewed_before_it_is_saved(editor, mode):
    product = make_product("Django Foundations", "240.00")
    address = admin("preview_on_add", "academy", "coursepage", course_index().pk)
    form = {"title": "Django", "slug": "django", "intro": "Learn it."}
    terms = {"product": product.pk, "credits": "20"}
    comments = {"comments-TOTAL_FORMS": "0", "comments-INITIAL_FORMS": "0"}

    editor.client.post(address, {**form, **terms, **comments, **streams()})
    page = text_of(editor.client.get(address, {"mode": mode}))

    assert "Purchase with 20 Credits" in words(page)
    assert (SECRET in page) == bool(mode)
    assert not TrainingProduct.objects.exists()


def test_a_page_without_a_product_is_previewed(editor):
    page = make_course(None)

    assert page.title in editor.preview(page)
    assert SECRET in editor.preview(page, mode="with-access")


@pytest.mark.parametrize("mode", ["", "with-access"])
def test_the_saved_draft_is_looked_at(editor, course, mode):
    editor.save(course, credits="35")

    page = text_of(editor.client.get(admin("view_draft", course.pk), {"mode": mode}))

    assert "Purchase with 35 Credits" in words(page)
    assert (SECRET in page) == bool(mode)


# Terms changed elsewhere


def test_the_form_begins_with_the_live_terms(editor, course):
    api.sell_as_training(course.product, credits=50, access_days=7)

    form = editor.form(course)

    assert (form["credits"], form["access_days"]) == ("50", "7")
    assert "credit_only" not in form


def test_the_form_of_a_draft_begins_with_the_draft(editor, course):
    editor.save(course, credits="35")
    api.sell_as_training(course.product, credits=50)

    assert editor.form(course)["credits"] == "35"


def test_the_form_of_an_unpublished_page_begins_with_its_own_terms(editor, course):
    course.unpublish()
    api.sell_as_training(course.product, credits=50)

    assert editor.form(course)["credits"] == "20"


def test_correcting_a_word_leaves_terms_changed_elsewhere(editor, course):
    api.sell_as_training(course.product, credits=50)

    editor.publish(course, intro="Now without a typing slip.")

    assert terms_of(course.product) == (50, False, None)


# The life of a page


def test_a_page_without_a_product_sells_nothing():
    page = make_course(None)

    response = Client().get(page.url)

    assert response.status_code == 200
    assert "Purchase with" not in words(text_of(response))
    assert SECRET not in text_of(response)


def test_a_page_whose_product_is_no_training_yet_sells_it_for_money(course):
    TrainingProduct.objects.all().delete()

    response = Client().get(course.url)

    assert response.status_code == 200
    assert SECRET not in text_of(response)


def test_a_deleted_page_leaves_the_product_and_what_was_bought(editor, course):
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(course.product)
    learner.apply("ACME-TEAM")
    learner.place()

    response = editor.client.post(admin("delete", course.pk))

    assert response.status_code == 302
    assert not CoursePage.objects.exists()
    assert terms_of(course.product) == (20, False, None)
    assert Access.objects.get().learner == learner.user
    mine = learner.client.get(reverse("training_credits:my-training"))
    assert "Django Foundations" in words(text_of(mine))


def test_a_private_page_asks_for_its_own_rights_first(course):
    PageViewRestriction.objects.create(
        page=course, restriction_type=PageViewRestriction.LOGIN
    )

    response = Client().get(course.url)

    assert response.status_code == 302
    assert SECRET not in text_of(response)


def delete_in_dashboard(staff, product):
    address = reverse("dashboard:catalogue-product-delete", args=[product.pk])
    assert staff.get(address).status_code == 200
    return staff.post(address, follow=True)


def test_the_product_of_a_page_is_not_deleted(staff, course):
    response = delete_in_dashboard(staff, course.product)

    assert response.status_code == 200
    page = words(text_of(response))
    assert f"“{course.product.title}” can't be deleted" in page
    assert course.title in page
    assert Product.objects.filter(pk=course.product.pk).exists()


def test_a_product_that_learners_have_access_to_is_not_deleted(staff):
    training = make_training("Django Foundations", credits=20)
    learner = Learner(make_learner())
    make_code(100, text="ACME-TEAM")
    learner.add(training.product)
    learner.apply("ACME-TEAM")
    learner.place()

    response = delete_in_dashboard(staff, training.product)

    assert "“Django Foundations” can't be deleted" in words(text_of(response))
    assert Access.objects.get().training == training


def delete_range(staff, content):
    address = reverse("dashboard:range-delete", args=[content.pk])
    assert staff.get(address).status_code == 200
    return words(text_of(staff.post(address, follow=True)))


def test_the_range_of_a_plan_is_not_deleted(staff):
    everything = Range.objects.create(name="Everything", includes_all_products=True)
    make_plan(make_product("All-Access Year"), everything, credits=120)

    page = delete_range(staff, everything)

    assert "“Everything” can't be deleted, as it is in use: plan page “A plan”" in page
    assert "training product “All-Access Year”" in page
    assert "Range deleted" not in page
    assert Range.objects.filter(pk=everything.pk).exists()


def test_the_range_of_a_code_is_not_deleted(staff):
    courses = Range.objects.create(name="Courses")
    make_code(100, label="ACME, spring", content=courses)

    page = delete_range(staff, courses)

    assert "“Courses” can't be deleted, as it is in use" in page
    assert "credit code “ACME, spring”" in page
    assert Range.objects.filter(pk=courses.pk).exists()


def test_a_range_that_nothing_needs_is_deleted_as_before(staff):
    courses = Range.objects.create(name="Courses")

    assert "Range deleted" in delete_range(staff, courses)
    assert not Range.objects.exists()


@pytest.mark.parametrize("training", [True, False], ids=["training", "a book"])
def test_other_products_are_deleted_as_ever(staff, training):
    product = make_training().product if training else make_product()

    response = delete_in_dashboard(staff, product)

    assert "Deleted product" in words(text_of(response))
    assert not Product.objects.exists()


def test_a_page_stays_private_whatever_a_mixin_before_ours_says(course, monkeypatch):
    serve = CoursePage.serve

    def as_such_a_mixin(page, request, *args, **kwargs):
        response = serve(page, request, *args, **kwargs)
        response["Cache-Control"] = "public, max-age=3600"
        return response

    monkeypatch.setattr(CoursePage, "serve", as_such_a_mixin)

    answer = Client().get(course.url)

    assert "private" in answer["Cache-Control"]
    assert "public" not in answer["Cache-Control"]
    assert "max-age" not in answer["Cache-Control"]
