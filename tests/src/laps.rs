//! The tasks: each ends in its own way, the same way each time. A lap is what they pass on.

use std::convert::Infallible;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use evertask::prelude::*;
use evertask::store::{RunState, StoreError};
use evertask::{DispatchError, Dispatcher, RunId};
use serde::{Deserialize, Serialize};

use crate::dice;
use crate::witness::{Witness, Word};

/// The longest that a lap's handlers work in this process, in milliseconds.
pub static LONGEST: AtomicU64 = AtomicU64::new(30);

/// Where `stop_run` waits: what it stops may have every slot of the other queue.
pub const STOPS: &str = "stops";

type Result<T, E = Infallible> = std::result::Result<T, E>;

/// What goes round: its number says what becomes of it, its seed how long everything takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lap {
    /// Its number.
    pub nth: u32,
    /// Decides about times, never about ends.
    pub seed: u64,
}

/// What the worker's program gives its tasks.
#[derive(Debug)]
pub struct Track {
    /// Where handlers say what they do.
    pub witness: Witness,
    /// For the task that cancels another's run.
    pub dispatcher: Dispatcher,
    /// Whether `gate` lets through.
    pub gate_is_open: bool,
}

impl Track {
    /// Works for a while, between two lines of the witness.
    async fn work(&self, lap: &Lap, cx: &Context) {
        self.begin(cx);
        let throw = cx.name().bytes().fold(u64::from(lap.nth), |throw, byte| throw * 31 + u64::from(byte));
        let longest = LONGEST.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(dice(lap.seed, throw) % (longest + 1))).await;
        self.end(cx);
    }

    pub(crate) fn begin(&self, cx: &Context) {
        self.witness.say(Word::Begin, cx);
    }

    pub(crate) fn end(&self, cx: &Context) {
        self.witness.say(Word::End, cx);
    }
}

/// Succeeds.
#[task]
pub async fn leg(lap: Lap, track: &Track, cx: &Context) -> Result<Lap> {
    track.work(&lap, cx).await;
    Ok(lap)
}

/// Fails the first time.
#[task(retry(times = 3, backoff = fixed("5ms")))]
pub async fn stumble(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, String> {
    track.work(&lap, cx).await;
    if cx.attempt() == 1 { Err("stumbled".into()) } else { Ok(lap) }
}

/// Why `fall` fails.
#[derive(Debug, Serialize, Deserialize)]
pub enum Fallen {
    /// Each time.
    Hard {
        /// Passed on.
        lap: Lap,
    },
}

impl std::fmt::Display for Fallen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fell hard")
    }
}

/// Fails each time, with an error that is routed by its type.
#[task(retry(times = 1, backoff = fixed("5ms")))]
pub async fn fall(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, Fallen> {
    track.work(&lap, cx).await;
    Err(Fallen::Hard { lap })
}

const FAINTED: &str = "fainted";

/// Panics.
#[task]
pub async fn faint(lap: Lap, track: &Track, cx: &Context) -> Result<Lap> {
    track.work(&lap, cx).await;
    panic!("{FAINTED}")
}

/// Says nothing of the panics that belong to the laps.
pub fn faint_quietly() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let otherwise = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload_as_str() != Some(FAINTED) {
                otherwise(panic);
            }
        }));
    });
}

/// Puts itself off, once.
#[task]
pub async fn nap(lap: Lap, track: &Track, cx: &Context) -> Result<Lap> {
    track.work(&lap, cx).await;
    if track.witness.mark(cx.id()) { Ok(lap) } else { cx.reschedule("10ms").await }
}

/// Dispatches two tasks of its own.
#[task]
pub async fn cheer(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, DispatchError> {
    cx.dispatch(postcard { lap: lap.clone() })?;
    cx.dispatch(FileAway { lap: lap.clone() }.after("5ms"))?;
    track.work(&lap, cx).await;
    Ok(lap)
}

/// A standing chain: a postcard is stamped, and is filed or lost.
#[task(on_ok => stamp)]
pub async fn postcard(lap: Lap, track: &Track, cx: &Context) -> Result<Lap> {
    track.work(&lap, cx).await;
    Ok(lap)
}

/// The lap whose postcard has no stamp.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoStamp(pub Lap);

impl std::fmt::Display for NoStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no stamp")
    }
}

/// Every other stamp is missing.
#[task(on_ok(lap) => FileAway { lap }, on_err(NoStamp(lap)) => lose { lap })]
pub async fn stamp(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, NoStamp> {
    track.work(&lap, cx).await;
    if lap.nth.is_multiple_of(2) { Ok(lap) } else { Err(NoStamp(lap)) }
}

/// The end of a chain.
#[task(needs(Track))]
#[derive(Debug, Serialize, Deserialize)]
pub struct FileAway {
    /// Its lap.
    pub lap: Lap,
}

impl Handler for FileAway {
    type Output = ();
    type Error = Infallible;

    async fn run(self, cx: &Context) -> Result<()> {
        if let Some(track) = cx.data::<Track>() {
            track.work(&self.lap, cx).await;
        }
        Ok(())
    }
}

/// The other end of a chain.
#[task]
pub async fn lose(lap: Lap, track: &Track, cx: &Context) -> Result<()> {
    track.work(&lap, cx).await;
    Ok(())
}

/// Dispatches the task that will cancel this run.
#[task]
pub async fn arm(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, DispatchError> {
    track.work(&lap, cx).await;
    if let Some(run) = cx.run_id() {
        cx.dispatch(stop_run { run }.after("20ms"))?;
    }
    Ok(lap)
}

/// Cancels a run.
#[task(queue = "stops")]
pub async fn stop_run(run: RunId, track: &Track, cx: &Context) -> Result<(), StoreError> {
    track.begin(cx);
    // A second cancel would end what follows the first.
    if track.dispatcher.get_run(run).await?.is_some_and(|run| run.state == RunState::Running) {
        track.dispatcher.cancel(run).await?;
    }
    track.end(cx);
    Ok(())
}

/// Waits until it is cancelled.
#[task]
pub async fn hold(lap: Lap, track: &Track, cx: &Context) -> Result<Lap, Cancelled> {
    track.begin(cx);
    cx.cancelled().await;
    track.end(cx);
    let _ = lap;
    Err(Cancelled)
}

/// What `read_note` reads. An older program does not know the newer kind.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Note {
    /// 1, or 2 for the newer kind.
    pub format: u32,
}

/// Whether this process decodes newer notes: a stand-in for a program of another version.
pub static READS_NEW_NOTES: AtomicBool = AtomicBool::new(true);

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Stored {
            format: u32,
        }
        let Stored { format } = Stored::deserialize(from)?;
        if format > 1 && !READS_NEW_NOTES.load(Ordering::Relaxed) {
            return Err(serde::de::Error::custom("a newer kind of note"));
        }
        Ok(Self { format })
    }
}

/// Reads a note, if this program can.
#[task]
pub async fn read_note(note: Note, track: &Track, cx: &Context) -> Result<u32> {
    track.begin(cx);
    track.end(cx);
    Ok(note.format)
}

/// Lets through where the program says so, and else stays, whatever it is told. It gives the process.
#[task(retry(times = 2, backoff = fixed("5ms")))]
pub async fn gate(nth: u32, track: &Track, cx: &Context) -> Result<u32> {
    track.begin(cx);
    let _ = nth;
    if !track.gate_is_open {
        cx.cancelled().await;
        track.witness.say(Word::Told, cx);
        return std::future::pending().await;
    }
    track.end(cx);
    Ok(std::process::id())
}

/// Blocks its thread for a while, on purpose where others run, and gives the process.
#[task]
#[allow(clippy::unused_async)]
pub async fn block(millis: u64, track: &Track, cx: &Context) -> Result<u32> {
    track.begin(cx);
    std::thread::sleep(Duration::from_millis(millis));
    track.end(cx);
    Ok(std::process::id())
}
