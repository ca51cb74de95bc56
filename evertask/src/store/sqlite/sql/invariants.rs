//! What must always hold.

/// The invariants, each with the rows that break it: the CHECKs again, for a file that was changed without them,
/// and what no CHECK can say.
pub(in crate::store::sqlite) const INVARIANTS: &[(&str, &str, &str)] = &[
    (
        "I1 a task runs when a worker has it",
        "SELECT id FROM task WHERE (worker IS NOT NULL) <> (state = 'running')",
        "its state and its worker do not agree",
    ),
    (
        "I1 a running task's worker is listed",
        "SELECT id FROM task WHERE worker IS NOT NULL AND worker NOT IN (SELECT id FROM worker)",
        "its worker is not listed",
    ),
    (
        "I2 a task has ended when it has a time of its end",
        "SELECT id FROM task WHERE (finished_at IS NOT NULL) <> (state IN ('succeeded', 'failed', 'cancelled'))",
        "its state and the time of its end do not agree",
    ),
    (
        "I2 a task that has ended outside of a run is listed, once",
        "SELECT id FROM task WHERE finished_at IS NOT NULL AND run IS NULL AND \
         (SELECT count(*) FROM ended, json_each(ended.tasks) AS one WHERE ended.state = task.state \
          AND ended.at = task.finished_at AND one.value = task.seq) <> 1",
        "it is not found when it may go, or is found twice",
    ),
    (
        "I2 nothing else is listed",
        "SELECT coalesce(task.id, zeroblob(16)) FROM ended JOIN json_each(ended.tasks) AS one \
         LEFT JOIN task ON task.seq = one.value WHERE task.finished_at IS NOT ended.at OR task.state IS NOT ended.state OR task.run IS NOT NULL",
        "it is listed as something that has ended, and is not that",
    ),
    (
        "I3 what is counted fits the claims",
        "SELECT id FROM task WHERE min(failures, crashes, interrupts) < 0 OR failures + crashes + interrupts > fence",
        "more failures, crashes and interrupts than claims",
    ),
    (
        "I6 a task has an output when it succeeded",
        "SELECT id FROM task WHERE (output IS NOT NULL) <> (state = 'succeeded')",
        "its state and its output do not agree",
    ),
    (
        "I6 a failed task says why",
        "SELECT id FROM task WHERE state = 'failed' AND failure IS NULL",
        "it has no failure",
    ),
    (
        "I6 a parked task says why",
        "SELECT id FROM task WHERE (park_reason IS NOT NULL) <> (state = 'parked')",
        "its state and its reason do not agree",
    ),
    (
        "I7 a step has its run",
        "SELECT id FROM task WHERE run IS NOT NULL AND run NOT IN (SELECT id FROM run)",
        "its run is not there",
    ),
    (
        "I8 a run's open tasks are those that live",
        "SELECT id FROM run WHERE open_tasks <> (SELECT count(*) FROM task WHERE task.run = run.id AND \
         task.state IN ('waiting', 'ready', 'running', 'parked') AND task.wait IS NOT 'undo')",
        "its count of open tasks is wrong",
    ),
    (
        "I10 a run lives as long as its tasks",
        "SELECT id FROM run WHERE (finished_at IS NULL) <> EXISTS (SELECT 1 FROM task WHERE task.run = run.id AND \
         task.state IN ('waiting', 'ready', 'running', 'parked') AND task.wait IS NOT 'undo')",
        "it has ended and a task of it lives, or it lives and no task of it does",
    ),
    (
        "I10 only a failed run that has ended has something left to undo",
        "SELECT DISTINCT run.id FROM task JOIN run ON run.id = task.run WHERE task.wait = 'undo' AND \
         run.state IN ('succeeded', 'cancelled')",
        "it has ended, and tasks of it wait to undo its steps",
    ),
    (
        "I10 what undoes a step starts when its run is stopped",
        "SELECT task.id FROM task JOIN run ON run.id = task.run WHERE undo IS NOT NULL AND \
         task.state IN ('ready', 'running', 'parked') AND run.state NOT IN ('compensating', 'cancelling')",
        "it undoes a step of a run that was not stopped",
    ),
    (
        "I10 a step that waits for a run has one",
        "SELECT id FROM task WHERE wait = 'run' AND NOT EXISTS \
         (SELECT 1 FROM run WHERE run.step = task.id AND run.finished_at IS NULL)",
        "the run that it waits for has ended, or is not there",
    ),
    (
        "I10 a run's state fits its end",
        "SELECT id FROM run WHERE (finished_at IS NOT NULL) <> (state IN ('succeeded', 'failed', 'cancelled')) \
         OR (state = 'succeeded' AND output IS NULL) OR (state IN ('failed', 'compensating') AND failure IS NULL)",
        "its state does not fit the time of its end, its output or its failure",
    ),
    (
        "I11 a key has one task",
        "SELECT min(id) FROM task WHERE key IS NOT NULL GROUP BY name, key HAVING count(*) > 1",
        "another task of its name has its key",
    ),
    (
        "I11 a key has one run",
        "SELECT min(id) FROM run WHERE key IS NOT NULL GROUP BY workflow, key HAVING count(*) > 1",
        "another run of its workflow has its key",
    ),
    (
        "I14 a ready task can be found by a claim",
        "SELECT id FROM task WHERE (due IS NOT NULL AND wait IS NULL) <> (state IN ('ready', 'parked')) \
         OR (due = 3) <> (state = 'parked') OR (wait IS NOT NULL AND due IS NOT NULL AND (wait <> 'signal' OR due <> 0))",
        "its state and whether it is due do not agree",
    ),
    (
        "I15 a waiting task says what for",
        "SELECT id FROM task WHERE (wait IS NOT NULL) <> (state = 'waiting')",
        "its state and what it waits for do not agree",
    ),
    (
        "I15 a run that is held has nothing ready, and no other has tasks that wait for it to go on",
        "SELECT task.id FROM task JOIN run ON run.id = task.run WHERE \
         (task.state = 'ready' AND run.state = 'paused') OR (task.wait = 'pause' AND run.state <> 'paused')",
        "it is ready and its run is held, or it is held and its run is not",
    ),
    (
        "I16 a group's tasks are counted",
        "SELECT coalesce(id, group_id) FROM each FULL JOIN \
         (SELECT group_id, count(*) AS n, sum(wait IS 'turn') AS w FROM task \
          WHERE group_id IS NOT NULL AND finished_at IS NULL GROUP BY group_id) ON group_id = id \
         WHERE coalesce(open, -1) <> coalesce(n, 0) OR coalesce(waiting, -1) <> coalesce(w, 0)",
        "its counts of tasks that live, and that wait for their turn, are wrong",
    ),
    (
        "I16 a group keeps its limit",
        "SELECT id FROM each WHERE open - waiting > most AND open - waiting > most + (SELECT count(*) FROM task \
         WHERE group_id = each.id AND finished_at IS NULL AND cancel_requested)",
        "more of its tasks are ready or run than may be",
    ),
    (
        "I17 arrivals are of runs that live, and counted",
        "SELECT id FROM run WHERE arrivals <> (SELECT count(*) FROM arrival WHERE arrival.run = run.id) \
         OR (arrivals > 0 AND finished_at IS NOT NULL AND state <> 'failed')",
        "its count of arrivals is wrong, or it has ended and has some",
    ),
    (
        "I18 no more tasks of a bucket run than may",
        "SELECT max(id) FROM task WHERE slot IS NOT NULL AND worker IS NOT NULL GROUP BY slot \
         HAVING count(*) > max(slots)",
        "more tasks of its bucket run than may",
    ),
    (
        "I18 the tasks of a bucket that run are counted",
        "SELECT coalesce(last, zeroblob(16)) FROM slot FULL JOIN \
         (SELECT slot AS name, count(*) AS n, max(id) AS last FROM task \
          WHERE slot IS NOT NULL AND worker IS NOT NULL GROUP BY slot) ON name = bucket \
         WHERE coalesce(taken, 0) <> coalesce(n, 0)",
        "its bucket's count of those that run is wrong",
    ),
    (
        "I18 a task waits for a slot that somebody has, or is about to get",
        "SELECT id FROM task AS late WHERE wait = 'slot' AND NOT EXISTS \
         (SELECT 1 FROM task WHERE task.slot = late.slot AND (task.worker IS NOT NULL OR task.state = 'ready'))",
        "it waits for a slot, and nothing of its bucket runs",
    ),
];
