"""Blocks in the body of a page: what only learners with access see, and what sells."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Page

from oscar_training_credits import api
from oscar_training_credits.cms.blocks import (
    CreditPacksBlock,
    PurchaseBlock,
    Restricted,
)
from oscar_training_credits.credits.models import Access
from oscar_training_credits.test.factories import make_code, make_learner, make_product
from sandbox.academy.models import CoursePage, PathPage

from ..support.orders import place_order
from ..support.pages import course_index, make_path, with_text_for_members
from ..support.shop import Learner, text_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

HIDDEN = "the answer is forty-two"


@pytest.fixture
def page(course):
    """A course page with a restricted block in its body."""
    return with_text_for_members(course, HIDDEN)


@pytest.fixture
def learner():
    return Learner(make_learner())


@pytest.fixture
def member(page):
    learner = Learner(make_learner())
    place_order(learner.user, (page.product, 1))
    return learner


def seen_by(learner, page) -> str:
    return text_of((learner.client if learner else Client()).get(page.url))


def test_only_learners_with_access_see_what_is_restricted(page, learner, member):
    assert HIDDEN in seen_by(member, page)
    for other in (None, learner):
        assert HIDDEN not in seen_by(other, page)
        assert "This part is for learners with access." in words(seen_by(other, page))
        assert "For everybody" in seen_by(other, page)


def test_who_had_access_is_told_when_it_ended(page, member):
    ended = timezone.now() - timedelta(days=1)
    Access.objects.update(starts_at=ended - timedelta(days=9), ends_at=ended)

    shown = seen_by(member, page)

    assert "Your access to this part ended on" in words(shown)
    assert HIDDEN not in shown


@pytest.mark.parametrize("rule", ["always", "never"])
def test_who_can_not_buy_again_is_not_led_to(page, member, settings, rule):
    settings.TRAINING_CREDITS_BUY_AGAIN = rule
    ended = timezone.now() - timedelta(days=1)
    Access.objects.update(starts_at=ended - timedelta(days=9), ends_at=ended)

    shown = seen_by(member, page)

    assert ('<a href="#training-purchase">Buy again</a>' in shown) is (rule == "always")


def test_who_has_access_to_come_is_told_from_when(page, member):
    Access.objects.update(starts_at=timezone.now() + timedelta(days=9))

    shown = seen_by(member, page)

    assert "This part opens on" in words(shown)
    assert HIDDEN not in shown


def test_a_course_page_asks_once_about_access(page, member):
    seen_by(member, page)

    with CaptureQueriesContext(connection) as queries:
        seen_by(member, page)

    asked = [
        q for q in queries if '"starts_at"' in q["sql"] or "`starts_at`" in q["sql"]
    ]
    assert len(asked) == 1


IN_EVERY_BLOCK = "{% for block in page.body %}"

LEAKS = [
    "{{ page.body }}",
    "{% load wagtailcore_tags %}{% include_block page.body %}",
    f"{IN_EVERY_BLOCK}{{{{ block }}}}{{{{ block.value }}}}{{% endfor %}}",
    IN_EVERY_BLOCK + "{% if block.block_type == 'members' %}"
    "{% for child in block.value %}{{ child }}{% endfor %}{% endif %}{% endfor %}",
    "{{ page.body.1.value }}{{ page.body.1.value.0 }}",
    "{{ page.body|stringformat:'r' }}",
    "{{ page.body.1.value|stringformat:'r' }}",
]


@pytest.mark.parametrize("template", LEAKS)
def test_a_template_without_request_shows_nothing(page, template):
    shown = Template(template).render(Context({"page": page}))

    assert HIDDEN not in shown


def test_searches_do_not_know_it(page):
    found = page.body.stream_block.get_searchable_content(page.body)

    assert "For everybody" in " ".join(found)
    assert HIDDEN not in " ".join(found)
    call_command("wagtail_update_index", verbosity=0)
    assert Page.objects.search(page.title)
    assert not Page.objects.search(HIDDEN)


def test_the_api_does_not_show_it(page, member):
    address = f"/api/v2/pages/{page.pk}/?fields=body"

    for client in (Client(), member.client):
        response = client.get(address)
        assert HIDDEN not in text_of(response)
    assert "For everybody" in text_of(response)


def test_feeds_do_not_show_it(page):
    feed = text_of(Client().get("/courses.rss"))

    assert page.title in feed
    assert HIDDEN not in feed


def test_editors_keep_it_through_the_editor(page):
    editor = Client()
    editor.force_login(make_learner(is_superuser=True, is_staff=True))

    form = text_of(editor.get(reverse("wagtailadmin_pages:edit", args=[page.pk])))

    assert HIDDEN in form
    block = page.body.stream_block.child_blocks["members"]
    value = page.body[1].value
    again = block.to_python(block.get_prep_value(block.clean(value)))
    assert isinstance(again, Restricted)
    assert again == value
    assert HIDDEN in str(block.get_prep_value(value))


def test_editors_can_compare_versions_of_it(page):
    editor = Client()
    editor.force_login(make_learner(is_superuser=True, is_staff=True))
    first = page.latest_revision
    page.body[1] = ("members", [("text", "<p>the answer is forty-three</p>")])
    second = page.save_revision()

    compared = editor.get(
        reverse(
            "wagtailadmin_pages:revisions_compare", args=[page.pk, first.pk, second.pk]
        )
    )

    assert compared.status_code == 200
    assert "forty" in text_of(compared)


def test_a_page_that_sells_nothing_shows_it_to_nobody(page):
    block = page.body.stream_block.child_blocks["members"]
    context = {"page": course_index(), "request": object()}

    assert block.render(page.body[1].value, context) == ""


def test_a_block_shows_the_purchase_box_of_its_page(page, learner, member):
    for visitor, said in (
        (learner, "Purchase with 20 Credits"),
        (member, "You have access"),
    ):
        request = visitor.client.get(page.url).wsgi_request
        context = {"page": page.specific_class.objects.get(), "request": request}

        assert said in words(PurchaseBlock().render(None, context))


def test_a_purchase_box_without_a_page_that_sells_is_empty(page):
    context = {"page": course_index(), "request": object()}

    assert words(PurchaseBlock().render(None, context)) == ""


@pytest.fixture
def shared(page, monkeypatch):
    monkeypatch.setattr(CoursePage, "is_shared", True)
    return page


def test_a_shared_page_is_the_same_for_everybody_and_may_be_kept(
    shared, learner, member
):
    pages = [
        Client().get(shared.url),
        learner.client.get(shared.url),
        member.client.get(shared.url),
    ]

    for response in pages:
        assert HIDDEN not in text_of(response)
        assert "csrfmiddlewaretoken" not in box_of(response)
        assert "private" not in response.headers.get("Cache-Control", "")
        assert f'href="{shared.url}?mine=1#training-purchase"' in box_of(response)
    assert len({box_of(response) for response in pages}) == 1


def box_of(response) -> str:
    page = text_of(response)
    return page[page.index('<section id="training-purchase"') :].partition(
        "</section>"
    )[0]


def test_a_shared_path_does_not_show_whose_its_courses_are(page, member, monkeypatch):
    path = make_path(make_product("Path"), page, credits=20)
    assert "Already yours" in seen_by(member, path)

    monkeypatch.setattr(PathPage, "is_shared", True)

    assert "Already yours" not in seen_by(member, path)
    mine = text_of(member.client.get(f"{path.url}?mine=1"))
    assert "Already yours" in mine


def test_what_is_personal_has_an_address_that_no_cache_keeps(shared, member, learner):
    mine = member.client.get(f"{shared.url}?mine=1")

    assert HIDDEN in text_of(mine)
    assert "private" in mine["Cache-Control"]
    assert "no-cache" in mine["Cache-Control"]
    assert "Cookie" in mine["Vary"]
    assert HIDDEN not in text_of(learner.client.get(f"{shared.url}?mine=1"))


def test_a_course_is_bought_from_its_shared_page(shared, learner):
    make_code(100, text="ACME-TEAM-2026")
    mine = f"{shared.url}?mine=1"
    assert f'name="next" value="{mine}"' in text_of(learner.client.get(mine))
    apply = reverse("training_credits:purchase-apply", args=[shared.training.pk])

    response = learner.client.post(apply, {"code": "ACME-TEAM-2026", "next": mine})

    assert response.url == f"{mine}#training-purchase-next"
    assert "80 left after this purchase" in words(
        text_of(learner.client.get(response.url))
    )


def test_a_stranger_comes_back_to_a_page_of_their_own(shared):
    box = box_of(Client().get(f"{shared.url}?mine=1"))

    assert "mine%3D1%26purchase%3Dopen" in box


@pytest.fixture
def packs():
    """Two packs on sale, and one that is not."""
    made = {}
    for credits, price in ((500, "4500.00"), (100, "1000.00"), (7, "70.00")):
        made[credits] = make_product(f"{credits} credits", price)
        api.sell_as_pack(made[credits], credits=credits)
    made[7].is_public = False
    made[7].save()
    return made


def packs_seen_by(learner) -> str:
    request = learner.client.get("/").wsgi_request
    return CreditPacksBlock().render(None, {"page": course_index(), "request": request})


def test_a_block_lists_the_credits_on_sale_the_smallest_first(learner, packs):
    shown = words(packs_seen_by(learner))

    assert "100 credits £1,000.00 Buy 100 credits" in shown
    assert "500 credits £4,500.00 Buy 500 credits" in shown
    assert shown.index("1,000.00") < shown.index("4,500.00")
    assert "70.00" not in shown


def test_its_button_puts_a_pack_into_the_basket_and_leads_there(learner, packs):
    url = reverse("basket:add", args=[packs[100].pk])
    assert f'action="{url}"' in packs_seen_by(learner)

    done = learner.client.post(url, {"quantity": 1, "next": reverse("basket:summary")})

    assert done.url == reverse("basket:summary")
    assert "100 credits" in text_of(learner.client.get(done.url))


def test_a_block_of_credits_is_empty_where_none_are_on_sale(learner):
    assert words(packs_seen_by(learner)) == ""
    assert words(CreditPacksBlock().render(None, {})) == ""


def test_more_packs_cost_no_query_more(learner, packs):
    def queries() -> int:
        request = learner.client.get("/").wsgi_request
        with CaptureQueriesContext(connection) as asked:
            CreditPacksBlock().render(None, {"request": request})
        return len(asked)

    one_or_two = queries()
    api.sell_as_pack(make_product("900 credits", "9.00"), credits=900)

    assert queries() == one_or_two
