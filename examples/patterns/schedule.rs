//! Schedules beside what they start: the worker that starts keeps them, and starts each slot once, however many workers
//! there are. One is started by hand, too.
//!
//! ```text
//! beat: every 1s in UTC
//! tidy_up: 0 3 * * * in Europe/Berlin, except SUN; its next slot is at 03:00
//! beat 1, for a whole second
//! beat 2, for a whole second
//! `beat` is over: 2 started
//! beat 3, by hand
//! `beat` is over: 2 started
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};

use evertask::prelude::*;
use evertask::{Dispatcher, every};
use tokio::sync::mpsc;

/// Counts beats, and tells of each.
struct Beats {
    number: AtomicU32,
    heard: mpsc::UnboundedSender<()>,
}

#[task(schedule = every("1s").max_runs(2))]
async fn beat(beats: &Beats, cx: &Context) -> Result<(), Infallible> {
    let number = beats.number.fetch_add(1, Ordering::Relaxed) + 1;
    let of_the_schedule = number <= 2 && cx.occurrence().is_some_and(|slot| slot.as_millis() % 1_000 == 0);
    println!("beat {number}, {}", if of_the_schedule { "for a whole second" } else { "by hand" });
    // Nobody listens any more when the program ends.
    let _ = beats.heard.send(());
    Ok(())
}

#[task(schedule("0 3 * * *", zone = "Europe/Berlin", misfire = skip, except = "SUN"))]
async fn tidy_up() -> Result<(), Infallible> {
    Ok(())
}

async fn say(dispatcher: &Dispatcher) -> Result<(), Box<dyn Error>> {
    for record in dispatcher.schedules().await? {
        if record.next.is_none() {
            println!("`{}` is over: {} started", record.id, record.fired);
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dispatcher = Dispatcher::open("memory:").await?;
    let (heard, mut beats) = mpsc::unbounded_channel();
    let worker = dispatcher.worker().data(Beats { number: AtomicU32::new(0), heard }).start().await?;
    for record in dispatcher.schedules().await? {
        let schedule = record.schedule()?;
        match record.next.filter(|_| record.id == "tidy_up").map(|next| schedule.wall_clock(next)) {
            Some(next) => println!("{}: {schedule}; its next slot is at {}", record.id, &next[11..16]),
            None => println!("{}: every 1s in {}", record.id, schedule.zone()),
        }
    }
    for _ in 0..2 {
        beats.recv().await;
    }
    say(&dispatcher).await?;
    dispatcher.trigger("beat").await?;
    beats.recv().await;
    say(&dispatcher).await?;
    worker.shutdown().await;
    Ok(())
}
