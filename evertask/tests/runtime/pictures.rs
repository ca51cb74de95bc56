//! How far a run is, and its pictures, in the middle of the run and at its end.

use std::convert::Infallible;

use evertask::prelude::*;
use evertask::store::{RunState, SignalOutcome};
use evertask::workflow::StepState;
use evertask::{RunId, workflow};

use crate::{on_each_store, worker};

#[task]
async fn sketch(title: String) -> Result<Vec<u64>, Infallible> {
    Ok((0..title.len() as u64).collect())
}

#[task(retry(times = 2, backoff = fixed("1ms")))]
async fn paint(part: u64, cx: &Context) -> Result<u64, String> {
    if part == 1 && cx.attempt() == 1 { Err("it is too dark".to_owned()) } else { Ok(part) }
}

#[task]
async fn frame(parts: Vec<u64>) -> Result<usize, Infallible> {
    Ok(parts.len())
}

#[task]
async fn sell(parts: usize) -> Result<(), String> {
    Err(format!("nobody buys {parts} parts"))
}

#[task]
async fn burn(parts: usize) -> Result<(), Infallible> {
    let _ = parts;
    Ok(())
}

workflow! {
    /// Paints a picture, and has it looked at.
    PaintIt<String> {
        sketch { on_ok(parts) => each paint(parts) }
        join (each paint) => frame;
        frame {
            on_ok           => look,
            undo(parts)     => burn { parts },
        }
        wait look<bool> {
            on_ok(true) with frame(parts)  => sell { parts },
            on_ok(false) with frame(parts) => repaint { parts: vec![0; parts] },
        }
        repaint = frame { on_ok => end }
        sell { on_err => rollback }
    }
}

async fn seen(dispatcher: &evertask::Dispatcher, run: RunId, step: &str) -> (StepState, String) {
    let progress = dispatcher.progress(run).await.unwrap().unwrap();
    let graph = PaintIt::graph();
    let step = progress.of(graph.steps.iter().find(|of| of.name == step).unwrap());
    (step.state(), step.to_string())
}

fn says(state: StepState, text: &str) -> (StepState, String) {
    (state, text.to_owned())
}

on_each_store! {
    async fn a_run_in_the_middle_and_at_its_end(dispatcher) {
        let graph = PaintIt::graph();
        let run = dispatcher.dispatch(PaintIt("abc".into())).await.unwrap();
        assert_eq!(seen(&dispatcher, run.id(), "sketch").await, says(StepState::Ready, "ready"));
        assert_eq!(seen(&dispatcher, run.id(), "paint").await, says(StepState::NotReached, "not reached"));

        let worker = worker(&dispatcher).await;
        while seen(&dispatcher, run.id(), "look").await.0 != StepState::Waiting {
            tokio::task::yield_now().await;
        }
        let progress = dispatcher.progress(run.id()).await.unwrap().unwrap();
        assert_eq!((progress.run, progress.state), (run.id(), RunState::Running));
        assert_eq!(seen(&dispatcher, run.id(), "paint").await, says(StepState::Succeeded, "3 succeeded (4 attempts)"));
        assert_eq!(seen(&dispatcher, run.id(), "frame").await, says(StepState::Succeeded, "succeeded"));
        // It is stored since `frame` ended, and nothing is undone.
        assert_eq!(seen(&dispatcher, run.id(), "burn").await, says(StepState::NotReached, "not reached"));
        let svg = graph.svg_of(&progress);
        assert_eq!(svg.matches("class=\"step succeeded\"").count(), 3, "{svg}");
        assert_eq!(svg.matches("class=\"step waiting\"").count(), 1);
        assert_eq!(svg.matches("class=\"step not-reached\"").count(), 3);
        assert!(svg.contains(">PaintIt: running</text>") && svg.contains(">3 succeeded (4 attempts)</text>"));
        assert!(svg.contains(">on_ok(parts), each</text>") && svg.contains(">join</text>"), "{svg}");
        assert!(svg.contains(">wait look</text>"));
        let mermaid = graph.mermaid_of(&progress);
        assert!(mermaid.starts_with("---\ntitle: \"PaintIt: running\"\n---\nflowchart TD\n"), "{mermaid}");
        assert!(mermaid.contains("[\"paint<br/>3 succeeded (4 attempts)\"]:::succeeded"), "{mermaid}");
        assert!(mermaid.contains("    classDef not_reached fill:"), "{mermaid}");
        let dot = graph.dot_of(&progress);
        assert!(dot.contains("label=\"sell\\nnot reached\""), "{dot}");

        assert_eq!(
            dispatcher.signal(run.id(), PaintIt::look, &true).await.unwrap(),
            SignalOutcome::Delivered
        );
        assert!(run.wait().await.is_err());
        assert_eq!(dispatcher.progress(run.id()).await.unwrap().unwrap().state, RunState::Failed);
        assert_eq!(seen(&dispatcher, run.id(), "look").await.0, StepState::Succeeded);
        assert_eq!(seen(&dispatcher, run.id(), "sell").await, says(StepState::Failed, "failed"));
        assert_eq!(seen(&dispatcher, run.id(), "burn").await, says(StepState::Succeeded, "succeeded"));
        assert_eq!(seen(&dispatcher, run.id(), "repaint").await, says(StepState::NotReached, "not reached"));
        worker.shutdown().await;
    }

    async fn a_run_with_more_tasks_than_a_page(dispatcher) {
        let worker = worker(&dispatcher).await;
        let run = dispatcher.dispatch(PaintIt("x".repeat(1_100))).await.unwrap();
        while seen(&dispatcher, run.id(), "look").await.0 != StepState::Waiting {
            tokio::task::yield_now().await;
        }
        let painted = says(StepState::Succeeded, "1100 succeeded (1101 attempts)");
        assert_eq!(seen(&dispatcher, run.id(), "paint").await, painted);
        worker.shutdown().await;
    }

    async fn a_run_that_is_not_there(dispatcher) {
        assert_eq!(dispatcher.progress(RunId::new()).await.unwrap(), None);
    }
}
