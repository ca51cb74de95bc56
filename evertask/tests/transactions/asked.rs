//! What other programs ask for by SQL: from psql, from a trigger, with less than every right.

use std::process::Command;

use evertask::sqlx::{self, Row as _};
use evertask::store::{RunFilter, RunState, TaskFilter, TaskState};
use evertask::testing::postgres::{programs, server};
use evertask::{RunId, TaskId, workflow};

use crate::effects::start;
use crate::on_server::Market;
use crate::{DoubleAndOne, double};

workflow! {
    /// A number that somebody must agree to.
    Agreed<double -> i64> {
        double { on_ok(_) => agreement }
        wait agreement<i64> for "1d" {
            on_ok(sum) => done(sum),
            on_timeout => fail("nobody agreed"),
        }
    }
}

impl Market {
    /// The schema of its store.
    fn schema(&self) -> &str {
        self.schema.url().rsplit_once("schema=").unwrap().1
    }

    /// What psql says to a script, in which `evertask` is the schema of the store.
    fn psql(&self, script: &str) -> Result<String, String> {
        // That of the server, or the one on the PATH.
        let beside = programs().unwrap().join("psql");
        let mut psql = Command::new(if beside.exists() { beside } else { "psql".into() });
        let script = script.replace("evertask.", &format!("{}.", self.schema()));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &server().unwrap(), "-c", &script]);
        let said = psql.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
        if said.status.success() { Ok(text(said.stdout)) } else { Err(text(said.stderr)) }
    }

    async fn refusals(&self) -> Vec<String> {
        let ask = format!("SELECT refused FROM {}.request WHERE refused IS NOT NULL ORDER BY seq", self.schema());
        let rows = sqlx::query(sqlx::AssertSqlSafe(ask)).fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// When nothing that was asked is left to be done.
    async fn all_is_done(&self) {
        let ask = format!("SELECT count(*) FROM {}.request WHERE refused IS NULL", self.schema());
        while sqlx::query(sqlx::AssertSqlSafe(ask.clone())).fetch_one(&self.pool).await.unwrap().get::<i64, _>(0) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn a_task_and_a_workflow_are_dispatched_by_psql() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    let id: TaskId = market.psql(r#"SELECT evertask.dispatch('double', '{"number": 4}')"#).unwrap().parse().unwrap();
    let options =
        r#"{"key": "one", "correlation": "shop", "priority": 3, "delay": "10 milliseconds", "timeout": "1 min"}"#;
    let run: RunId = market
        .psql(&format!(r#"SELECT evertask.dispatch('DoubleAndOne', '{{"number": 5}}', '{options}')"#))
        .unwrap()
        .parse()
        .unwrap();
    market.all_is_done().await;
    assert_eq!(market.dispatcher.handle::<double>(id).wait().await.unwrap(), 8);
    assert_eq!(market.dispatcher.handle::<DoubleAndOne>(run).wait().await.unwrap(), 11);
    let record = market.dispatcher.get_run(run).await.unwrap().unwrap();
    assert_eq!((record.key.as_deref(), record.correlation.as_deref()), (Some("one"), Some("shop")));
    assert!(record.deadline.is_some(), "its time-out is that of the run");
    worker.shutdown().await;
    assert_eq!(market.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn what_was_asked_in_a_transaction_that_is_undone_was_not_asked() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    market.psql(r#"BEGIN; SELECT evertask.dispatch('double', '{"number": 1}'); ROLLBACK"#).unwrap();
    let both =
        market.psql(r#"BEGIN; SELECT evertask.dispatch('double', '{"number": 2}', '{"key": "two"}'); COMMIT"#).unwrap();
    market.all_is_done().await;
    let tasks = market.dispatcher.list(TaskFilter::new()).await.unwrap();
    assert_eq!(tasks.iter().map(|task| task.id.to_string()).collect::<Vec<_>>(), [both]);
    worker.shutdown().await;
}

#[tokio::test]
async fn work_is_cancelled_and_signalled_by_psql() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    // Asked at once, it is done in order: the cancel and the signal come after what they are for.
    let said = market
        .psql(
            r#"DO $$ DECLARE id uuid; run uuid; BEGIN
                   id := evertask.dispatch('double', '{"number": 1}', '{"delay": "1 hour"}');
                   PERFORM evertask.cancel(id);
                   run := evertask.dispatch('Agreed', '{"number": 2}', '{"correlation": "agreed"}');
                   PERFORM evertask.signal(run, 'agreement', '7');
               END $$"#,
        )
        .unwrap();
    assert_eq!(said, "");
    market.all_is_done().await;
    let filter = RunFilter::new().correlation_id("agreed");
    let run = market.dispatcher.list_runs(filter).await.unwrap().pop().unwrap();
    assert_eq!(market.dispatcher.handle::<Agreed>(run.id).wait().await.unwrap(), 7);
    let tasks = market.dispatcher.list(TaskFilter::new().name("double")).await.unwrap();
    let cancelled = tasks.iter().filter(|task| task.state == TaskState::Cancelled).count();
    assert_eq!((tasks.len(), cancelled), (2, 1));

    let waits: RunId = market.psql(r#"SELECT evertask.dispatch('Agreed', '{"number": 3}')"#).unwrap().parse().unwrap();
    market.all_is_done().await;
    market.psql(&format!("SELECT evertask.cancel('{waits}')")).unwrap();
    market.all_is_done().await;
    market.dispatcher.handle::<Agreed>(waits).wait().await.unwrap_err();
    assert_eq!(market.dispatcher.get_run(waits).await.unwrap().unwrap().state, RunState::Cancelled);
    assert_eq!(market.refusals().await, [""; 0]);
    worker.shutdown().await;
    assert_eq!(market.dispatcher.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_trigger_dispatches_for_each_row() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    let table = format!("orders_{}", TaskId::new().uuid().simple());
    market
        .psql(&format!(
            r"CREATE TABLE {table} (id bigint PRIMARY KEY);
               CREATE FUNCTION {table}_placed() RETURNS trigger LANGUAGE plpgsql AS $$
               BEGIN
                   PERFORM evertask.dispatch('double', jsonb_build_object('number', NEW.id),
                                             jsonb_build_object('key', 'order-' || NEW.id));
                   RETURN NULL;
               END $$;
               CREATE TRIGGER placed AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_placed();
               INSERT INTO {table} SELECT generate_series(1, 100)"
        ))
        .unwrap();
    market.psql(&format!("BEGIN; INSERT INTO {table} VALUES (101); ROLLBACK")).unwrap();
    market.all_is_done().await;
    let tasks = market.dispatcher.list(TaskFilter::new().limit(1_000)).await.unwrap();
    assert_eq!(tasks.len(), 100);
    for task in tasks {
        let number: i64 = task.key.unwrap().trim_start_matches("order-").parse().unwrap();
        assert_eq!(market.dispatcher.handle::<double>(task.id).wait().await.unwrap(), number * 2);
    }
    worker.shutdown().await;
}

#[tokio::test]
async fn mistakes_are_told_at_once_or_kept() {
    let market = Market::open().await;
    for (script, error) in [
        (r#"SELECT evertask.dispatch('double', '{}', '{"colour": 1}')"#, "has no option colour"),
        (r#"SELECT evertask.dispatch('double', '{}', '{"at": "soon"}')"#, "soon"),
        (r#"SELECT evertask.dispatch('double', '{}', '{"priority": "high"}')"#, "high"),
        (r#"SELECT evertask.dispatch('double', '{}', '{"on_key": "shout"}')"#, "on_key is one of"),
        ("SELECT evertask.dispatch(NULL, '{}')", "needs a task"),
        ("SELECT evertask.dispatch('double', '{')", "json"),
    ] {
        let said = market.psql(script).unwrap_err();
        assert!(said.contains(error), "{script}: {said}");
    }
    let worker = start(&market.dispatcher).await;
    let run = RunId::new();
    for script in [
        r#"SELECT evertask.dispatch('double', '{"number": "many"}')"#.to_owned(),
        r#"SELECT evertask.dispatch('double', '{"number": 1}', '{"key": ""}')"#.to_owned(),
        format!("SELECT evertask.signal('{run}', 'agreement', '7')"),
        r#"SELECT evertask.dispatch('double', '{"number": 1}')"#.to_owned(),
    ] {
        market.psql(&script).unwrap();
    }
    market.all_is_done().await;
    let refusals = market.refusals().await;
    assert_eq!(refusals.len(), 3, "{refusals:?}");
    assert!(refusals[0].contains("number"), "{refusals:?}");
    assert!(refusals[1].contains("its key has 0 bytes"), "{refusals:?}");
    assert!(refusals[2].contains("there is no run"), "{refusals:?}");
    assert_eq!(market.dispatcher.list(TaskFilter::new()).await.unwrap().len(), 1);
    // What nobody knows waits for somebody who does.
    market.psql("SELECT evertask.dispatch('unheard_of', '{}')").unwrap();
    market.psql(r#"SELECT evertask.dispatch('double', '{"number": 1}', '{"key": "after"}')"#).unwrap();
    let known = market.dispatcher.dispatch(double { number: 1 }).await.unwrap();
    known.wait().await.unwrap();
    worker.shutdown().await;
    let left = market.psql("SELECT name FROM evertask.request WHERE refused IS NULL ORDER BY seq LIMIT 1").unwrap();
    assert_eq!(left, "unheard_of");
}

#[tokio::test]
async fn whoever_may_use_the_schema_needs_no_other_right() {
    let market = Market::open().await;
    let worker = start(&market.dispatcher).await;
    let role = format!("clerk_{}", TaskId::new().uuid().simple());
    let id: TaskId = market
        .psql(&format!(
            r#"CREATE ROLE {role}; GRANT USAGE ON SCHEMA {} TO {role}; SET ROLE {role};
               CREATE TEMPORARY TABLE request (seq bigint);
               SELECT evertask.dispatch('double', '{{"number": 4}}')"#,
            market.schema()
        ))
        .unwrap()
        .parse()
        .unwrap();
    market.all_is_done().await;
    assert_eq!(market.dispatcher.handle::<double>(id).wait().await.unwrap(), 8);
    let refused = market.psql(&format!("SET ROLE {role}; SELECT count(*) FROM evertask.task")).unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    let refused =
        market.psql(&format!("SET ROLE {role}; SELECT evertask.ask('cancel', gen_random_uuid(), NULL, NULL, '{{}}')"));
    assert!(refused.is_err_and(|refused| refused.contains("permission denied")));
    market.psql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
    worker.shutdown().await;
}
