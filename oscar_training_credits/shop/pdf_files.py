"""PDF files, drawn from a site's own templates and static files.

WeasyPrint, the extra `pdf`, draws them. Without it, or without the Pango that it needs,
there are none, and what would have one leads to a page that can be printed.
"""

from __future__ import annotations

import logging
import mimetypes
from functools import cache
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urljoin, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.debug import sensitive_variables

CONTENT_TYPE = "application/pdf"
BASE = "https://site.invalid/"
"""What addresses in a template are relative to. No host of the Internet has it."""

logger = logging.getLogger("training_credits")


@cache
def has_pdf() -> bool:
    """Tell whether this process can draw PDFs; what hinders it is logged once."""
    try:
        import weasyprint  # noqa: F401
    except ModuleNotFoundError:
        return False
    except OSError as error:
        logger.warning("WeasyPrint does not start, so there are no PDFs: %s", error)
        return False
    return True


@sensitive_variables()
def pdf_of(template: str, context: dict[str, Any]) -> bytes:
    """Return a template as a tagged PDF (PDF/UA-1), in the language that is active.

    It has the title and the language of the template. Nothing is fetched from the
    network, and no file is read but the site's static files.
    """
    from weasyprint import HTML

    html = render_to_string(template, context)
    page = HTML(string=html, base_url=BASE, url_fetcher=_fetcher())
    drawn: bytes = page.write_pdf(pdf_variant="pdf/ua-1")
    return drawn


def pdf_response(name: str, content: bytes) -> HttpResponse:
    """Return a PDF as a file that is downloaded."""
    response = HttpResponse(content, content_type=CONTENT_TYPE)
    response["Content-Disposition"] = f'attachment; filename="{name}.pdf"'
    return response


def _fetcher() -> Any:
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    class StaticFiles(URLFetcher):
        """Reads the site's static files, and what is in the template itself."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            if urlsplit(url).scheme == "data":
                return super().fetch(url, headers)
            kind = mimetypes.guess_type(urlsplit(url).path)[0] or ""
            return URLFetcherResponse(url, _static(url), {"Content-Type": kind})

    return StaticFiles(allowed_protocols=["data"], allow_redirects=False)


def _static(url: str) -> IO[bytes]:
    """Open a static file, collected or not.

    Raises:
        ValueError: it is none of the site's.
    """
    root = urljoin(BASE, settings.STATIC_URL)
    if not url.startswith(root):
        raise ValueError(f"{url} is no static file of the site.")
    name = unquote(urlsplit(url.removeprefix(root)).path)
    if found := finders.find(name):
        return Path(found).open("rb")
    # Storages that put a digest into names know them, and finders don't.
    if staticfiles_storage.exists(name):
        collected: IO[bytes] = staticfiles_storage.open(name)
        return collected
    raise ValueError(f"{url} is no static file of the site.")
