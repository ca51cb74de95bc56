-- Tasks, runs, workers, queues and schedules. Times are milliseconds since 1970 UTC, ids are UUIDs of 16 bytes.
-- The CHECKs repeat what the code keeps, so that no mistake in it, and no hand-written UPDATE, can break it unseen.
-- They have no `IN (..)`, for which SQLite builds a table anew for each row, and no `CASE`: of that, it computes every
-- part, and of `AND` and `OR` only what decides.

CREATE TABLE task (
    seq              INTEGER PRIMARY KEY,            -- the order of arrival
    id               BLOB    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    queue            TEXT    NOT NULL,
    priority         INTEGER NOT NULL,
    state            TEXT    NOT NULL,
    due              INTEGER,                        -- of a ready task: 0 later, 1 now, 2 now, for those that know it;
                                                     -- of one that waits for a signal until some time: 0; parked: 3
    run_at           INTEGER NOT NULL,
    rank             INTEGER NOT NULL,               -- the order of claims: `run_at`, with a head start for its priority
    fence            INTEGER NOT NULL DEFAULT 0,     -- how often it was claimed
    failures         INTEGER NOT NULL DEFAULT 0,
    crashes          INTEGER NOT NULL DEFAULT 0,
    interrupts       INTEGER NOT NULL DEFAULT 0,
    worker           BLOB,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    cancel_routed    INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    finished_at      INTEGER,
    wait             TEXT,                           -- what a waiting task waits for
    got              TEXT,                           -- what it waited for: how its payload is to be read
    undo             INTEGER,                        -- of a task that undoes a step: its place among those of its run
    item             INTEGER,                        -- of a task of an `each`: its place among those of its group
    group_id         BLOB,
    payload          BLOB    NOT NULL,
    output           BLOB,
    key              TEXT,
    correlation      TEXT,
    parent           BLOB,
    run              BLOB,
    workflow         TEXT,
    step             TEXT,
    failure          TEXT,
    error            BLOB,
    park_reason      TEXT,
    park_detail      TEXT,
    progress_done    INTEGER,
    progress_total   INTEGER,
    deadline         INTEGER,                        -- when its time in all is up; a worker sees to it
    own              BLOB,                           -- what its dispatch said of how it runs, for a worker
    slot             TEXT,                           -- the bucket of which so many may run at once ..
    slots            INTEGER,                        -- .. how many
    rate             TEXT,                           -- the bucket of which so many may start in a time, and how many
    reserved         INTEGER,                        -- the time at which it may start; none, if it must ask
    was              TEXT,                           -- of a failed task: 'followed', if something followed; of one
                                                     -- that its run's failure stopped: its state, or its wait
    CHECK (length(id) = 16),
    CHECK ((state = 'ready' AND due IS NOT NULL AND due >= 0 AND due <= 2
              AND worker IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL)
        OR (state = 'running' AND worker IS NOT NULL
              AND due IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL)
        OR (state = 'succeeded' AND finished_at IS NOT NULL AND output IS NOT NULL
              AND due IS NULL AND worker IS NULL AND park_reason IS NULL)
        OR (state = 'failed' AND finished_at IS NOT NULL AND failure IS NOT NULL
              AND due IS NULL AND worker IS NULL AND output IS NULL AND park_reason IS NULL)
        OR (state = 'cancelled' AND finished_at IS NOT NULL
              AND due IS NULL AND worker IS NULL AND output IS NULL AND park_reason IS NULL)
        OR (state = 'parked' AND due IS 3 AND park_reason IS NOT NULL
              AND worker IS NULL AND finished_at IS NULL AND output IS NULL)
        OR (state = 'waiting' AND wait IS NOT NULL
              AND worker IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL
              AND ((wait = 'signal' AND (due IS NULL OR due = 0))
                OR (wait = 'turn' AND due IS NULL AND group_id IS NOT NULL)
                OR (wait = 'undo' AND due IS NULL AND undo IS NOT NULL AND run IS NOT NULL)
                OR (wait = 'run' AND due IS NULL AND run IS NOT NULL)
                OR (wait = 'pause' AND due IS NULL AND run IS NOT NULL)
                OR (wait = 'slot' AND due IS NULL AND slot IS NOT NULL)))),
    CHECK (item IS NULL OR group_id IS NOT NULL),
    CHECK (wait IS NULL OR state = 'waiting'),
    CHECK (failures >= 0 AND crashes >= 0 AND interrupts >= 0 AND failures + crashes + interrupts <= fence),
    CHECK ((run IS NULL) = (workflow IS NULL) AND (step IS NULL OR run IS NOT NULL)),
    CHECK (CASE WHEN slot IS NULL THEN slots IS NULL ELSE slots IS NOT NULL AND slots > 0 END),
    CHECK (reserved IS NULL OR rate IS NOT NULL)
) STRICT;

-- What can be claimed, in the order in which it is.
CREATE INDEX task_due ON task (queue, rank) WHERE due = 1;
-- What becomes due, in the order in which it does: a backlog of it costs a claim nothing.
CREATE INDEX task_later ON task (run_at, queue, wait) WHERE due = 0;
-- What some workers don't know (2), put aside once so that they need not step over it at each claim; and what nobody
-- knows (3).
CREATE INDEX task_aside
    ON task (due, queue, iif(step IS NULL, 't' || name, 's' || workflow || char(10) || step), rank)
    WHERE due > 1;
CREATE INDEX task_worker ON task (worker) WHERE worker IS NOT NULL;
CREATE INDEX task_run ON task (run, step) WHERE run IS NOT NULL;
-- What waits, by whom it waits for: its run, those before it in its group, or those of its queue that wait for its
-- slot; and there by its step, or its place.
CREATE INDEX task_wait ON task (
    CASE wait WHEN 'turn' THEN group_id WHEN 'slot' THEN slot || char(10) || queue ELSE run END,
    wait,
    CASE wait WHEN 'signal' THEN step WHEN 'slot' THEN rank ELSE undo END
) WHERE wait IS NOT NULL;
CREATE INDEX task_correlation ON task (correlation) WHERE correlation IS NOT NULL;
CREATE UNIQUE INDEX task_key ON task (name, key) WHERE key IS NOT NULL;

-- What has ended outside of runs, in the order in which it goes: the tasks of one transaction are one row, which takes
-- a tenth of the time of an index.
CREATE TABLE ended (
    state TEXT    NOT NULL,
    at    INTEGER NOT NULL,
    first INTEGER NOT NULL,                          -- the least of `tasks`
    tasks TEXT    NOT NULL,                          -- their numbers, in order, as JSON
    PRIMARY KEY (state, at, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL UNIQUE,
    workflow    TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    open_tasks  INTEGER NOT NULL,
    end_routed  INTEGER NOT NULL,
    deadline    INTEGER,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    input       BLOB    NOT NULL,
    output      BLOB,
    failure     TEXT,
    key         TEXT,
    correlation TEXT,
    parent      BLOB,
    step        BLOB,                                -- the task of another run that waits for this one's end
    fingerprint INTEGER NOT NULL,
    arrivals    INTEGER NOT NULL DEFAULT 0,          -- how many it has in `arrival`
    undos       INTEGER NOT NULL DEFAULT 0,          -- the last place that a task has that undoes a step
    lost        INTEGER NOT NULL DEFAULT 0,          -- something was left out while it stopped: it can't be taken up
    undo_failed INTEGER,                             -- the one of them that failed, by its number; it can be resumed
    CHECK (length(id) = 16),
    CHECK (arrivals >= 0 AND (arrivals = 0 OR finished_at IS NULL OR state = 'failed')),
    CHECK (undo_failed IS NULL OR state = 'failed'),
    CHECK (CASE state
        WHEN 'running'      THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'paused'       THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'cancelling'   THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'compensating' THEN finished_at IS NULL AND open_tasks > 0 AND failure IS NOT NULL
        WHEN 'succeeded'    THEN finished_at IS NOT NULL AND open_tasks = 0 AND output IS NOT NULL
        WHEN 'failed'       THEN finished_at IS NOT NULL AND open_tasks = 0 AND failure IS NOT NULL
        WHEN 'cancelled'    THEN finished_at IS NOT NULL AND open_tasks = 0
        ELSE FALSE END)
) STRICT;

CREATE INDEX run_live ON run (workflow) WHERE finished_at IS NULL;
CREATE INDEX run_deadline ON run (deadline) WHERE deadline IS NOT NULL AND finished_at IS NULL;
-- What has ended, in the order in which it goes.
CREATE INDEX run_ended ON run (state, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX run_step ON run (step) WHERE step IS NOT NULL;
CREATE INDEX run_correlation ON run (correlation) WHERE correlation IS NOT NULL;
CREATE UNIQUE INDEX run_key ON run (workflow, key) WHERE key IS NOT NULL;

-- The groups of `each`: of a run, until it ends well or is cancelled; of others, while they live.
CREATE TABLE each (
    id      BLOB    NOT NULL PRIMARY KEY,
    run     BLOB REFERENCES run (id) ON DELETE CASCADE,
    open    INTEGER NOT NULL,                        -- tasks of it that have not ended
    waiting INTEGER NOT NULL,                        -- those of them that wait for their turn
    most    INTEGER,                                 -- how many others there may be
    CHECK (length(id) = 16 AND waiting >= 0 AND waiting <= open),
    CHECK (most > 0 OR (most IS NULL AND waiting = 0))
) STRICT, WITHOUT ROWID;

CREATE INDEX each_run ON each (run) WHERE run IS NOT NULL;

-- Which members have arrived at a join that is not complete, in this round of it.
CREATE TABLE arrival (
    run      BLOB    NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    name     TEXT    NOT NULL,
    member   INTEGER NOT NULL,
    group_id BLOB,                                   -- of a member that is an `each`; none, if it had no items
    PRIMARY KEY (run, name, member)
) STRICT, WITHOUT ROWID;

-- The signals that runs were given, one for each step. One that was used has no value any more.
CREATE TABLE signal (
    run   BLOB NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    step  TEXT NOT NULL,
    value BLOB,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

-- One row for each life of a worker.
CREATE TABLE worker (
    id    BLOB    NOT NULL PRIMARY KEY,
    place TEXT    NOT NULL,
    lease INTEGER NOT NULL,                          -- milliseconds
    beat  INTEGER NOT NULL,
    knows TEXT    NOT NULL,
    CHECK (length(id) = 16 AND beat >= 0)
) STRICT, WITHOUT ROWID;

-- The queues that were changed, or that a worker has declared. The others are open and have no limits.
CREATE TABLE queue (
    name   TEXT    NOT NULL PRIMARY KEY,
    state  TEXT    NOT NULL,
    rules  TEXT    NOT NULL,
    ageing INTEGER NOT NULL,                         -- of `rules`, in milliseconds: what a level of priority is worth
    spent  INTEGER NOT NULL DEFAULT 0,               -- microseconds: until then, its rate is spent
    CHECK (state = 'open' OR state = 'paused' OR state = 'draining'),
    CHECK (ageing >= 0)
) STRICT, WITHOUT ROWID;

-- The slots that tasks share, where any of them is taken.
CREATE TABLE slot (
    bucket TEXT    NOT NULL PRIMARY KEY,
    taken  INTEGER NOT NULL,                         -- how many tasks of it run
    CHECK (taken >= 0)
) STRICT, WITHOUT ROWID;

-- The rates that tasks share, where any of them is spent.
CREATE TABLE bucket (
    name    TEXT    NOT NULL PRIMARY KEY,
    spent   INTEGER NOT NULL,                        -- microseconds: until then, times of its rate were given
    started INTEGER NOT NULL,                        -- the same for what has started; never later
    CHECK (started <= spent)
) STRICT, WITHOUT ROWID;

CREATE INDEX bucket_spent ON bucket (spent);

-- Recurring work.
CREATE TABLE schedule (
    id         TEXT    NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL,
    spec       BLOB    NOT NULL,
    template   BLOB    NOT NULL,
    next       INTEGER,
    fired      INTEGER NOT NULL DEFAULT 0,
    skipped    INTEGER NOT NULL DEFAULT 0,
    paused     INTEGER NOT NULL DEFAULT 0,
    last_slot  INTEGER,
    last_task  BLOB,                                 -- what it started then: a task ..
    last_run   BLOB,                                 -- .. or a run
    created_at INTEGER NOT NULL,
    revision   INTEGER NOT NULL DEFAULT 0,
    CHECK (fired >= 0 AND skipped >= 0),
    CHECK ((last_slot IS NULL) = (last_task IS NULL AND last_run IS NULL) AND (last_task IS NULL OR last_run IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_next ON schedule (next) WHERE next IS NOT NULL AND NOT paused;

-- What schedules have started: once for each slot, whoever tries.
CREATE TABLE occurrence (
    schedule TEXT    NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    slot     INTEGER NOT NULL,
    work     BLOB    NOT NULL,
    PRIMARY KEY (schedule, slot)
) STRICT, WITHOUT ROWID;

CREATE INDEX occurrence_slot ON occurrence (slot);

-- Attempts that did not succeed.
CREATE TABLE attempt (
    task   INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
    fence  INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    report TEXT    NOT NULL,
    PRIMARY KEY (task, fence)
) STRICT, WITHOUT ROWID;

-- What handlers logged, by number within the task.
CREATE TABLE log (
    task  INTEGER NOT NULL REFERENCES task (seq) ON DELETE CASCADE,
    line  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    text  TEXT    NOT NULL,
    PRIMARY KEY (task, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX log_at ON log (at);
