"""A learning system in this process: what it was told, and how it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Backend:
    """Remembers the news; does to it what `answer` says, such as raising an error."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.answer: Callable[[Any], None] = lambda news: None

    def __call__(self, news: Any) -> None:
        self.heard.append(news)
        self.answer(news)

    @property
    def kinds(self) -> list[str]:
        return [news.kind for news in self.heard]

    def fail(self, error: BaseException) -> None:
        def answer(news: Any) -> None:
            raise error

        self.answer = answer

    def recover(self) -> None:
        self.answer = lambda news: None


backend = Backend()
PATH = f"{__name__}.backend"
