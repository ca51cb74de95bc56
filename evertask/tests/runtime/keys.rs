//! Unique work: what a dispatch does whose key is taken, before and after the end of who has it, and a thousand at once.

use evertask::prelude::*;
use evertask::store::{RunState, TaskState};
use evertask::{DispatchError, OnKey, Queue, WorkId, workflow};

use crate::bench::{Bench, breaking, by_the_clock, holding, named, note, secs};

workflow! {
    /// Notes twice.
    Notes<String -> String> {
        note { on_ok(name) => again { name: format!("{name} again") } }
        again = note { on_ok(name) => done(name) }
    }
}

/// A thousand dispatches of one key at once: which tasks they came to, and how many of them were new or refused.
async fn thousand(bench: &Bench, on_key: OnKey) -> (Vec<WorkId>, usize, usize) {
    let all: Vec<_> = (0..1_000)
        .map(|number| {
            let dispatcher = bench.dispatcher.clone();
            tokio::spawn(
                async move { dispatcher.dispatch(named(number.to_string()).key("the one").on_key(on_key)).await },
            )
        })
        .collect();
    let (mut ids, mut new, mut refused) = (Vec::new(), 0, 0);
    for one in all {
        match one.await.unwrap() {
            Ok(handle) => {
                ids.push(handle.id().into());
                new += usize::from(!handle.is_existing());
            }
            Err(DispatchError::KeyTaken { id, .. }) => {
                ids.push(id);
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    (ids, new, refused)
}

by_the_clock! {
    async fn who_has_the_key_is_given_back_with_its_result(bench) {
        let worker = bench.worker(Queue::new()).await;
        let first = bench.dispatcher.dispatch(named("first").key("k")).await.unwrap();
        assert!(!first.is_existing());
        assert_eq!(first.wait().await.unwrap(), "first");
        bench.clock.advance(secs(365 * 24 * 3_600));
        let second = bench.dispatcher.dispatch(named("second").key("k")).await.unwrap();
        assert_eq!((second.id(), second.is_existing()), (first.id(), true));
        assert_eq!(second.wait().await.unwrap(), "first", "the stored result, a year later");
        assert_eq!(bench.stage.count(), 1);
        let other = bench.dispatcher.dispatch(holding("another task").key("k")).await.unwrap();
        assert!(!other.is_existing(), "a key is one of a name");
        bench.stage.let_go(1);
        other.wait().await.unwrap();
        worker.shutdown().await;
    }

    async fn a_failure_is_given_back_too(bench) {
        bench.stage.break_down(true);
        let worker = bench.worker(Queue::new()).await;
        let first = bench.dispatcher.dispatch(breaking("it").key("k")).await.unwrap();
        first.wait().await.unwrap_err();
        bench.stage.break_down(false);
        let second = bench.dispatcher.dispatch(breaking("it").key("k")).await.unwrap();
        assert_eq!(second.wait().await.unwrap_err().to_string(), first.wait().await.unwrap_err().to_string());
        worker.shutdown().await;
    }

    async fn what_is_pending_is_replaced(bench) {
        let replace = |name: &str| named(name).key("k").on_key(OnKey::Replace);
        let first = bench.dispatcher.dispatch(replace("first").after("1h")).await.unwrap();
        let second = bench.dispatcher.dispatch(replace("second").after("2h").priority(7)).await.unwrap();
        assert_eq!((second.id(), second.is_existing()), (first.id(), true));
        let record = bench.record(first.id()).await;
        assert_eq!((record.priority, record.run_at), (7, bench.now().plus(secs(7_200))));
        let worker = bench.worker(Queue::new()).await;
        bench.play().await;
        assert_eq!(first.wait().await.unwrap(), "second");
        // What has run is given back.
        let third = bench.dispatcher.dispatch(replace("third")).await.unwrap();
        assert_eq!(third.wait().await.unwrap(), "second");
        assert_eq!(bench.stage.names(0).await, ["second"]);
        worker.shutdown().await;
    }

    async fn what_runs_is_not_replaced(bench) {
        let worker = bench.worker(Queue::new()).await;
        let replace = |name: &str| holding(name).key("k").on_key(OnKey::Replace);
        let first = bench.dispatcher.dispatch(replace("first")).await.unwrap();
        bench.stage.starts(1).await;
        let second = bench.dispatcher.dispatch(replace("second")).await.unwrap();
        bench.stage.let_go(1);
        assert_eq!(second.wait().await.unwrap(), "first");
        assert_eq!(first.id(), second.id());
        worker.shutdown().await;
    }

    async fn a_taken_key_is_refused_by_name(bench) {
        let worker = bench.worker(Queue::new()).await;
        let refuse = |name: &str| named(name).key("k").on_key(OnKey::Refuse);
        let first = bench.dispatcher.dispatch(refuse("first")).await.unwrap();
        first.wait().await.unwrap();
        let refused = bench.dispatcher.dispatch(refuse("second")).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("the key `k` of `note` is taken by {}", WorkId::Task(first.id())));
        // Nothing of a dispatch is added if one of it is refused.
        let all = bench.dispatcher.dispatch_all([named("a").key("other"), refuse("b")]).await;
        assert!(matches!(all, Err(DispatchError::KeyTaken { .. })), "{all:?}");
        let other = bench.dispatcher.dispatch(named("c").key("other")).await.unwrap();
        assert!(!other.is_existing());
        other.wait().await.unwrap();
        worker.shutdown().await;
    }

    async fn a_key_is_free_again_after_its_time(bench) {
        let worker = bench.worker(Queue::new()).await;
        let renew = |name: &str| named(name).key("k").on_key(OnKey::Renew(secs(60)));
        let first = bench.dispatcher.dispatch(renew("first")).await.unwrap();
        first.wait().await.unwrap();
        bench.clock.advance(secs(59));
        let second = bench.dispatcher.dispatch(renew("second")).await.unwrap();
        assert_eq!((second.id(), second.wait().await.unwrap().as_str()), (first.id(), "first"));
        bench.clock.advance(secs(1));
        let third = bench.dispatcher.dispatch(renew("third")).await.unwrap();
        assert_eq!((third.is_existing(), third.wait().await.unwrap().as_str()), (false, "third"));
        // The new one has the key, for as long.
        bench.clock.advance(secs(59));
        assert_eq!(bench.dispatcher.dispatch(renew("fourth")).await.unwrap().id(), third.id());
        assert_eq!(first.wait().await.unwrap(), "first", "who had it before keeps its result");
        worker.shutdown().await;
    }

    async fn it_is_the_same_with_workflows(bench) {
        let keyed = |name: &str, on_key| Notes(name.into()).key("k").on_key(on_key);
        let first = bench.dispatcher.dispatch(keyed("first", OnKey::Return)).await.unwrap();
        let replaced = bench.dispatcher.dispatch(keyed("second", OnKey::Replace)).await.unwrap();
        assert_eq!((replaced.id(), replaced.is_existing()), (first.id(), true));
        let worker = bench.worker(Queue::new()).await;
        assert_eq!(first.wait().await.unwrap(), "second again");
        let again = bench.dispatcher.dispatch(keyed("third", OnKey::Replace)).await.unwrap();
        assert_eq!(again.wait().await.unwrap(), "second again");
        let refused = bench.dispatcher.dispatch(keyed("fourth", OnKey::Refuse)).await;
        let Err(DispatchError::KeyTaken { id, name, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!((id, name.as_str()), (first.id().into(), Notes::NAME));
        bench.clock.advance(secs(60));
        let new = bench.dispatcher.dispatch(keyed("fifth", OnKey::Renew(secs(60)))).await.unwrap();
        assert_eq!(new.wait().await.unwrap(), "fifth again");
        assert_eq!(bench.dispatcher.get_run(first.id()).await.unwrap().unwrap().state, RunState::Succeeded);
        worker.shutdown().await;
    }

    async fn a_thousand_at_once_are_one(bench) {
        let worker = bench.worker(Queue::new()).await;
        let (ids, new, refused) = thousand(&bench, OnKey::Return).await;
        assert_eq!((ids.len(), new, refused), (1, 1, 0));
        bench.play().await;
        // They are still, when it has ended.
        let (again, new, _) = thousand(&bench, OnKey::Return).await;
        assert_eq!((again, new, bench.stage.count()), (ids.clone(), 0, 1));
        let (again, new, refused) = thousand(&bench, OnKey::Refuse).await;
        assert_eq!((again, new, refused, bench.stage.count()), (ids.clone(), 0, 1_000, 1));
        bench.clock.advance(secs(60));
        let (renewed, new, _) = thousand(&bench, OnKey::Renew(secs(60))).await;
        assert_eq!((renewed.len(), new), (1, 1));
        assert_ne!(renewed, ids);
        bench.play().await;
        assert_eq!(bench.stage.count(), 2);
        worker.shutdown().await;
    }

    async fn a_thousand_that_refuse_or_replace_are_one(bench) {
        let (ids, new, refused) = thousand(&bench, OnKey::Refuse).await;
        assert_eq!((ids.len(), new, refused), (1, 1, 999));
        let (again, new, _) = thousand(&bench, OnKey::Replace).await;
        assert_eq!((again, new), (ids, 0));
        let [task] = &bench.live().await[..] else { panic!("there is one") };
        assert_eq!(task.state, TaskState::Ready);
        let worker = bench.worker(Queue::new()).await;
        bench.play().await;
        assert_eq!(bench.stage.count(), 1);
        worker.shutdown().await;
    }
}
