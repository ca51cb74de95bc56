-- Tasks, runs, workers, queues and schedules. Times are milliseconds since 1970 UTC. The tables are in a schema of
-- their own, which is on the search path of whoever runs this.
-- The CHECKs repeat what the code keeps, so that no mistake in it, and no hand-written UPDATE, can break it unseen.

CREATE TABLE task (
    seq              bigint   NOT NULL GENERATED ALWAYS AS IDENTITY, -- the order of arrival
    id               uuid     NOT NULL PRIMARY KEY,
    name             text     NOT NULL,
    queue            text     NOT NULL,
    priority         smallint NOT NULL,
    state            text     NOT NULL,
    due              smallint,                       -- of a ready task: 0 later, 1 now, 2 now, for those that know it;
                                                     -- of one that waits for a signal until some time: 0; parked: 3
    run_at           bigint   NOT NULL,
    rank             bigint   NOT NULL,              -- the order of claims: `run_at`, with a head start for its priority
    fence            bigint   NOT NULL DEFAULT 0,    -- how often it was claimed
    failures         integer  NOT NULL DEFAULT 0,
    crashes          integer  NOT NULL DEFAULT 0,
    interrupts       integer  NOT NULL DEFAULT 0,
    worker           uuid,
    cancel_requested boolean  NOT NULL DEFAULT FALSE,
    cancel_routed    boolean  NOT NULL,
    created_at       bigint   NOT NULL,
    finished_at      bigint,
    wait             text,                           -- what a waiting task waits for
    got              text,                           -- what it waited for: how its payload is to be read
    undo             bigint,                         -- of a task that undoes a step: its place among those of its run
    item             bigint,                         -- of a task of an `each`: its place among those of its group
    group_id         uuid,
    payload          bytea    NOT NULL,
    output           bytea,
    key              text,
    correlation      text,
    parent           uuid,
    run              uuid,
    workflow         text,
    step             text,
    failure          text,                           -- JSON; `text`, because `jsonb` refuses some of it
    error            bytea,
    deadline         bigint,                         -- when its time in all is up
    own              bytea,                          -- what its dispatch said of how it runs, as JSON
    slot             text,                           -- the bucket of which so many may run at once ..
    slots            integer,                        -- .. how many
    rate             text,                           -- the bucket of which so many may start in a time ..
    pace             text,                           -- .. how many, as JSON
    reserved         bigint,                         -- the time at which it may start; none, if it must ask
    park_reason      text,
    park_detail      text,
    progress_done    bigint,
    progress_total   bigint,
    was              text,                           -- of a failed task: 'followed', if something followed; of one
                                                     -- that its run's failure stopped: its state, or its wait
    CONSTRAINT task_state CHECK (CASE state
        WHEN 'ready'     THEN due IS NOT NULL AND due BETWEEN 0 AND 2
                              AND worker IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL
        WHEN 'running'   THEN worker IS NOT NULL
                              AND due IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL
        WHEN 'succeeded' THEN finished_at IS NOT NULL AND output IS NOT NULL
                              AND due IS NULL AND worker IS NULL AND park_reason IS NULL
        WHEN 'failed'    THEN finished_at IS NOT NULL AND failure IS NOT NULL
                              AND due IS NULL AND worker IS NULL AND output IS NULL AND park_reason IS NULL
        WHEN 'cancelled' THEN finished_at IS NOT NULL
                              AND due IS NULL AND worker IS NULL AND output IS NULL AND park_reason IS NULL
        WHEN 'parked'    THEN due IS NOT DISTINCT FROM 3 AND park_reason IS NOT NULL
                              AND worker IS NULL AND finished_at IS NULL AND output IS NULL
        WHEN 'waiting'   THEN CASE wait
                              WHEN 'signal' THEN due IS NULL OR due = 0
                              WHEN 'turn'   THEN due IS NULL AND group_id IS NOT NULL
                              WHEN 'undo'   THEN due IS NULL AND undo IS NOT NULL AND run IS NOT NULL
                              WHEN 'run'    THEN due IS NULL AND run IS NOT NULL
                              WHEN 'pause'  THEN due IS NULL AND run IS NOT NULL
                              WHEN 'slot'   THEN due IS NULL AND slot IS NOT NULL
                              ELSE FALSE END
                              AND worker IS NULL AND finished_at IS NULL AND output IS NULL AND park_reason IS NULL
        ELSE FALSE END),
    CONSTRAINT task_item CHECK (item IS NULL OR group_id IS NOT NULL),
    CONSTRAINT task_waits CHECK (wait IS NULL OR state = 'waiting'),
    CONSTRAINT task_counts
        CHECK (failures >= 0 AND crashes >= 0 AND interrupts >= 0 AND failures + crashes + interrupts <= fence),
    CONSTRAINT task_of_run CHECK ((run IS NULL) = (workflow IS NULL) AND (step IS NULL OR run IS NOT NULL)),
    CONSTRAINT task_slots CHECK (CASE WHEN slot IS NULL THEN slots IS NULL ELSE slots IS NOT NULL AND slots > 0 END),
    CONSTRAINT task_rate CHECK ((rate IS NULL) = (pace IS NULL) AND (reserved IS NULL OR rate IS NOT NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX task_seq ON task (seq);
-- What can be claimed, in the order in which it is.
CREATE INDEX task_due ON task (queue, rank, seq) WHERE due = 1;
-- What becomes due, in the order in which it does: a backlog of it costs a claim nothing.
CREATE INDEX task_later ON task (run_at) INCLUDE (queue, wait) WHERE due = 0;
-- What some workers don't know (2), put aside once so that they need not step over it at each claim; and what nobody
-- knows (3).
CREATE INDEX task_aside
    ON task (due, queue, (CASE WHEN step IS NULL THEN 't' || name ELSE 's' || workflow || E'\n' || step END) COLLATE "C",
             rank, seq)
    WHERE due > 1;
CREATE INDEX task_worker ON task (worker, queue) WHERE worker IS NOT NULL;
-- What lives of a bucket that limits how many run, and what waits for a slot of it.
CREATE INDEX task_slot ON task (slot, state) WHERE slot IS NOT NULL AND finished_at IS NULL;
CREATE INDEX task_slot_wait ON task (slot, queue, rank, seq) WHERE wait = 'slot';
CREATE INDEX task_run ON task (run, step) WHERE run IS NOT NULL;
-- What waits, by whom it waits for: its run, or those before it in its group.
CREATE INDEX task_wait ON task ((CASE WHEN wait = 'turn' THEN group_id ELSE run END), wait, undo, seq)
    WHERE wait IS NOT NULL;
-- What has ended, outside of runs, in the order in which it goes.
CREATE INDEX task_ended ON task (state, finished_at, seq) WHERE finished_at IS NOT NULL AND run IS NULL;
CREATE INDEX task_correlation ON task USING hash (correlation) WHERE correlation IS NOT NULL;
-- A key may be longer than an index takes.
CREATE UNIQUE INDEX task_key ON task (name, md5(key)) WHERE key IS NOT NULL;

CREATE TABLE run (
    seq         bigint  NOT NULL GENERATED ALWAYS AS IDENTITY,
    id          uuid    NOT NULL PRIMARY KEY,
    workflow    text    NOT NULL,
    version     bigint  NOT NULL,
    state       text    NOT NULL,
    open_tasks  bigint  NOT NULL,
    end_routed  boolean NOT NULL,
    deadline    bigint,
    created_at  bigint  NOT NULL,
    finished_at bigint,
    input       bytea   NOT NULL,
    output      bytea,
    failure     text,
    key         text,
    correlation text,
    parent      uuid,
    step        uuid,                                -- the task of another run that waits for this one's end
    fingerprint bigint  NOT NULL,
    arrivals    bigint  NOT NULL DEFAULT 0,          -- how many it has in `arrival`
    signalled   boolean NOT NULL DEFAULT FALSE,      -- whether it has any in `signal`
    undos       bigint  NOT NULL DEFAULT 0,          -- the last place that a task has that undoes a step
    undo_failed uuid,                                -- the one of them that failed; it can be resumed
    lost        boolean NOT NULL DEFAULT FALSE,      -- something was left out while it stopped: it can't be taken up
    CONSTRAINT run_arrivals CHECK (arrivals >= 0 AND (arrivals = 0 OR finished_at IS NULL OR state = 'failed')),
    CONSTRAINT run_undo CHECK (undo_failed IS NULL OR state = 'failed'),
    CONSTRAINT run_state CHECK (CASE state
        WHEN 'running'      THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'paused'       THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'cancelling'   THEN finished_at IS NULL AND open_tasks > 0
        WHEN 'compensating' THEN finished_at IS NULL AND open_tasks > 0 AND failure IS NOT NULL
        WHEN 'succeeded'    THEN finished_at IS NOT NULL AND open_tasks = 0 AND output IS NOT NULL
        WHEN 'failed'       THEN finished_at IS NOT NULL AND open_tasks = 0 AND failure IS NOT NULL
        WHEN 'cancelled'    THEN finished_at IS NOT NULL AND open_tasks = 0
        ELSE FALSE END)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX run_seq ON run (seq);
CREATE INDEX run_live ON run (workflow) WHERE finished_at IS NULL;
CREATE INDEX run_deadline ON run (deadline) WHERE deadline IS NOT NULL AND finished_at IS NULL;
-- What has ended, in the order in which it goes.
CREATE INDEX run_ended ON run (state, finished_at, seq) WHERE finished_at IS NOT NULL;
CREATE INDEX run_step ON run (step) WHERE step IS NOT NULL;
CREATE INDEX run_correlation ON run USING hash (correlation) WHERE correlation IS NOT NULL;
CREATE UNIQUE INDEX run_key ON run (workflow, md5(key)) WHERE key IS NOT NULL;

-- The groups of `each`: of a run, as long as that is kept, for a task of it may live again; of others, while they live.
CREATE TABLE each (
    id      uuid   NOT NULL PRIMARY KEY,
    run     uuid   REFERENCES run (id) ON DELETE CASCADE,
    open    bigint NOT NULL,                         -- tasks of it that have not ended
    waiting bigint NOT NULL,                         -- those of them that wait for their turn
    most    bigint,                                  -- how many others there may be
    CONSTRAINT each_counts CHECK (waiting >= 0 AND waiting <= open),
    CONSTRAINT each_limit CHECK (most > 0 OR (most IS NULL AND waiting = 0))
);

CREATE INDEX each_run ON each (run) WHERE run IS NOT NULL;

-- Which members have arrived at a join that is not complete, in this round of it.
CREATE TABLE arrival (
    run      uuid   NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    name     text   NOT NULL,
    member   bigint NOT NULL,
    group_id uuid,                                   -- of a member that is an `each`; none, if it had no items
    PRIMARY KEY (run, name, member)
);

-- The signals that runs were given, one for each step. One that was used has no value any more.
CREATE TABLE signal (
    run   uuid NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    step  text NOT NULL,
    value bytea,
    PRIMARY KEY (run, step)
);

-- One row for each life of a worker.
CREATE TABLE worker (
    id    uuid   NOT NULL PRIMARY KEY,
    place text   NOT NULL,
    lease bigint NOT NULL,                           -- milliseconds
    beat  bigint NOT NULL CHECK (beat >= 0),
    knows text   NOT NULL
) WITH (fillfactor = 50);

-- The queues that were changed, or that a worker has declared. The others are open and have no limits. Whoever takes
-- from what is left of one, or adds to one that has a depth, has its row first: nodes take turns.
CREATE TABLE queue (
    name   text   NOT NULL PRIMARY KEY,
    state  text   NOT NULL CHECK (state IN ('open', 'paused', 'draining')),
    rules  text   NOT NULL,                          -- JSON
    ageing bigint NOT NULL CHECK (ageing >= 0),      -- of the rules: what a level of priority is worth, in milliseconds
    depth  bigint CHECK (depth >= 0),                -- of the rules
    spent  bigint NOT NULL                           -- microseconds: until then, its rate is spent
) WITH (fillfactor = 50);

-- The limits that tasks share: what is left of a rate, and the row that whoever fills or frees a slot has first.
CREATE TABLE bucket (
    name    text   NOT NULL PRIMARY KEY,
    spent   bigint NOT NULL,                         -- microseconds: until then, times of its rate were given
    started bigint NOT NULL,                         -- the same for what has started; never later
    CHECK (started <= spent)
) WITH (fillfactor = 50);

-- Recurring work.
CREATE TABLE schedule (
    id         text    COLLATE "C" NOT NULL PRIMARY KEY,
    name       text    NOT NULL,
    spec       bytea   NOT NULL,
    template   bytea   NOT NULL,
    next       bigint,
    fired      bigint  NOT NULL DEFAULT 0 CHECK (fired >= 0),
    skipped    bigint  NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    paused     boolean NOT NULL DEFAULT FALSE,
    last_slot  bigint,
    last_task  uuid,                                 -- what it started then: a task ..
    last_run   uuid,                                 -- .. or a run
    created_at bigint  NOT NULL,
    revision   bigint  NOT NULL DEFAULT 0,
    CONSTRAINT schedule_last CHECK ((last_slot IS NULL) = (last_task IS NULL AND last_run IS NULL)
                                    AND (last_task IS NULL OR last_run IS NULL))
) WITH (fillfactor = 85);

CREATE INDEX schedule_next ON schedule (next) WHERE next IS NOT NULL AND NOT paused;

-- What schedules have started: once for each slot, whoever tries.
CREATE TABLE occurrence (
    schedule text   COLLATE "C" NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    slot     bigint NOT NULL,
    work     uuid   NOT NULL,
    PRIMARY KEY (schedule, slot)
);

CREATE INDEX occurrence_slot ON occurrence (slot);

-- Attempts that did not succeed.
CREATE TABLE attempt (
    task   uuid   NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    fence  bigint NOT NULL,
    at     bigint NOT NULL,
    report text   NOT NULL,
    PRIMARY KEY (task, fence)
);

-- What handlers logged, by number within the task.
CREATE TABLE log (
    task  uuid   NOT NULL REFERENCES task (id) ON DELETE CASCADE,
    line  bigint NOT NULL,
    at    bigint NOT NULL,
    fence bigint NOT NULL,
    text  text   NOT NULL,
    PRIMARY KEY (task, line)
);

CREATE INDEX log_at ON log (at);

-- One row for each store that is open, with the number of its last transaction: when the answer to a COMMIT was
-- lost, it says whether that was done.
CREATE TABLE node (
    id    uuid        NOT NULL PRIMARY KEY,
    batch bigint      NOT NULL,
    seen  timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
