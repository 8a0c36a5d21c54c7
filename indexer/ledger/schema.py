"""The ledger's tables, as numbered migrations; `PRAGMA user_version` is the number of the last one applied.

A migration, once released, is never edited: a change is a new entry at the end. Times are seconds since the epoch,
money is US dollars, paths are the bytes the file system gave.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE library (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- a photo is pixels; it keeps its id for ever
CREATE TABLE photos (
    id TEXT PRIMARY KEY,
    phash TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    format TEXT NOT NULL,
    note TEXT NOT NULL,
    added_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- bytes that were seen once keep their photo, whatever a later decoder makes of them
CREATE TABLE contents (
    sha256 TEXT PRIMARY KEY,
    photo TEXT NOT NULL REFERENCES photos
) STRICT, WITHOUT ROWID;

CREATE TABLE roots (path BLOB PRIMARY KEY, device INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE files (
    path BLOB PRIMARY KEY,
    folder BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sidecar_ns INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('present', 'gone', 'offline')),
    picture INTEGER NOT NULL,           -- 0: neither content nor extension says picture
    photo TEXT REFERENCES photos,       -- the last photo that could be read here
    facts TEXT,                         -- JSON of records.Facts
    reason TEXT,                        -- why the file as it is now cannot be read
    detail TEXT,
    changed_run INTEGER NOT NULL,       -- the run that last changed this row, and how
    change TEXT NOT NULL,               -- 'new', 'changed', 'moved', 'gone', 'back', 'offline'
    row_digest TEXT                     -- digest of the document that stands in the table for this path
) STRICT;
CREATE INDEX files_by_folder ON files (folder);
CREATE INDEX files_by_photo ON files (photo);
CREATE INDEX files_by_row_digest ON files (row_digest) WHERE row_digest IS NOT NULL;
CREATE INDEX files_by_run ON files (changed_run);
CREATE INDEX files_faulty ON files (reason) WHERE reason IS NOT NULL;

-- counts of the whole, good as long as the ledger is of this generation; see ledger/kept.py
CREATE TABLE kept_counts (
    name TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    counts TEXT NOT NULL                -- JSON: numbers
) STRICT, WITHOUT ROWID;

-- what a rebuild of the table still has to compose
CREATE TABLE dirty (path BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- prompt templates and answer schemas; `name` is what people call them
CREATE TABLE texts (
    version TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    name TEXT NOT NULL DEFAULT '',
    added_at REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- what people decided about tags; replayed in order whenever a row is composed, so that undo is a mark
CREATE TABLE tag_rules (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('rename', 'merge', 'ban')),
    tags TEXT NOT NULL,                 -- JSON: what the rule is about
    target TEXT NOT NULL DEFAULT '',    -- what they become, '' for a ban
    made_at REAL NOT NULL,
    undone_at REAL
) STRICT;

CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_version TEXT NOT NULL REFERENCES texts,
    schema_version TEXT NOT NULL REFERENCES texts,
    settings TEXT NOT NULL,
    UNIQUE (provider, model, prompt_version, schema_version, settings)
) STRICT;

-- one invocation of a command that writes
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    question INTEGER REFERENCES questions,
    mode TEXT,
    started_at REAL NOT NULL,
    ended_at REAL
) STRICT;

-- everything since the library last had nothing unfinished: what a budget caps
CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    ended_at REAL
) STRICT;

CREATE TABLE approvals (
    id INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaigns,
    plan TEXT NOT NULL,
    cap_usd REAL NOT NULL,              -- for the campaign as a whole
    kind TEXT NOT NULL,                 -- money.Yes.kind
    deadline_at REAL,
    approved_at REAL NOT NULL
) STRICT;

CREATE TABLE works (
    key TEXT PRIMARY KEY,
    photo TEXT NOT NULL REFERENCES photos,
    question INTEGER NOT NULL REFERENCES questions,
    campaign INTEGER NOT NULL REFERENCES campaigns,
    mode TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('wanted', 'out', 'answered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    given TEXT NOT NULL DEFAULT '{}',   -- JSON: the facts that were put into the prompt
    renewing INTEGER NOT NULL DEFAULT 0, -- 1: asked again although it has an answer, which the new one replaces
    reason TEXT,
    detail TEXT,
    UNIQUE (photo, question)
) STRICT, WITHOUT ROWID;
CREATE INDEX works_standing ON works (photo, question, state);
CREATE INDEX works_open ON works (state, question) WHERE state IN ('wanted', 'out', 'failed');

CREATE TABLE shards (
    id TEXT PRIMARY KEY,
    question INTEGER NOT NULL REFERENCES questions,
    campaign INTEGER NOT NULL REFERENCES campaigns,
    state TEXT NOT NULL CHECK (state IN
        ('packed', 'intended', 'creating', 'submitted', 'ended', 'fetched', 'collected', 'closed')),
    attempt INTEGER NOT NULL DEFAULT 1,
    requests INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    high_usd REAL NOT NULL,
    packed_at REAL NOT NULL,
    input_file TEXT NOT NULL DEFAULT '',
    uploads TEXT NOT NULL DEFAULT '',   -- every handle this shard was ever uploaded under, separated by spaces
    uploaded_at REAL,
    created_at REAL,                    -- since when nobody knows what became of the last create
    creates INTEGER NOT NULL DEFAULT 0, -- creates that were or may have been sent
    refusal TEXT NOT NULL DEFAULT '',   -- how the last create was answered: shards.Refusal
    not_before REAL NOT NULL DEFAULT 0, -- the queue was full: try again then
    lost_at REAL,                       -- since when the service does not know the job, or its results
    cancelled_at REAL,                  -- when the service was asked to stop the job
    canary INTEGER NOT NULL DEFAULT 0,  -- 1: goes ahead of the rest, to see what comes back
    job TEXT NOT NULL DEFAULT '',
    job_state TEXT NOT NULL DEFAULT 'intended',
    output_file TEXT NOT NULL DEFAULT '',
    submitted_at REAL,
    ended_at REAL,
    error TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX shards_open ON shards (state) WHERE state <> 'closed';

-- one request that was or may be paid for
CREATE TABLE attempts (
    key TEXT PRIMARY KEY,
    work TEXT NOT NULL,                 -- may be forgotten; what was paid for it is not
    number INTEGER NOT NULL,
    campaign INTEGER NOT NULL REFERENCES campaigns,
    shard TEXT REFERENCES shards,       -- NULL: an ordinary call
    state TEXT NOT NULL CHECK (state IN ('out', 'answered', 'failed', 'in_doubt', 'void')),
    high_usd REAL NOT NULL,
    spent_usd REAL NOT NULL DEFAULT 0,
    input_tokens INTEGER,
    output_tokens INTEGER,
    reason TEXT,
    detail TEXT,
    started_at REAL NOT NULL,
    ended_at REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_by_work ON attempts (work);
CREATE INDEX attempts_by_shard ON attempts (shard) WHERE shard IS NOT NULL;
CREATE INDEX attempts_open ON attempts (state) WHERE state IN ('out', 'in_doubt');
CREATE INDEX attempts_by_campaign ON attempts (campaign);

CREATE TABLE answers (
    work TEXT NOT NULL PRIMARY KEY REFERENCES works,
    photo TEXT NOT NULL REFERENCES photos,
    question INTEGER NOT NULL REFERENCES questions,
    provider TEXT NOT NULL,
    standing INTEGER NOT NULL,
    model TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    visible_text TEXT NOT NULL,
    fields TEXT NOT NULL,
    answered_at REAL NOT NULL,
    given TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX answers_by_photo ON answers (photo, standing, answered_at);
CREATE INDEX answers_by_provider ON answers (provider, photo);
CREATE INDEX answers_by_question ON answers (question);

-- photos taken in one go, two or more, by the first of them; those in no burst have no row
CREATE TABLE bursts (photo TEXT PRIMARY KEY REFERENCES photos, burst TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX bursts_by_burst ON bursts (burst);

-- photos that take the answer of another photo of their burst
CREATE TABLE inherited (
    photo TEXT NOT NULL REFERENCES photos,
    question INTEGER NOT NULL REFERENCES questions,
    source TEXT NOT NULL REFERENCES photos,
    PRIMARY KEY (photo, question)
) STRICT, WITHOUT ROWID;
CREATE INDEX inherited_by_source ON inherited (source, question);

-- photos that are asked about only through another one; those that were bought themselves stand for themselves
CREATE VIEW stands_for AS
    SELECT i.photo, i.question, i.source FROM inherited i
    WHERE NOT EXISTS (SELECT 1 FROM works w WHERE w.photo = i.photo AND w.question = i.question);

-- what every photo may be described by: its own answers, and those it inherits
CREATE VIEW photo_answers AS
    SELECT photo AS holder, 0 AS inherited, * FROM answers
    UNION ALL
    SELECT i.photo, 1, a.* FROM inherited i JOIN answers a ON a.photo = i.source AND a.question = i.question;

-- answers that a newer answer to the same question replaced
CREATE TABLE replaced_answers (
    id INTEGER PRIMARY KEY,
    work TEXT NOT NULL REFERENCES works,
    model TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    visible_text TEXT NOT NULL,
    fields TEXT NOT NULL,
    given TEXT NOT NULL,
    answered_at REAL NOT NULL
) STRICT;
"""

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

_ENDED = """-- what is under way has no end, so that it need not be moved within these when it ends
DROP INDEX attempts_of_calls;
DROP INDEX attempts_by_end;
CREATE INDEX attempts_of_calls ON attempts (question, mode, ended_at) WHERE shard IS NULL AND ended_at IS NOT NULL;
CREATE INDEX attempts_by_end ON attempts (ended_at) WHERE ended_at IS NOT NULL;
"""

MIGRATIONS: tuple[str, ...] = (
    *(_FIRST, _INBOX, _FACTS_READER, _ROUTES, _GROUNDS, _UPLOADS, _CORRECTIONS),
    *(_PARTNERS, _LARGE, _INTAKE, _TURNED, _CORRECTED_FIELDS, _ACCOUNTS, _FROM_PHOTOS, _ENDED),
)
