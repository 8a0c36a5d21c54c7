"""Tags under control: rules that are replayed and taken back, a vocabulary, bans and a most, all without a request."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.errors import BadSetting, UsageError
from indexer.domain.tags import Act, Policy, Rule, Tagging, make_rule
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import tags
from indexer.library import tag_rules
from indexer.library.api import Library
from indexer.library.vocabulary import read_vocabulary, tag_policy
from indexer.storage.settings import Config, read_config
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import Done, index, search
from tests.support.virtual import VirtualTime, opened, samples

GEMINI = {"provider": "gemini", "workers": 0}
FREE = Policy(most=1000)
SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag>
<rdf:li>{}</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""


def renamed(old: str, new: str) -> Rule:
    """A rename as somebody types it."""
    return make_rule(Act.RENAME, [old], new)


def merged(*tags: str) -> Rule:
    """A merge into the last of `tags`."""
    return make_rule(Act.MERGE, tags[:-1], tags[-1])


def banned(*tags: str) -> Rule:
    """A ban as somebody types it."""
    return make_rule(Act.BAN, tags)


@pytest.mark.parametrize(
    ("rules", "raw", "shown"),
    [
        ([], "dog, window", "dog, window"),
        ([renamed("dog", "hound")], "dog, window", "hound, window"),
        ([renamed(" Wooden  TABLE ", "Desk")], "cup, wooden table", "cup, desk"),
        ([renamed("dog", "pet")], "dog, pet, cat", "pet, cat"),
        ([renamed("a", "b"), renamed("b", "c")], "a, b, c, d", "c, d"),
        ([renamed("b", "c"), renamed("a", "b")], "a, b", "b, c"),
        ([renamed("a", "b"), renamed("b", "a")], "a", "a"),
        ([renamed("a", "b"), renamed("b", "a")], "b", "a"),
        ([merged("dogs", "puppy", "hound", "dog")], "puppy, dogs, dog, cat", "dog, cat"),
        ([merged("dogs", "dog", "dog")], "dogs, dog", "dog"),
        ([banned("dog", "CAT")], "dog, cat, window", "window"),
        ([banned("b"), renamed("a", "b")], "a, b, c", "b, c"),
        ([renamed("a", "b"), banned("b")], "a, b, c", "c"),
        ([banned("a"), renamed("a", "b")], "a, c", "c"),
    ],
)
def test_rules_are_followed_in_their_order(rules: list[Rule], raw: str, shown: str) -> None:
    """Chains, ways back and bans mean what they meant when they were made."""
    assert ", ".join(Tagging(rules, FREE).of(raw.split(", "))) == shown


@pytest.mark.parametrize(
    ("policy", "rules", "raw", "shown"),
    [
        (Policy(most=2), [], "a, b, c", "a, b"),
        (Policy(most=2), [merged("a", "b", "x")], "a, b, c, d", "x, c"),
        (Policy(most=0), [], "a", ""),
        (Policy(banned=("b",)), [], "a, b, c", "a, c"),
        (Policy(banned=("b",)), [renamed("b", "c")], "a, b", "a, c"),
        (Policy(banned=("b",), most=2), [], "a, b, c", "a, c"),
        (Policy({"cat": "cat", "kitten": "cat"}), [], "kitten, cat, sofa", "cat"),
        (Policy({"cat": "cat", "kitten": "cat"}), [renamed("sofa", "kitten")], "sofa, bed", "cat"),
        (Policy({"cat": "cat", "kitten": "cat"}), [renamed("cat", "sofa")], "cat", ""),
        (Policy({"cat": "cat", "kitten": "cat"}), [banned("cat")], "kitten, cat", ""),
        (Policy({"cat": "cat", "kitten": "cat"}), [banned("kitten")], "kitten, cat", "cat"),
        (Policy({"cat": "cat", "kitten": "cat"}, banned=("cat",)), [], "kitten", ""),
    ],
)
def test_settings_come_after_the_rules(policy: Policy, rules: list[Rule], raw: str, shown: str) -> None:
    """A rule about a tag is about its aliases too; then the vocabulary, the bans, and the most that may stand."""
    assert ", ".join(Tagging(rules, policy).of(raw.split(", "))) == shown


@pytest.mark.parametrize("policy", [Policy(), Policy({"a": "b"}, ("x", "y"), 3), Policy({}, (), 0)])
def test_a_policy_is_kept_as_text(policy: Policy) -> None:
    """What the ledger keeps says the same again; no text at all is no policy."""
    assert Policy.from_json(policy.to_json()) == policy
    assert Policy.from_json("").most > 10**9


@pytest.mark.parametrize(
    "wish",
    [
        lambda: renamed("dog", " Dog "),
        lambda: renamed("", "x"),
        lambda: renamed("x", "  "),
        lambda: merged("a", "A", "a"),
        lambda: banned("", " "),
        lambda: renamed("\udcff", "x"),
        lambda: make_rule(Act.BAN, "dog"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(wish: object) -> None:
    """Empty names, a tag made itself, a text where a list is meant."""
    with pytest.raises(UsageError):
        wish()  # type: ignore[operator]


TAGS = st.sampled_from("abcde")
RULES = st.one_of(
    st.builds(lambda old, new: Rule(Act.RENAME, (old,), new), TAGS, TAGS),
    st.builds(lambda tags, new: Rule(Act.MERGE, tuple(tags), new), st.lists(TAGS, min_size=1), TAGS),
    st.builds(lambda tags: Rule(Act.BAN, tuple(tags)), st.lists(TAGS, min_size=1)),
)


@given(st.lists(RULES, max_size=8), st.lists(TAGS))
def test_replaying_rules_is_following_one_after_the_other(rules: list[Rule], raw: list[str]) -> None:
    """All rules at once give what each of them gives on what the one before it left."""
    one_by_one = reduce(lambda tags, rule: Tagging([rule], FREE).of(tags), rules, tuple(raw))
    assert Tagging(rules, FREE).of(raw) == Tagging([], FREE).of(one_by_one)


def ledger_of(folder: Path, photos: Sequence[Sequence[str]], keywords: Mapping[int, str] | None = None) -> Ledger:
    """A ledger in which photo N lies at /N and has one answer with these raw tags."""
    ledger = Ledger.open(folder)
    ledger.connection.executescript("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF;")
    ledger.connection.execute("INSERT INTO questions VALUES (1, 'gemini', 'm', 'p', 's', '{}')")
    for number, named in enumerate(photos):
        word = (keywords or {}).get(number)
        facts = json.dumps({"keywords": [word]}) if word else None
        ledger.connection.execute(
            "INSERT INTO files (path, folder, size, mtime_ns, sidecar_ns, state, picture, photo, facts, changed_run,"
            " change) VALUES (?, x'2f', 1, 1, 1, 'present', 1, ?, ?, 1, 'new')",
            (f"/{number}".encode(), str(number), facts),
        )
        ledger.connection.execute(
            "INSERT INTO answers VALUES (?1, ?1, 1, 'gemini', 30, 'm', 'words', ?2, '', '{}', 1.0, '{}')",
            (str(number), json.dumps(list(named))),
        )
    return ledger


def shown_by(ledger: Ledger, photos: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """What the photos show now."""
    tagging = tags.tagging(ledger)
    return [tagging.of(raw) for raw in photos]


def newly_dirty(ledger: Ledger) -> set[int]:
    """The photos whose rows were marked since this was last asked."""
    found = {int(path[1:]) for (path,) in ledger.connection.execute("SELECT path FROM dirty")}
    ledger.connection.execute("DELETE FROM dirty")
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(TAGS, max_size=4), min_size=1, max_size=5), st.lists(st.none() | RULES, max_size=10))
def test_undoing_everything_restores_every_row(photos: list[list[str]], steps: list[Rule | None]) -> None:
    """None in `steps` is an undo. After each step exactly the rows that look different are dirty; at the end none."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = ledger_of(Path(folder), photos)
        tag_rules.follow(ledger, FREE)
        history: list[list[tuple[str, ...]]] = []
        for step in steps:
            before = shown_by(ledger, photos)
            try:
                done = tag_rules.decide(ledger, step.act, step.tags, step.target) if step else tag_rules.undo(ledger)
            except UsageError:
                assert step or not history
                assert shown_by(ledger, photos) == before
                continue
            after = shown_by(ledger, photos)
            changed = {number for number, tags in enumerate(after) if tags != before[number]}
            assert newly_dirty(ledger) == changed
            assert done.photos == len(changed)
            if step:
                history.append(before)
            else:
                assert after == history.pop()
        while history:
            tag_rules.undo(ledger)
            assert shown_by(ledger, photos) == history.pop()
        assert shown_by(ledger, photos) == [Tagging([], FREE).of(raw) for raw in photos]
        with pytest.raises(UsageError, match="no rule"):
            tag_rules.undo(ledger)
        ledger.close()


def test_counting_takes_the_best_answer_and_each_photo_once(tmp_path: Path) -> None:
    """An answer that is not shown gives no tag; copies are one photo; keywords count beside what was generated."""
    ledger = ledger_of(tmp_path, [["dog", "cat"], ["dog"], ["fox"]], {1: "Dog", 2: "Alba"})
    connection = ledger.connection
    connection.execute("UPDATE answers SET standing = 10 WHERE work = '0'")
    connection.execute(
        "INSERT INTO answers SELECT 'better', photo, 1, 'x', 30, 'm', '', '[\"owl\"]', '', '{}', 1, '{}'"
        " FROM answers WHERE work = '0'"
    )
    connection.execute("UPDATE files SET photo = '1' WHERE path = x'2f32'")
    found = tags.counts(ledger, Scope(), tags.tagging(ledger))
    assert [(one.tag, one.photos, one.generated, one.keywords) for one in found] == [
        ("alba", 1, 0, 1),
        ("dog", 1, 1, 1),
        ("owl", 1, 1, 0),
    ]
    inside = tags.counts(ledger, Scope((b"/0",)), tags.tagging(ledger))
    assert [one.tag for one in inside] == ["owl"]
    ledger.close()


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """A new library before a new service."""
    with opened(tmp_path / "library", emulator) as ours:
        yield ours


def commands(tmp_path: Path, *arguments: str) -> Done:
    """Run `index tags ...` on the library, without a key."""
    return index("--library", tmp_path / "library", "tags", *arguments)


def found(tmp_path: Path, tag: str) -> set[str]:
    """The names of the photos that a search by `tag` finds."""
    return {Path(hit.path).stem for hit in Index.open(tmp_path / "library").search(tags=[tag], limit=0)}


def photo_tags(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """The tags of every photo as search shows them."""
    hits = Index.open(tmp_path / "library").search(within="/", limit=0, collapse="none")
    return {Path(hit.path).stem: hit.tags for hit in hits}


def test_a_renamed_tag_is_found_by_its_new_name_only_and_nothing_is_sent(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Also in answers that come later; undone, everything is as it was."""
    photos = samples(tmp_path / "photos", 6)
    library.index([photos], approve=True, **GEMINI)
    before, requests = photo_tags(tmp_path), emulator.books()["requests"]
    done = commands(tmp_path, "rename", "Dogs", "hound", "--json")
    assert done.json == {
        "act": "rename",
        "tags": ["dogs"],
        "target": "hound",
        "photos": 1,
        "keywords": [],
        "undone": False,
    }
    place = ("--library", tmp_path / "library")
    assert search(*place, "--tag", "hound").out.strip().endswith("dogs_window.jpg")
    assert search(*place, "--tag", "dogs").code == 1
    assert emulator.books()["requests"] == requests
    assert commands(tmp_path, "undo").out == "took back: rename dogs -> hound; 1 photo changed\n"
    assert photo_tags(tmp_path) == before
    assert emulator.books()["requests"] == requests


def test_rules_hold_for_answers_that_come_later_and_through_a_rebuild(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """A ban may be made before any photo has the tag."""
    photos = samples(tmp_path / "photos", 6)
    emulator.change(pending_seconds=600.0)
    library.index([photos], approve=True, wait=False, **GEMINI)
    assert library.ban_tags(["spaniel"]).photos == 0
    library.collect(wait=True)
    assert found(tmp_path, "spaniel") == set()
    assert found(tmp_path, "two dogs") == {"dogs_window"}
    before = photo_tags(tmp_path)
    library.rebuild()
    assert photo_tags(tmp_path) == before
    assert library.undo_tags().photos == 1
    assert found(tmp_path, "spaniel") == {"dogs_window"}


def test_a_rule_that_another_process_makes_while_a_run_waits_is_followed(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waiting run holds no lock; what comes back is composed by the rules of that moment."""
    sleep, told = VirtualTime.sleep, []

    def sleep_and_meddle(self: VirtualTime, seconds: float) -> None:
        sleep(self, seconds)
        if not told:
            told.append(commands(tmp_path, "ban", "rocket").code)

    monkeypatch.setattr(VirtualTime, "sleep", sleep_and_meddle)
    library.index([samples(tmp_path / "photos", 1)], approve=True, **GEMINI)
    assert told == [0]
    assert "nasa" in photo_tags(tmp_path)["astronaut"]
    assert "rocket" not in photo_tags(tmp_path)["astronaut"]


def test_merging_banning_and_taking_back_one_by_one(tmp_path: Path, library: Library) -> None:
    """Each command is one step back, whatever it was about."""
    library.index([samples(tmp_path / "photos", 6)], approve=True, **GEMINI)
    states = [photo_tags(tmp_path)]
    assert {one.tag for one in library.tags() if one.photos == 2} >= {"portrait"}
    library.merge_tags(["pet", "pets", "two dogs"], "pet")
    states.append(photo_tags(tmp_path))
    assert found(tmp_path, "pet") == {"cat_face", "dogs_window"}
    library.rename_tag("pet", "beast")
    states.append(photo_tags(tmp_path))
    assert found(tmp_path, "beast") == {"cat_face", "dogs_window"}
    library.ban_tags(["beast", "indoor"])
    assert found(tmp_path, "beast") == found(tmp_path, "indoor") == set()
    for state in reversed(states):
        library.undo_tags()
        assert photo_tags(tmp_path) == state
    with pytest.raises(UsageError, match="no rule"):
        library.undo_tags()


def test_a_persons_keyword_is_neither_changed_nor_hidden(tmp_path: Path, library: Library) -> None:
    """Rules are about generated tags; a keyword in a file is listed, and said to stay."""
    photos = samples(tmp_path / "photos", 3)
    (photos / "astronaut.xmp").write_text(SIDECAR.format("Cat"))
    library.index([photos], approve=True, **GEMINI)
    assert found(tmp_path, "cat") == {"astronaut", "cat_face"}
    done = commands(tmp_path, "ban", "CAT")
    assert (done.code, done.out) == (0, "ban cat; 1 photo changed\n")
    assert "keyword: cat" in done.err
    assert found(tmp_path, "cat") == {"astronaut"}
    assert "        1  cat  (1 by keywords in files)" in commands(tmp_path, "list").out.splitlines()
    refused = commands(tmp_path, "rename", "cat", "tiger")
    assert refused.code == 2
    assert "keyword in your files" in refused.err


def test_the_list_is_of_one_folder_or_of_all(tmp_path: Path, library: Library) -> None:
    """The most frequent first; copies count once; as text and as JSON, the options before or after."""
    photos, other = samples(tmp_path / "photos", 5), tmp_path / "other"
    other.mkdir()
    (other / "copy.jpg").write_bytes((photos / "cat_face.jpg").read_bytes())
    library.index([photos, other], approve=True, **GEMINI)
    everything = commands(tmp_path, "list", "--json").json
    counted = [one["photos"] for one in everything]
    assert counted == sorted(counted, reverse=True)
    assert {one["tag"]: one["photos"] for one in everything}["cat"] == 1
    inside = commands(tmp_path, "list", "--in", str(other)).out.splitlines()
    assert len(inside) == 13
    assert inside[0] == "        1  animal"
    assert library.tags([other])[0].tag == "animal"
    assert index("--json", "tags", "list", "--library", tmp_path / "library").json == everything


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rename", "astronot", "x"], "no photo has the tag 'astronot'\nhint: did you mean: astronaut"),
        (["rename", "qqqqqq", "x"], "no photo has the tag 'qqqqqq'\nhint: see: index tags list"),
        (["merge", "nasa", "astronot", "x"], "no photo has the tag 'astronot'"),
        (["rename", "nasa", "NASA"], "is called that already"),
        (["merge", "nasa"], "index tags merge TAG... INTO"),
        (["ban"], "missing argument"),
        (["undo"], "there is no rule about tags to take back"),
        (["rename", "nasa"], "missing argument 'NEW'"),
    ],
)
def test_what_cannot_be_meant_is_said_and_changes_nothing(described: Path, arguments: list[str], message: str) -> None:
    """Exit code 2, and what to do next."""
    done = commands(described, *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 2
    assert commands(described, "undo").code == 2


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place whose library has one described photo, and which is only read."""
    place = tmp_path_factory.mktemp("described")
    with Emulator(place / "emulator") as service, opened(place / "library", service) as library:
        library.index([samples(place / "photos", 1)], approve=True, **GEMINI)
    return place


VOCABULARY = """\
# what we call things
cat: kitten, Tabby
dog: dogs, two dogs   # both

Space Suit
"""


def test_a_vocabulary_is_read(tmp_path: Path) -> None:
    """Comments and blank lines say nothing; spelling is plain; a tag on two lines has the aliases of both."""
    path = tmp_path / "tags.txt"
    path.write_text("\ufeff" + VOCABULARY.replace("\n", "\r\n") + "cat: puss\nc#: sharp")
    cats = dict.fromkeys(["cat", "kitten", "tabby", "puss"], "cat")
    dogs = dict.fromkeys(["dog", "dogs", "two dogs"], "dog")
    assert read_vocabulary(path) == {**cats, **dogs, "space suit": "space suit", "c#": "c#", "sharp": "c#"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"cat\ndog, fox\n", "line 2: 'dog, fox' is not one tag"),
        (b"cat: a: b\n", "line 1: 'cat: a: b' is not one tag"),
        (b"\n: a\n", "line 2: ': a' lacks a word"),
        (b"cat:\n", "line 1: 'cat:' lacks a word"),
        (b"cat: a,, b\n", "line 1: 'cat: a,, b' lacks a word"),
        (b"cat: a\ndog: A\n", "line 2: 'a' means 'cat' already"),
        (b"cat: dog\n\ndog\n", "line 1: 'dog' is a tag of its own in line 3"),
        (b"cat\ncaf\xe9\n", "line 2: is not UTF-8"),
        (b"# nothing\n", "has no tags"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_malformed_vocabulary_is_a_bad_setting(tmp_path: Path, text: bytes | None, words: str) -> None:
    """File and line are named."""
    path = tmp_path / "tags.txt"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadSetting) as caught:
        read_vocabulary(path)
    assert str(caught.value).startswith(f"the vocabulary {path}")
    assert words in str(caught.value)
    assert caught.value.hint


def test_the_settings_are_read_from_file_and_environment(tmp_path: Path) -> None:
    """A vocabulary lies beside the file that names it, or where the shell stands; lists have commas in a variable."""
    (tmp_path / "captionary.toml").write_text(
        'most_tags = 5\nbanned_tags = ["Photo", "sky"]\nvocabulary = "tags.txt"\n'
    )
    config = read_config(tmp_path, {})
    assert (config.most_tags, config.banned_tags) == (5, ("Photo", "sky"))
    assert config.vocabulary == str(tmp_path / "tags.txt")
    environ = {"CAPTIONARY_MOST_TAGS": "7", "CAPTIONARY_BANNED_TAGS": "blue Sky, ", "CAPTIONARY_VOCABULARY": ""}
    assert tag_policy(read_config(tmp_path, environ)) == Policy(None, ("blue sky",), 7)
    assert read_config(tmp_path, {"CAPTIONARY_VOCABULARY": "here.txt"}).vocabulary == "here.txt"
    assert tag_policy(Config()) == Policy()


@pytest.mark.parametrize("line", ["most_tags = -1", "banned_tags = 'sky'", "banned_tags = [1]", "vocabulary = 3"])
def test_a_setting_that_does_not_fit_is_named(tmp_path: Path, line: str) -> None:
    """Each is a `BadSetting`."""
    (tmp_path / "captionary.toml").write_text(line)
    with pytest.raises(BadSetting, match=line.split()[0]):
        read_config(tmp_path, {})


def test_a_changed_vocabulary_is_followed_by_the_next_command_that_writes(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Rows are composed anew without a request; taken away again, all is as before; people's keywords stay."""
    photos = samples(tmp_path / "photos", 6)
    (photos / "astronaut.xmp").write_text(SIDECAR.format("Holiday"))
    library.index([photos], approve=True, **GEMINI)
    before, requests = photo_tags(tmp_path), emulator.books()["requests"]
    words, config = tmp_path / "library" / "tags.txt", tmp_path / "library" / "captionary.toml"
    words.write_text(VOCABULARY)
    config.write_text('vocabulary = "tags.txt"\n')
    library.index([photos], approve=True, **GEMINI)
    shown = photo_tags(tmp_path)
    assert (shown["astronaut"], shown["cat_face"]) == (("space suit", "holiday"), ("cat",))
    assert shown["dogs_window"] == ("dog",)
    assert "coffee" not in shown["coffee_cup"]
    with pytest.raises(UsageError, match="would hide the tag 'hound'"):
        library.rename_tag("dog", "hound")
    words.write_text(VOCABULARY + "hound\n")
    assert library.rename_tag("dog", "hound").photos == 1
    assert found(tmp_path, "hound") == {"dogs_window"}
    library.undo_tags()
    config.write_text('most_tags = 2\nbanned_tags = ["portrait", "coffee"]\n')
    library.index([photos], approve=True, **GEMINI)
    shown = photo_tags(tmp_path)
    assert shown["astronaut"] == ("astronaut", "woman", "holiday")
    assert shown["coffee_cup"][:2] == ("espresso", "cup")
    config.unlink()
    library.rebuild()
    assert photo_tags(tmp_path) == before
    assert emulator.books()["requests"] == requests


def test_rows_that_look_the_same_are_left_alone(tmp_path: Path, library: Library) -> None:
    """A vocabulary with a new word that nobody has marks no row, and the note says how many look different."""
    library.index([samples(tmp_path / "photos", 3)], approve=True, **GEMINI)
    for text, note in (("cat\ntower\n", 3), ("cat\ntower\nunicorn\n", None), ("cat\n", 1)):
        (tmp_path / "library" / "tags.txt").write_text(text)
        (tmp_path / "library" / "captionary.toml").write_text('vocabulary = "tags.txt"')
        done = index("--library", tmp_path / "library", "rebuild")
        assert ("settings of tags have changed" in done.err) == (note is not None)
        if note:
            assert f"changes: {note:,}" in done.err


def test_a_bad_vocabulary_stops_a_command_that_writes_and_no_search(described: Path, tmp_path: Path) -> None:
    """Exit code 2 and one line with file and line; what is there can be searched."""
    words = tmp_path / "tags.txt"
    words.write_text("dog, fox\n")
    place = ("--library", described / "library")
    done = index(*place, "rebuild", env={"CAPTIONARY_VOCABULARY": str(words)})
    assert (done.code, done.err.count("\n")) == (2, 2)
    assert f"{words}, line 1" in done.err
    assert search(*place, "--tag", "nasa", env={"CAPTIONARY_VOCABULARY": str(words)}).code == 0


def test_facts_of_a_file_are_not_touched(tmp_path: Path, library: Library) -> None:
    """The ledger keeps keywords and answers as they came."""
    photos = samples(tmp_path / "photos", 1)
    (photos / "astronaut.xmp").write_text(SIDECAR.format("NASA"))
    library.index([photos], approve=True, **GEMINI)
    library.rename_tag("nasa", "agency")
    ledger = Ledger.read(tmp_path / "library")
    raw, facts = ledger.connection.execute("SELECT a.tags, f.facts FROM answers a, files f").fetchone()
    ledger.close()
    assert '"nasa"' in raw
    assert '"NASA"' in facts
    assert {"agency", "nasa"} <= set(photo_tags(tmp_path)["astronaut"])
