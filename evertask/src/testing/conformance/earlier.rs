//! What an arm asks for of the steps before.

use crate::id::RunId;
use crate::store::{Earlier, Follow, NewTask};

use super::bench::{Bench, failed, flow, ok, step, succeeded, then};
use super::parts::{begun, each, easy, for_each, gave, led_to, undone_by};

fn texts(earlier: &Earlier) -> Vec<Option<&str>> {
    earlier.outputs.iter().map(|output| output.as_deref().map(|json| std::str::from_utf8(json).unwrap())).collect()
}

pub(super) async fn it_gives_the_input_and_the_outputs_in_the_order_asked(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, flow()).await;
    worker.finish_and_free(claim, gave("1", then([step(run, "two")]))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, gave("2", then([step(run, "three")]))).await;
    let earlier = bench.earlier(run, &["two", "three", "one", "none", "two"]).await;
    assert_eq!(earlier.input, b"{\"order\":7}");
    assert_eq!(texts(&earlier), [Some("2"), None, Some("1"), None, Some("2")]);
    assert_eq!(bench.earlier(run, &[]).await.outputs, Vec::<Option<Vec<u8>>>::new());
}

pub(super) async fn the_last_by_arrival_counts(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([step(run, "two"), step(run, "two"), step(run, "three")])).await;
    worker.free(3);
    let claimed = worker.take(3).await;
    worker.finish(claimed[1].claim, gave("\"second\"", Follow::default())).await;
    worker.finish(claimed[0].claim, gave("\"first\"", Follow::default())).await;
    assert_eq!(texts(&bench.earlier(run, &["two"]).await), [Some("\"second\"")], "not the last to end");
}

pub(super) async fn what_failed_gives_nothing(bench: Bench) {
    let (run, mut worker) =
        led_to(&bench, easy(), |run| then([step(run, "two"), step(run, "two"), step(run, "three")])).await;
    worker.free(3);
    let claimed = worker.take(3).await;
    worker.finish(claimed[1].claim, failed(Follow::default())).await;
    assert_eq!(texts(&bench.earlier(run, &["two"]).await), [None]);
    worker.finish(claimed[0].claim, gave("1", Follow::default())).await;
    assert_eq!(texts(&bench.earlier(run, &["two"]).await), [Some("1")], "the last that succeeded");
}

pub(super) async fn of_items_the_last_counts(bench: Bench) {
    let (run, mut worker) = led_to(&bench, easy(), |run| for_each(each(run, "two", 3, None))).await;
    worker.free(3);
    for (index, claimed) in worker.take(3).await.into_iter().enumerate().rev() {
        let next = if index == 0 { then([step(run, "three")]) } else { Follow::default() };
        worker.finish(claimed.claim, gave(&index.to_string(), next)).await;
    }
    assert_eq!(texts(&bench.earlier(run, &["two"]).await), [Some("2")]);
}

pub(super) async fn what_undoes_a_step_is_none(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    worker.finish(claim, gave("1", undone_by(run, "1", then([step(run, "two")])))).await;
    bench.cancel(run).await;
    let claim = worker.claim().await.claim;
    worker.finish(claim, gave("\"undone\"", Follow::default())).await;
    assert_eq!(texts(&bench.earlier(run, &["undo", "one"]).await), [None, Some("1")]);
}

pub(super) async fn it_gives_what_an_ended_run_had(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    worker.finish(claim, gave("1", Follow::default())).await;
    assert_eq!(texts(&bench.earlier(run, &["one"]).await), [Some("1")]);
}

pub(super) async fn runs_do_not_mix(bench: Bench) {
    let (first, mut worker, claim) = begun(&bench, easy()).await;
    worker.finish(claim, gave("1", Follow::default())).await;
    let (second, mut worker, claim) = begun(&bench, easy()).await;
    assert_eq!(texts(&bench.earlier(second, &["one"]).await), [None]);
    worker.finish(claim, gave("2", Follow::default())).await;
    assert_eq!(texts(&bench.earlier(first, &["one"]).await), [Some("1")]);
}

pub(super) async fn a_task_without_a_step_is_no_step(bench: Bench) {
    let (run, mut worker, claim) = begun(&bench, easy()).await;
    let of = crate::store::StepOf { run, workflow: "flow".into(), step: None };
    worker.finish_and_free(claim, succeeded(then([NewTask { of: Some(of), ..super::bench::send() }]))).await;
    let claim = worker.next().await.claim;
    worker.finish(claim, ok()).await;
    assert_eq!(texts(&bench.earlier(run, &["", "send"]).await), [None, None]);
}

pub(super) async fn a_run_that_is_not_there_had_nothing(bench: Bench) {
    let earlier = bench.earlier(RunId::new(), &["one", "two"]).await;
    assert_eq!((earlier.input.as_slice(), texts(&earlier).as_slice()), (&b""[..], &[None, None][..]));
}
