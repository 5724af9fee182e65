"""Wrong codes can be tried so often, and no oftener; the honest hardly notice."""

from __future__ import annotations

import json
import logging
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache, caches
from django.core.checks import run_checks
from django.core.signals import got_request_exception
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.views.debug import ExceptionReporter

from oscar_training_credits.credits.codes import throttling
from oscar_training_credits.credits.codes.applying import read_code
from oscar_training_credits.credits.codes.issuing import set_state
from oscar_training_credits.credits.codes.refusals import Reason, Refusal, public_text
from oscar_training_credits.credits.codes.rules import Purchase
from oscar_training_credits.credits.codes.throttling import Rate, Requester
from oscar_training_credits.credits.models import AppliedCode
from oscar_training_credits.exceptions import CreditCodeRefused
from oscar_training_credits.shop.requesters import (
    client_address,
    network_of,
    requester_of,
)
from oscar_training_credits.test.factories import make_code, make_issued, make_learner

from ...support.shop import Learner, answer, text_of, words

ROOT = Path(__file__).parent.parent.parent.parent
TEXT = "ACME-TEAM-2026"
NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)
HERE = "192.0.2.1"
LIMITS = {
    "learner": "3/h",
    "session": "3/h",
    "network": "5/h",
    "overall": "8/h",
    "allowance": "1/h",
}
UNLIMITED = dict.fromkeys(LIMITS)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def code():
    return make_code(100, text=TEXT)


@pytest.fixture
def limits(new_hour, settings):
    settings.TRAINING_CREDITS_THROTTLE = LIMITS


@pytest.fixture
def broken_cache(settings):
    settings.CACHES = {
        **settings.CACHES,
        "away": {"BACKEND": "tests.support.broken.Cache"},
    }
    settings.TRAINING_CREDITS_CACHE = "away"


def typed(text, *, at=NOON, **who):
    """Type a code; return the reason why it is refused, or None."""
    refusal = refused(text, at=at, **who)
    return refusal and refusal.reason


def refused(text, *, at=NOON, **who):
    try:
        read_code(text, purchase=Purchase(), requester=Requester(**who, at=at))
    except CreditCodeRefused as error:
        return error.refusal
    return None


def guess(times, **who):
    """Type that many wrong codes; return how many of them were looked up."""
    reasons = [typed(f"WRONG-{number}", **who) for number in range(times)]
    return reasons.count(Reason.UNKNOWN)


# Who has to wait


@pytest.mark.parametrize(
    ("scope", "who", "reason"),
    [
        ("learner", {"learner_id": 1}, Reason.THROTTLED),
        ("session", {"session_key": "a"}, Reason.THROTTLED),
        ("network", {"network": HERE}, Reason.LOG_IN),
        ("overall", {}, Reason.LOG_IN),
    ],
)
def test_each_scope_has_its_limit(settings, code, scope, who, reason):
    settings.TRAINING_CREDITS_THROTTLE = {**UNLIMITED, scope: "4/h"}

    assert guess(6, **who) == 4
    assert typed("WRONG", **who) is reason
    assert typed(TEXT, **who) is reason


TRUTH = {
    # what was counted before, for a stranger, for a learner
    "nothing": ({}, None, None),
    "a session's last try": ({"session": 2}, None, None),
    "session": ({"session": 3}, Reason.THROTTLED, Reason.THROTTLED),
    "learner": ({"learner": 3}, None, Reason.THROTTLED),
    "network": ({"network": 5}, Reason.LOG_IN, None),
    "overall": ({"overall": 8}, Reason.LOG_IN, None),
    "network and overall": ({"network": 5, "overall": 8}, Reason.LOG_IN, None),
    "allowance alone": ({"learner": 1}, None, None),
    "network, and a miss": ({"network": 5, "learner": 1}, Reason.LOG_IN, "wait"),
    "overall, and a miss": ({"overall": 8, "learner": 1}, Reason.LOG_IN, "wait"),
    "network and session": (
        {"network": 5, "session": 3},
        Reason.THROTTLED,
        Reason.THROTTLED,
    ),
}


@pytest.mark.parametrize(("misses", "stranger", "learner"), TRUTH.values(), ids=TRUTH)
def test_who_has_to_wait(limits, code, misses, stranger, learner):
    here = {"session_key": "mine", "network": HERE}
    for scope, count in misses.items():
        own = {"learner": "learner_id", "session": "session_key"}
        value = {"learner": 1, "session": "mine", "network": HERE, "overall": None}
        put(scope, count, **{own.get(scope, scope): value[scope]})

    assert typed(TEXT, **here) is stranger
    assert typed(TEXT, learner_id=1, **here) is (
        Reason.THROTTLED if learner == "wait" else learner
    )


def put(scope, count, **who):
    """Count misses in one scope, and for a learner in the allowance too."""
    who.pop("overall", None)
    counted = {scope, "allowance"} if scope == "learner" else {scope}
    for window in throttling._windows(Requester(**who, at=NOON)):
        if window.scope in counted:
            cache.add(window.key, count)


def test_others_are_not_held_up(limits, code):
    guess(9, learner_id=1, session_key="a", network=HERE)

    assert typed(TEXT, learner_id=2, session_key="b", network=HERE) is None
    assert typed(TEXT, session_key="c", network=HERE) is None
    assert typed(TEXT, network="192.0.2.2") is None


def test_a_class_behind_one_full_address_works(limits, code):
    guess(9, network=HERE)

    for learner in range(50):
        assert typed(TEXT, learner_id=learner, network=HERE) is None
    assert typed("SLIP", learner_id=1, network=HERE) is Reason.UNKNOWN
    assert typed(TEXT, learner_id=1, network=HERE) is Reason.THROTTLED
    assert typed(TEXT, learner_id=2, network=HERE) is None


@pytest.mark.parametrize("typos", [1, 2])
@pytest.mark.parametrize("shared", ["network", "overall"])
def test_a_stranger_does_not_make_earlier_typos_count(limits, code, shared, typos):
    here = {"network": HERE} if shared == "network" else {}
    guess(typos, learner_id=1, session_key="a", **here)

    guess(9, session_key="b", **here)
    guess(9, session_key="c", **here)
    guess(9, session_key="d", **here)

    assert typed("WRONG", **here) is Reason.LOG_IN
    assert typed(TEXT, learner_id=1, session_key="a", **here) is None
    # Now the allowance is there in full.
    assert typed("SLIP", learner_id=1, session_key="a", **here) is Reason.UNKNOWN
    assert typed(TEXT, learner_id=1, session_key="a", **here) is Reason.THROTTLED


def test_an_office_with_typos_is_not_locked_out_by_a_stranger(new_hour, code):
    office = [{"learner_id": n, "session_key": str(n), "network": HERE} for n in (1, 2)]
    for who in office:
        guess(9, **who)

    for number in range(10):
        guess(9, session_key=f"stranger {number}", network=HERE)

    for who in office:
        assert typed(TEXT, **who) is None


def test_misses_beyond_the_allowance_wait_only_while_a_shared_limit_is_full(
    settings, code
):
    settings.TRAINING_CREDITS_THROTTLE = {**LIMITS, "network": "5/m", "learner": None}
    here = {"learner_id": 1, "network": HERE}
    guess(9, network=HERE)
    guess(1, **here)
    assert typed(TEXT, **here) is Reason.THROTTLED

    assert typed(TEXT, at=NOON + timedelta(minutes=1), **here) is None


def test_a_site_without_the_allowances_limit_lets_learners_go_on(settings, code):
    settings.TRAINING_CREDITS_THROTTLE = {**LIMITS, "allowance": None}
    guess(9, network=HERE)

    assert guess(5, learner_id=1, network=HERE) == 3


def test_a_success_wipes_nothing_and_costs_nothing(limits, code):
    who = {"learner_id": 1, "session_key": "a", "network": HERE}
    looked_up = 0
    for _ in range(5):
        looked_up += guess(1, **who)
        for _ in range(3):
            typed(TEXT, **who)

    assert looked_up == 3
    assert all(typed(TEXT, learner_id=2, network=HERE) is None for _ in range(20))


@pytest.mark.parametrize(
    "terms",
    [
        {"expires_at": NOON - timedelta(days=9999)},
        {"starts_at": NOON + timedelta(days=9999)},
    ],
    ids=["expired", "not yet valid"],
)
def test_a_code_that_exists_is_no_guess(limits, terms):
    make_code(10, text="ACME-2026-OLD", **terms)

    for _ in range(9):
        typed("ACME-2026-OLD", session_key="a")

    assert typed("WRONG", session_key="a") is Reason.UNKNOWN


@pytest.mark.parametrize("text", ["", "  ", "A" * 5000], ids=["", "blank", "long"])
def test_what_is_not_looked_up_is_no_guess(limits, text):
    for _ in range(9):
        assert typed(text, session_key="a") in {Reason.BLANK, Reason.TOO_LONG}

    assert guess(9, session_key="a") == 3


def test_disabled_codes_and_slips_are_guesses(limits):
    set_state(make_code(10, text="ACME-2026-OFF"), "disabled")
    slip = "0" * 19 + "1"

    reasons = [
        typed(text, session_key="a")
        for text in ("ACME-2026-OFF", slip, "NO", "ACME-2026-OFF")
    ]

    assert reasons == [
        Reason.DISABLED,
        Reason.MISTYPED,
        Reason.UNKNOWN,
        Reason.THROTTLED,
    ]


def test_nothing_is_looked_up_for_who_has_to_wait(limits, code):
    guess(3, session_key="a")

    with CaptureQueriesContext(
        connection,
    ) as queries:
        typed(TEXT, session_key="a")

    assert not queries.captured_queries


def test_refused_attempts_do_not_fill_what_others_share(limits, code):
    guess(500, session_key="a", network=HERE)

    assert typed("WRONG", network=HERE) is Reason.UNKNOWN


def test_calls_without_a_visitor_are_not_counted(limits, code):
    for _ in range(20):
        with pytest.raises(CreditCodeRefused):
            read_code("WRONG", purchase=Purchase(), requester=None)

    assert typed(TEXT, network=HERE) is None


# Windows end by themselves


@pytest.mark.parametrize(
    ("after", "minutes"),
    [(0, 60), (1, 60), (59, 60), (60, 59), (1800, 30), (3541, 1), (3599, 1)],
)
def test_the_answer_says_how_long_to_wait(limits, after, minutes):
    guess(3, session_key="a")

    refusal = refused(TEXT, session_key="a", at=NOON + timedelta(seconds=after))

    assert refusal == Refusal(Reason.THROTTLED, minutes=minutes)


def test_the_longer_of_two_waits_is_told(settings):
    settings.TRAINING_CREDITS_THROTTLE = {"learner": "1/m", "session": "1/h"}
    guess(1, learner_id=1, session_key="a")

    assert refused(TEXT, learner_id=1, session_key="a").minutes == 60


@pytest.mark.parametrize(
    ("network", "overall", "allowance", "minutes"),
    [("1/h", "1/m", "1/d", 60), ("1/m", "1/h", "1/d", 60), ("1/d", "1/h", "1/m", 1)],
)
def test_the_wait_is_over_when_nothing_shared_is_full_or_the_allowance_is_back(
    settings, network, overall, allowance, minutes
):
    settings.TRAINING_CREDITS_THROTTLE = {
        **UNLIMITED,
        "network": network,
        "overall": overall,
        "allowance": allowance,
    }
    guess(1, learner_id=1, network=HERE)

    assert refused(TEXT, learner_id=1, network=HERE).minutes == minutes


@pytest.mark.parametrize("who", [{"learner_id": 1}, {"session_key": "a"}, {}], ids=str)
def test_a_window_ends(limits, code, who):
    guess(20, network=HERE, **who)

    assert typed(TEXT, network=HERE, at=NOON + timedelta(hours=1), **who) is None


def test_more_wrong_codes_make_nobody_wait_longer(limits, code):
    for minute in range(60):
        guess(5, session_key="a", network=HERE, at=NOON + timedelta(minutes=minute))

    after = NOON + timedelta(hours=1)
    assert typed(TEXT, session_key="a", network=HERE, at=after) is None


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(1, "Wait 1 minute, then try again."), (12, "Wait 12 minutes, then")],
)
def test_the_text_has_a_number_of_minutes(minutes, said):
    text = public_text(Refusal(Reason.THROTTLED, minutes=minutes))

    assert text.startswith("Too many wrong codes were tried.")
    assert said in text


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/h", Rate(10, 3600)),
        ("30/15m", Rate(30, 900)),
        ("1/s", Rate(1, 1)),
        ("5/2d", Rate(5, 172800)),
    ],
)
def test_a_rate_is_read(text, rate):
    assert Rate.parse(text) == rate


# Whose address it is


ADDRESSES = {
    # proxies, REMOTE_ADDR, X-Forwarded-For, the visitor's
    "no proxy": (0, "192.0.2.1", None, "192.0.2.1"),
    "no proxy, but a header": (0, "192.0.2.1", "198.51.100.7", "192.0.2.1"),
    "one proxy": (1, "10.0.0.1", "198.51.100.7", "198.51.100.7"),
    "one proxy and a lie": (1, "10.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),
    "two proxies": (2, "10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
    "two proxies and a lie": (
        2,
        "10.0.0.1",
        "1.1.1.1,198.51.100.7,10.0.0.2",
        "198.51.100.7",
    ),
    "past a proxy": (2, "198.51.100.7", "1.1.1.1", "198.51.100.7"),
    "past all": (1, "198.51.100.7", None, "198.51.100.7"),
    "nothing between commas": (2, "198.51.100.7", "1.1.1.1, ,", "198.51.100.7"),
}


@pytest.mark.parametrize(
    ("proxies", "remote", "header", "visitor"),
    ADDRESSES.values(),
    ids=ADDRESSES,
)
def test_only_the_sites_own_proxies_are_believed(
    settings, proxies, remote, header, visitor
):
    settings.TRAINING_CREDITS_PROXY_COUNT = proxies
    headers = {"HTTP_X_FORWARDED_FOR": header} if header else {}
    request = RequestFactory().get("/", REMOTE_ADDR=remote, **headers)

    assert client_address(request) == visitor


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("unknown", "unknown"),
        ("_hidden", "unknown"),
        ("1.2.3", "unknown"),
    ],
)
def test_addresses_are_counted_by_network(address, network):
    assert network_of(address) == network


def test_a_site_can_say_itself_where_the_address_is(settings):
    settings.TRAINING_CREDITS_CLIENT_ADDRESS = f"{__name__}.cdn_address"
    request = RequestFactory().get("/", headers={"X-Real-Visitor": "198.51.100.7"})

    assert requester_of(request).network == "198.51.100.7"


def cdn_address(request):
    return request.headers["X-Real-Visitor"]


# All ways in


def basket_box(learner, training, text):
    return learner.apply(text)


def voucher_box(learner, training, text):
    learner.client.post(reverse("basket:vouchers-add"), {"code": text})
    return answer(learner.basket_page())


def express_box(learner, training, text):
    address = reverse("training_credits:purchase-apply", args=[training.pk])
    page = learner.client.post(address, {"code": text}, follow=True)
    return words(text_of(page))


WAYS = {"basket": basket_box, "voucher": voucher_box, "express": express_box}


@pytest.fixture
def training(course):
    return course.training


@pytest.fixture
def shopper(training):
    learner = Learner(make_learner())
    learner.add(training.product)
    return learner


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_every_box_throttles(limits, code, shopper, training, way):
    for _ in range(3):
        assert "This code can't be used" in way(shopper, training, "WRONG")

    assert "Too many wrong codes were tried. Wait" in way(shopper, training, "WRONG")
    assert "Too many wrong codes were tried. Wait" in way(shopper, training, TEXT)
    assert not AppliedCode.objects.exists()


def test_all_boxes_count_together(limits, code, shopper, training):
    for way in WAYS.values():
        way(shopper, training, "WRONG")

    for way in WAYS.values():
        assert "Too many wrong codes" in way(shopper, training, TEXT)


def test_a_guest_with_ever_new_sessions_is_told_to_log_in(limits, code, training):
    said = ""
    for _ in range(6):
        guest = Learner()
        guest.add(training.product)
        said = guest.apply("WRONG")

    assert "taken only from people who are logged in" in said
    guest.log_in(make_learner())
    assert "100 credits available" in guest.apply(TEXT)


def test_a_fresh_session_has_no_try_more(limits, code, training, settings):
    settings.TRAINING_CREDITS_THROTTLE = {**UNLIMITED, "session": "3/h"}
    guest = Learner()
    guest.add(training.product)
    guest.client.cookies.pop("sessionid", None)

    said = [guest.apply("WRONG") for _ in range(4)]

    assert ["Too many wrong codes" in each for each in said] == [False] * 3 + [True]


def test_a_made_up_session_is_a_fresh_one(limits, code, training, settings):
    settings.TRAINING_CREDITS_THROTTLE = {**UNLIMITED, "session": "3/h"}
    guest = Learner()
    guest.client.cookies["sessionid"] = "made-up-by-the-visitor-0123456789"
    guest.add(training.product)

    said = [guest.apply("WRONG") for _ in range(4)]

    assert "Too many wrong codes" in said[-1]


@pytest.mark.parametrize("is_known", [True, False])
def test_only_a_visitor_s_request_begins_a_session(code, is_known):
    request = RequestFactory().post("/")
    request.session = SessionStore()
    request.user = make_learner() if is_known else AnonymousUser()

    requester = requester_of(request)

    assert (requester.session_key is None) is is_known
    assert requester.session_key == request.session.session_key


def test_a_voucher_is_no_wrong_code(limits, shopper, training, voucher):
    for _ in range(9):
        shopper.apply("SPRING10")
        voucher_box(shopper, training, "SPRING10")

    assert "This code can't be used" in shopper.apply("WRONG")


def test_who_has_to_wait_can_still_use_a_voucher(limits, shopper, training, voucher):
    for _ in range(4):
        shopper.apply("WRONG")

    shopper.apply("SPRING10")

    assert "SPRING10" in shopper.basket_page()


def test_the_defaults_leave_room_for_slips(code, shopper):
    for _ in range(9):
        shopper.apply("WRONG")

    assert "100 credits available" in shopper.apply(TEXT)


# When the cache is down


def test_strangers_are_refused_while_the_cache_is_down(broken_cache, code, caplog):
    reason = typed(TEXT, session_key="a", network=HERE)

    assert reason is Reason.LOG_IN
    assert "The cache 'away' does not count wrong codes" in caplog.text
    assert TEXT not in caplog.text


def test_learners_go_on_within_their_limits(broken_cache, limits, code):
    assert typed(TEXT, learner_id=1) is None
    assert guess(5, learner_id=1) == 3
    assert typed(TEXT, learner_id=1) is Reason.THROTTLED
    assert typed(TEXT, learner_id=2) is None


def test_a_cache_that_keeps_nothing_counts_as_down(settings, limits, code):
    dummy = "django.core.cache.backends.dummy.DummyCache"
    settings.CACHES = {"default": {"BACKEND": dummy}}

    assert typed(TEXT, network=HERE) is Reason.LOG_IN
    assert guess(5, learner_id=1) == 3


def test_a_missing_cache_counts_as_down(settings, code):
    settings.TRAINING_CREDITS_CACHE = "none"

    assert typed(TEXT, network=HERE) is Reason.LOG_IN
    assert typed(TEXT, learner_id=1) is None


def test_an_attempt_that_can_not_be_given_back_counts(
    limits, code, monkeypatch, caplog
):
    def away(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr(type(caches["default"]), "decr", away)

    assert typed(TEXT, session_key="a") is None
    assert "could not be given back" in caplog.text
    assert guess(5, session_key="a") == 2


def test_the_log_says_which_limit_was_reached(limits, caplog):
    caplog.set_level(logging.WARNING, logger="training_credits")

    guess(9, learner_id=7, session_key="secret-session", network=HERE)
    guess(9, network=HERE)

    said = [record.getMessage() for record in caplog.records]
    limits = [re.search(r"the limit (\w+) is reached", line)[1] for line in said]
    assert limits == ["learner", "session", "network"]
    assert said[0].endswith(f"(3 in 3600 seconds); learner 7, network {HERE}.")
    assert "secret-session" not in caplog.text
    assert "WRONG" not in caplog.text


def test_no_address_lies_open_in_the_cache():
    windows = throttling._windows(Requester(1, "a-session", HERE, at=NOON))

    assert not [w for w in windows if HERE in w.key or "a-session" in w.key]


# Several processes


def guess_in_processes(backend, count, times):
    """Guess in several processes at once; return how many were let through."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.guesser"]
    arguments = [json.dumps({"default": backend}), str(times)]
    running = [
        subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE)  # noqa: S603
        for _ in range(count)
    ]
    return sum(int(process.communicate(timeout=60)[0]) for process in running)


@pytest.fixture
def redis():
    """The settings of a cache in a Redis of this test's own."""
    pytest.importorskip("redis")
    server = shutil.which("redis-server")
    if not server:
        pytest.skip("no redis-server is installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    break
            time.sleep(0.05)
        yield {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{port}",
        }
    finally:
        process.terminate()
        process.wait()


def test_processes_at_once_share_one_count(redis):
    assert guess_in_processes(redis, count=4, times=100) == 60


def test_redis_counts_and_gives_back(redis, settings, limits, code):
    settings.CACHES = {"default": redis}

    assert all(typed(TEXT, session_key="a") is None for _ in range(9))
    assert guess(9, session_key="a") == 3


def test_processes_share_files(tmp_path):
    """One after the other: at once, Django's file cache miscounts."""
    backend = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(tmp_path),
    }

    let_through = [guess_in_processes(backend, 1, times=40) for _ in range(3)]

    assert let_through == [40, 20, 0]


def test_threads_at_once_share_one_count():
    from concurrent.futures import ThreadPoolExecutor

    def attempt(_):
        try:
            throttling.begin(Requester(network=HERE, at=NOON))
        except CreditCodeRefused:
            return 0
        return 1

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(500))) == 60


def test_a_cache_without_its_own_counting_keeps_the_whole_window(settings, tmp_path):
    """Django's own `incr` would keep the count for the cache's default time only."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(tmp_path),
            "TIMEOUT": 1,
        }
    }
    settings.TRAINING_CREDITS_THROTTLE = LIMITS
    guess(3, session_key="a")

    time.sleep(1.1)

    assert typed("WRONG", session_key="a") is Reason.THROTTLED


# A stranger learns nothing


@pytest.fixture
def disabled():
    set_state(make_code(50, text="CODE-OFF-2026"), "disabled")


def others_codes():
    """Make codes for others, by all that a code can name; return their texts."""
    other, team = make_learner(), Group.objects.create(name="Others")
    audiences = {
        "NAMED-2026": {"learners": [other]},
        "GROUP-2026": {"groups": [team]},
        "DOMAIN-2026": {"email_domains": ["acme.example"]},
        "WHOEVER-2026": {
            "learners": [other],
            "groups": [team],
            "email_domains": ["acme.example"],
        },
    }
    for text, audience in audiences.items():
        make_code(50, text=text, **audience)
    return list(audiences)


@pytest.mark.parametrize("grouped", [False, True], ids=["", "with a group"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_a_learner_must_not_know_of_takes_the_way_of_an_unknown_code(
    settings, disabled, shopper, training, way, grouped
):
    settings.TRAINING_CREDITS_THROTTLE = UNLIMITED
    if grouped:
        shopper.user.groups.add(Group.objects.create(name="Own"))

    assert_alike(partial(way, shopper, training), ["CODE-OFF-2026", *others_codes()])


@pytest.mark.parametrize("way", [basket_box, voucher_box])
def test_what_a_guest_must_not_know_of_takes_the_way_of_an_unknown_code(
    settings, disabled, training, way
):
    settings.TRAINING_CREDITS_THROTTLE = UNLIMITED
    guest = Learner()
    guest.add(training.product)

    assert_alike(partial(way, guest, training), ["CODE-OFF-2026", *others_codes()])


def assert_alike(way, texts):
    """Assert that these codes get the answer of an unknown one by the same queries."""
    way("BEFORE")
    said, asked = {}, {}
    for text in ("CODE-NEW-2026", *texts):
        with CaptureQueriesContext(connection) as queries:
            said[text] = way(text)
        asked[text] = [shape(query["sql"]) for query in queries]

    assert "This code can't be used" in said["CODE-NEW-2026"]
    assert set(said.values()) == {said["CODE-NEW-2026"]}
    for text in texts:
        assert asked[text] == asked["CODE-NEW-2026"]


def shape(sql):
    """Return a query without its values."""
    return re.sub(r"""'[^']*'|["`]s\d+_x\d+["`]|\b\d+\b""", "?", sql)


def test_a_disabled_code_with_the_shape_of_a_slip_is_called_a_slip():
    issued = make_issued(5).text
    text = issued[:-1] + ("B" if issued.endswith("A") else "A")
    said = public_text(refused(text))
    set_state(make_code(5, text=text), "disabled")

    assert "typing slip" in said
    assert public_text(refused(text)) == said


def test_the_time_of_the_answer_tells_nothing(settings, disabled):
    """Of this thread on the processor, so that a busy machine changes nothing."""
    settings.TRAINING_CREDITS_THROTTLE = UNLIMITED
    times = {"CODE-OFF-2026": [], "CODE-NEW-2026": []}
    for _ in range(300):
        for text, taken in times.items():
            start = time.thread_time()
            refused(text)
            taken.append(time.thread_time() - start)

    off, new = (statistics.median(taken) for taken in times.values())

    assert 0.7 < off / new < 1.4, (off, new)


# No text in error reports


FAULTS = {
    "a rule": {"TRAINING_CREDITS_CODE_RULES": ["tests.support.broken.rule"]},
    "the throttle": {"TRAINING_CREDITS_THROTTLE": {"overall": "often"}},
    "the digest": {"TRAINING_CREDITS_CODE_KEYS": 5},
    "who asks": {"TRAINING_CREDITS_CLIENT_ADDRESS": "no.such.function"},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_no_error_report_holds_the_text(settings, code, training, way, fault):
    learner = Learner(make_learner())
    learner.add(training.product)
    make_code(text="SECRET-CODE-77")
    reports = []

    def report(sender, request, **kwargs):
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append(reporter.get_traceback_html() + reporter.get_traceback_text())

    got_request_exception.connect(report)
    learner.client.raise_request_exception = False
    for name, value in fault.items():
        setattr(settings, name, value)
    try:
        way(learner, training, "SECRET-CODE-77")
    finally:
        got_request_exception.disconnect(report)

    assert reports
    assert "read_code" in reports[0] or "requester_of" in reports[0]
    assert "SECRET-CODE-77" not in "".join(reports)


# Attacks


@pytest.fixture
def roomy_cache(settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "attack",
            "OPTIONS": {"MAX_ENTRIES": 1_000_000},
        }
    }
    yield
    cache.clear()


@pytest.mark.parametrize("networks", [1, 1000], ids=["one network", "1000 networks"])
def test_an_attack_finds_out_little_and_holds_nobody_up(
    pytestconfig, roomy_cache, code, networks, capsys
):
    """Strangers with ever new sessions guess for an hour; learners work meanwhile."""
    guesses = pytestconfig.getoption("guesses")
    looked_up = held_up = honest = 0
    began = time.perf_counter()
    for number in range(guesses):
        at = NOON + timedelta(seconds=3600 * number / guesses)
        network = f"10.0.{number % networks // 250}.{number % networks % 250}"
        looked_up += guess(1, session_key=str(number), network=network, at=at)
        if number % 100 == 50:
            honest += 1
            learner = {"learner_id": honest, "network": network, "at": at}
            slips = guess(honest % 3, **learner)
            held_up += slips < honest % 3 or typed(TEXT, **learner) is not None
    taken = time.perf_counter() - began

    with capsys.disabled():
        sys.stdout.write(
            f"\n{guesses} guesses from {networks} network(s): {looked_up} looked up,"
            f" {held_up} of {honest} learners held up; {taken:.0f} s\n"
        )
    assert looked_up <= (60 if networks == 1 else 1000)
    assert held_up == 0


# System checks


def found(**options):
    messages = run_checks(tags=["training_credits"], **options)
    return {
        message.id.removeprefix("training_credits."): message for message in messages
    }


@pytest.mark.parametrize(
    "limits",
    [
        {"network": "often"},
        {"network": "0/h"},
        {"network": "10"},
        {"network": "10/w"},
        {"network": 10},
        {"networks": "10/h"},
        {3: "10/h"},
        "10/h",
        None,
    ],
    ids=str,
)
def test_senseless_limits_are_an_error(settings, limits):
    settings.TRAINING_CREDITS_THROTTLE = limits

    message = found()["E030"]

    assert "TRAINING_CREDITS_THROTTLE" in message.msg
    assert message.hint


@pytest.mark.parametrize(
    "limits", [{}, LIMITS, UNLIMITED, {"overall": "100000/7d"}], ids=str
)
def test_sensible_limits_are_none(settings, limits):
    settings.TRAINING_CREDITS_THROTTLE = limits

    assert found() == {}


def test_an_unknown_cache_is_an_error(settings):
    settings.TRAINING_CREDITS_CACHE = "none"

    assert "'none', which is not in CACHES" in found()["E031"].msg
    assert "W030" not in found(include_deployment_checks=True)


@pytest.mark.parametrize("count", [-1, "1", None, True, 1.0])
def test_the_number_of_proxies_must_be_a_number(settings, count):
    settings.TRAINING_CREDITS_PROXY_COUNT = count

    assert "PROXY_COUNT must be the number of proxies" in found()["E032"].msg


@pytest.mark.parametrize(
    ("backend", "problem"),
    [
        ("dummy.DummyCache", "keeps nothing"),
        ("locmem.LocMemCache", "is one cache for each process"),
        ("filebased.FileBasedCache", "does not count wrong codes that are tried at"),
        ("db.DatabaseCache", "does not count wrong codes that are tried at"),
    ],
)
def test_a_cache_that_miscounts_is_warned_of_before_it_is_deployed(
    settings, tmp_path, backend, problem
):
    settings.CACHES = {
        "default": {
            "BACKEND": f"django.core.cache.backends.{backend}",
            "LOCATION": str(tmp_path),
        }
    }

    message = found(include_deployment_checks=True)["W030"]

    assert problem in message.msg
    assert "Redis or Memcached" in message.hint
    assert found() == {}


def test_redis_is_good_for_many_processes(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    }
    settings.CACHES["default"]["LOCATION"] = "redis://127.0.0.1:1"
    settings.TRAINING_CREDITS_REQUESTS_ADDRESS = "desk@shop.example"
    pytest.importorskip("redis")

    assert found(include_deployment_checks=True) == {}
