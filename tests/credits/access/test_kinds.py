"""Courses, paths and plans: what each opens, and for how long."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from unittest import mock

import pytest
from django.core.exceptions import ValidationError
from django.utils.timezone import override
from oscar.core.loading import get_model

from oscar_training_credits import api
from oscar_training_credits.credits.access import status
from oscar_training_credits.credits.access.granting import (
    Period,
    begin_access,
    expected_period,
    period_of,
)
from oscar_training_credits.credits.models import Access, AccessChange, TermsChange
from oscar_training_credits.credits.terms import ProductKind, is_far_away
from oscar_training_credits.shop.catalogue.training import sell_as_training
from oscar_training_credits.shop.exceptions import OrderRefused
from oscar_training_credits.test.factories import (
    make_code,
    make_learner,
    make_product,
    make_training,
)

from ...support.orders import place_order

pytestmark = pytest.mark.django_db

Range = get_model("offer", "Range")

UTC = timezone.utc
DAY = timedelta(days=1)


@pytest.fixture
def learner():
    return make_learner()


@pytest.fixture
def courses():
    return [make_training(f"Course {number}") for number in range(3)]


@pytest.fixture
def path(courses):
    return make_training(
        "A path", kind=ProductKind.PATH, path_courses=tuple(courses[:2])
    )


@pytest.fixture
def plan_content(courses):
    content = Range.objects.create(name="In the plan")
    for course in courses[1:]:
        content.add_product(course.product)
    return content


@pytest.fixture
def plan(plan_content):
    return make_training("A plan", kind=ProductKind.PLAN, plan_content=plan_content)


def seen(learner, trainings) -> list[bool]:
    """Ask one by one and all at once, which must say the same."""
    one_by_one = [status.access_status(learner, each) for each in trainings]
    together = status.access_statuses(learner, trainings)
    assert one_by_one == [together.get(each.pk, status.NO_ACCESS) for each in trainings]
    answers = [each.has_access for each in one_by_one]
    assert answers == [status.has_access(learner, each) for each in trainings]
    return answers


def test_a_course_opens_itself(learner, courses):
    place_order(learner, (courses[0].product, 1))

    assert seen(learner, courses) == [True, False, False]


def test_a_path_opens_its_courses(learner, path, courses):
    place_order(learner, (path.product, 1))

    assert seen(learner, [path, *courses]) == [True, True, True, False]


def test_a_path_lists_its_courses_in_order(path, courses):
    terms = {"credits": 20, "kind": ProductKind.PATH}
    listed = tuple(courses[::-1])

    sell_as_training(path.product, **terms, path_courses=listed)

    assert path.listed_courses() == listed


def test_a_path_lists_its_courses_by_their_position(path, courses):
    for position, course in enumerate(courses[1::-1], start=8):
        path.path_courses.filter(course=course).update(position=position)

    assert path.listed_courses() == (courses[1], courses[0])


def test_a_plan_opens_its_range(learner, plan, courses):
    place_order(learner, (plan.product, 1))

    assert seen(learner, [plan, *courses]) == [True, False, True, True]


def test_a_plan_opens_what_is_added_to_its_range_later(
    learner, plan, plan_content, courses
):
    place_order(learner, (plan.product, 1))
    new = make_training("New")
    assert seen(learner, [courses[0], new]) == [False, False]

    plan_content.add_product(new.product)
    plan_content.remove_product(courses[1].product)

    assert seen(learner, [courses[1], new]) == [False, True]


@pytest.mark.parametrize("by", ["everything", "class", "category", "parent category"])
def test_a_plan_opens_whatever_oscar_finds_in_its_range(learner, by):
    course = make_training("Somewhere")
    other = make_training("Left out")
    content = Range.objects.create(name=by, includes_all_products=by == "everything")
    Category = get_model("catalogue", "Category")
    parent = Category.add_root(name="All courses")
    category = parent.add_child(name="Security")
    for each in (course, other):
        category.product_set.add(each.product)
    if by == "class":
        content.classes.add(course.product.product_class)
    if by.endswith("category"):
        content.included_categories.add(category if by == "category" else parent)
    content.excluded_products.add(other.product)
    plan = make_training("A plan", kind=ProductKind.PLAN, plan_content=content)

    place_order(learner, (plan.product, 1))

    assert seen(learner, [course, other]) == [True, False]


def test_a_child_product_is_found_by_its_parent(learner):
    parent = make_product("Parent")
    child = make_training("Child")
    child.product.structure, child.product.parent = "child", parent
    child.product.save()
    content = Range.objects.create(name="By parent")
    content.add_product(parent)
    plan = make_training("A plan", kind=ProductKind.PLAN, plan_content=content)

    place_order(learner, (plan.product, 1))

    assert seen(learner, [child]) == [True]


def test_what_a_path_and_a_plan_among_others_open_as_well(path, plan, courses):
    by_path = status.opened_by_others([path, *courses])
    by_both = status.opened_by_others([plan, path, *courses])

    assert by_path == {courses[0]: path, courses[1]: path}
    assert by_both == {**by_path, courses[2]: plan}


def test_a_path_that_is_not_among_them_opens_none(path, courses):
    other = make_training("Other", kind=ProductKind.PATH, path_courses=(courses[2],))

    assert status.opened_by_others([other, courses[0]]) == {}


def test_courses_alone_open_nothing_as_well(courses, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert status.opened_by_others(courses) == {}


def test_access_lasts_while_any_ground_does(learner, path, plan, courses):
    for training in (courses[1], path, plan):
        place_order(learner, (training.product, 1))
    grounds = list(learner.training_access.all())

    for ground in grounds:
        assert seen(learner, courses[1:2]) == [True]
        api.end_access(ground, reason="It was a mistake.")

    assert seen(learner, courses[1:2]) == [False]


def test_a_refund_ends_only_what_it_paid_for(learner, path, courses):
    code = make_code(100, text="ACME-TEAM-2026")
    place_order(learner, (courses[0].product, 1))
    order = place_order(learner, (path.product, 1), text="ACME-TEAM-2026")

    api.refund_order(order, idempotency_key="changed their mind")

    assert code.balance() == 100
    assert seen(learner, [path, *courses[:2]]) == [False, True, False]


def test_one_query_tells_whether_a_learner_may_see(
    learner, path, courses, django_assert_num_queries
):
    for training in (*courses, path):
        place_order(learner, (training.product, 1))

    for training in (path, *courses):
        with django_assert_num_queries(1):
            assert status.has_access(learner, training)
        with django_assert_num_queries(1):
            assert status.access_status(learner, training).has_access


def test_a_plan_costs_what_oscar_asks_for_its_range(
    learner, plan, courses, django_assert_max_num_queries
):
    place_order(learner, (plan.product, 1), (courses[0].product, 1))

    for training in (plan, *courses):
        with django_assert_max_num_queries(6):
            assert status.has_access(learner, training)


def test_fifty_courses_cost_three_queries_for_a_learner_with_a_path_and_a_plan(
    learner, path, django_assert_max_num_queries
):
    everything = Range.objects.create(name="All", includes_all_products=True)
    plan = make_training("All access", kind=ProductKind.PLAN, plan_content=everything)
    for training in (path, plan):
        place_order(learner, (training.product, 1))
    wanted = [make_training(f"Page {number}") for number in range(50)]

    with django_assert_max_num_queries(3):
        assert len(status.access_statuses(learner, wanted)) == 50


BAD_TERMS = [
    pytest.param(
        {"kind": ProductKind.PLAN}, "plan_content", id="a plan without content"
    ),
    pytest.param(
        {"kind": ProductKind.PATH}, "path_courses", id="a path without courses"
    ),
    pytest.param(
        {"access_days": 3, "access_until": date(2027, 1, 1)}, "access_days", id="both"
    ),
    pytest.param(
        {"access_from": date(2027, 1, 2), "access_until": date(2027, 1, 1)},
        "access_until",
        id="ends before it begins",
    ),
    pytest.param(
        {"credits": None, "credit_only": True}, "credits", id="only nothing pays"
    ),
    pytest.param({"access_until": date.max}, "access_until", id="the last of days"),
    pytest.param({"access_from": date.max}, "access_from", id="begins never"),
    pytest.param({"access_from": date.min}, "access_from", id="the first of days"),
]


@pytest.mark.parametrize(("terms", "field"), BAD_TERMS)
def test_terms_that_make_no_sense_are_refused(terms, field):
    with pytest.raises(ValidationError) as refused:
        make_training(**{"credits": 20, **terms})

    assert list(refused.value.message_dict) == [field]


def test_a_course_has_no_list_and_no_range(courses, plan_content):
    product = make_product("A course")

    with pytest.raises(ValidationError) as refused:
        sell_as_training(
            product, credits=20, plan_content=plan_content, path_courses=courses
        )

    assert set(refused.value.message_dict) == {"plan_content", "path_courses"}


def test_a_path_can_not_contain_itself_nor_a_path_nor_a_course_twice(path, courses):
    wrong = {"holds courses only": (courses[0], path), "twice": (courses[0],) * 2}
    for message, listed in wrong.items():
        with pytest.raises(ValidationError, match=message):
            make_training("Path", kind=ProductKind.PATH, path_courses=listed)
    with pytest.raises(ValidationError, match="itself"):
        sell_as_training(
            courses[2].product, kind=ProductKind.PATH, path_courses=courses[1:]
        )


@pytest.mark.parametrize(("days", "is_far"), [(36_500, False), (36_501, True)])
def test_a_hundred_years_count_from_today_on_the_sites_clock(days, is_far, settings):
    settings.TIME_ZONE = "America/New_York"
    late_on_new_years_eve = datetime(2027, 1, 1, 4, tzinfo=UTC)

    now = mock.patch("django.utils.timezone.now", return_value=late_on_new_years_eve)
    with now, override("Asia/Tokyo"):
        for there in (1, -1):
            day = date(2026, 12, 31) + there * timedelta(days=days)
            assert is_far_away(day) is is_far


def test_access_may_be_for_one_day():
    day = date(2099, 1, 1)

    training = make_training(access_from=day, access_until=day)

    assert training.closes_at - training.opens_at == DAY


def test_a_course_of_a_path_can_not_become_a_path(path, courses):
    with pytest.raises(ValidationError) as refused:
        sell_as_training(
            courses[0].product, kind=ProductKind.PATH, path_courses=(courses[2],)
        )

    assert list(refused.value.message_dict) == ["kind"]


def test_a_range_that_code_computes_can_not_be_a_plan():
    content = Range.objects.create(name="Computed", proxy_class="somewhere.Range")

    with pytest.raises(ValidationError) as refused:
        make_training(kind=ProductKind.PLAN, plan_content=content)

    assert list(refused.value.message_dict) == ["plan_content"]


def test_changed_terms_are_on_record(path, courses):
    editor = make_learner()
    TermsChange.objects.all().delete()

    for _twice in range(2):
        sell_as_training(courses[2].product, credits=35, credit_only=True, by=editor)

    changes = TermsChange.objects.order_by("pk")
    assert list(changes.values_list("term", "before", "after", "changed_by")) == [
        ("credits", "20", "35", editor.pk),
        ("credit_only", "False", "True", editor.pk),
        ("price", "240.00 GBP", "", editor.pk),
    ]


NEW_YORK = "America/New_York"
NOON = datetime(2027, 3, 13, 12, tzinfo=UTC)  # the day before clocks go forward there

PERIODS = [
    pytest.param({}, {}, NOON, None, id="for ever"),
    pytest.param({"access_days": 2}, {}, NOON, NOON + 2 * DAY, id="days of 24 hours"),
    pytest.param(
        {"access_until": date(2027, 3, 14)},
        {},
        NOON,
        datetime(2027, 3, 15, 4, tzinfo=UTC),
        id="through the last day, which has 23 hours",
    ),
    pytest.param(
        {"access_until": date(2027, 3, 13)},
        {},
        NOON,
        datetime(2027, 3, 14, 5, tzinfo=UTC),
        id="until tonight, by winter time",
    ),
    pytest.param(
        {"access_until": date(2027, 3, 12)}, {}, NOON, NOON, id="over already: nothing"
    ),
    pytest.param(
        {"access_from": date(2027, 3, 15)},
        {},
        datetime(2027, 3, 15, 4, tzinfo=UTC),
        None,
        id="from a day on, by summer time",
    ),
    pytest.param(
        {"access_from": date(2027, 3, 15), "access_days": 1},
        {},
        datetime(2027, 3, 15, 4, tzinfo=UTC),
        datetime(2027, 3, 16, 4, tzinfo=UTC),
        id="days count from the first day",
    ),
    pytest.param({"access_from": date(2027, 3, 1)}, {}, NOON, None, id="begun already"),
    pytest.param(
        {"access_days": 30},
        {"after": NOON + 5 * DAY},
        NOON + 5 * DAY,
        NOON + 35 * DAY,
        id="after what is running",
    ),
    pytest.param(
        {"access_from": date(2027, 3, 1), "access_days": 1},
        {"after": NOON - 5 * DAY},
        NOON,
        NOON + DAY,
        id="after what is over",
    ),
    pytest.param(
        {"access_days": 30},
        {"until": NOON + 5 * DAY},
        NOON,
        NOON + 5 * DAY,
        id="until the code ends",
    ),
    pytest.param({}, {"until": NOON + DAY}, NOON, NOON + DAY, id="only the code ends"),
    pytest.param(
        {"access_days": 1}, {"until": NOON + 5 * DAY}, NOON, NOON + DAY, id="sooner"
    ),
    pytest.param(
        {"access_days": 30},
        {"after": NOON + 5 * DAY, "until": NOON + DAY},
        NOON + 5 * DAY,
        NOON + 5 * DAY,
        id="the code ends before it could begin: nothing",
    ),
]


@pytest.mark.parametrize(("terms", "given", "starts_at", "ends_at"), PERIODS)
def test_from_when_until_when(settings, terms, given, starts_at, ends_at):
    settings.TIME_ZONE = NEW_YORK
    training = make_training(**terms)

    period = period_of(training, at=NOON, **given)

    assert (period.starts_at, period.ends_at) == (starts_at, ends_at)
    assert period.is_empty is (starts_at == ends_at)


@pytest.mark.parametrize("first_day", [None, date(2027, 3, 25)])
@pytest.mark.parametrize(
    "has",
    [(-20, -5), (-5, 20), (-5, None), (5, 35), (5, None), (10, 40), (15, 45)],
    ids=str,
)
def test_what_is_foreseen_is_what_is_given(learner, settings, first_day, has):
    settings.TIME_ZONE = NEW_YORK
    course = make_training(access_days=30, access_from=first_day)
    begin, end = has
    first = (course.opens_at or NOON + 10 * DAY) - 10 * DAY
    with mock.patch("django.utils.timezone.now", return_value=NOON):
        had = begin_access(learner, course, order_line=None)
        had.starts_at, had.ends_at = first + begin * DAY, end and first + end * DAY
        had.save()

        access_status = status.access_status(learner, course)
        period = expected_period(course, access_status, at=NOON)
        if end is None and had.starts_at <= max(NOON, course.opens_at or NOON):
            assert period is None
            with pytest.raises(OrderRefused, match="add nothing"):
                place_order(learner, (course.product, 1))
            return
        given = place_order(learner, (course.product, 1)).lines.get().training_access

    assert period == Period(given.starts_at, given.ends_at)


def test_access_ends_with_the_code_where_the_code_says_so(learner, courses):
    end = datetime.now(UTC) + 9 * DAY
    make_code(100, text="ACME-2026-ENDS", expires_at=end, ends_access=True)
    make_code(100, text="ACME-2026-STAYS", expires_at=end)

    ends = []
    for course, text in zip(
        courses, ("ACME-2026-ENDS", "ACME-2026-STAYS", None), strict=True
    ):
        order = place_order(learner, (course.product, 1), text=text)
        ends.append(order.lines.get().training_access.ends_at)

    assert ends == [end, None, None]


def test_the_code_of_another_line_does_not_end_access(learner, courses):
    end = datetime.now(UTC) + 9 * DAY
    make_code(20, text="ACME-2026-ENDS", expires_at=end, ends_access=True)
    make_code(20, text="ACME-2026-STAYS", expires_at=end + DAY)
    lines = [(course.product, 1) for course in courses[:2]]

    order = place_order(learner, *lines, texts=["ACME-2026-ENDS", "ACME-2026-STAYS"])

    ends = [line.training_access.ends_at for line in order.lines.order_by("pk")]
    assert ends == [end, None]


def test_a_code_without_an_end_can_not_end_access():
    with pytest.raises(ValueError, match="no end"):
        make_code(100, ends_access=True)


def test_staff_give_access_on_record(learner, courses):
    staff = make_learner(is_staff=True)

    given = api.give_access(learner, courses[0], reason="Goodwill", by=staff)

    assert seen(learner, courses) == [True, False, False]
    change = AccessChange.objects.get()
    assert (change.access, change.kind) == (given, AccessChange.Kind.GIVEN)
    assert (change.reason, change.changed_by) == ("Goodwill", staff)


def test_what_another_learner_has_for_ever_keeps_nobody_from_it(learner, courses):
    api.give_access(make_learner(), courses[0], reason="Goodwill")

    api.give_access(learner, courses[0], reason="Goodwill")

    assert status.has_access(learner, courses[0])


def test_what_staff_give_begins_when_what_runs_ends(learner):
    course = make_training(access_days=10)
    first = api.give_access(learner, course, reason="Goodwill")

    second = api.give_access(learner, course, reason="Goodwill")

    assert second.starts_at == first.ends_at
    assert status.access_status(learner, course).ends_at == second.ends_at


def test_nothing_is_given_that_would_be_nothing(learner, courses):
    with pytest.raises(ValueError, match="before it begins"):
        api.give_access(
            learner, courses[0], reason="Late", until=datetime.now(UTC) - DAY
        )


@pytest.mark.parametrize("reason", ["", "x" * 201])
def test_a_change_needs_a_reason(learner, courses, reason):
    with pytest.raises(ValueError, match="reason"):
        api.give_access(learner, courses[0], reason=reason)

    assert not Access.objects.exists()


@pytest.mark.parametrize("reason", ["x", "x" * 200])
def test_a_reason_may_be_short_or_long(learner, courses, reason):
    given = api.give_access(learner, courses[0], reason=reason)

    assert given.changes.get().reason == reason


def test_extending_moves_what_was_to_follow(learner):
    course = make_training(access_days=10)
    first, second = (
        api.give_access(learner, course, reason="Goodwill") for _ in range(2)
    )

    extended = api.extend_access(
        first, until=first.ends_at + 5 * DAY, reason="They were ill."
    )

    for row in (first, second):
        former_end = row.ends_at
        row = Access.objects.get(pk=row.pk)
        change = row.changes.latest("pk")
        assert (change.former_end, change.ends_at) == (former_end, row.ends_at)
    second.refresh_from_db()
    assert extended.ends_at == first.ends_at + 5 * DAY == second.starts_at
    assert second.ends_at - second.starts_at == 10 * DAY


def test_extending_moves_all_that_was_to_follow_and_nothing_of_others(learner):
    course, other = make_training(access_days=10), make_learner()
    first, second, third = (
        api.give_access(learner, course, reason="Goodwill") for _ in range(3)
    )
    begin_access(other, course, order_line=None, after=first.ends_at)

    api.extend_access(first, until=first.ends_at + 5 * DAY, reason="They were ill.")

    third.refresh_from_db()
    assert third.starts_at == second.ends_at + 5 * DAY
    assert other.training_access.get().starts_at == second.starts_at


def test_extending_leaves_another_course_that_begins_then_where_it_is(learner):
    given = api.give_access(learner, make_training(access_days=10), reason="Goodwill")
    other = begin_access(
        learner, make_training("Other"), order_line=None, after=given.ends_at
    )

    api.extend_access(given, until=given.ends_at + DAY, reason="They were ill.")

    assert Access.objects.get(pk=other.pk).starts_at == other.starts_at


def test_what_follows_ends_on_the_last_day_however_it_is_moved(learner):
    last = date.today() + 30 * DAY  # noqa: DTZ011
    course, now = make_training(access_until=last), datetime.now(UTC)
    terms = {"reason": "Goodwill"}
    first = api.give_access(learner, course, until=now + 10 * DAY, **terms)
    second = api.give_access(learner, course, **terms)
    end = second.ends_at

    first = api.extend_access(first, until=now + 20 * DAY, reason="They were ill.")
    second.refresh_from_db()
    assert (second.starts_at, second.ends_at) == (now + 20 * DAY, end)

    api.extend_access(first, until=end + DAY, reason="They were ill.")
    second.refresh_from_db()
    assert (second.starts_at, second.ends_at) == (end, end)


def test_extending_twice_to_the_same_moment_changes_nothing_more(learner):
    given = api.give_access(learner, make_training(access_days=10), reason="Goodwill")
    until = given.ends_at + DAY

    for _twice in range(2):
        extended = api.extend_access(given, until=until, reason="They were ill.")
        assert (extended, extended.ends_at) == (given, until)

    assert AccessChange.objects.filter(kind=AccessChange.Kind.CHANGED).count() == 1


def test_extending_can_not_shorten(learner):
    given = api.give_access(learner, make_training(access_days=10), reason="Goodwill")

    with pytest.raises(ValueError, match="earlier"):
        api.extend_access(given, until=given.ends_at - DAY, reason="A slip")


def test_what_has_no_end_can_not_be_extended(learner, courses):
    given = api.give_access(learner, courses[0], reason="Goodwill")

    with pytest.raises(ValueError, match="earlier"):
        api.extend_access(given, until=datetime.now(UTC) + DAY, reason="A slip")


def test_what_has_ended_can_be_extended(learner):
    given = api.give_access(learner, make_training(access_days=10), reason="Goodwill")
    ended = api.end_access(given, reason="A mistake")

    extended = api.extend_access(ended, until=None, reason="It was none.")

    assert (ended, ended.has_ended(datetime.now(UTC))) == (given, True)
    assert extended.ends_at is None
    assert status.has_access(learner, given.training)


def test_what_ended_before_it_began_can_be_extended(learner):
    course = make_training(access_from=date.today() + 9 * DAY)  # noqa: DTZ011
    given = api.give_access(learner, course, reason="Goodwill")
    ended = api.end_access(given, reason="A mistake")

    extended = api.extend_access(
        ended, until=ended.ends_at + 5 * DAY, reason="It was none."
    )

    extended.refresh_from_db()
    assert extended.starts_at == ended.starts_at
    assert extended.ends_at == ended.starts_at + 5 * DAY


def test_ending_early_brings_forward_what_was_to_follow(learner):
    course = make_training(access_days=10)
    first, second = (
        api.give_access(learner, course, reason="Goodwill") for _ in range(2)
    )

    api.end_access(first, reason="They asked for it.")
    api.end_access(first, reason="Asked twice")

    second.refresh_from_db()
    assert status.access_status(learner, course).ends_at == second.ends_at
    assert second.ends_at - second.starts_at == 10 * DAY
    ended = AccessChange.objects.get(kind=AccessChange.Kind.ENDED)
    assert ended.reason == "They asked for it."


def test_what_a_plan_opens_already_begins_when_the_plan_ends(
    learner, plan_content, courses
):
    plan = make_training(
        kind=ProductKind.PLAN, plan_content=plan_content, access_days=90
    )
    place_order(learner, (plan.product, 1))
    end = status.access_status(learner, courses[1]).ends_at

    order = place_order(learner, (courses[1].product, 1))

    assert order.lines.get().training_access.starts_at == end
    assert status.access_status(learner, courses[1]).is_endless


def test_a_plan_that_is_to_come_does_not_delay_a_course(learner, plan_content):
    course = make_training("New", access_days=30)
    plan_content.add_product(course.product)
    next_year = date.today() + 365 * DAY  # noqa: DTZ011
    plan = make_training(
        kind=ProductKind.PLAN, plan_content=plan_content, access_from=next_year
    )
    place_order(learner, (plan.product, 1))

    place_order(learner, (course.product, 1))

    assert seen(learner, [course]) == [True]


def test_a_plan_that_ends_early_brings_forward_the_course_bought_to_follow(
    learner, plan_content, courses
):
    plan = make_training(
        kind=ProductKind.PLAN, plan_content=plan_content, access_days=90
    )
    ground = place_order(learner, (plan.product, 1)).lines.get().training_access
    place_order(learner, (courses[1].product, 1))

    api.end_access(ground, reason="They asked for it.")

    assert seen(learner, courses) == [False, True, False]


def test_the_first_day_is_kept_when_what_runs_ends_early(learner):
    course = make_training(access_days=30)
    first = api.give_access(learner, course, reason="Goodwill")
    opening = first.ends_at.date() + 5 * DAY
    course = sell_as_training(course.product, access_days=30, access_from=opening)
    second = api.give_access(learner, course, reason="Goodwill")

    api.end_access(first, reason="They asked for it.")

    second.refresh_from_db()
    assert second.starts_at.date() == opening


def test_what_follows_begins_on_its_first_day_at_the_earliest(learner):
    course = make_training(access_days=30)
    first = api.give_access(learner, course, reason="Goodwill")
    opening = first.ends_at.date() - 5 * DAY
    course = sell_as_training(course.product, access_days=30, access_from=opening)
    second = api.give_access(learner, course, reason="Goodwill")

    api.end_access(first, reason="They asked for it.")

    second.refresh_from_db()
    assert second.starts_at == course.opens_at
    assert second.ends_at - second.starts_at == 30 * DAY


def test_buying_twice_before_the_first_day_is_one_after_the_other(learner):
    opening = date.today() + 30 * DAY  # noqa: DTZ011
    course = make_training(access_days=10, access_from=opening)

    first, second = (
        place_order(learner, (course.product, 1)).lines.get().training_access
        for _ in range(2)
    )

    assert (first.starts_at, second.starts_at) == (course.opens_at, first.ends_at)


def test_access_over_time(learner):
    """Before, at the first moment, during, at the last moment, after."""
    course = make_training(access_from=date(2027, 3, 15), access_days=1)
    given = api.give_access(learner, course, reason="Goodwill")
    tick = timedelta(microseconds=1)
    moments = [
        (given.starts_at - tick, False),
        (given.starts_at, True),
        (given.ends_at - tick, True),
        (given.ends_at, False),
    ]

    for moment, expected in moments:
        with mock.patch("django.utils.timezone.now", return_value=moment):
            assert seen(learner, [course]) == [expected]
            access_status = status.access_status(learner, course)
        ended_at = given.ends_at if moment == given.ends_at else None
        assert access_status.ended_at == ended_at
        assert access_status.is_to_come is (moment < given.starts_at)


def test_access_that_has_not_begun_is_to_come(learner):
    course = make_training(access_from=date.today() + 9 * DAY)  # noqa: DTZ011

    begin_access(learner, course, order_line=None)

    access_status = status.access_status(learner, course)
    assert access_status.is_to_come
    assert not access_status.has_access


def test_what_is_to_come_follows_what_ended_last(learner):
    course = make_training(access_days=30)
    now = datetime.now(UTC)
    for days in (300, 100):
        row = begin_access(learner, course, order_line=None)
        Access.objects.filter(pk=row.pk).update(
            starts_at=now - (days + 30) * DAY, ends_at=now - days * DAY
        )
    sell_as_training(course.product, access_from=(now + 9 * DAY).date())
    course.refresh_from_db()
    begin_access(learner, course, order_line=None)

    access_status = status.access_status(learner, course)

    assert access_status.is_to_come
    assert access_status.ended_at == now - 100 * DAY


# What waits for a plan or a path that does not open it any more


@pytest.fixture
def besides(learner, plan, courses):
    """Access to a course that was bought besides a plan, to begin when that ends."""
    Access.objects.all().delete()
    sell_as_training(
        plan.product,
        kind=ProductKind.PLAN,
        plan_content=plan.plan_content,
        access_days=365,
    )
    place_order(learner, (plan.product, 1))
    place_order(learner, (courses[1].product, 1))
    row = Access.objects.get(training=courses[1])
    assert row.starts_at > datetime.now(UTC)
    return row


LOSSES = {
    "the range is without it": lambda plan, course: plan.plan_content.remove_product(
        course.product
    ),
    "the plan has another range": lambda plan, course: sell_as_training(
        plan.product,
        kind=ProductKind.PLAN,
        plan_content=Range.objects.create(name="Another"),
        access_days=365,
    ),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_course_begins_that_its_plan_has_lost(
    besides, learner, plan, courses, lose, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        lose(plan, courses[1])

    besides.refresh_from_db()
    assert besides.starts_at <= datetime.now(UTC)
    assert seen(learner, courses[1:]) == [
        True,
        lose is LOSSES["the range is without it"],
    ]
    (change,) = besides.changes.all()
    assert "does not open it any more" in change.reason


def test_a_course_waits_while_its_plan_still_opens_it(besides, learner, plan, courses):
    plan.plan_content.remove_product(courses[2].product)

    assert api.bring_forward() == 0
    begins = besides.starts_at
    besides.refresh_from_db()
    assert besides.starts_at == begins


def test_a_course_that_its_plan_has_lost_waits_for_the_path_that_opens_it(
    besides, learner, plan, path, courses
):
    end = datetime.now(UTC) + 30 * DAY
    api.give_access(learner, path, reason="A guest.", until=end)
    sell_as_training(
        path.product, kind=ProductKind.PATH, path_courses=tuple(courses[:2])
    )
    plan.plan_content.remove_product(courses[1].product)

    assert [api.bring_forward(), api.bring_forward()] == [1, 0]
    besides.refresh_from_db()
    assert besides.starts_at == end


def test_a_course_that_its_plan_has_lost_waits_for_its_first_day(
    besides, learner, plan, courses
):
    first = date.today() + 9 * DAY  # noqa: DTZ011
    sell_as_training(courses[1].product, credits=20, access_from=first)
    plan.plan_content.remove_product(courses[1].product)

    api.bring_forward()

    besides.refresh_from_db()
    assert besides.starts_at == besides.training.opens_at


def test_a_course_that_is_opened_for_ever_is_left_as_it_is(
    besides, learner, plan, path, courses
):
    api.give_access(learner, path, reason="A guest.")
    sell_as_training(
        path.product, kind=ProductKind.PATH, path_courses=tuple(courses[:2])
    )
    plan.plan_content.remove_product(courses[1].product)

    assert api.bring_forward() == 0


def test_a_course_that_begins_when_its_plan_ends_anyhow_is_left_as_it_is(
    learner, plan, courses
):
    last = date.today() + 9 * DAY  # noqa: DTZ011
    terms = {"kind": ProductKind.PLAN, "plan_content": plan.plan_content}
    sell_as_training(plan.product, **terms, access_until=last)
    sell_as_training(courses[1].product, credits=20, access_from=last + DAY)
    for product in (plan.product, courses[1].product):
        place_order(learner, (product, 1))
    plan.plan_content.remove_product(courses[1].product)

    assert api.bring_forward() == 0
    assert not AccessChange.objects.exists()


@pytest.mark.parametrize("others", [True, False])
def test_what_was_sold_for_a_first_day_begins_then_whatever_is_sold_now(
    learner, plan, courses, others
):
    first = date.today() + 9 * DAY  # noqa: DTZ011
    sell_as_training(courses[0].product, credits=20, access_from=first)
    terms = {"kind": ProductKind.PLAN, "plan_content": plan.plan_content}
    if others:
        sell_as_training(plan.product, **terms, access_until=first - DAY)
    else:
        sell_as_training(plan.product, **terms, access_days=5)
    place_order(make_learner() if others else learner, (plan.product, 1))
    place_order(learner, (courses[0].product, 1))
    sell_as_training(courses[0].product, credits=20, access_from=None)

    assert api.bring_forward() == 0
    row = Access.objects.get(training=courses[0])
    assert row.starts_at > datetime.now(UTC)


def test_what_was_to_follow_a_lost_course_follows_it_still(learner, plan, courses):
    terms = {"credits": 20, "access_days": 90}
    sell_as_training(courses[1].product, **terms)
    sell_as_training(
        plan.product,
        kind=ProductKind.PLAN,
        plan_content=plan.plan_content,
        access_days=365,
    )
    for product in (plan.product, courses[1].product, courses[1].product):
        place_order(learner, (product, 1))
    plan.plan_content.remove_product(courses[1].product)

    assert api.bring_forward() == 1

    first, second = Access.objects.filter(training=courses[1]).order_by("starts_at")
    assert first.starts_at <= datetime.now(UTC)
    assert second.starts_at == first.ends_at
    assert second.ends_at - second.starts_at == 90 * DAY
