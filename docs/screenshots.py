"""The pictures of the gallery in the README, made anew from sample_images/: `make screenshots`; needs Chromium."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "screenshots"
# name, address, width, height, colours
SHOTS = (
    ("search", "/?q=red+cup+of+coffee", 1200, 760, "light"),
    ("photo", "/photo?path={photos}/mountain_trail.jpg&q=mountains&at=0", 1200, 760, "dark"),
    ("phone", "/", 390, 760, "light"),
)
QUALITY = 72


@contextmanager
def gallery(home: Path) -> Iterator[str]:
    """Index the samples in `home` and serve them; yields the address."""
    photos = shutil.copytree(ROOT / "sample_images", home / "Photos", ignore=shutil.ignore_patterns("*.md"))
    index = [sys.executable, "-m", "indexer", "--library", str(home / "library")]
    subprocess.run([*index, str(photos), "--provider", "local", "--quiet"], check=True)
    with subprocess.Popen([*index, "gallery", "--port", "0", "--no-open"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def shoot(browser: Browser, address: str, photos: Path) -> None:
    """Take every picture and write it as WebP."""
    for name, path, width, height, scheme in SHOTS:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(address)
        page.goto(address.partition("/?")[0] + path.format(photos=photos))
        page.wait_for_load_state("networkidle")
        with Image.open(io.BytesIO(page.screenshot())) as image:
            image.save(TARGET / f"{name}.webp", quality=QUALITY, method=6)
        context.close()


def main() -> None:
    """Make the pictures."""
    TARGET.mkdir(exist_ok=True)
    found = shutil.which("chromium") or shutil.which("google-chrome")
    home = Path(tempfile.gettempdir()) / "captionary"  # it stands in the pictures
    home.mkdir()
    try:
        with gallery(home) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
            shoot(browser, address, home / "Photos")
            browser.close()
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
