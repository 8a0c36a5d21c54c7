"""Names that say what they are: what systems leave behind, and what cameras and editors put beside a photo."""

from __future__ import annotations

IGNORE_FILE = b".captionignore"
SIDECAR_END = b".xmp"
JUNK = frozenset(
    b"thumbs.db|ehthumbs.db|desktop.ini|.ds_store|.picasa.ini|picasa.ini|icon\r|.captionignore"
    b"|@eadir|@__thumb|.@__thumb|#recycle|#snapshot|lost+found|$recycle.bin|recycler|system volume information"
    b"|.trash|.trashes|.dtrash|.thumbnails|.snapshot|.snapshots|.zfs|.git"
    b"|.spotlight-v100|.fseventsd|.temporaryitems|.documentrevisions-v100".split(b"|")
)
"""Lower-case names of files and folders that systems leave behind; skipped even when hidden ones are wanted."""
_PREVIEWS = (b".lrdata", b".lrcat-data", b".comask")
_CATALOGUES = (b".photoslibrary", b".photolibrary", b".migratedphotolibrary", b".aplibrary", b".cocatalog")
_ORIGINALS = frozenset((b"originals", b"masters"))
"""What photo programs keep: folders of previews, and catalogues in which only two folders hold photos."""
JUNK_STARTS = (b"._", b"synofile_thumb_", b".trash-")
DEVELOPED = frozenset(b"heic heif hif jpe jpeg jpg".split())
"""Extensions of what a camera writes beside a RAW file of the same name: the pair is one photo."""
ARCHIVES = frozenset(b"7z bz2 cbr cbz gz rar tar tbz2 tgz txz xz zip zst".split())


def is_of_a_program(name: bytes, parent: bytes) -> bool:
    """Say whether the folder `name` in `parent` (both in lower case) holds a photo program's previews, not photos."""
    if name.endswith(_PREVIEWS) or (name.startswith(b"mipmaps-") and name.endswith(b".d")):
        return True
    if parent.endswith(_CATALOGUES):
        return name not in _ORIGINALS
    return parent == b"captureone" and name == b"cache"


def suffix_of(name: bytes) -> bytes:
    """Return what follows the last dot in lower case, b"" without one; `name` may be a path."""
    stem, _, suffix = name.rpartition(b".")
    return suffix.lower() if stem and b"/" not in suffix else b""
