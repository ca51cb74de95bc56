//! What nobody should give us. Each is refused with an error that says so, or has a state that is documented; no
//! handler runs, and nothing panics.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evertask::prelude::*;
use evertask::store::{CancelOutcome, NewTask, NewWork, ParkReason, SignalOutcome, StepOf, StoreError, TaskState};
use evertask::{
    DispatchError, Dispatcher, FailureKind, MAX_KEY, MAX_PAYLOAD, Queue, RunError, RunId, StartError, TaskId,
    Timestamp, workflow,
};
use serde::{Deserialize, Serialize};

use crate::on_each_store;

/// Counts the calls of handlers that must not be called.
#[derive(Default)]
struct Calls(AtomicU32);

fn count(cx: &Context) {
    if let Some(calls) = cx.data::<Calls>() {
        calls.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Form {
    text: String,
    number: f64,
    whole: u64,
}

#[task]
async fn file_form(form: Form, cx: &Context) -> Result<Form, Infallible> {
    count(cx);
    Ok(form)
}

#[task]
async fn file_anything(value: serde_json::Value, cx: &Context) -> Result<(), Infallible> {
    count(cx);
    drop(value);
    Ok(())
}

/// A map whose keys are no strings has no JSON form.
#[task]
async fn file_map(map: BTreeMap<(u8, u8), u8>, cx: &Context) -> Result<(), Infallible> {
    count(cx);
    drop(map);
    Ok(())
}

#[task]
async fn keep(text: String) -> Result<String, Infallible> {
    Ok(text)
}

#[task(timeout = "0s")]
async fn in_no_time(waits: bool) -> Result<u32, Infallible> {
    if waits { std::future::pending().await } else { Ok(1) }
}

#[task(timeout = "18446744073709551615ms", retry(times = 4_294_967_295, backoff = fixed("0ms")))]
async fn in_any_time(attempts: u32, cx: &Context) -> Result<u32, String> {
    if cx.attempt() < attempts { Err("not yet".into()) } else { Ok(cx.attempt()) }
}

#[task]
async fn ask(text: String) -> Result<String, Infallible> {
    Ok(text)
}

workflow! {
    /// Waits for a text.
    Asking<String -> String> {
        ask { on_ok => answer }
        wait answer<String> { on_ok(text) => done(text) }
    }
}

const NASTY: &str = "'; DROP TABLE task; -- \"<b>\u{202e}\u{0}\n\t\u{7f}";

/// A stored task of this payload, as a program of another version might have left it.
fn stored(name: &'static str, payload: impl Into<Vec<u8>>) -> NewTask {
    NewTask {
        terms: None,
        id: TaskId::new(),
        name: name.into(),
        queue: evertask::DEFAULT_QUEUE.into(),
        priority: 0,
        delay: Duration::ZERO,
        at: None,
        payload: payload.into(),
        key: None,
        correlation: None,
        parent: None,
        of: None,
        cancel_routed: false,
        wait: None,
        visits: None,
        was: &[],
    }
}

fn form(value: &str) -> String {
    format!(r#"{{"form":{value}}}"#)
}

/// Payloads that can't be read, each with its name.
fn unreadable() -> Vec<(&'static str, Vec<u8>)> {
    let good = form(r#"{"text":"a","number":1.5,"whole":3}"#);
    let nested = |depth: usize| form(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    let mut flipped = good.clone().into_bytes();
    flipped[2] ^= 0x80;
    let deep_text = format!(r#"{{"text":{}{},"number":1,"whole":3}}"#, "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("nothing", Vec::new()),
        ("null", b"null".to_vec()),
        ("no object", b"[1]".to_vec()),
        ("cut off", good.as_bytes()[..good.len() - 3].to_vec()),
        ("a flipped bit", flipped),
        ("something behind it", [good.as_bytes(), b"x"].concat()),
        (
            "invalid UTF-8",
            form("{\"text\":\"\u{1}\",\"number\":1,\"whole\":3}")
                .replace('\u{1}', "?")
                .into_bytes()
                .into_iter()
                .map(|byte| if byte == b'?' { 0xff } else { byte })
                .collect(),
        ),
        ("a bare control character", form("{\"text\":\"\u{0}\",\"number\":1,\"whole\":3}").into_bytes()),
        ("a lone surrogate", form(r#"{"text":"\ud800","number":1,"whole":3}"#).into_bytes()),
        ("10,000 arrays in each other", nested(10_000).into_bytes()),
        ("10,000 of them in a field", form(&deep_text).into_bytes()),
        ("a field twice", form(r#"{"text":"a","text":"b","number":1,"whole":3}"#).into_bytes()),
        ("1e400", form(r#"{"text":"a","number":1e400,"whole":3}"#).into_bytes()),
        ("NaN", form(r#"{"text":"a","number":NaN,"whole":3}"#).into_bytes()),
        ("2^64", form(r#"{"text":"a","number":1,"whole":18446744073709551616}"#).into_bytes()),
        ("a negative whole number", form(r#"{"text":"a","number":1,"whole":-1}"#).into_bytes()),
        ("another version's fields", form(r#"{"words":"a"}"#).into_bytes()),
    ]
}

async fn park_of(dispatcher: &Dispatcher, task: NewTask) -> (TaskState, Option<(ParkReason, String)>) {
    let id = task.id;
    dispatcher.store().dispatch(vec![NewWork::Task(task)]).await.unwrap();
    // Of one worker with one slot: when this one has ended, the other was looked at.
    dispatcher.dispatch(keep { text: "after".into() }).await.unwrap().wait().await.unwrap();
    let record = dispatcher.get(id).await.unwrap().unwrap();
    assert_eq!((record.failures, record.crashes), (0, 0));
    (record.state, record.parked)
}

/// What the error says, of a dispatch that must be refused.
async fn refused(dispatcher: &Dispatcher, work: impl evertask::IntoDispatch) -> String {
    match dispatcher.dispatch(work).await {
        Ok(handle) => panic!("{handle:?} was taken"),
        Err(error) => error.to_string(),
    }
}

on_each_store! {
    async fn what_cannot_be_read_is_parked_and_no_handler_runs(dispatcher) {
        let calls = Arc::new(Calls::default());
        let one = Queue::new().concurrency(1);
        let worker = crate::settings(&dispatcher).data_dyn(calls.clone()).queue(evertask::DEFAULT_QUEUE, one).start().await.unwrap();
        let cases = unreadable();
        for (what, payload) in &cases {
            let (state, parked) = park_of(&dispatcher, stored("file_form", payload.clone())).await;
            assert_eq!(state, TaskState::Parked, "{what}");
            let (reason, detail) = parked.unwrap();
            assert_eq!(reason, ParkReason::Undecodable, "{what}");
            assert!(detail.contains("file_form"), "{what}: {detail}");
        }
        let (state, parked) = park_of(&dispatcher, stored("no_such_task", b"{}")).await;
        assert_eq!((state, parked.unwrap().0), (TaskState::Parked, ParkReason::UnknownTask));
        let nasty = NewTask { name: NASTY.into(), ..stored("", b"{}") };
        let (state, parked) = park_of(&dispatcher, nasty).await;
        assert_eq!((state, parked.unwrap().0), (TaskState::Parked, ParkReason::UnknownTask));
        assert_eq!(calls.0.load(Ordering::Relaxed), 0, "a handler ran");
        println!("{} payloads that can't be read: all parked, 0 handlers called", cases.len() + 2);
        worker.shutdown().await;
    }

    async fn what_is_odd_and_can_be_read_comes_back_as_it_was(dispatcher) {
        let worker = crate::worker(&dispatcher).await;
        let texts = [String::new(), NASTY.to_owned(), "\u{0}".into(), "\u{10ffff}\u{feff}".into(), "x".repeat(MAX_PAYLOAD - 100)];
        for text in texts {
            let back = dispatcher.dispatch(keep { text: text.clone() }).await.unwrap().wait().await.unwrap();
            assert!(back == text, "{} bytes", text.len());
        }
        let numbers = Form { text: String::new(), number: f64::MIN_POSITIVE, whole: u64::MAX };
        assert_eq!(dispatcher.dispatch(file_form { form: numbers.clone() }).await.unwrap().wait().await.unwrap(), numbers);
        // Of a field that is there twice in the arguments of a function, the last one counts.
        let twice = stored("keep", r#"{"text":"a","text":"b"}"#);
        let id = twice.id;
        dispatcher.store().dispatch(vec![NewWork::Task(twice)]).await.unwrap();
        assert_eq!(dispatcher.handle::<keep>(id).wait().await.unwrap(), "b");
        worker.shutdown().await;
    }

    async fn a_number_that_json_has_not_is_parked(dispatcher) {
        let calls = Arc::new(Calls::default());
        let one = Queue::new().concurrency(1);
        let worker = crate::settings(&dispatcher).data_dyn(calls.clone()).queue(evertask::DEFAULT_QUEUE, one).start().await.unwrap();
        for number in [f64::NAN, f64::INFINITY] {
            let task = dispatcher.dispatch(file_form { form: Form { text: String::new(), number, whole: 1 } }).await.unwrap();
            dispatcher.dispatch(keep { text: String::new() }).await.unwrap().wait().await.unwrap();
            assert_eq!(dispatcher.get(task.id()).await.unwrap().unwrap().state, TaskState::Parked);
        }
        // serde_json writes what lies deeper than it reads.
        let mut deep = serde_json::Value::Null;
        for _ in 0..200 {
            deep = serde_json::Value::Array(vec![deep]);
        }
        let task = dispatcher.dispatch(file_anything { value: deep }).await.unwrap();
        dispatcher.dispatch(keep { text: String::new() }).await.unwrap().wait().await.unwrap();
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!(record.state, TaskState::Parked);
        assert!(record.parked.unwrap().1.contains("recursion limit"));
        assert_eq!(calls.0.load(Ordering::Relaxed), 0);
        worker.shutdown().await;
    }

    async fn what_cannot_be_written_is_refused(dispatcher) {
        let error = refused(&dispatcher, file_map { map: BTreeMap::from([((1, 2), 3)]) }).await;
        assert!(error.contains("can't be written as JSON"), "{error}");
        assert_eq!(dispatcher.list(evertask::store::TaskFilter::new()).await.unwrap(), []);
    }

    async fn what_is_too_large_is_refused(dispatcher) {
        let length = |text: &str| r#"{"text":""}"#.len() + text.len();
        let most = "x".repeat(MAX_PAYLOAD - length(""));
        dispatcher.dispatch(keep { text: most.clone() }.after("1h")).await.unwrap();
        for text in [format!("{most}x"), "x".repeat(10 << 20)] {
            let expected = length(&text);
            match dispatcher.dispatch(keep { text: text.clone() }).await {
                Err(DispatchError::TooLarge { name: "keep", length, limit: MAX_PAYLOAD }) => assert_eq!(length, expected),
                other => panic!("{:?}", other.map_err(|error| error.to_string())),
            }
            let run = dispatcher.dispatch(Asking(format!("{text}0123456789"))).await;
            assert!(matches!(run, Err(DispatchError::TooLarge { name: "Asking", .. })));
        }
        let small = dispatcher.clone().max_payload(20);
        assert!(small.dispatch(keep { text: "short".into() }.after("1h")).await.is_ok());
        assert!(matches!(small.dispatch_all([keep { text: "much too long".into() }]).await, Err(DispatchError::TooLarge { limit: 20, .. })));

        // The same limit for signals, and for what handlers dispatch.
        let run = dispatcher.dispatch(Asking("?".into()).after("1h")).await.unwrap();
        let answer = dispatcher.signal(run.id(), Asking::answer, &"x".repeat(MAX_PAYLOAD)).await;
        assert!(matches!(answer, Err(DispatchError::TooLarge { name: "answer", .. })));
        let worker = crate::settings(&small).start().await.unwrap();
        let error = small.dispatch(passes_on { times: 9 }).await.unwrap().wait().await.unwrap_err().to_string();
        assert!(error.contains("and may have 20"), "{error}");
        worker.shutdown().await;
    }

    async fn an_output_that_is_too_large_fails_the_attempt(dispatcher) {
        let said = format!(
            "its output has {} bytes, and may have {MAX_PAYLOAD}: keep it in a file or an object store and give its name, \
             or raise `Dispatcher::max_payload`",
            MAX_PAYLOAD + 1
        );
        let too_large = || gives { length: MAX_PAYLOAD + 1 };
        let worker = crate::worker(&dispatcher).await;
        let most = dispatcher.dispatch(gives { length: MAX_PAYLOAD }).await.unwrap().wait().await.unwrap();
        assert_eq!(most.len(), MAX_PAYLOAD - 2);
        let task = dispatcher.dispatch(too_large()).await.unwrap();
        task.wait().await.unwrap_err();
        let record = dispatcher.get(task.id()).await.unwrap().unwrap();
        assert_eq!((record.state, record.failures, record.output), (TaskState::Failed, 2, None));
        let report = record.failure.unwrap();
        assert_eq!((report.kind, report.message), (FailureKind::OutputTooLarge, said.clone()));
        // An arm takes it, as any other failure.
        let run = dispatcher.dispatch(Giving(too_large())).await.unwrap();
        assert_eq!(run.wait().await.unwrap(), said);
        worker.shutdown().await;

        let large = dispatcher.clone().max_payload(2 * MAX_PAYLOAD);
        let worker = crate::settings(&large).start().await.unwrap();
        assert_eq!(large.dispatch(too_large()).await.unwrap().wait().await.unwrap().len(), MAX_PAYLOAD - 1);
        worker.shutdown().await;
    }

    async fn a_key_or_a_name_has_a_length(dispatcher) {
        let work = || keep { text: "a".into() }.after("1h");
        for (what, length) in [("key", 0), ("key", MAX_KEY + 1), ("key", 10_000), ("queue", 0), ("queue", 10_000), ("correlation id", 0), ("correlation id", 10_000)] {
            let text = "k".repeat(length);
            let work = match what {
                "key" => work().key(text),
                "queue" => work().queue(text),
                _ => work().correlation_id(text),
            };
            match dispatcher.dispatch(work).await {
                Err(DispatchError::Length { what: found, length: bytes, .. }) => assert_eq!((found, bytes), (what, length)),
                other => panic!("{what}: {other:?}"),
            }
        }
        let longest = "k".repeat(MAX_KEY);
        dispatcher.dispatch(work().key(longest)).await.unwrap();
        // Whatever is written in one is its own business.
        let nasty = dispatcher.dispatch(work().key(NASTY).correlation_id(NASTY).queue(NASTY)).await.unwrap();
        let record = dispatcher.get(nasty.id()).await.unwrap().unwrap();
        assert_eq!((record.key.as_deref(), record.correlation.as_deref(), record.queue.as_str()), (Some(NASTY), Some(NASTY), NASTY));
        let again = dispatcher.dispatch(keep { text: "another payload".into() }.key(NASTY)).await.unwrap();
        assert!(again.is_existing() && again.id() == nasty.id(), "a key that is taken gives what has it, whatever its payload");
        assert_eq!(nasty.cancel().await.unwrap(), CancelOutcome::Cancelled);
    }

    async fn any_time_is_a_time(dispatcher) {
        let worker = crate::worker(&dispatcher).await;
        let year_1 = UNIX_EPOCH - Duration::from_hours(17_259_888);
        let year_9999 = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
        let last = UNIX_EPOCH + Duration::from_secs(i64::MAX.unsigned_abs());
        let first = UNIX_EPOCH.checked_sub(Duration::from_secs(i64::MAX.unsigned_abs())).unwrap_or(year_1);
        for past in [year_1, first, UNIX_EPOCH, SystemTime::now()] {
            assert_eq!(dispatcher.dispatch(keep { text: "past".into() }.at(past)).await.unwrap().wait().await.unwrap(), "past");
        }
        let mut future = Vec::new();
        for time in [year_9999, last] {
            future.push(dispatcher.dispatch(keep { text: "future".into() }.at(time)).await.unwrap());
        }
        for delay in [Duration::MAX, Duration::from_millis(u64::MAX)] {
            future.push(dispatcher.dispatch(keep { text: "future".into() }.after(delay)).await.unwrap());
        }
        for task in future {
            let record = dispatcher.get(task.id()).await.unwrap().unwrap();
            assert_eq!(record.state, TaskState::Ready);
            assert!(record.run_at >= Timestamp::from(year_9999), "{:?}", record.run_at);
            assert_eq!(task.cancel().await.unwrap(), CancelOutcome::Cancelled);
        }
        let raw = NewTask { at: Some(Timestamp::from_millis(i64::MIN)), ..stored("keep", r#"{"text":"raw"}"#) };
        let id = raw.id;
        dispatcher.store().dispatch(vec![NewWork::Task(raw)]).await.unwrap();
        assert_eq!(dispatcher.handle::<keep>(id).wait().await.unwrap(), "raw");
        for delay in ["", "soon", "-1s", "1.5h", "99999999999999999999s"] {
            let error = refused(&dispatcher, keep { text: "never".into() }.after(delay)).await;
            assert!(error.contains("is not a duration"), "{error}");
        }
        worker.shutdown().await;
    }

    async fn any_priority_is_one(dispatcher) {
        let order = Arc::new(Order::default());
        let priorities = [0, i16::MIN, -1, i16::MAX, 1];
        dispatcher.dispatch_all(priorities.map(|priority| takes_its_turn { priority }.priority(priority))).await.unwrap();
        let one = Queue::new().concurrency(1);
        let worker = crate::settings(&dispatcher).data_dyn(order.clone()).queue(evertask::DEFAULT_QUEUE, one).start().await.unwrap();
        let last = dispatcher.dispatch(takes_its_turn { priority: i16::MIN }.priority(i16::MIN)).await.unwrap();
        last.wait().await.unwrap();
        assert_eq!(*order.0.lock().unwrap(), [i16::MAX, 1, 0, -1, i16::MIN, i16::MIN]);
        worker.shutdown().await;
    }

    async fn a_time_out_of_nothing_and_one_of_for_ever(dispatcher) {
        let worker = crate::worker(&dispatcher).await;
        // What ends without waiting for anything takes no time.
        assert_eq!(dispatcher.dispatch(in_no_time { waits: false }).await.unwrap().wait().await.unwrap(), 1);
        let Err(RunError::Failed { report, .. }) = dispatcher.dispatch(in_no_time { waits: true }).await.unwrap().wait().await else { panic!("it can't succeed") };
        assert_eq!(report.kind, evertask::FailureKind::Timeout);
        assert_eq!(dispatcher.dispatch(in_any_time { attempts: 4 }).await.unwrap().wait().await.unwrap(), 4);
        worker.shutdown().await;
    }

    async fn strange_settings_are_refused_or_rounded(dispatcher) {
        for start in [
            crate::settings(&dispatcher).lease("soon").start().await,
            crate::settings(&dispatcher).grace("-1s").start().await,
            crate::settings(&dispatcher).shutdown_deadline("").start().await,
            crate::settings(&dispatcher).queue("no_such_queue", Queue::new()).start().await,
        ] {
            assert!(matches!(start, Err(StartError::Refused(_))));
        }
        let worker = crate::settings(&dispatcher)
            .queue(evertask::DEFAULT_QUEUE, Queue::new().concurrency(u32::MAX))
            .queue(NASTY, Queue::new().concurrency(0).undeclared())
            .max_crashes(0)
            .max_leaked(0)
            .lease("0s")
            .shutdown_deadline(Duration::MAX)
            .start()
            .await
            .unwrap();
        let task = dispatcher.dispatch(keep { text: NASTY.into() }.queue(NASTY)).await.unwrap();
        assert_eq!(task.wait().await.unwrap(), NASTY);
        worker.shutdown().await;
    }

    async fn ids_that_nobody_has_are_answered(dispatcher) {
        let (task, run) = (TaskId::new(), RunId::new());
        assert_eq!(dispatcher.cancel(task).await.unwrap(), CancelOutcome::NotFound);
        assert_eq!(dispatcher.cancel(run).await.unwrap(), CancelOutcome::NotFound);
        assert!(dispatcher.get(task).await.unwrap().is_none() && dispatcher.get_run(run).await.unwrap().is_none());
        assert!(!dispatcher.pause(run).await.unwrap() && !dispatcher.resume(run).await.unwrap());
        assert_eq!(dispatcher.signal(run, Asking::answer, &"a".to_owned()).await.unwrap(), SignalOutcome::NotFound);
        assert!(matches!(dispatcher.handle::<keep>(task).wait().await, Err(RunError::NotFound { .. })));
        // Work that claims to be a part of a run is not added from outside.
        let of = StepOf { run, workflow: "Asking".into(), step: Some("ask".into()) };
        let stray = dispatcher.store().dispatch(vec![NewWork::Task(NewTask { of: Some(of), ..stored("ask", b"{}") })]).await;
        assert!(matches!(stray, Err(StoreError::Refused { .. })), "{stray:?}");
        assert!(dispatcher.dispatch_all(Vec::<keep>::new()).await.unwrap().is_empty());
    }

    async fn a_value_of_another_type_for_a_signal_is_parked(dispatcher) {
        let worker = crate::worker(&dispatcher).await;
        let run = dispatcher.dispatch(Asking("?".into())).await.unwrap();
        let answered = dispatcher.store().signal(run.id(), "answer".into(), &[], b"{\"no\":\"text".to_vec()).await.unwrap();
        assert!(matches!(answered, SignalOutcome::Delivered | SignalOutcome::Kept), "{answered:?}");
        let parked = loop {
            let tasks = dispatcher.list(evertask::store::TaskFilter::new().run(run.id()).state(TaskState::Parked)).await.unwrap();
            if let Some(task) = tasks.into_iter().next() {
                break task;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(parked.parked.unwrap().0, ParkReason::Undecodable);
        worker.shutdown().await;
    }
}

/// Passes on what is too long for a small limit.
#[task]
async fn passes_on(times: u8, cx: &Context) -> Result<(), DispatchError> {
    let text = "long ".repeat(times.into());
    cx.dispatch(keep { text }).map(drop)
}

/// Gives an output of so many bytes of JSON.
#[task(retry(times = 1, backoff = fixed("1ms")))]
async fn gives(length: usize) -> Result<String, Infallible> {
    Ok("x".repeat(length - r#""""#.len()))
}

workflow! {
    /// Says why it gives nothing.
    Giving<gives -> String> {
        gives {
            on_ok(_) => done("it fits".to_owned()),
            on_failure(f) if matches!(f.cause, Cause::OutputTooLarge { .. }) => done(f.to_string()),
            on_failure => fail("it has failed otherwise"),
        }
    }
}

#[derive(Default)]
struct Order(Mutex<Vec<i16>>);

#[task]
async fn takes_its_turn(priority: i16, cx: &Context) -> Result<(), Infallible> {
    if let Some(order) = cx.data::<Order>() {
        order.0.lock().unwrap_or_else(PoisonError::into_inner).push(priority);
    }
    Ok(())
}
