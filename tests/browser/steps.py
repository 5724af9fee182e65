"""What several browser tests do on their way."""

from __future__ import annotations

from functools import cache

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
    # Without the last, axe says of each element which rules it passed.
    options = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag22aa"],
        "resultTypes": ["violations"],
    }
    results = Axe().run(where_timers_run(page), context=part, options=options)
    assert not results.response["violations"], results.generate_report()


def where_timers_run(page):
    """Return the page; if it has no scripts, the same with some, but not the site's.

    Where scripts are off no timer runs, and axe would wait for one for ever.
    """
    if not page.evaluate("matchMedia('(scripting: none)').matches"):
        return page
    same_page = page_with_scripts(page.context.browser)
    same_page.set_viewport_size(page.viewport_size)
    same_page.context.clear_cookies()
    same_page.context.add_cookies(page.context.cookies())
    same_page.goto(page.url)
    return same_page


@cache
def page_with_scripts(browser):
    """Return a page for all tests, so that styles are loaded once and not for each."""
    page = browser.new_context().new_page()
    page.route("**/*.js", lambda route: route.abort())
    return page
