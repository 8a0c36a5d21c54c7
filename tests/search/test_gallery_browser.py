"""The gallery in a real browser: every page, by keyboard alone, without JavaScript, small, dark, and hostile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from indexer import Library
from tests.fakes.gemini import Emulator
from tests.support.browsing import browsing, loud
from tests.support.gallery import Served, serving
from tests.support.virtual import opened, samples

expect.set_options(timeout=20_000)  # milliseconds: a busy machine is slow
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PLAIN = 70
"""Little pictures beside the samples: more than a page of a search has."""
PAGES = ("/", "/?q=espresso", "/photo?path={path}&q=dogs&at=0", "/tags", "/people", "/failures", "/jobs", "/settings")
PAGES += ("/sheet?q=espresso", "/?since=yesterday", "/photo?path=/nowhere.jpg")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the samples and many little pictures; one has a hostile name and hostile words, one is broken."""
    home = tmp_path_factory.mktemp("gallery")
    photos = samples(home / "photos")
    (photos / "dogs_window.jpg").rename(photos / f"{HOSTILE.replace('/', '_')}.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is not a picture")
    (home / "photos" / "plain").mkdir()
    for number in range(PLAIN):
        colour = (number * 3, 255 - number * 3, number * 37 % 256)
        Image.new("RGB", (160 + number % 40, 160), colour).save(home / "photos" / "plain" / f"p{number:03}.jpg")
    with Library.open(home / "library") as library:
        library.index([home / "photos"], provider="local")
        answered_twice(home)
        path = str(photos / f"{HOSTILE.replace('/', '_')}.jpg")
        library.correct(path, description=f"Two dogs. {HOSTILE}", tags=["dogs", HOSTILE])
    return home


def answered_twice(home: Path) -> None:
    """Have one little picture described by a model, to two prompts."""
    (home / "other.txt").write_text("Describe the photo in other words.")
    asked = {"provider": "gemini", "mode": "interactive", "approve": True, "pilot": 0, "workers": 0}
    with Emulator(home / "emulator") as emulator, opened(home / "library", emulator) as library:
        for prompt in (None, str(home / "other.txt")):
            library.index([home / "photos" / "plain" / "p069.jpg"], prompt=prompt, **asked)


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[Served]:
    """Its gallery."""
    with serving(home / "library", home / "cache") as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with browsing() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """A page of a desktop that came in by the address."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=served.origin)
    yield entered(context, served)
    context.close()


def entered(context: BrowserContext, served: Served) -> Page:
    """A new page that came in by the address with the token, which then leaves the address bar."""
    page = context.new_page()
    page.goto(served.address)
    assert page.url == f"{served.origin}/"
    return page


def hostile(home: Path) -> str:
    """The path of the photo with the hostile name."""
    return str(home / "photos" / f"{HOSTILE.replace('/', '_')}.jpg")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_accessible_and_fits(
    browser: Browser, served: Served, home: Path, width: int, scheme: str
) -> None:
    """Axe finds nothing serious, nothing overflows sideways, and nothing hostile runs: on a desktop, on a phone."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, base_url=served.origin, color_scheme=scheme, reduced_motion="reduce"
    )
    page = entered(context, served)
    heard = loud(page)
    for address in PAGES:
        page.goto(address.format(path=quote(hostile(home))))
        found = Axe().run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert (address, serious) == (address, [])
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    assert [words for words in heard if "status of 40" not in words] == []
    context.close()


def test_hostile_words_are_shown_and_never_run(page: Page, home: Path) -> None:
    """Name, description and tags of a photo are text, wherever they stand."""
    heard = loud(page)
    page.goto("/?q=dogs")
    page.goto(f"/photo?path={quote(hostile(home))}")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{HOSTILE.replace('/', '_')}.jpg")
    expect(page.locator("#described + p")).to_contain_text("<script>alert(1)</script>")
    page.goto(f"/?q={quote(HOSTILE)}&tag={quote(HOSTILE)}")
    assert page.locator("#results img[src=x]").count() == 0
    assert heard == []


def test_search_as_one_types(page: Page) -> None:
    """The photos follow the words without a new page, and the address follows them too."""
    page.evaluate("window.same = true")
    page.locator("#q").press_sequentially("space suit of a pilot")
    expect(page.locator("#results .grid img").first).to_have_attribute("src", re.compile("astronaut"))
    expect(page).to_have_url(re.compile(r"\?q=space\+suit\+of\+a\+pilot$"))
    assert page.evaluate("window.same")
    expect(page.locator("#said")).to_have_text(page.locator("#count").inner_text())
    page.goto("/")
    expect(page.locator("#count")).to_have_text("81 photos")
    page.locator("#q").fill("landscpae")
    expect(page.locator("#results")).to_contain_text("no photo has the word landscpae; did you mean landscape?")


def test_answers_to_other_prompts_stand_side_by_side(page: Page, home: Path) -> None:
    """Each with who gave it, and to which prompt."""
    path = str(home / "photos" / "plain" / "p069.jpg")
    page.goto(f"/photo?path={quote(path)}")
    rows = page.get_by_role("region", name="All answers").locator("tbody tr")
    expect(rows).to_have_count(3)
    told = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert [by.split()[0] for by, *_ in told] == ["gemini", "gemini", "local"]
    assert len({prompt for _, prompt, *_ in told}) == 2


def test_pages_that_only_tell_hold_nothing_to_spend_or_set_by(page: Page) -> None:
    """Failures show the command that asks again, by reason; jobs the money; settings where each was set."""
    page.goto("/failures")
    expect(page.get_by_role("heading", name="unreadable: 1")).to_be_visible()
    expect(page.locator("#command-unreadable")).to_have_text("index retry --only unreadable")
    for address in ("/failures", "/jobs", "/settings"):
        page.goto(address)
        assert page.locator("main form, main input").count() == 0
    expect(page.get_by_role("row", name=re.compile("^max_pixels"))).to_be_visible()
    page.goto("/jobs")
    expect(page.get_by_role("region", name="Spending").locator("tbody tr").first).to_contain_text("$")


def test_paths_and_commands_can_be_copied(page: Page, home: Path) -> None:
    """One click takes the path of a photo, whatever its name, and another the command that asks again."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for address, button, copied in (
        (f"/photo?path={quote(hostile(home))}", "Copy path", hostile(home)),
        ("/failures", "Copy command", "index retry --only unreadable"),
    ):
        page.goto(address)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == copied


def test_by_keyboard_alone(page: Page) -> None:
    """Search, walk through the photos, open one, go on to the next, and come back: no mouse."""
    page.keyboard.press("/")
    page.keyboard.type("espresso")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("q=espresso"))
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    while not page.evaluate("document.activeElement.matches('.grid a')"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    lower = page.evaluate("document.activeElement.getBoundingClientRect().top")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") < lower
    page.evaluate("document.querySelector('.grid a').focus()")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.href")
    assert second.endswith("at=1")
    for key, address in (("Enter", second), ("ArrowRight", re.compile("at=2$")), ("ArrowLeft", second)):
        page.keyboard.press(key)
        expect(page).to_have_url(address)
        page.wait_for_load_state()  # the address changes before the page's script listens to keys
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/$"))


def test_more_photos_come_while_scrolling_and_far_ones_let_go(page: Page) -> None:
    """All photos are reached by scrolling, and pictures far away from the screen are not kept."""
    page.set_viewport_size({"width": 390, "height": 400})
    for _ in range(40):
        if page.locator("p.more").count() == 0 and page.locator("ul.grid").count() > 1:
            break
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(100)
    assert page.locator("ul.grid").count() == 2
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("ul.grid").last.locator("li")).not_to_have_count(0)
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("ul.grid").first.locator("li")).to_have_count(60)


def test_everything_can_be_read_without_javascript(browser: Browser, served: Served, home: Path) -> None:
    """Forms and links alone: search, the next page, a photo, a correction and its undo, a ban and its undo."""
    context = browser.new_context(java_script_enabled=False, base_url=served.origin)
    page = entered(context, served)
    expect(page.locator("#count")).to_have_text("more than 60 photos")
    page.get_by_role("link", name="More photos").click()
    expect(page).to_have_url(re.compile("offset=60"))
    page.locator("#q").fill("red espresso cup")
    page.get_by_role("button", name="Search").click()
    page.locator(".grid a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("coffee_cup.jpg")
    expect(page.locator("#why + p")).to_contain_text("meaning")
    page.get_by_text("Correct description and tags").click()
    page.get_by_role("textbox", name="Description").fill("Grandmother's cup.")
    page.get_by_role("textbox", name="Tags, with commas between them").fill("naples, cup")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("your correction is kept")
    expect(page.locator("#described + p")).to_have_text("Grandmother's cup.")
    page.get_by_role("link", name="naples", exact=True).click()
    expect(page.locator(".grid a")).to_have_count(1)
    page.locator(".grid a").click()
    page.get_by_role("button", name="Undo the last correction").click()
    expect(page.get_by_role("status")).to_have_text("the last correction is taken back")
    page.goto("/tags")
    page.get_by_role("checkbox", name="landscape format").check()
    page.get_by_role("button", name="Ban the ticked tags").click()
    expect(page.get_by_role("status")).to_contain_text("ban landscape format")
    page.get_by_role("button", name="Undo the last change").click()
    expect(page.get_by_role("status")).to_contain_text("took back")
    context.close()


def test_jobs_are_told_as_they_change(page: Page, served: Served, home: Path) -> None:
    """What another process does to the library appears on the open page by itself."""
    page.goto("/jobs")
    before = page.locator("#standing dd").first.inner_text()
    Image.new("RGB", (250, 240), "navy").save(home / "photos" / "late.jpg")
    served.library.index([home / "photos"], provider="local")
    expect(page.locator("#standing dd").first).not_to_have_text(before)
    (home / "photos" / "late.jpg").unlink()
    served.library.index([home / "photos"], provider="local", confirm_deleted=True)


def test_another_page_cannot_look_in(browser: Browser, served: Served, home: Path) -> None:
    """With the cookie in the browser, a page of elsewhere gets no picture, no frame and no form through."""
    context = browser.new_context()
    entered(context, served)
    page = context.new_page()
    picture = f"{served.origin}/thumbnail?path={quote(str(home / 'photos' / 'coffee_cup.jpg'))}"
    page.route(
        "http://elsewhere.test/",
        lambda route: route.fulfill(
            content_type="text/html", body=f"<img src='{picture}'><iframe src='{served.origin}'></iframe>"
        ),
    )
    page.goto("http://elsewhere.test/")
    assert page.evaluate("document.images[0].complete && document.images[0].naturalWidth") == 0
    frame = page.frames[-1]
    assert "Photos" not in (frame.content() if frame is not page.main_frame else "")
    context.close()
