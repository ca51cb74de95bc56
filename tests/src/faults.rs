//! Tasks that do their process harm, and those that are there when it happens.

use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;

use crate::laps::Track;
use crate::witness::Word;

/// Aborts its process, each time.
#[task]
pub async fn poison(track: &Track, cx: &Context) -> Result<(), Infallible> {
    track.witness.say(Word::Begin, cx);
    std::process::abort()
}

/// Works for so long, and succeeds; it looks at no token.
#[task(retry(times = 3, backoff = fixed("5ms")))]
pub async fn work(millis: u64, track: &Track, cx: &Context) -> Result<u32, Infallible> {
    track.witness.say(Word::Begin, cx);
    tokio::time::sleep(Duration::from_millis(millis)).await;
    track.witness.say(Word::End, cx);
    Ok(std::process::id())
}

/// The same on a thread of its own.
#[task(retry(times = 3, backoff = fixed("5ms")))]
pub fn work_blocking(millis: u64, track: &Track, cx: &Context) -> Result<u32, Infallible> {
    track.witness.say(Word::Begin, cx);
    std::thread::sleep(Duration::from_millis(millis));
    track.witness.say(Word::End, cx);
    Ok(std::process::id())
}
