"""A real browser for the tests of pages; where none is installed, they are skipped and say so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that Playwright has downloaded."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    # A browser run by root, as in a container, cannot have its sandbox.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=flags)
        except Error as fault:
            pytest.skip(f"no browser: apt-get install chromium, or playwright install chromium ({fault.message[:80]})")
        yield browser
        browser.close()


def loud(page: Page) -> list[str]:
    """Return a list that fills with what a page must not do: run a dialog, throw, or break its own policy."""
    heard: list[str] = []
    page.on("dialog", lambda dialog: (heard.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("pageerror", lambda fault: heard.append(f"error {fault}"))
    page.on("console", lambda told: heard.append(f"{told.type} {told.text}") if told.type == "error" else None)
    return heard
