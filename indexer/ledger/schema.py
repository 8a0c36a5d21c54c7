"""The ledger's tables, as numbered migrations; `PRAGMA user_version` is the number of the last one applied.

A migration, once released, is never edited: a change is a new entry at the end. Times are seconds since the epoch,
money is US dollars, paths are the bytes the file system gave.
"""

from __future__ import annotations

from indexer.ledger.first_schema import FIRST

_INBOX = """
-- pictures that a program gave us to be looked at; `path` is where their bytes lie in the library
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    path BLOB NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_path ON uploads (path);

-- what was decided of them, in the order in which it was; the last one of an upload holds
CREATE TABLE verdicts (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('approve', 'reject', 'human')),
    reasons TEXT NOT NULL,
    moderation TEXT NOT NULL,
    checks TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    rules TEXT NOT NULL,
    person INTEGER NOT NULL DEFAULT 0,  -- 1: a person decided, and no rule overrules it
    decided_at REAL NOT NULL
) STRICT;
CREATE INDEX verdicts_by_upload ON verdicts (id, cursor);
"""

_FACTS_READER = """
-- the version of the reader that read `facts`: one that has learned more reads them anew
ALTER TABLE files ADD COLUMN facts_reader INTEGER NOT NULL DEFAULT 0;
"""

_ROUTES = """
-- of whom a request was asked, and how it went there: its work may be forgotten, or handed to another provider
ALTER TABLE attempts ADD COLUMN question INTEGER REFERENCES questions;
ALTER TABLE attempts ADD COLUMN mode TEXT;
UPDATE attempts SET
    question = coalesce((SELECT w.question FROM works w WHERE w.key = attempts.work),
                        (SELECT s.question FROM shards s WHERE s.id = attempts.shard)),
    mode = CASE WHEN shard IS NULL THEN 'interactive' ELSE 'batch' END;

-- since when the service works on a job, as far as somebody saw it: before that it waited
ALTER TABLE shards ADD COLUMN running_at REAL;
CREATE INDEX shards_by_question ON shards (question, ended_at);
CREATE INDEX attempts_of_calls ON attempts (question, mode, ended_at) WHERE shard IS NULL;
"""

_GROUNDS = """
-- when the file's inode last changed, 0 where that is not known: an edit may keep size and mtime
ALTER TABLE files ADD COLUMN ctime_ns INTEGER NOT NULL DEFAULT 0;
-- what a refusal to read the file depended on beside its bytes; see crawl/grounds.py
ALTER TABLE files ADD COLUMN grounds TEXT NOT NULL DEFAULT '';
-- 1: a person accepts that this file has no description
ALTER TABLE files ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;

-- how many files directly in a folder were not even opened: hidden, excluded, sidecars; folders without any have no row
CREATE TABLE left_out (folder BLOB PRIMARY KEY, files INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_UPLOADS = """
-- waiting: no verdict yet; late: a person was told to look, an answer may still come; done; deleted: the bytes are
-- gone, the verdicts stay; forgotten: all of it goes as soon as the service is done with it
ALTER TABLE uploads ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting';
ALTER TABLE uploads ADD COLUMN since REAL NOT NULL DEFAULT 0;   -- from when its time counts
ALTER TABLE uploads ADD COLUMN asked TEXT NOT NULL DEFAULT '';  -- prompt and schema version, '' before it was asked
ALTER TABLE uploads ADD COLUMN held TEXT NOT NULL DEFAULT '';   -- why it was not asked about when it could have been
ALTER TABLE uploads ADD COLUMN done_at REAL;
UPDATE uploads SET
    since = added_at,
    state = CASE WHEN EXISTS (SELECT 1 FROM verdicts v WHERE v.id = uploads.id) THEN 'done' ELSE 'waiting' END,
    done_at = (SELECT max(v.decided_at) FROM verdicts v WHERE v.id = uploads.id);
CREATE INDEX uploads_open ON uploads (state, since) WHERE state <> 'done';
CREATE INDEX uploads_done ON uploads (done_at) WHERE state = 'done';
"""

_CORRECTIONS = """
-- what people say of photos instead of an answer; the last one of a photo that was not taken back holds
CREATE TABLE corrections (
    id INTEGER PRIMARY KEY,
    photo TEXT NOT NULL REFERENCES photos,
    description TEXT,                   -- NULL: that of the best answer
    tags TEXT,                          -- JSON; NULL: those of the best answer
    made_at REAL NOT NULL,
    undone_at REAL
) STRICT;
CREATE INDEX corrections_by_photo ON corrections (photo, id);
"""

_PARTNERS = """
-- questions that count as one: asked of several providers, of whom any may answer; see work/partners.py
CREATE TABLE partners (
    question INTEGER NOT NULL REFERENCES questions,
    partner INTEGER NOT NULL REFERENCES questions,
    PRIMARY KEY (question, partner)
) STRICT, WITHOUT ROWID;
"""

_LARGE = """
-- SQLite takes a partial index only for a condition that it finds word by word in the query: one index a state
DROP INDEX works_open;
CREATE INDEX works_wanted ON works (question, mode) WHERE state = 'wanted';
CREATE INDEX works_out ON works (question, mode) WHERE state = 'out';
CREATE INDEX works_failed ON works (question, photo) WHERE state = 'failed';
DROP INDEX attempts_open;
CREATE INDEX attempts_out ON attempts (shard) WHERE state = 'out';
CREATE INDEX attempts_in_doubt ON attempts (work) WHERE state = 'in_doubt';
-- what was asked and spent since a run or a day began
CREATE INDEX attempts_by_start ON attempts (started_at);
CREATE INDEX attempts_by_end ON attempts (ended_at);
-- all that counting needs, so that ten million rows with their facts are not read
DROP INDEX files_by_photo;
CREATE INDEX files_by_photo ON files (photo, picture, state, reason, dismissed);
CREATE INDEX files_no_pictures ON files (state) WHERE picture = 0;
"""

_INTAKE = """
-- small uploads that were just taken in: one commit makes row and bytes durable; advance writes them to their path
CREATE TABLE intake (id TEXT PRIMARY KEY REFERENCES uploads, bytes BLOB NOT NULL) STRICT;
"""

_TURNED = """
-- photos whose pixels lie in a file otherwise than upright, by the name that they would have as they lie there
CREATE TABLE turned (stored TEXT PRIMARY KEY, photo TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

_CORRECTED_FIELDS = """
ALTER TABLE corrections ADD COLUMN fields TEXT;   -- JSON, of the fields that are corrected alone; NULL: none is
"""

_ACCOUNTS = """
-- the account at the service that a batch belongs to, by the variable that holds its key; '': the usual one
ALTER TABLE shards ADD COLUMN account TEXT NOT NULL DEFAULT '';
"""

_FROM_PHOTOS = """
-- CROSS JOIN and +: who holds an answer is looked for from the photo, not among all answers of a provider or a question
DROP VIEW photo_answers;
CREATE VIEW photo_answers AS
    SELECT photo AS holder, 0 AS inherited, * FROM answers
    UNION ALL
    SELECT i.photo, 1, a.* FROM inherited i CROSS JOIN answers a ON a.photo = i.source AND +a.question = i.question;
"""

_ENDED = """
-- what is under way has no end, so that it need not be moved within these when it ends
DROP INDEX attempts_of_calls;
DROP INDEX attempts_by_end;
CREATE INDEX attempts_of_calls ON attempts (question, mode, ended_at) WHERE shard IS NULL AND ended_at IS NOT NULL;
CREATE INDEX attempts_by_end ON attempts (ended_at) WHERE ended_at IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (
    *(FIRST, _INBOX, _FACTS_READER, _ROUTES, _GROUNDS, _UPLOADS, _CORRECTIONS),
    *(_PARTNERS, _LARGE, _INTAKE, _TURNED, _CORRECTED_FIELDS, _ACCOUNTS, _FROM_PHOTOS, _ENDED),
)
