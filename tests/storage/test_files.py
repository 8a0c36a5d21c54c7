"""Writing without surprises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.domain.errors import LibraryUnwritable, UsageError
from indexer.library.api import Library
from indexer.storage.atomic import require_space, whole_file, write_plain
from indexer.storage.lock import WriterLock
from indexer.storage.private import make_private
from indexer.storage.regular import read_regular, read_words


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path) -> None:
    """More than any disk holds is refused with what is missing and what to do; a byte is not."""
    require_space(tmp_path, 1)
    with pytest.raises(LibraryUnwritable, match="the next batch needs") as caught:
        require_space(tmp_path, 1 << 62)
    assert "make room" in caught.value.hint


def test_a_fresh_file_replaces_nothing(tmp_path: Path) -> None:
    """What came to lie there meanwhile stays, link or file, and no trace is left beside it."""

    def write(place: Path, meanwhile: Callable[[], object]) -> None:
        with whole_file(place, fresh=True) as stream:
            stream.write(b"ours")
            meanwhile()

    file, link = tmp_path / "file", tmp_path / "link"
    with pytest.raises(FileExistsError):
        write(file, lambda: file.write_bytes(b"theirs"))
    with pytest.raises(FileExistsError):
        write(link, lambda: link.symlink_to(tmp_path / "victim"))
    assert (tmp_path / "file").read_bytes() == b"theirs"
    assert not (tmp_path / "victim").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Whatever it leads to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(victim)
    with whole_file(tmp_path / "link") as stream:
        stream.write(b"ours")
    assert victim.read_bytes() == b"theirs"
    assert (tmp_path / "link").read_bytes() == b"ours"
    with pytest.raises(OSError, match="symbolic"):
        write_plain(_linked(tmp_path / "plain", victim), "ours")
    assert victim.read_bytes() == b"theirs"


def _linked(path: Path, target: Path) -> Path:
    path.symlink_to(target)
    return path


def test_a_long_name_is_written_too(tmp_path: Path) -> None:
    """As long as the file system takes it."""
    with whole_file(tmp_path / ("x" * 255), fresh=True) as stream:
        stream.write(b"ours")
    assert (tmp_path / ("x" * 255)).read_bytes() == b"ours"


def test_a_library_is_its_owner_s_alone(tmp_path: Path) -> None:
    """A folder that others could read gets mode 0700, its ledger 0600; it is said once."""
    tmp_path.chmod(0o755)
    ledger = tmp_path / "ledger.sqlite3"
    ledger.touch(0o644)
    assert "now only you can" in make_private(tmp_path)
    assert (tmp_path.stat().st_mode & 0o777, ledger.stat().st_mode & 0o777) == (0o700, 0o600)
    assert make_private(tmp_path) == ""


def test_a_folder_with_other_things_is_not_closed_to_become_a_library(tmp_path: Path) -> None:
    """What others may open, such as the root of a machine, stays as it is: it is refused, and nothing is made."""
    tmp_path.chmod(0o755)
    (tmp_path / "usr").mkdir()
    with pytest.raises(UsageError, match="holds other files"):
        Library.open(tmp_path)
    assert (tmp_path.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o755, [tmp_path / "usr"])
    tmp_path.chmod(0o700)
    Library.open(tmp_path).close()
    (tmp_path / "new").mkdir(mode=0o755)
    Library.open(tmp_path / "new").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_library_follows_no_link(tmp_path: Path) -> None:
    """Batches behind a link would lie where others may read them."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "batches").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LibraryUnwritable, match="symbolic link"):
        make_private(tmp_path)
    (tmp_path / "batches").unlink()
    (tmp_path / ".writer").symlink_to(tmp_path / "victim")
    with pytest.raises(LibraryUnwritable), WriterLock(tmp_path, "test"):
        pass
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize("name", ["/dev/zero", "large", "folder", "missing"])
def test_what_is_no_file_of_words_is_not_read(name: str, tmp_path: Path) -> None:
    """A device never ends, and what is larger than any text is none; both cost nothing."""
    (tmp_path / "folder").mkdir()
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match=r"a device|more than|directory|No such file"):
        read_regular(tmp_path / name)


def test_words_of_another_system_are_the_same_words(tmp_path: Path) -> None:
    """Lines that end in CR LF ask the same question, under the same key."""
    (tmp_path / "prompt").write_bytes(b"What is this?\r\nBe brief.\rPlease.\n")
    assert read_words(tmp_path / "prompt") == "What is this?\nBe brief.\nPlease.\n"


def test_a_plain_file_that_has_another_name_is_not_written(tmp_path: Path) -> None:
    """A hard link is the other file."""
    (tmp_path / "victim").write_text("theirs")
    (tmp_path / "plain").hardlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="the same file as another"):
        write_plain(tmp_path / "plain", "ours")
    assert (tmp_path / "victim").read_text() == "theirs"
    (tmp_path / "plain").unlink()
    for text in ("a longer one", "ours"):
        write_plain(tmp_path / "plain", text)
    assert (tmp_path / "plain").read_text() == "ours"
