"""Staff look at access in the dashboard, give it, extend it and end it."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from oscar_training_credits import api, navigation
from oscar_training_credits.credits import outbox
from oscar_training_credits.credits.access import granting
from oscar_training_credits.credits.models import Access, AccessChange, Delivery, Place
from oscar_training_credits.exceptions import DeliveryFailed, IdempotencyKeyReused
from oscar_training_credits.test.factories import make_learner, make_training

from ...support import enrolment
from ...support.enrolment import backend
from ...support.orders import place_order
from ...support.roles import NOBODY, client_in, client_of
from ...support.shop import text_of, words

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
LIST = reverse("training_credits:access-list")
GIVE = reverse("training_credits:access-give")
DELIVERIES = reverse("training_credits:delivery-list")
AGAIN = reverse("training_credits:delivery-try-again")
ALL_ENTRIES = ["Training access", "Deliveries"]
ALL = ("view_access", "add_access", "change_access", "view_delivery", "change_delivery")


@pytest.fixture
def staff():
    return client_of(*ALL)


@pytest.fixture
def learner():
    return make_learner(email="lee@acme.example", first_name="Lee", last_name="Learner")


@pytest.fixture
def course():
    return make_training("Django Foundations", access_days=10)


@pytest.fixture
def given(learner, course):
    return api.give_access(learner, course, reason="Goodwill")


@pytest.fixture
def with_backend(settings):
    backend.heard.clear()
    backend.recover()
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = enrolment.PATH


def address(name: str, access: Access) -> str:
    return reverse(f"training_credits:access-{name}", args=[access.pk])


def rows(response) -> list[str]:
    """Return the words of each row of the page's table."""
    body = re.search(r"(?s)<tbody.*?</tbody>", text_of(response))
    return [words(row) for row in re.findall(r"(?s)<tr.*?</tr>", body[0])]


def in_days(days: int) -> str:
    return (timezone.localdate() + days * DAY).isoformat()


def midnight_after(day: str) -> datetime:
    after = datetime.fromisoformat(day).date() + DAY
    return timezone.make_aware(datetime.combine(after, time.min))


def key_of(page) -> str:
    return re.search(r'name="key" value="([^"]+)"', text_of(page))[1]


# The list


@pytest.fixture
def several(learner, course):
    """Lee's four: bought, to come, ended and claimed; and one of Sam's."""
    bought = place_order(learner, (course.product, 1))
    api.give_access(learner, course, reason="Goodwill")
    ended = api.give_access(learner, make_training("Old times"), reason="Goodwill")
    api.end_access(ended, reason="A mistake")
    buyer = make_learner(email="boss@acme.example")
    line = place_order(buyer, (make_training("For a team").product, 1)).lines.get()
    Access.objects.filter(order_line=line).delete()
    place = Place.objects.create(
        order_line=line,
        training=line.product.training,
        number=1,
        salt="0" * 32,
    )
    granting.claim_access(learner, place, granting.period_of_place(place, learner))
    sam = make_learner(email="sam@beta.example", first_name="Sam", last_name="Other")
    api.give_access(sam, course, reason="Goodwill")
    return {"bought": bought.number, "team": line.order.number}


def titles(rows: list[str]) -> list[str]:
    known = ("Django Foundations", "Old times", "For a team")
    return sorted(title for row in rows for title in known if title in row)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, 5),
        ({"learner": "lee"}, 4),
        ({"learner": "Learner LEE"}, 4),
        ({"learner": "acme.example"}, 4),
        ({"learner": "sam other"}, 1),
        ({"learner": "nobody"}, 0),
        ({"training": "django"}, 3),
        ({"training": "django", "learner": "lee"}, 2),
        ({"state": "running"}, 3),
        ({"state": "to-come"}, 1),
        ({"state": "ended"}, 1),
        ({"ground": "order"}, 1),
        ({"ground": "place"}, 1),
        ({"ground": "staff"}, 3),
        ({"state": "no such state"}, 0),
    ],
)
def test_staff_search_access(staff, several, search, expected):
    found = rows(staff.get(LIST, search))

    if expected == 0:
        assert found == ["Nothing found."]
    else:
        assert len(found) == expected


@pytest.mark.parametrize(
    ("order", "title"), [("bought", "Django Foundations"), ("team", "For a team")]
)
def test_staff_find_the_access_of_an_order(staff, several, order, title):
    page = staff.get(LIST, {"order": f"#{several[order]}"})

    assert titles(rows(page)) == [title]
    link = reverse("dashboard:order-detail", args=[several[order]])
    assert f'href="{link}"' in text_of(page)


@pytest.mark.parametrize(("number", "said"), [(1, "1 period"), (2, "2 periods")])
def test_the_list_says_how_many_there_are(staff, learner, course, number, said):
    for _each in range(number):
        api.give_access(learner, course, reason="Goodwill")

    assert f"{said} of access" in words(text_of(staff.get(LIST)))


def test_a_row_says_who_what_until_when_and_from_where(staff, given):
    (row,) = rows(staff.get(LIST))

    assert row.startswith("Lee Learner, lee@acme.example Django Foundations Running")
    assert row.endswith("Given by staff")


def test_columns_can_be_sorted(staff, several):
    for column in ("learner", "training", "starts_at", "-ends_at"):
        assert len(rows(staff.get(LIST, {"sort": column}))) == 5


def test_more_access_costs_no_query_more(staff, given, course, several):
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get(LIST)
        return len(captured)

    before = count()
    for _learner in range(5):
        api.give_access(make_learner(), course, reason="Goodwill")

    assert count() == before


# One access


def test_the_history_says_who_did_what_and_why(staff, given):
    api.extend_access(given, until=None, reason="They were ill.", by=staff.user)

    text = words(text_of(staff.get(address("detail", given))))

    assert "Access of Lee Learner to Django Foundations" in text
    assert "They were ill. Stef Staff" in text
    assert re.search(r"Given .* Goodwill", text)
    assert "Until No end" in text


def test_the_order_page_leads_to_the_access(learner, course):
    staff = client_of("view_order", "view_access")
    order = place_order(learner, (course.product, 1))
    page = reverse("dashboard:order-detail", args=[order.number])

    link = f'href="{address("detail", order.lines.get().training_access)}"'

    assert link in text_of(staff.get(page))
    assert link not in text_of(client_of("view_order").get(page))


# Giving


def give_form(page, **fields) -> dict:
    return {"reason": "Goodwill", "key": key_of(page), **fields}


def test_staff_give_access(staff, learner, course):
    page = staff.get(GIVE, {"email": "lee@acme.example", "training": course.pk})
    assert 'value="lee@acme.example"' in text_of(page)
    form = give_form(page, email="LEE@acme.example", training=course.pk)

    done = staff.post(GIVE, form, follow=True)

    access = Access.objects.get()
    assert done.redirect_chain == [(address("detail", access), 302)]
    assert "Access was given." in words(text_of(done))
    assert (access.learner, access.training) == (learner, course)
    change = access.changes.get()
    assert (change.reason, change.changed_by) == ("Goodwill", staff.user)


def test_what_is_given_may_end_on_a_day(staff, learner, course):
    form = give_form(staff.get(GIVE), email=learner.email, training=course.pk)

    staff.post(GIVE, {**form, "last_day": in_days(3)})

    given = Access.objects.get()
    day = date_format(date.fromisoformat(in_days(3)), "DATE_FORMAT")
    assert given.ends_at == midnight_after(in_days(3))
    assert f"Until {day} " in words(text_of(staff.get(address("detail", given))))
    assert f" {day} " in words(text_of(staff.get(LIST)))


def test_a_second_click_gives_nothing_more(staff, learner, course):
    form = give_form(staff.get(GIVE), email=learner.email, training=course.pk)

    answers = [staff.post(GIVE, form) for _twice in range(2)]

    assert {answer.status_code for answer in answers} == {302}
    assert Access.objects.count() == AccessChange.objects.count() == 1


def test_what_has_no_end_is_given_once(staff, learner):
    course = make_training("For ever")
    form = give_form(staff.get(GIVE), email=learner.email, training=course.pk)
    staff.post(GIVE, form)

    assert staff.post(GIVE, form).status_code == 302
    fresh = give_form(staff.get(GIVE), email=learner.email, training=course.pk)
    refused = staff.post(GIVE, fresh)

    assert "They have it already, without an end." in words(text_of(refused))
    assert Access.objects.count() == 1


def test_a_page_gives_to_one_learner(staff, learner, course):
    form = give_form(staff.get(GIVE), email=learner.email, training=course.pk)
    staff.post(GIVE, form)

    refused = staff.post(GIVE, {**form, "email": make_learner().email})

    assert "This page was used before." in words(text_of(refused))
    assert Access.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "field", "error"),
    [
        ({"email": ""}, "email", "This field is required."),
        ({"email": "no@where.example"}, "email", "Nobody has an account"),
        ({"email": "twin@acme.example"}, "email", "Several accounts"),
        ({"training": "0"}, "training", "not one of the available choices"),
        ({"last_day": "soon"}, "last_day", "Enter a valid date."),
        ({"last_day": in_days(-1)}, "last_day", "This day is over."),
        ({"last_day": "9999-12-31"}, "last_day", "more than 100 years away"),
        ({"reason": " "}, "reason", "This field is required."),
        ({"reason": "x" * 201}, "reason", "at most 200 characters"),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    staff, learner, course, wrong, field, error
):
    for number in range(2):
        make_learner(username=f"twin{number}", email="twin@acme.example")
    form = give_form(staff.get(GIVE), email=learner.email, training=course.pk)

    page = text_of(staff.post(GIVE, {**form, **wrong}))

    hint = re.search(rf'(?s)<div id="{field}-hint">(.*?)</div>', page)[1]
    assert error in words(hint)
    assert f'aria-describedby="{field}-hint"' in page
    assert not Access.objects.exists()


def test_a_day_before_the_running_access_ends_gives_nothing(staff, given):
    form = give_form(
        staff.get(GIVE), email=given.learner.email, training=given.training.pk
    )

    page = staff.post(GIVE, {**form, "last_day": in_days(3)})

    assert "it would end before it begins" in words(text_of(page))
    assert Access.objects.count() == 1


def test_training_whose_last_day_is_over_is_not_given(staff, learner):
    over = make_training("Over", access_until=timezone.localdate() - DAY)
    form = give_form(staff.get(GIVE), email=learner.email, training=over.pk)

    page = staff.post(GIVE, form)

    assert "The last day of access to it is over" in words(text_of(page))


def test_a_cause_gives_once(learner, course):
    terms = {"reason": "Goodwill", "idempotency_key": "import:1"}

    first, again = (api.give_access(learner, course, **terms) for _ in range(2))

    assert first == again
    with pytest.raises(IdempotencyKeyReused):
        api.give_access(make_learner(), course, **terms)
    with pytest.raises(IdempotencyKeyReused):
        api.give_access(learner, make_training("Other"), **terms)


# Extending and ending


def test_staff_extend_access(staff, given):
    form = {"last_day": in_days(30), "reason": "They were ill."}

    for _twice in range(2):
        done = staff.post(address("extend", given), form, follow=True)
        assert "Access was extended." in words(text_of(done))

    given.refresh_from_db()
    assert given.ends_at == midnight_after(in_days(30))
    (change,) = given.changes.filter(kind=AccessChange.Kind.CHANGED)
    assert (change.reason, change.changed_by) == ("They were ill.", staff.user)


def test_staff_let_access_last_for_ever(staff, given):
    form = {"for_ever": "on", "reason": "A partner"}

    for _twice in range(2):
        assert staff.post(address("extend", given), form).status_code == 302

    given.refresh_from_db()
    assert given.ends_at is None
    assert "Extend…" not in text_of(staff.get(address("detail", given)))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, "Choose a day"),
        ({"last_day": in_days(30), "for_ever": "on"}, "Choose a day"),
        ({"last_day": in_days(5)}, "It lasts until"),
        ({"last_day": in_days(-1)}, "This day is over."),
    ],
)
def test_extending_can_not_shorten(staff, given, wrong, error):
    page = staff.post(address("extend", given), {"reason": "A slip", **wrong})

    assert page.status_code == 200
    assert error in words(text_of(page))
    assert given.changes.count() == 1


def test_moments_are_written_in_one_way(staff, given, with_backend):
    api.extend_access(given, until=given.ends_at + DAY, reason="Goodwill")
    given.refresh_from_db()
    form = {"last_day": in_days(5), "reason": "A slip"}
    extend = words(text_of(staff.post(address("extend", given), form)))
    outbox.deliver_due()
    arrived = words(text_of(staff.get(DELIVERIES, {"state": "arrived"})))

    end = date_format(timezone.localtime(given.ends_at), "DATETIME_FORMAT")
    done = Delivery.objects.get().delivered_at
    then = date_format(timezone.localtime(done), "DATETIME_FORMAT")

    assert f"It lasts until {end} already." in extend
    assert f"until {end} " in extend.partition("It lasts")[0]
    assert f"Arrived {then}" in arrived


FOLLOWS = "What begins when this ends begins that much later"


def test_extending_says_what_moves_only_where_something_does(staff, given):
    alone = text_of(staff.get(address("extend", given)))
    later = api.give_access(given.learner, given.training, reason="Goodwill")

    first = text_of(staff.get(address("extend", given)))
    last = text_of(staff.get(address("extend", later)))

    assert [FOLLOWS in page for page in (alone, first, last)] == [False, True, False]


def test_what_somebody_else_extended_meanwhile_is_not_shortened(staff, given):
    """They are quicker, between the check of the form and the lock."""
    extend = granting.extend_access

    def late(access, **terms):
        extend(access, until=given.ends_at + 90 * DAY, reason="First")
        return extend(access, **terms)

    with mock.patch.object(granting, "extend_access", late):
        form = {"last_day": in_days(30), "reason": "Second"}
        page = staff.post(address("extend", given), form)

    assert "It lasts until" in words(text_of(page))
    assert given.changes.filter(reason="Second").count() == 0


def test_staff_are_asked_before_access_ends(staff, given):
    asked = staff.get(address("end", given))

    text = words(text_of(asked))
    assert "End access now?" in text
    assert "Lee Learner: Django Foundations Access from" in text
    assert api.has_access(given.learner, given.training)


def test_staff_are_told_that_ending_gives_nothing_back(staff, learner, course):
    order = place_order(learner, (course.product, 1))
    access = order.lines.get().training_access

    text = words(text_of(staff.get(address("end", access))))

    assert f"do that at order # {order.number}" in text.replace("#", "# ")


def test_staff_end_access(staff, given):
    assert staff.post(address("end", given), {"reason": ""}).status_code == 200
    assert api.has_access(given.learner, given.training)

    for _twice in range(2):
        done = staff.post(address("end", given), {"reason": "They left"}, follow=True)
        assert "Access has ended." in words(text_of(done))

    assert not api.has_access(given.learner, given.training)
    (change,) = given.changes.filter(kind=AccessChange.Kind.ENDED)
    assert (change.reason, change.changed_by) == ("They left", staff.user)
    again = staff.get(address("end", given), follow=True)
    assert "It has ended already." in words(text_of(again))


# Deliveries


@pytest.fixture
def failed(with_backend, learner, course):
    """News that did not arrive, and later news that waits for it."""
    backend.fail(DeliveryFailed("The learning system answered 500."))
    access = api.give_access(learner, course, reason="Goodwill")
    api.extend_access(access, until=None, reason="They were ill.")
    outbox.deliver_due()
    return Delivery.objects.earliest("pk")


def test_staff_see_what_has_not_arrived(staff, failed):
    first, second = rows(staff.get(DELIVERIES))

    assert "Lee Learner Django Foundations Access given 1" in first
    assert "The learning system answered 500." in first
    assert "Access changed 0" in second
    assert "Waits for an earlier one" in second


def test_staff_see_news_on_the_page_of_its_access(staff, failed):
    text = words(text_of(staff.get(address("detail", failed.access))))

    assert "Given 1 Not yet The learning system answered 500." in text


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"state": "failed"}, 1),
        ({"state": "arrived"}, 1),
        ({"learner": "lee"}, 2),
        ({"learner": "sam"}, 0),
        ({"training": "django"}, 2),
    ],
)
def test_staff_search_deliveries(staff, failed, search, expected):
    backend.recover()
    sam = make_learner(email="sam@beta.example")
    api.give_access(sam, make_training("Other"), reason="Goodwill")
    outbox.deliver_due()

    found = rows(staff.get(DELIVERIES, search))

    assert len(found) == (expected or 1)
    assert (found == ["Nothing found."]) is (expected == 0)


def test_staff_try_one_again(staff, failed):
    form = {"delivery": failed.pk}
    answers = [staff.post(AGAIN, form, follow=True)]
    backend.recover()
    for _twice in range(2):
        answers += [staff.post(AGAIN, form, follow=True)]

    texts = [words(text_of(answer)) for answer in answers]
    assert "It failed again." in texts[0]
    assert "It has arrived." in texts[1]
    assert "It was not sent" in texts[2]
    assert backend.kinds == ["given"] * 3


def test_staff_try_all_again(staff, failed):
    answers = [staff.post(AGAIN, {"all": "1"}, follow=True)]
    backend.recover()
    answers += [staff.post(f"{AGAIN}?learner=lee", {"all": "1"}, follow=True)]

    texts = [words(text_of(answer)) for answer in answers]
    assert "Arrived: 0. Failed: 1. Not tried: 1." in texts[0]
    assert "All has arrived." in texts[1]
    assert answers[1].redirect_chain == [(f"{DELIVERIES}?learner=lee", 302)]
    assert not Delivery.objects.pending().exists()


@pytest.mark.parametrize("form", [{}, {"delivery": "x"}, {"delivery": "0"}])
def test_trying_nothing_does_nothing(staff, failed, form):
    assert staff.post(AGAIN, form).status_code == 302
    assert len(backend.heard) == 1


def test_without_a_backend_the_page_says_so(staff, failed, settings):
    settings.TRAINING_CREDITS_ENROLMENT_BACKEND = None

    text = words(text_of(staff.get(DELIVERIES)))
    said = words(text_of(staff.post(AGAIN, {"all": "1"}, follow=True)))

    assert "TRAINING_CREDITS_ENROLMENT_BACKEND is not set" in text
    assert "Try again" not in text
    assert "Arrived: 0. Failed: 0. Not tried: 2." in said


def test_the_order_page_leads_to_who_claimed_its_places(learner, course):
    staff = client_of("view_order", "view_access")
    order = place_order(learner, (course.product, 3))
    first, *_others = api.places_of(order)
    api.claim_place(first, make_learner(first_name="Ana", last_name="Roe"))

    page = text_of(staff.get(reverse("dashboard:order-detail", args=[order.number])))

    assert "1 of 3 places of Django Foundations were claimed" in page
    link = f"{LIST}?order={order.number}"
    assert f'href="{link}"' in page
    assert "Ana Roe" in text_of(staff.get(link))


# Who may


PAGES = {
    "list": ("view_access", LIST),
    "detail": ("view_access", "detail"),
    "give": ("add_access", GIVE),
    "extend": ("change_access", "extend"),
    "end": ("change_access", "end"),
    "deliveries": ("view_delivery", DELIVERIES),
    "again": ("change_delivery", AGAIN),
}
TAKES = dict.fromkeys(("list", "detail", "deliveries"), ("get", "head"))
TAKES["again"] = ("post",)
OF_ONE = ("detail", "extend", "end")


@pytest.mark.parametrize("role", [*NOBODY, "partner", "superuser", *ALL])
def test_who_may_open_which_page(given, role):
    client = client_in(role, ALL)
    before = given.starts_at, given.ends_at

    for name, (permission, where) in PAGES.items():
        url = where if where.startswith("/") else address(where, given)
        may = role in ("superuser", "partner", permission)
        for method in ("get", "head", "post", "put", "delete"):
            answer = getattr(client, method)(url)
            status = answer.status_code
            if role == "anonymous":
                assert (status, "/login/" in answer.url) == (302, True), name
            elif not may:
                assert status == 403, (name, method)
            elif method not in TAKES.get(name, ("get", "head", "post", "put")):
                assert status == 405, (name, method)
            elif role == "partner" and name in OF_ONE:
                assert status == 404, (name, method)  # another partner sells it
            else:
                # An empty form is shown again.
                assert status == (302 if name == "again" else 200), (name, method)
    given.refresh_from_db()
    assert (given.starts_at, given.ends_at) == before
    assert Access.objects.count() == 1


def test_every_change_wants_a_token(given):
    client = client_of(*ALL, enforce_csrf_checks=True)
    changes = [GIVE, AGAIN, address("extend", given), address("end", given)]

    answers = [client.post(url, {"reason": "Has left", "all": 1}) for url in changes]

    assert [answer.status_code for answer in answers] == [403] * len(changes)


def test_what_staff_may_not_do_is_not_offered(given):
    viewer = client_of("view_access", "view_delivery")

    texts = [
        words(text_of(viewer.get(page)))
        for page in (LIST, address("detail", given), DELIVERIES)
    ]

    offers = ("Give access", "Give more…", "Extend…", "End…", "Try again")
    assert [offer for offer in offers if any(offer in text for text in texts)] == []


@pytest.mark.parametrize(
    ("permissions", "entries"),
    [
        (("view_access",), ["Training access"]),
        (ALL, ALL_ENTRIES),
    ],
)
def test_the_menu_has_what_may_be_opened(permissions, entries):
    page = text_of(client_of(*permissions).get(LIST))

    menu = re.findall(r'<a class="dropdown-item" href="[^"]*">\s*(.*?)\s*</a>', page)

    assert [entry for entry in menu if entry in ALL_ENTRIES] == entries


def test_a_site_without_our_addresses_has_no_entries(settings):
    settings.ROOT_URLCONF = "tests.sites.shop_without_training"
    entries = navigation.TRAINING["children"]
    boss = make_learner(is_staff=True, is_superuser=True)

    assert not any(each["access_fn"](boss, each["url_name"]) for each in entries)
