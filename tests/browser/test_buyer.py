"""A buyer's way in a real browser: a page on one port of localhost, the API on another, the card at the double.

`make browser` runs it, in an environment of its own; `make test` does not, for it needs Chromium. CHROMIUM names it.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PAGE_PORT = 5173  # the origin that template.yaml lets call the API
FLAGS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What `make run` says of itself, while it runs."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "template.yaml").symlink_to(REPOSITORY / "template.yaml")
    python = os.environ.get("STACK_PYTHON", sys.executable)
    environment = {key: text for key, text in os.environ.items() if key != "DATABASE_URL"} | {
        "PORT": "3417",
        "PYTHONPATH": f"{REPOSITORY / 'layers/shared'}:{REPOSITORY}",
    }
    running = subprocess.Popen([python, "-m", "local"], cwd=folder, env=environment)  # noqa: S603
    notice = folder / ".local" / "stack.json"
    try:
        give_up = time.monotonic() + 60
        while not notice.exists():
            assert running.poll() is None, "the stack did not start"
            assert time.monotonic() < give_up, "the stack is not ready"
            time.sleep(0.1)
        yield json.loads(notice.read_text())
    finally:
        running.terminate()
        running.wait(30)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """The shop's pages, on another port of the same site."""
    with ThreadingHTTPServer(("127.0.0.1", PAGE_PORT), partial(Quiet, directory=str(HERE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{PAGE_PORT}/page.html"
        server.shutdown()


@pytest.fixture
def browser() -> Iterator[BrowserContext]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "Chromium is needed: install it, or say where it is in CHROMIUM"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started.new_context(locale="fr-CA")
        started.close()


def open_shop(browser: BrowserContext, pages: str, stack: dict[str, Any], **query: str) -> Page:
    where = {
        "api": stack["api"],
        "stripe": stack["stripe_api"],
        "key": stack["stripe_publishable_key"],
        "course": "francais-secondaire",
    }
    page = browser.new_page()
    page.goto(f"{pages}?{urlencode(where | query)}")
    return page


def cookies(browser: BrowserContext) -> dict[str, tuple[bool, bool, str, str, str]]:
    return {
        cookie["name"]: (
            cookie["httpOnly"],
            cookie["secure"],
            cookie["sameSite"],
            cookie["path"],
            cookie["domain"],
        )
        for cookie in browser.cookies()
    }


def test_a_guest_buys_and_comes_back_signed_in_with_the_rest_of_the_cart(
    browser: BrowserContext, pages: str, stack: dict[str, Any]
) -> None:
    assert stack["api"].startswith("http://localhost:")
    kept = (True, True, "Lax", "/", "localhost")
    shop = open_shop(browser, pages, stack)
    expect(shop.locator("#person")).to_have_text("Personne")
    expect(shop.locator("#times button").first).to_be_visible()
    assert cookies(browser) == {}  # looking around leaves nothing

    shop.locator("#times button").nth(0).click()
    expect(shop.locator("#cart li")).to_have_count(1)
    assert cookies(browser) == {"__Host-cart_session_id": kept}

    for name, text in {
        "email": "zoe@exemple.ca",
        "first_name": "Zoé",
        "last_name": "Roy",
        "password": "correct-horse-battery",
        "address": "1, rue Principale",
    }.items():
        shop.locator(f"[name={name}]").fill(text)
    shop.get_by_role("button", name="Payer").click()
    expect(shop.locator("#outcome")).to_contain_text("succeeded")
    _, amount, checkout_id = shop.locator("#outcome").inner_text().split()

    other_tab = open_shop(browser, pages, stack)  # something more, before coming back
    other_tab.locator("#times button").nth(3).click()
    expect(other_tab.locator("#cart li")).not_to_have_count(0)
    left = other_tab.locator("#times button").nth(3).inner_text()

    back = open_shop(browser, pages, stack, checkout=checkout_id)
    expect(back.locator("#outcome")).to_have_text(f"settled {amount}")
    expect(back.locator("#person")).to_have_text("zoe@exemple.ca")
    expect(back.locator("#cart li")).to_have_text([left])
    assert cookies(browser)["__Host-session"] == kept
    assert "__Host-cart_session_id" in cookies(browser) or len(cookies(browser)) == 1
