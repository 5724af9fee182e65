"""What a manager passes on to the team; the code is in it while it is shown alone."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from oscar_training_credits import api
from oscar_training_credits.credits.codes.issuing import edit_code
from oscar_training_credits.credits.terms import end_of

from ...support.shop import text_of

pytestmark = pytest.mark.django_db


def team_text(response) -> str:
    found = re.search(r"(?s)<textarea[^>]*>(.*?)</textarea>", text_of(response))
    return unescape(found[1]) if found else ""


def test_the_text_says_how_to_use_the_credits_and_not_the_code(bea, code):
    last_day = timezone.localdate().replace(year=2030, month=5, day=3)
    terms = {"credits_per_learner": 40, "email_domains": "acme.example"}
    edit_code(code, {**terms, "expires_at": end_of(last_day)})

    told = team_text(
        bea.client.get(reverse("training_credits:my-code-team", args=[code.pk]))
    )

    assert f"http://example.com{reverse('training_credits:enter-code')}" in told
    assert "Each of you can spend 40 credits at most." in told
    assert "an e-mail address at acme.example" in told
    assert "until 3 May 2030" in told
    assert "Ask Bea Boss (bea@acme.example)." in told
    assert "ACME-TEAM-2026" not in told


def test_the_page_that_shows_the_code_once_has_the_whole_text_once(bea, code):
    rotate = reverse("training_credits:my-code-rotate", args=[code.pk])

    shown = bea.client.post(rotate, {"key": "k"}, follow=True)
    again = bea.client.get(shown.redirect_chain[-1][0])

    [text] = re.findall(r"2\. Enter the code (\S+)", team_text(shown))
    assert api.find_code(text) == code
    assert team_text(again) == ""
    assert text not in text_of(again)
