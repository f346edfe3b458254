-- The counts of roll-outs, schema 1.
--
-- Everything the service holds is here; the counts it shows follow from it. Read it while the
-- service runs, with `sqlite3 -readonly`. Do not write to it: the service does not look again.
--
-- An instant is two columns: ticks of 100 ns since 1970-01-01T00:00:00Z, and the offset from UTC in
-- minutes that it was written with.

-- A hardware configuration or a script, and what is kept of its summary beside the rows.
CREATE TABLE rollout (
    rollout INTEGER PRIMARY KEY,
    -- hardwareConfiguration or deviceManagementScript
    kind TEXT NOT NULL,
    -- A GUID in lower case.
    id TEXT NOT NULL,
    -- 1: its summary was created by a request.
    created INTEGER NOT NULL DEFAULT 0,
    display_name TEXT,
    version INTEGER NOT NULL DEFAULT 0,
    last_run_ticks INTEGER,
    last_run_offset INTEGER,
    -- Devices whose instant is before this one count as pending.
    run_from_ticks INTEGER,
    -- Carried counts: those that no row stands for, by declaration or retirement.
    unknown_devices INTEGER NOT NULL DEFAULT 0,
    successful_devices INTEGER NOT NULL DEFAULT 0,
    failed_devices INTEGER NOT NULL DEFAULT 0,
    error_devices INTEGER NOT NULL DEFAULT 0,
    pending_devices INTEGER NOT NULL DEFAULT 0,
    not_applicable_devices INTEGER NOT NULL DEFAULT 0,
    unknown_users INTEGER NOT NULL DEFAULT 0,
    successful_users INTEGER NOT NULL DEFAULT 0,
    failed_users INTEGER NOT NULL DEFAULT 0,
    error_users INTEGER NOT NULL DEFAULT 0,
    pending_users INTEGER NOT NULL DEFAULT 0,
    not_applicable_users INTEGER NOT NULL DEFAULT 0,
    UNIQUE (kind, id)
) STRICT;

-- A device: its latest event, or what it left when it was removed or retired.
CREATE TABLE device (
    rollout INTEGER NOT NULL REFERENCES rollout ON DELETE CASCADE,
    id TEXT NOT NULL,
    user TEXT COLLATE NOCASE,
    -- Absent: removed. What was reported up to then is stale.
    state TEXT CHECK (state IN
        ('unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable')),
    ticks INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    -- Retired: the state that is carried for it.
    retired TEXT CHECK (retired IN
        ('unknown', 'success', 'fail', 'scriptError', 'pending', 'notApplicable')),
    -- When the row was written, in microseconds since 1970; no two rows the same.
    written INTEGER NOT NULL,
    PRIMARY KEY (rollout, id)
) STRICT, WITHOUT ROWID;

-- What is kept of a user beside the user's devices: carried counts and names.
CREATE TABLE user (
    rollout INTEGER NOT NULL REFERENCES rollout ON DELETE CASCADE,
    upn TEXT NOT NULL COLLATE NOCASE,
    -- 1: the user was declared.
    declared INTEGER NOT NULL DEFAULT 0,
    last_update_ticks INTEGER,
    last_update_offset INTEGER,
    unknown_devices INTEGER NOT NULL DEFAULT 0,
    successful_devices INTEGER NOT NULL DEFAULT 0,
    failed_devices INTEGER NOT NULL DEFAULT 0,
    error_devices INTEGER NOT NULL DEFAULT 0,
    pending_devices INTEGER NOT NULL DEFAULT 0,
    not_applicable_devices INTEGER NOT NULL DEFAULT 0,
    name TEXT,
    email TEXT,
    PRIMARY KEY (rollout, upn)
) STRICT, WITHOUT ROWID;

-- When the service last found out whether it can write.
CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), written INTEGER NOT NULL) STRICT;

-- The devices that count, each in the state it counts in.
CREATE VIEW live_device AS
SELECT rollout.kind, rollout.id AS rollout_id, device.id, device.user,
    CASE WHEN device.ticks < rollout.run_from_ticks THEN 'pending' ELSE device.state END AS state,
    strftime('%Y-%m-%dT%H:%M:%SZ', device.ticks / 10000000, 'unixepoch') AS at
FROM device JOIN rollout USING (rollout)
WHERE device.state IS NOT NULL AND device.retired IS NULL;
