"""A learner's steps through the real shop, by the test client."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import Any

from django.test import Client
from django.urls import reverse
from oscar.core.loading import get_model

from oscar_training_credits.shop.order import confirmed

Order = get_model("order", "Order")


class Learner:
    """A user with a browser session."""

    def __init__(self, user: Any = None) -> None:
        self.user = user
        self.client = Client()
        if user:
            self.log_in(user)

    def log_in(self, user: Any) -> None:
        self.user = user
        self.client.login(username=user.email, password="password")

    def add(self, product: Any, quantity: int = 1) -> Any:
        return self.client.post(
            reverse("basket:add", args=[product.pk]), {"quantity": quantity}
        )

    def apply(self, text: str) -> str:
        """Type a code into the box of the basket page; return what the box says."""
        self.client.post(reverse("training_credits:apply"), {"code": text})
        return answer(self.basket_page())

    def basket_line(self, title: str) -> Any:
        lines = get_model("basket", "Line").objects.filter(basket__owner=self.user)
        return lines.get(product__title=title)

    def basket_page(self) -> str:
        return text_of(self.client.get(reverse("basket:summary")))

    def preview(self) -> Any:
        """Go through the checkout's steps to the preview."""
        self.client.get(reverse("checkout:index"), follow=True)
        return self.client.get(reverse("checkout:preview"), follow=True)

    def place(self, page: Any = None, **data: str) -> Any:
        """Confirm what the preview shows."""
        page = page or self.preview()
        form = {"action": "place_order", **shown_in(text_of(page)), **data}
        return self.client.post(reverse("checkout:preview"), form)

    def shown_at(self, response: Any) -> str:
        """Return where a click leads; one that waits for another looks again."""
        if "/orders/" in response.url:
            response = self.client.get(response.url)
        return str(response.url)

    def order(self) -> Any:
        return Order.objects.filter(user=self.user).order_by("pk").last()


def shown_in(page: str) -> dict[str, str]:
    """Return the hidden field that says what a page showed."""
    found = re.search(rf'name="{confirmed.FIELD}" value="([^"]+)"', page)
    return {confirmed.FIELD: found.group(1)} if found else {}


def text_of(response: Any) -> str:
    return str(response.content.decode())


def csv_rows(response: Any) -> list[list[str]]:
    """Return the rows of a file that was sent, the first with the headings."""
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def words(page: str) -> str:
    """Return the visible text of a page, in one line."""
    page = re.sub(r"(?s)<(script|style|head).*?</\1>", " ", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def answer(page: str) -> str:
    """Return what the code box says."""
    found = re.search(r'(?s)<p id="credit-code-answer"[^>]*>(.*?)</p>', page)
    return words(found.group(1)) if found else ""


def errors(page: Any) -> str:
    """Return what a page of the checkout complains about."""
    found = re.findall(r'(?s)<div class="alert[^"]*"[^>]*>(.*?)</div>', text_of(page))
    return words(" ".join(found))
