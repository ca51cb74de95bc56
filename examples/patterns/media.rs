//! One task for each item, at most two at once, and one that gets all their outputs in the order of the items.
//!
//! ```text
//! probed holiday.mp4: 4 scenes
//! published holiday.mp4: beach@640, boat@640, dinner@640, sunset@640
//! at most 2 at once: true
//! ```

use std::convert::Infallible;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evertask::prelude::*;
use evertask::{Dispatcher, workflow};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Film {
    file: String,
    scenes: Vec<String>,
}

/// How many encoders run, and how many ran at once at most.
#[derive(Default)]
struct Encoders {
    running: AtomicUsize,
    most: AtomicUsize,
}

#[task]
async fn probe(film: Film) -> Result<Film, Infallible> {
    println!("probed {}: {} scenes", film.file, film.scenes.len());
    Ok(film)
}

#[task]
async fn encode(scene: String, encoders: &Encoders) -> Result<String, Infallible> {
    let running = encoders.running.fetch_add(1, Ordering::SeqCst) + 1;
    encoders.most.fetch_max(running, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(10)).await;
    encoders.running.fetch_sub(1, Ordering::SeqCst);
    Ok(format!("{scene}@640"))
}

#[task]
async fn publish(scenes: Vec<String>) -> Result<String, Infallible> {
    Ok(scenes.join(", "))
}

workflow! {
    /// Encodes the scenes of a film, and publishes them together.
    EncodeFilm<Film -> String> {
        probe { on_ok(film) => each encode(film.scenes) limit 2 }
        join (each encode) => publish;
        publish {
            on_ok(scenes) with input(film) => done(format!("published {}: {scenes}", film.file)),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let encoders = std::sync::Arc::new(Encoders::default());
    let dispatcher = Dispatcher::open("memory:").await?;
    let worker = dispatcher.worker().data_dyn(encoders.clone()).start().await?;
    let scenes = ["beach", "boat", "dinner", "sunset"].map(str::to_owned).to_vec();
    let film = Film { file: "holiday.mp4".into(), scenes };
    println!("{}", dispatcher.dispatch(EncodeFilm(film)).await?.wait().await?);
    println!("at most 2 at once: {}", encoders.most.load(Ordering::SeqCst) <= 2);
    worker.shutdown().await;
    Ok(())
}
