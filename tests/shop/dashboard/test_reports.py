"""What all pages of reports on credits have in common."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.urls import reverse

from ...support.shop import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

REPORTS = ["outlook", "outstanding", "overview", "turned-away", "use"]


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_leads_to_its_files(admin_client, name):
    page = reverse(f"training_credits:code-{name}")
    links = re.findall(r'href="(\?[^"]*as=[^"]*)"', text_of(admin_client.get(page)))

    files = [admin_client.get(page + unescape(link)) for link in links]

    sent = [file["Content-Disposition"].rpartition(".")[2] for file in files]
    assert sent == ['csv"', 'xlsx"']
