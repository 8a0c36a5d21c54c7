"""The ledger's tables as the first version made them; `schema` has what was changed since."""

from __future__ import annotations

FIRST = """
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
