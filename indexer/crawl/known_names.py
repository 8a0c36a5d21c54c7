"""Names that say what they are: what systems leave behind, and what cameras and editors put beside a photo."""

from __future__ import annotations

IGNORE_FILE = b".captionignore"
SIDECAR_END = b".xmp"
JUNK = frozenset(
    b"thumbs.db|ehthumbs.db|desktop.ini|.ds_store|.picasa.ini|picasa.ini|icon\r|.captionignore"
    b"|@eadir|@__thumb|.@__thumb|#recycle|#snapshot|lost+found|$recycle.bin|recycler|system volume information"
    b"|.trash|.trashes|.thumbnails|.snapshot|.snapshots|.zfs|.git"
    b"|.spotlight-v100|.fseventsd|.temporaryitems|.documentrevisions-v100".split(b"|")
)
"""Lower-case names of files and folders that systems leave behind; skipped even when hidden ones are wanted."""
JUNK_STARTS = (b"._", b"synofile_thumb_", b".trash-")
DEVELOPED = frozenset(b"heic heif hif jpe jpeg jpg".split())
"""Extensions of what a camera writes beside a RAW file of the same name: the pair is one photo."""
ARCHIVES = frozenset(b"7z bz2 cbr cbz gz rar tar tbz2 tgz txz xz zip zst".split())


def suffix_of(name: bytes) -> bytes:
    """Return what follows the last dot in lower case, b"" without one; `name` may be a path."""
    stem, _, suffix = name.rpartition(b".")
    return suffix.lower() if stem and b"/" not in suffix else b""
