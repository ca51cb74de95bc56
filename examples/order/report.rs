//! What the store says: the table at the end, and the proof of `--verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use evertask::store::{RunFilter, RunRecord, RunState, StoreError, TaskFilter, TaskRecord, TaskState};
use evertask::{Dispatcher, Work};

use crate::workflow::{FulfilOrder, PlaceOrder};

/// Everything in the store, read page by page.
pub struct Snapshot {
    pub runs: Vec<RunRecord>,
    pub tasks: Vec<TaskRecord>,
}

impl Snapshot {
    pub async fn read(dispatcher: &Dispatcher) -> Result<Self, StoreError> {
        const PAGE: u32 = 1_000;
        let (mut runs, mut tasks) = (Vec::<RunRecord>::new(), Vec::<TaskRecord>::new());
        loop {
            let mut filter = RunFilter::new().workflow(FulfilOrder::NAME).limit(PAGE);
            filter.after = runs.last().map(|run| run.id);
            let mut page = dispatcher.list_runs(filter).await?;
            if page.is_empty() {
                break;
            }
            runs.append(&mut page);
        }
        loop {
            let mut filter = TaskFilter::new().limit(PAGE);
            filter.after = tasks.last().map(|task| task.id);
            let mut page = dispatcher.list(filter).await?;
            if page.is_empty() {
                break;
            }
            tasks.append(&mut page);
        }
        Ok(Self { runs, tasks })
    }

    pub fn unfinished(&self) -> usize {
        self.runs.iter().filter(|run| !run.state.is_terminal()).count()
    }

    pub fn table(&self) -> String {
        let (mut outcomes, mut states) = (BTreeMap::<&str, usize>::new(), BTreeMap::<TaskState, usize>::new());
        for run in &self.runs {
            *outcomes.entry(outcome(run)).or_default() += 1;
        }
        for task in &self.tasks {
            *states.entry(task.state).or_default() += 1;
        }
        let mut text = String::from("orders by outcome\n");
        for (outcome, count) in outcomes {
            let _ = writeln!(text, "  {outcome:<16}{count:>6}");
        }
        text.push_str("tasks by state\n");
        for (state, count) in states {
            let _ = writeln!(text, "  {state:<16}{count:>6}");
        }
        text
    }
}

/// The end of an order, in the words of the business.
fn outcome(run: &RunRecord) -> &'static str {
    let reason = run.failure.as_ref().map_or("", |failure| failure.message.as_str());
    match run.state {
        RunState::Succeeded => "delivered",
        RunState::Failed if reason.contains("out of stock") => "out of stock",
        RunState::Failed if reason.contains("declined") => "declined",
        RunState::Failed if reason.contains("stolen") => "fraud",
        RunState::Failed if reason.contains("rejected") => "invalid",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
        _ => "in progress",
    }
}

/// What must have become of an order: its outcome, and the steps that ran, each once.
fn expected(order: &PlaceOrder) -> (&'static str, &'static [&'static str]) {
    match order.card.get(..4) {
        _ if order.lines.is_empty() || !order.email.contains('@') => ("invalid", &["validate_order", "reject_order"]),
        Some("5000") => ("declined", &["validate_order", "charge_card", "reject_order"]),
        Some("6000") => ("fraud", &["validate_order", "charge_card", "flag_fraud"]),
        _ if order.lines.iter().any(|line| line.sku == "samovar") => {
            ("out of stock", &["validate_order", "charge_card", "reserve_stock", "refund_card", "reject_order"])
        }
        _ => (
            "delivered",
            &[
                "validate_order",
                "charge_card",
                "reserve_stock",
                "send_confirmation",
                "ship_order",
                "close_order",
                "notify_seller",
            ],
        ),
    }
}

/// Proves from the database that every order reached exactly one end, and that no continuation is missing or
/// doubled. Gives what is wrong, a line each.
pub async fn verify(dispatcher: &Dispatcher, orders: &[PlaceOrder]) -> Result<Vec<String>, StoreError> {
    let mut wrong: Vec<_> = dispatcher.verify().await?.iter().map(|violation| format!("store: {violation}")).collect();
    let snapshot = Snapshot::read(dispatcher).await?;
    let mut runs = BTreeMap::<&str, Vec<&RunRecord>>::new();
    for run in &snapshot.runs {
        runs.entry(run.key.as_deref().unwrap_or_default()).or_default().push(run);
    }
    let mut tasks = BTreeMap::<_, Vec<&TaskRecord>>::new();
    for task in &snapshot.tasks {
        tasks.entry(task.run).or_default().push(task);
    }
    for order in orders {
        let [run] = runs.remove(order.id.as_str()).unwrap_or_default()[..] else {
            wrong.push(format!("order {}: not exactly one run", order.id));
            continue;
        };
        let (end, steps) = expected(order);
        if outcome(run) != end {
            wrong.push(format!("order {}: {} instead of {end}", order.id, outcome(run)));
        }
        let tasks = tasks.remove(&Some(run.id)).unwrap_or_default();
        let ran: Vec<_> = tasks.iter().filter_map(|task| task.step.as_deref()).collect();
        let (expected, found): (BTreeSet<_>, BTreeSet<_>) =
            (steps.iter().copied().collect(), ran.iter().copied().collect());
        if ran.len() != steps.len() || expected != found {
            wrong.push(format!("order {}: the steps {ran:?} instead of {steps:?}", order.id));
        }
        for task in tasks.iter().filter(|task| !matches!(task.state, TaskState::Succeeded | TaskState::Failed)) {
            wrong.push(format!("order {}: {} is {}", order.id, task.name, task.state));
        }
    }
    wrong.extend(runs.keys().map(|key| format!("a run of an unknown order `{key}`")));
    wrong.extend(tasks.into_values().flatten().map(|task| format!("task {} belongs to no order", task.id)));
    Ok(wrong)
}
