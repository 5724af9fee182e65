"""What holds for every test in a browser."""

from playwright.sync_api import expect

# As long as a click waits: the machine that runs the tests may be busy.
expect.set_options(timeout=30_000)
