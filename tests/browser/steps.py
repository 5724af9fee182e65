"""What several browser tests do on their way."""

from __future__ import annotations

from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.test import Client


def log_in(page, user):
    page.get_by_label("Email address").first.fill(user.email)
    page.get_by_label("Password", exact=False).first.fill("password")
    with page.expect_navigation():
        page.get_by_role("button", name="Log In").click()


def give_session(context, live_server, user):
    """Log `user` in without a form, for tests about something else."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    value = client.cookies[name].value
    context.add_cookies([{"name": name, "value": value, "url": live_server.url}])


def assert_accessible(page, part=None):
    # A page whose styles are still on their way has the colours of a browser.
    page.wait_for_load_state()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag22aa"]}
    with where_timers_run(page) as same_page:
        results = Axe().run(same_page, context=part, options=options)
    assert not results.response["violations"], results.generate_report()


@contextmanager
def where_timers_run(page):
    """Open the page anew, with scripts but without the site's, if it has none.

    Where scripts are off no timer runs, and axe would wait for one for ever.
    """
    if not page.evaluate("matchMedia('(scripting: none)').matches"):
        yield page
        return
    context = page.context.browser.new_context(
        viewport=page.viewport_size, storage_state=page.context.storage_state()
    )
    with context:
        same_page = context.new_page()
        same_page.route("**/*.js", lambda route: route.abort())
        same_page.goto(page.url)
        yield same_page
