"""The drawing of a code's balance, and its table."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from oscar_training_credits import api
from oscar_training_credits.credits import wording
from oscar_training_credits.shop.balance_chart import chart_of
from oscar_training_credits.test.factories import make_code

from ...support.shop import text_of, words
from .test_codes import ALL, address, client_of

START = datetime(2026, 1, 1, 12, tzinfo=ZoneInfo("UTC"))
DAY = timedelta(days=1)


def test_the_line_goes_up_and_down_in_steps():
    chart = chart_of(
        [(START, 0), (START, 100), (START + DAY, 50), (START + 2 * DAY, 50)]
    )

    assert chart.line == "M0,200.0 H0.0 V0.0 H500.0 V100.0 H1000.0 V100.0"
    assert chart.area == f"{chart.line} V200 H0 Z"
    assert chart.levels == ("100", "50", "0")
    assert [balance for _day, balance in chart.rows] == [50, 50, 100]
    assert "At most there were 100 credits, now there are 50 credits." in chart.summary


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (5, 6), (11, 20), (1_000_000, 1_000_000)]
)
def test_the_top_is_a_round_number(most, top):
    chart = chart_of([(START, most), (START + DAY, most)])

    assert chart.levels[0] == str(top)


def test_the_table_has_the_last_balance_of_each_of_the_latest_days():
    moves = [(START + hours * DAY / 2, hours) for hours in range(200)]

    rows = chart_of(moves).rows

    assert len(rows) == 60
    assert rows[0] == (wording.day_of(moves[-1][0]), 199)
    assert [balance for _day, balance in rows[:4]] == [199, 198, 196, 194]


@pytest.mark.parametrize("balances", [[], [(START, 5), (START, 5)]])
def test_nothing_is_drawn_of_no_time(balances):
    assert chart_of(balances) is None


@pytest.mark.django_db
def test_the_page_of_a_code_has_it_for_eyes_and_ears():
    code = make_code(100)
    api.add_grant(code, 20)

    page = text_of(client_of(*ALL).get(address("detail", code)))

    assert '<svg class="training-chart__drawing"' in page
    assert 'role="img" aria-labelledby="code-chart code-chart-summary"' in page
    assert "now there are 120 credits." in words(page)
    assert "As a table" in page
