//! The proof, from the database alone: every order had exactly one end, and each of its steps ran to one end.

use std::collections::BTreeMap;
use std::error::Error;

use evertask::store::{RunFilter, RunRecord, RunState, StoreError, TaskFilter, TaskRecord, TaskState};
use evertask::{Dispatcher, Payload as _, Work};

use crate::order::{Deliver, Order};

/// So many are read at once.
const PAGE: u32 = 1_000;

/// Everything in the store.
pub struct Snapshot {
    pub runs: Vec<RunRecord>,
    tasks: Vec<TaskRecord>,
}

impl Snapshot {
    pub async fn read(dispatcher: &Dispatcher) -> Result<Self, StoreError> {
        let mut tasks = Vec::<TaskRecord>::new();
        loop {
            let mut filter = TaskFilter::new().limit(PAGE);
            filter.after = tasks.last().map(|task| task.id);
            let mut page = dispatcher.list(filter).await?;
            if page.is_empty() {
                return Ok(Self { runs: runs(dispatcher, Deliver::NAME).await?, tasks });
            }
            tasks.append(&mut page);
        }
    }
}

/// Every run of a workflow, page by page.
pub async fn runs(dispatcher: &Dispatcher, workflow: &str) -> Result<Vec<RunRecord>, StoreError> {
    let mut runs = Vec::<RunRecord>::new();
    loop {
        let mut filter = RunFilter::new().workflow(workflow).limit(PAGE);
        filter.after = runs.last().map(|run| run.id);
        let mut page = dispatcher.list_runs(filter).await?;
        if page.is_empty() {
            return Ok(runs);
        }
        runs.append(&mut page);
    }
}

/// Prints what is wrong, or that nothing is. Says whether all is well.
pub async fn tell(dispatcher: &Dispatcher, orders: u32, kills: u32) -> Result<bool, Box<dyn Error>> {
    let snapshot = Snapshot::read(dispatcher).await?;
    let mut wrong: Vec<_> = dispatcher.verify().await?.iter().map(|violation| format!("store: {violation}")).collect();
    wrong.extend(check(&snapshot, orders)?);
    if !wrong.is_empty() {
        wrong.iter().for_each(|line| println!("{line}"));
        println!("{} things are wrong", wrong.len());
        return Ok(false);
    }
    let delivered = snapshot.runs.iter().filter(|run| run.state == RunState::Succeeded).count();
    let repeated: u32 = snapshot.tasks.iter().map(|task| task.crashes).sum();
    println!(
        "{orders} orders, each with exactly one end: {delivered} delivered, {} declined",
        snapshot.runs.len() - delivered
    );
    println!(
        "{} tasks, none missing or doubled; {kills} kills interrupted {repeated} attempts, and each ran again",
        snapshot.tasks.len()
    );
    Ok(true)
}

/// What is wrong, a line each.
fn check(snapshot: &Snapshot, orders: u32) -> Result<Vec<String>, Box<dyn Error>> {
    let (mut wrong, mut ends) = (Vec::new(), BTreeMap::<u32, usize>::new());
    let mut tasks = BTreeMap::<_, Vec<&TaskRecord>>::new();
    for task in &snapshot.tasks {
        tasks.entry(task.run).or_default().push(task);
    }
    for run in &snapshot.runs {
        let order = Order::decode(&run.input)?;
        *ends.entry(order.number).or_default() += usize::from(run.state.is_terminal());
        let (end, steps) = if order.is_declined() {
            (RunState::Failed, &["charge"][..])
        } else {
            (RunState::Succeeded, &["charge", "invoice", "pack", "ship"][..])
        };
        if run.state != end {
            wrong.push(format!("order {}: {} instead of {end}", order.number, run.state));
        }
        let tasks = tasks.remove(&Some(run.id)).unwrap_or_default();
        let mut ran: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
        ran.sort_unstable();
        if ran != steps || tasks.iter().any(|task| task.state != TaskState::Succeeded) {
            wrong.push(format!("order {}: the steps {ran:?} instead of {steps:?}, or not all succeeded", order.number));
        }
    }
    if !ends.keys().copied().eq(1..=orders) || ends.values().any(|ends| *ends != 1) {
        wrong.push(format!("not each of {orders} orders has one end: {ends:?}"));
    }
    wrong.extend(tasks.into_values().flatten().map(|task| format!("task {} belongs to no order", task.id)));
    Ok(wrong)
}
