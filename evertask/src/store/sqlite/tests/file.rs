//! The file: whose it is, how durable, and its plans.

use std::fs;

use super::*;
use crate::store::StoreError;
use crate::store::sqlite::sql;

#[tokio::test]
async fn what_sqlite_says_of_the_open_file_is_full_durability() {
    let folder = Folder::new();
    let pragmas = open(&folder.file()).pragmas().await.unwrap();
    assert_eq!((pragmas.synchronous, pragmas.journal_mode.as_str()), (2, "wal"));
}

#[tokio::test]
async fn a_file_is_opened_again_with_what_is_in_it() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let id = task("a").id;
    add(&store, [NewTask { id, ..task("a") }]).await;
    store.close().await.unwrap();
    assert_eq!(store.close().await, Err(StoreError::Closed));
    assert_eq!(store.task(id).await, Err(StoreError::Closed));
    assert_eq!(store.dispatch(Vec::new()).await, Err(StoreError::Closed));
    let store = open(&folder.file());
    assert_eq!(state(&store, id).await, TaskState::Ready);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    drop(open(&folder.file()));
    raw(&folder.file()).pragma_update(None, "user_version", 99).unwrap();
    let error = SqliteStore::open(&folder.file(), Hand::new()).unwrap_err();
    assert!(error.to_string().contains("written by a newer evertask (its format is 99"), "{error}");
}

#[test]
fn the_database_of_another_program_is_left_alone() {
    let folder = Folder::new();
    raw(&folder.file()).execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = fs::read(folder.file()).unwrap();
    let error = SqliteStore::open(&folder.file(), Hand::new()).unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
    assert_eq!(fs::read(folder.file()).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new();
    let text = "no database, but long enough to look like one. ".repeat(50);
    fs::write(folder.file(), &text).unwrap();
    let error = SqliteStore::open(&folder.file(), Hand::new()).unwrap_err();
    assert!(error.to_string().contains("not a SQLite database"), "{error}");
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    let folder = Folder::new();
    let error = SqliteStore::open(&folder.0.join("nowhere/work.db"), Hand::new()).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_migration_that_was_interrupted_is_done_by_the_next() {
    let folder = Folder::new();
    let conn = raw(&folder.file());
    conn.execute_batch("BEGIN; CREATE TABLE half (x); ROLLBACK").unwrap();
    drop(conn);
    drop(open(&folder.file()));
    let version: i64 = raw(&folder.file()).query_row(sql::USER_VERSION, [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let _store = open(&folder.file());
    for name in ["work.db", "work.db-wal", "work.db-shm"] {
        let mode = fs::metadata(folder.0.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// The plan of a statement, one line a step.
fn plan(conn: &rusqlite::Connection, sql: &str) -> String {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let unbound = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(unbound), |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

#[test]
fn no_statement_that_is_repeated_scans_or_sorts() {
    let folder = Folder::new();
    drop(open(&folder.file()));
    let conn = raw(&folder.file());
    let by_index = [
        (sql::CLAIMABLE, "task_due (queue=?)"),
        (sql::CLAIMABLE_APART, "task_aside (due=? AND queue=? AND <expr>=?)"),
        (sql::NEXT_APART, "task_aside (due=? AND queue=? AND <expr>>?)"),
        (sql::ANY_APART, "task_aside (due=?)"),
        (sql::PARKED, "task_aside (due=?)"),
        (sql::TOP_PRIORITY, "task_due (queue=?)"),
        (sql::NEXT_DUE, "task_later"),
        (sql::PROMOTE, "task_later (run_at<?)"),
        (sql::CLAIM, "INTEGER PRIMARY KEY"),
        (sql::SUCCEED, "INTEGER PRIMARY KEY"),
        (sql::PUT_BACK, "INTEGER PRIMARY KEY"),
        (sql::HELD_BY, "task_worker (worker=?)"),
        (sql::TO_STOP, "task_worker (worker=?)"),
        (sql::LIVE_OF_RUN, "task_run (run=?)"),
        (sql::EXPIRED, "run_deadline (deadline>? AND deadline<?)"),
        (sql::RUNS_NAMED, "run_live (workflow=?)"),
        (sql::TASKS_CORRELATED, "task_correlation (correlation=?)"),
        (sql::VISITS, "task_run (run=? AND step=?)"),
        (sql::LAST_SUCCEEDED, "task_run (run=? AND step=?)"),
        (sql::LAST_ENDED, "task_run (run=? AND step=?)"),
        (sql::OF_GROUP, "task_run (run=? AND step=?)"),
        (sql::HOLD_TASKS, "task_run (run=?)"),
        (sql::RELEASE_TASKS, "task_wait (<expr>=? AND wait=?)"),
        (sql::WAITS_FOR_SIGNAL, "task_wait (<expr>=? AND wait=? AND <expr>=?)"),
        (sql::TURN, "task_wait (<expr>=? AND wait=? AND <expr>=?)"),
        (sql::NEXT_UNDO, "task_wait (<expr>=? AND wait=?)"),
        (sql::DROP_UNDOS, "task_wait (<expr>=? AND wait=?)"),
        (sql::MOVE_UNDOS, "task_wait (<expr>=? AND wait=?)"),
        (sql::INNER_RUN, "run_step (step=?)"),
        (sql::ARRIVED, "PRIMARY KEY (run=? AND name=?)"),
        (sql::KEPT_SIGNAL, "PRIMARY KEY (run=? AND step=?)"),
        (sql::KEPT_SIGNALS, "PRIMARY KEY (run=?)"),
        (sql::EDIT, "INTEGER PRIMARY KEY"),
        (sql::RUNNING_OF, "INDEX task_worker"),
        (sql::WAITING_OF, "COVERING INDEX task_due (queue=?)"),
        (sql::WAITING_OF, "COVERING INDEX task_aside (due=? AND queue=?)"),
        (sql::SLOTS_TAKEN, "PRIMARY KEY (bucket=?)"),
        (sql::NEXT_FOR_SLOT, "task_wait (<expr>>? AND <expr><?)"),
        (sql::FIRST_FOR_SLOT, "task_wait (<expr>=? AND wait=?)"),
        (sql::BUCKET, "PRIMARY KEY (name=?)"),
        (sql::PUT_OFF, "INTEGER PRIMARY KEY"),
        (sql::CLAIM_LIMITED, "INTEGER PRIMARY KEY"),
        (sql::TASK_BY_KEY, "task_key (name=? AND key=?)"),
        (sql::RUN_BY_KEY, "run_key (workflow=? AND key=?)"),
        (sql::FIRST_OF_RUN, "task_run (run=?)"),
        (sql::DUE_SCHEDULES, "schedule_next (next>? AND next<?)"),
        (sql::NEXT_SCHEDULE, "schedule_next (next>?)"),
        (sql::OCCURRED, "PRIMARY KEY (schedule=? AND slot=?)"),
        (sql::TAKE_UP, "task_run (run=?)"),
        (sql::RUN_FACTS, "task_run (run=?)"),
        (sql::CLEAR_GROUPS, "each_run (run=?)"),
        (sql::LISTED_WITH, "PRIMARY KEY (state=? AND at=? AND first<?)"),
        (sql::ENDS_COUNTED, "PRIMARY KEY (state=?)"),
        (sql::OLDEST_END, "PRIMARY KEY (state=?)"),
        (sql::ENDED_AT, "PRIMARY KEY (state=? AND at=?)"),
        (sql::LAST_RUN, "run_ended (state=?"),
        (sql::PRUNE_TASKS, "INTEGER PRIMARY KEY"),
        (sql::RUNS_TO_GO, "run_ended (state=? AND finished_at>? AND finished_at<?)"),
        (sql::DELETE_TASKS_OF, "task_run (run=?)"),
        (sql::PRUNE_LINES, "log_at (at<?)"),
        (sql::PRUNE_OCCURRENCES, "occurrence_slot (slot<?)"),
        (sql::PRUNE_BUCKETS, "bucket_spent (spent<?)"),
    ];
    for (statement, index) in by_index {
        let plan = plan(&conn, statement);
        assert!(plan.contains(index), "{statement}\n{plan}");
        let may_sort = [sql::RUNS_NAMED, sql::OF_GROUP].contains(&statement);
        assert!(!plan.contains("TEMP B-TREE") || may_sort, "{statement}\n{plan}");
    }
    let live_only = plan(&conn, sql::TASKS_NAMED);
    assert!(live_only.lines().filter(|step| step.contains("task")).all(|step| step.contains("INDEX")), "{live_only}");
}

#[test]
fn the_tables_refuse_what_must_not_be() {
    let folder = Folder::new();
    drop(open(&folder.file()));
    let conn = raw(&folder.file());
    let insert = |columns: &str, values: &str| {
        let sql = format!(
            "INSERT INTO task (id, name, queue, priority, run_at, rank, payload, cancel_routed, created_at, {columns}) \
             VALUES (randomblob(16), 'a', 'default', 0, 0, 0, '', 0, 0, {values})"
        );
        conn.execute(&sql.replace("''", "x''"), [])
    };
    insert("state, due", "'ready', 1").unwrap();
    insert("state, due, park_reason", "'parked', 3, 'undecodable'").unwrap();
    insert("state, due, wait", "'waiting', 0, 'signal'").unwrap();
    let wrong = [
        ("state", "'ready'"),
        ("state, due", "'ready', 3"),
        ("state, due", "'running', 1"),
        ("state", "'running'"),
        ("state, worker, due", "'ready', randomblob(16), 1"),
        ("state, finished_at", "'succeeded', 1"),
        ("state, output", "'succeeded', x'00'"),
        ("state, finished_at", "'failed', 1"),
        ("state", "'cancelled'"),
        ("state, park_reason", "'parked', 'undecodable'"),
        ("state, due", "'parked', 3"),
        ("state", "'waiting'"),
        ("state, due, wait", "'waiting', 1, 'signal'"),
        ("state, wait", "'waiting', 'turn'"),
        ("state, wait", "'waiting', 'pause'"),
        ("state, wait", "'waiting', 'rain'"),
        ("state, due, wait", "'ready', 1, 'signal'"),
        ("state, due, item", "'ready', 1, 3"),
        ("state, due, failures", "'ready', 1, 1"),
        ("state, due, run", "'ready', 1, randomblob(16)"),
        ("state, wait", "'waiting', 'slot'"),
        ("state, due, slot", "'ready', 1, 'x'"),
        ("state, due, slot, slots", "'ready', 1, 'x', 0"),
        ("state, due, slots", "'ready', 1, 1"),
        ("state, due, reserved", "'ready', 0, 5"),
    ];
    for (columns, values) in wrong {
        let refused = insert(columns, values).unwrap_err();
        assert!(refused.to_string().contains("CHECK"), "{columns}: {values}: {refused}");
    }
}

#[tokio::test]
async fn verify_finds_what_was_changed_behind_its_back() {
    let folder = Folder::new();
    let store = open(&folder.file());
    let run = RunId::new();
    store.dispatch(vec![NewWork::Run(Box::new(new_run(run)))]).await.unwrap();
    assert_sound(&store).await;
    raw(&folder.file()).execute("UPDATE run SET open_tasks = 5", []).unwrap();
    let violations = store.verify().await.unwrap();
    assert!(matches!(&violations[..], [one] if one.id == run.to_string() && one.invariant.starts_with("I8")));
}
