"""PDFs are drawn from templates and static files, and from nothing else."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.test import override_settings
from pypdf import PdfReader

from oscar_training_credits.shop.pdf_files import has_pdf, pdf_of

from ..support.pdf import needs_pango, read, said

pytestmark = [pytest.mark.any_database, needs_pango]


@pytest.fixture
def asked():
    """The paths that a server in the network was asked for, and its address."""
    paths = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield paths, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def drawn(tmp_path, caplog):
    """Draw a page of this HTML from a site's own template."""

    def draw(html: str) -> PdfReader:
        (tmp_path / "page.html").write_text(f"<html><body>{html}</body></html>")
        engine = {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [tmp_path],
        }
        with override_settings(TEMPLATES=[engine]):
            return read(pdf_of("page.html", {}))

    caplog.set_level(logging.ERROR, "weasyprint")
    return draw


def test_nothing_is_asked_of_the_network_and_no_other_file_is_read(
    drawn, asked, tmp_path
):
    paths, server = asked
    secret = tmp_path / "secret.css"
    secret.write_text("body::before { content: 'SECRET' }")
    up = "../" * 12
    sources = [
        secret.as_uri(),
        f"/static/{up}{secret}",
        f"/static/%2e%2e/{secret}",
        f"{server}/x.css",
        "//127.0.0.1/x.css",
    ]
    html = "".join(f'<link rel="stylesheet" href="{each}">' for each in sources)

    pdf = drawn(f'{html}<img src="{server}/x.png" alt="x"><p>Hello</p>')

    assert "SECRET" not in said(pdf)
    assert "Hello" in said(pdf)
    assert not paths


def test_static_files_are_read_whatever_the_storage(drawn, settings, tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "own.0123abcd.css").write_text("p::after { content: ' END' }")
    settings.STATIC_ROOT = str(tmp_path / "root")
    found = '<link rel="stylesheet" href="/static/training_credits/pdf.css">'
    collected = '<link rel="stylesheet" href="/static/own.0123abcd.css">'

    shown = said(drawn(f"{found}{collected}<p>Hello</p>"))

    assert "Hello END" in shown
    assert "1 / 1" in shown


def test_a_machine_without_pango_is_named_once(monkeypatch, caplog):
    def no_pango(name, *args, **kwargs):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return importing(name, *args, **kwargs)

    importing = __import__
    monkeypatch.setattr("builtins.__import__", no_pango)
    has_pdf.cache_clear()
    try:
        assert not has_pdf()
        assert not has_pdf()
    finally:
        has_pdf.cache_clear()

    assert caplog.text.count("libpango") == 1
