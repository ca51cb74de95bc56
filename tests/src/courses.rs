//! The workflows, and which of them a lap takes.

use evertask::prelude::*;
use evertask::{DispatchError, Dispatcher, Handle, RunId, workflow};
use serde::{Deserialize, Serialize};

use crate::laps::{Fallen, FileAway, Lap, arm, cheer, faint, fall, hold, leg, nap, postcard, stumble};

workflow! {
    /// Branches, a guard, a pause, every way to fail and go on, and an output.
    #[workflow(version = 1, timeout = "1h")]
    pub Course<Lap -> Lap> {
        start = leg { on_ok => [stumble, fall, nap] }
        stumble {
            on_ok(lap) if lap.nth.is_multiple_of(2) => even { lap } after "20ms",
            on_ok                          => odd,
        }
        even = leg { on_ok => cheer }
        odd  = leg { on_ok => cheer after "20ms" }
        cheer { on_ok => finish }
        finish = leg { on_ok => done }
        fall {
            on_ok                        => end,
            on_err(Fallen::Hard { lap }) => get_up { lap },
        }
        get_up = leg { on_ok => end }
        nap { on_ok => faint }
        faint {
            on_ok         => end,
            on_failure(f) => come_to { lap: f.payload.lap },
        }
        come_to = leg { on_ok => end }
    }
}

workflow! {
    /// Ends in a failure that the workflow declares.
    #[workflow(timeout = "1h")]
    pub Detour<Lap> {
        depart = leg { on_ok => stumble }
        stumble { on_ok => refuse }
        refuse = leg { on_ok(lap) => fail(format!("lap {} is refused", lap.nth)) }
    }
}

workflow! {
    /// Is cancelled while it runs, by a task that its first step dispatches, and clears up.
    #[workflow(timeout = "1h")]
    pub Stopped<Lap -> Lap> {
        arm { on_ok => hold }
        hold {
            on_ok        => done,
            on_cancel(f) => clear_up { lap: f.payload.lap },
        }
        clear_up = leg { on_ok => done }
    }
}

workflow! {
    /// Takes too long.
    #[workflow(timeout = "60ms")]
    pub Overdue<Lap -> Lap> {
        hold { on_ok => done }
    }
}

workflow! {
    /// Waits until somebody rings.
    #[workflow(timeout = "1h")]
    pub Guided<Lap -> Lap> {
        leg { on_ok => bell }
        wait bell<Lap> { on_ok => done }
    }
}

/// Takes a lap along the standing chain of a postcard, and files it when all of that is done.
#[workflow(start(unload) => postcard { lap: unload.lap }, on_ok(unload) => FileAway { lap: unload.lap })]
#[derive(Debug, Serialize, Deserialize)]
pub struct Unload {
    /// Its lap.
    pub lap: Lap,
}

/// After so many laps the courses repeat.
pub const KINDS: u32 = 8;

/// The key, and the correlation id, of a lap.
pub fn key(nth: u32) -> String {
    format!("lap-{nth}")
}

/// Dispatches a lap on its course. The same lap again finds the run that it has.
pub async fn dispatch(dispatcher: &Dispatcher, lap: Lap) -> Result<RunId, DispatchError> {
    match lap.nth % KINDS {
        0..4 => with_key(dispatcher, lap.nth, Course(lap)).await,
        4 => with_key(dispatcher, lap.nth, Detour(lap)).await,
        5 => with_key(dispatcher, lap.nth, Stopped(lap)).await,
        6 => with_key(dispatcher, lap.nth, Unload { lap }).await,
        _ => with_key(dispatcher, lap.nth, Overdue(lap)).await,
    }
}

async fn with_key<W: Workflow>(dispatcher: &Dispatcher, nth: u32, work: W) -> Result<RunId, DispatchError> {
    let handle: Handle<W> = dispatcher.dispatch(work.key(key(nth)).correlation_id(key(nth))).await?;
    Ok(handle.id())
}
