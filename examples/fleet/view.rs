//! Who does what: a picture that is drawn again and again on a terminal, and a line now and then in a pipe.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use evertask::store::{StoreError, TaskFilter, TaskState};
use evertask::{Dispatcher, Work};

use crate::crew::Crew;
use crate::order::Deliver;
use crate::proof::runs;

/// How often there is a line in a pipe.
const LINE: Duration = Duration::from_secs(1);
/// How wide the bar is.
const BAR: usize = 50;

/// What the database says at a moment.
pub struct Scene {
    /// The process that has a task, and the task.
    running: Vec<(u32, String)>,
    /// Tasks that nobody has yet.
    ready: usize,
    pub ended: usize,
    orders: usize,
}

impl Scene {
    pub async fn read(dispatcher: &Dispatcher, orders: u32) -> Result<Self, StoreError> {
        let tasks = dispatcher.list(TaskFilter::new().state(TaskState::Ready).state(TaskState::Running)).await?;
        let workers = dispatcher.store().workers().await?;
        let mut running = Vec::new();
        for task in &tasks {
            // A worker is listed with its place: `process 7`.
            let worker = workers.iter().find(|worker| Some(worker.id) == task.worker);
            let process = worker.and_then(|worker| worker.place.rsplit(' ').next()?.parse().ok());
            let order = task.correlation.as_deref().unwrap_or_default().trim_start_matches("order ");
            running.extend(process.map(|process| (process, format!("{} {order}", task.name))));
        }
        let ready = tasks.iter().filter(|task| task.state == TaskState::Ready).count();
        let ended = runs(dispatcher, Deliver::NAME).await?.iter().filter(|run| run.state.is_terminal()).count();
        Ok(Self { running, ready, ended, orders: orders as usize })
    }

    pub fn tasks_of(&self, process: u32) -> Vec<&str> {
        self.running.iter().filter(|(of, _)| *of == process).map(|(_, task)| task.as_str()).collect()
    }
}

pub struct View {
    begun: Instant,
    on_terminal: bool,
    /// So many lines are drawn anew the next time.
    drawn: usize,
    last_line: Option<Instant>,
}

impl View {
    pub fn new() -> Self {
        Self { begun: Instant::now(), on_terminal: std::io::stdout().is_terminal(), drawn: 0, last_line: None }
    }

    /// Something has happened.
    pub fn say(&mut self, what: &str) {
        self.clear();
        println!("{:>5.1} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    pub fn show(&mut self, crew: &Crew, scene: &Scene) {
        let mut lines = lines(crew, scene);
        if self.on_terminal {
            let done = scene.ended * BAR / scene.orders.max(1);
            lines.push(format!("{}{}", "#".repeat(done), ".".repeat(BAR - done)));
            self.clear();
            self.drawn = lines.len();
            // What is too long is cut off, and takes no second line.
            println!("\x1b[?7l{}\x1b[?7h", lines.join("\n"));
        } else if self.last_line.is_none_or(|last| last.elapsed() >= LINE) {
            self.last_line = Some(Instant::now());
            self.say(&lines.join(" | "));
        }
    }

    fn clear(&mut self) {
        for _ in 0..std::mem::take(&mut self.drawn) {
            // A line up, and away with it.
            print!("\x1b[1A\x1b[2K");
        }
    }
}

/// A line for each worker, one for what the dead still have, and one for the orders.
fn lines(crew: &Crew, scene: &Scene) -> Vec<String> {
    let mut lines = Vec::new();
    for member in &crew.members {
        let does = member.id().map_or("dead".to_owned(), |id| scene.tasks_of(id).join(", "));
        lines.push(format!("{:<4} {}", member.name, if does.is_empty() { "-" } else { &does }));
    }
    let of_dead = scene.running.iter().filter(|(of, _)| !crew.members.iter().any(|member| member.id() == Some(*of)));
    let of_dead: Vec<_> = of_dead.map(|(_, task)| task.as_str()).collect();
    if !of_dead.is_empty() {
        lines.push(format!("lost until the lease is over: {}", of_dead.join(", ")));
    }
    lines.push(format!("{} of {} orders have ended, {} tasks wait", scene.ended, scene.orders, scene.ready));
    lines
}
