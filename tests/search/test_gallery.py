"""The gallery over HTTP: who may ask, what is answered, and that nothing else is."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pillow_heif
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from starlette.datastructures import QueryParams

from indexer import Library
from indexer.storage.bounded_cache import BoundedCache
from indexer.storage.lock import WriterLock
from search import Index
from search.gallery import address, app
from search.gallery.asked import Asked
from tests.support.gallery import Served, raw, serving
from tests.support.hostile import png_bomb
from tests.support.odd import cr3, preview_jpeg
from tests.support.virtual import SAMPLES

SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:Rating="4"><Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ivo &lt;b&gt; Novak</rdf:li></rdf:Bag>
</Iptc4xmpExt:PersonInImage></rdf:Description></rdf:RDF></x:xmpmeta>"""
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>.jpg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos, one of them with a hostile name, one of them in CMYK."""
    folder = tmp_path_factory.mktemp("photos")
    told = Image.Exif()
    told.get_ifd(0x8769)[0x9003] = "2016:08:14 11:12:13"
    told.get_ifd(0x8825).update({1: "S", 2: (12.0, 3.0, 0.0), 3: "W", 4: (77.0, 2.0, 30.0)})
    Image.effect_noise((900, 600), 40).convert("RGB").save(folder / "wide.jpg", exif=told)
    shutil.copy(folder / "wide.jpg", folder / "wide again.jpg")
    Image.effect_noise((300, 700), 40).convert("RGB").save(folder / "tall.png")
    Image.effect_noise((400, 400), 60).convert("CMYK").save(folder / "cmyk.jpg")
    pillow_heif.from_pillow(Image.effect_noise((640, 320), 60).convert("RGB")).save(folder / "phone.heic")
    turned = Image.Exif()
    turned[0x112] = 6
    Image.effect_noise((640, 320), 50).convert("RGB").save(folder / "turned.jpg", exif=turned)
    (folder / "camera.cr3").write_bytes(cr3(preview_jpeg((600, 400))))
    (folder / "camera.cr3.xmp").write_text(SIDECAR)
    with Image.open(SAMPLES / "cat_face.jpg") as cat:
        little = cat.convert("RGB").resize((400, 300))
    for second, right in ((10, 400), (12, 396)):
        shot = Image.Exif()
        shot.get_ifd(0x8769)[0x9003] = f"2014:01:01 10:00:{second}"
        little.crop((0, 0, right, 300)).save(folder / f"burst {second}.jpg", exif=shot)
    Image.effect_noise((500, 400), 90).convert("RGB").save(folder / HOSTILE.replace("/", "_"), "JPEG")
    return folder


@pytest.fixture(scope="module")
def served(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gallery of that folder."""
    home = tmp_path_factory.mktemp("library")
    with Library.open(home) as library:
        library.index([folder], provider="local")
    with serving(home, tmp_path_factory.mktemp("cache")) as served:
        yield served


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """Somebody who came in by the address that was printed."""
    with served.client() as client:
        yield client


def test_nothing_is_answered_without_the_token(served: Served) -> None:
    """Neither a page nor a picture nor a style is there for who has no token or a wrong one."""
    for path in ("/", "/photo", "/thumbnail", "/static/gallery.css", "/nothing", "/?token=wrong", "/?token="):
        assert httpx.get(served.origin + path, trust_env=False).status_code == 403, path


def test_the_token_becomes_a_strict_cookie_and_leaves_the_address(served: Served) -> None:
    """The first address lets in, sets a cookie for this site and scripts' eyes never, and goes on without the token."""
    answer = httpx.get(served.address + "&q=dog", trust_env=False)
    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=dog")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_an_address_that_is_opened_again_shows_no_token_either(client: httpx.Client, served: Served) -> None:
    """Who has the cookie already is sent on as well: the token stays in no address bar."""
    answer = client.get(served.address)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_address_that_starts_a_browser_works_once(served: Served) -> None:
    """Other people's programs see how a browser was started; what they see is used up."""
    assert httpx.get(served.once, trust_env=False).status_code == 303
    assert httpx.get(served.once, trust_env=False).status_code == 403
    assert httpx.get(served.address, trust_env=False).status_code == 303


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)
_LIST = st.lists(_TEXT, unique=True).map(tuple)


@given(st.builds(Asked, q=_TEXT, tag=_LIST, where=_LIST, folder=_TEXT, like=_TEXT, since=_TEXT, sort=_TEXT))
def test_a_search_survives_its_own_address(asked: Asked) -> None:
    """Whatever was asked, the links of a page ask it again."""
    assert Asked.of(QueryParams(asked.to("/", offset=60).partition("?")[2])) == asked


@pytest.mark.parametrize("host", ["evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "127.0.0.1.evil.org:{port}"])
def test_another_host_is_refused_even_with_the_cookie(client: httpx.Client, served: Served, host: str) -> None:
    """A name that somebody else's server gives this address brings nothing."""
    port = served.origin.rpartition(":")[2]
    assert client.get("/", headers={"host": host.format(port=port)}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    ],
)
def test_requests_of_other_pages_are_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    """A page of another origin, or of another port of this machine, may not ask."""
    assert client.get("/", headers=headers).status_code == 403


def test_two_hosts_in_one_request_are_refused(served: Served) -> None:
    """Which of two names is meant is nobody's guess."""
    port = served.origin.rpartition(":")[2].encode()
    hosts = b"Host: 127.0.0.1:" + port + b"\r\nHost: evil.example\r\n"
    answer = raw(served, b"GET / HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert answer.split()[1] in (b"400", b"403")


def test_every_answer_carries_the_policy(client: httpx.Client, served: Served) -> None:
    """Pages, pictures and refusals forbid inline scripts, frames and other origins."""
    answers = [client.get("/"), client.get("/static/gallery.js"), httpx.get(served.origin, trust_env=False)]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../../etc/passwd", "{folder}", "{folder}/", "{folder}/missing.jpg", "", "{folder}/./wide.jpg"],
)
@pytest.mark.parametrize("page", ["/thumbnail", "/preview", "/photo"])
def test_only_known_photos_are_shown(client: httpx.Client, folder: Path, page: str, path: str) -> None:
    """A path outside, a folder, a file that was never indexed: the gallery knows none of them."""
    assert client.get(page, params={"path": path.format(folder=folder)}).status_code == 404


@pytest.mark.parametrize("path", ["/static/", "/static/%2e%2e%2fguard.py", "/static", "/templates"])
def test_there_is_no_directory(client: httpx.Client, path: str) -> None:
    """The files of the pages have names, and nothing beside them can be had."""
    assert client.get(path).status_code == 404


def test_a_picture_has_a_small_copy_that_is_made_once(client: httpx.Client, folder: Path) -> None:
    """A thumbnail is a JPEG of its longest side at most, and a browser that has it is told so."""
    sizes = {"wide.jpg": (480, 320), "tall.png": (206, 480), "cmyk.jpg": (400, 400), "phone.heic": (480, 240)}
    sizes |= {"turned.jpg": (240, 480), "camera.cr3": (480, 320)}
    for name, size in sizes.items():
        answer = client.get("/thumbnail", params={"path": str(folder / name)})
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
        again = client.get(answer.url, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_photo_that_became_a_bomb_takes_no_page_down(client: httpx.Client, folder: Path) -> None:
    """It is decoded by a process of its own and by the crawl's limits: it has no picture, the others have theirs."""
    path = folder / "turned.jpg"
    before = path.read_bytes()
    try:
        path.write_bytes(png_bomb(40_000, 40_000))
        assert client.get("/preview", params={"path": str(path)}).status_code == 404
        decoding = [one for one in psutil.Process().children() if "indexer.crawl.worker" in " ".join(one.cmdline())]
        assert decoding
        for worker in decoding:
            worker.kill()  # as a system does when memory is short
        assert client.get("/preview", params={"path": str(folder / "cmyk.jpg")}).status_code == 200
        assert client.get("/").status_code == 200
    finally:
        path.write_bytes(before)


def test_hostile_names_are_text(client: httpx.Client, folder: Path) -> None:
    """A file's name never becomes a tag of the page."""
    path = str(folder / HOSTILE.replace("/", "_"))
    for page in ("/", f"/photo?path={quote(path)}", f"/?q={quote(HOSTILE)}", f"/?tag={quote(HOSTILE)}"):
        text = client.get(page).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    assert "&lt;script&gt;alert" in client.get(f"/photo?path={quote(path)}").text


def test_a_search_that_cannot_be_meant_says_why(client: httpx.Client) -> None:
    """A wrong date is a message on the page, not a fault."""
    answer = client.get("/", params={"since": "yesterday"})
    assert answer.status_code == 400
    assert "not a date" in answer.text
    assert "YYYY" in answer.text


@pytest.mark.parametrize("page", ["/tags", "/failures", "/jobs", "/settings", "/sheet", "/hits", "/?q=wide"])
def test_every_page_answers(client: httpx.Client, page: str) -> None:
    """Each page is there, whole, and in UTF-8."""
    answer = client.get(page)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_a_form_of_another_page_changes_nothing(client: httpx.Client) -> None:
    """Without the token of our forms, or from another origin, tags stay as they are."""
    told = {"act": "ban", "tag": "grey"}
    assert client.post("/tags/change", data=told).status_code == 403
    assert client.post("/tags/change", data={**told, "form_token": "wrong"}).status_code == 403
    assert client.get("/tags/change").status_code == 405
    assert client.post("/tags/change", data=told, headers={"origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("page", ["/tags/change", "/correct", "/correct/undo", "/folder"])
def test_every_form_needs_its_token_and_a_known_photo(client: httpx.Client, folder: Path, page: str) -> None:
    """Each address that changes something refuses a form that is not ours, a plain link, and a path outside."""
    told = {"path": str(folder / "wide.jpg"), "description": "taken over", "act": "undo"}
    for wrong in ({}, {"form_token": ""}, {"form_token": "wrong"}):
        assert client.post(page, data={**told, **wrong}).status_code == 403
    assert client.get(page, params=told).status_code == 405
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get("/tags").text)[0]
    answer = client.post(page, data={"form_token": token, "path": "/etc/passwd", "description": "x"})
    assert answer.status_code in (400, 404)
    assert "taken over" not in client.get("/photo", params={"path": told["path"]}).text


@pytest.mark.parametrize("cookie", ["", "wrong", "é"])
def test_a_wrong_cookie_opens_nothing(served: Served, cookie: str) -> None:
    """Nor does the form token in its place."""
    port = served.origin.rpartition(":")[2]
    headers = {"cookie": f"captionary-{port}={cookie}".encode()}
    assert httpx.get(served.origin, headers=headers, trust_env=False).status_code == 403


def test_tags_are_banned_and_brought_back(client: httpx.Client, served: Served) -> None:
    """The page of tags does what the commands do, and says what it did once."""
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get("/tags").text)[0]
    tag = served.library.tags()[0].tag
    done = client.post("/tags/change", data={"form_token": token, "act": "ban", "tag": tag})
    assert done.status_code == 303
    assert f"ban {tag}" in client.get(done.headers["location"]).text
    assert f"ban {tag}" not in client.get(done.headers["location"]).text
    assert tag not in [one.tag for one in served.library.tags()]
    client.post("/tags/change", data={"form_token": token, "act": "undo"})
    assert tag in [one.tag for one in served.library.tags()]


def test_a_tag_that_is_not_there_is_said(client: httpx.Client) -> None:
    """A rename of an unknown tag is an error in words, with what to do."""
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get("/tags").text)[0]
    answer = client.post("/tags/change", data={"form_token": token, "act": "rename", "tag": "zebra", "into": "horse"})
    assert answer.status_code == 400
    assert "no photo has the tag" in answer.text


def test_news_of_jobs_come_by_themselves(client: httpx.Client) -> None:
    """The page of jobs is told how the library stands as server-sent events."""
    with client.stream("GET", "/jobs/live") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")


def test_people_and_stars_are_filters(client: httpx.Client) -> None:
    """Whom a file names is found by the name, what has stars by their number; nonsense is said."""
    assert "Ivo &lt;b&gt; Novak" in client.get("/people").text
    for asked in ({"person": "Ivo"}, {"rating": "4"}):
        found = client.get("/hits", params=asked).text
        assert found.count("<li") == 1, asked
        assert "camera.cr3" in found
    assert client.get("/", params={"rating": "many"}).status_code == 400


@pytest.mark.parametrize("asked", [{"tag": "zebra"}, {"camera": "Cannon"}, {"person": "Nobody"}, {"folder": "/no"}])
def test_a_filter_without_a_photo_says_what_is_not_there(client: httpx.Client, asked: dict[str, str]) -> None:
    """No photo is an answer, with what may have been meant."""
    answer = client.get("/", params=asked)
    assert answer.status_code == 200
    assert "No photo answers this" in answer.text
    assert re.search("no photo (has|is of|names)|no indexed photo", answer.text)


def test_a_photo_of_elsewhere_is_no_example(client: httpx.Client, folder: Path) -> None:
    """Likeness is asked of photos of the library only: no other file is opened."""
    (folder.parent / "secret.jpg").write_bytes((folder / "wide.jpg").read_bytes())
    assert client.get("/", params={"like": str(folder.parent / "secret.jpg")}).status_code == 400


def test_a_photo_that_became_a_link_or_a_pipe_is_not_followed(client: httpx.Client, folder: Path) -> None:
    """What stands in a photo's place now is shown only where it is a file; a kept copy of the photo stays."""
    path, away = folder / "tall.png", folder.parent / "away.png"
    Image.new("RGB", (300, 300), "red").save(folder.parent / "private.png")
    path.rename(away)
    try:
        path.symlink_to(folder.parent / "private.png")
        assert client.get("/preview", params={"path": str(path)}).status_code == 404
        path.unlink()
        os.mkfifo(path)
        assert client.get("/preview", params={"path": str(path)}).status_code == 404
    finally:
        path.unlink()
        away.rename(path)
    assert client.get("/preview", params={"path": str(path)}).status_code == 200


def test_a_writer_at_work_is_said_and_readers_never_wait(client: httpx.Client, served: Served) -> None:
    """While another command writes, pages are read and a form is told to try again; another gallery serves too."""
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get("/tags").text)[0]
    with WriterLock(served.library.folder, "index run"):
        assert client.get("/").status_code == 200
        told = {"form_token": token, "act": "ban", "tag": served.library.tags()[0].tag}
        answer = client.post("/tags/change", data=told)
        assert answer.status_code == 409
        assert "index run" in answer.text


def test_galleries_side_by_side_do_not_know_each_others_tokens(
    client: httpx.Client, served: Served, tmp_path: Path
) -> None:
    """Two galleries of one library serve at once, each by its own token."""
    with serving(served.library.folder, tmp_path) as other, other.client() as second:
        assert second.get("/").status_code == client.get("/").status_code == 200
        token = served.address.partition("token=")[2]
        assert httpx.get(f"{other.origin}/?token={token}", trust_env=False).status_code == 403
        port = other.origin.rpartition(":")[2]
        cookies = {f"captionary-{port}": token}
        assert httpx.get(other.origin, cookies=cookies, trust_env=False).status_code == 403


def test_a_library_without_photos_says_what_to_do(tmp_path: Path) -> None:
    """Nothing is indexed yet: a page says so, and a search does not break."""
    (tmp_path / "empty").mkdir()
    with Library.open(tmp_path / "library") as library:
        library.index([tmp_path / "empty"], provider="local")
    with serving(tmp_path / "library", tmp_path / "cache") as served, served.client() as client:
        for page in ("/", "/hits?q=dog", "/tags", "/jobs", "/failures", "/people"):
            assert client.get(page).status_code == 200, page
        assert "index" in client.get("/").text


def test_a_form_as_long_as_a_book_is_refused(client: httpx.Client) -> None:
    """Forms have an end."""
    assert client.post("/correct", data={"description": "x" * 300_000}).status_code == 413


def test_small_copies_have_a_bound(tmp_path: Path) -> None:
    """What was used longest ago goes first, and never all of it."""
    cache = BoundedCache(tmp_path, 1000)
    for number in range(20):
        cache.put(f"copy-{number:02}", bytes(100))
        os.utime(tmp_path / f"{number:02}" / f"copy-{number:02}", (number, number))
    assert cache.get("copy-01") is not None  # and is used now
    cache.sweep()
    kept = [number for number in range(20) if cache.get(f"copy-{number:02}") is not None]
    assert kept == [1, *range(13, 20)]


def test_dates_lead_to_years_and_years_to_months(client: httpx.Client) -> None:
    """The strip counts files by year; a year shows its months and can be let go again."""
    assert 'href="/?since=2016&amp;until=2016">2016</a> <span class="soft">2<' in client.get("/").text
    year = client.get("/", params={"since": "2016", "until": "2016"}).text
    assert 'href="/?since=2016-08&amp;until=2016-08">2016-08</a>' in year
    assert 'href="/" aria-current="true"' in year
    assert year.count('class="r15"') == 1, "copies are one hit"
    assert "2 files" in year


def test_a_photos_page_tells_what_is_known(client: httpx.Client, folder: Path) -> None:
    """Date, place on a map, copies: facts of the file, each with a way on."""
    page = client.get("/photo", params={"path": str(folder / "wide.jpg"), "q": "wide", "at": "0"}).text
    assert "2016-08-14 11:12:13" in page
    assert "-12.05000, -77.04167 on a map" in page
    assert "wide again.jpg" in page
    assert "words wide" in page
    assert 'rel="noreferrer noopener external"' in page


def test_a_burst_is_told_and_shown_as_one(client: httpx.Client, folder: Path) -> None:
    """The page of a photo names the others of its burst; a search may show one of each, in the order of time."""
    page = client.get("/photo", params={"path": str(folder / "burst 10.jpg")}).text
    assert "burst 12.jpg" in page.partition("Same burst")[2]
    asked = {"until": "2016", "sort": "date"}
    shown = [
        re.findall(r"path=[^\"&]*%2F([^\"&]*)&amp;", client.get("/hits", params=asked | more).text) for more in _BURSTS
    ]
    assert [len(names) for names in shown] == [3, 2]
    assert shown[0][0].startswith("wide")
    assert shown[0][1:] == ["burst+12.jpg", "burst+10.jpg"]


_BURSTS: tuple[dict[str, str], ...] = ({}, {"collapse": "bursts"})


def test_weaker_matches_stand_apart(client: httpx.Client, served: Served) -> None:
    """What is only near has a heading of its own, below what answers."""
    page = client.get("/hits", params={"q": "grey noise"}).text
    good, _, weak = page.partition("Weaker matches")
    hits = Index.open(served.library.folder).search("grey noise", min_score="weak", limit=61)
    assert good.count("<li") == sum(not hit.weak for hit in hits)
    assert weak.count("<li") == min(12, sum(hit.weak for hit in hits))


def test_it_is_an_application_for_any_server(served: Served, folder: Path, tmp_path: Path) -> None:
    """Without a server of its own too, its address lets in."""
    made = app(served.library, cache=tmp_path)
    shown: list[bytes] = []
    made.state.desk.show = shown.append
    path = str(folder / "wide.jpg")

    async def ask() -> list[int]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://127.0.0.1") as client:
            first = await client.get("/")
            entered = await client.get(address(made, 80))
            await client.post("/folder", data={"form_token": made.state.token.form, "path": path})
            return [first.status_code, entered.status_code, (await client.get("/jobs")).status_code]

    assert asyncio.run(ask()) == [403, 303, 200]
    assert shown == [os.fsencode(folder)], "the file manager is shown the folder of a photo"
