//! Five schedules that beat once a second, each with another policy for the beats that nobody was there to start, and
//! the proof of what was made of them: each turn is compared with the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;

use evertask::prelude::*;
use evertask::store::{ScheduleRecord, TaskRecord, TaskState};
use evertask::{Dispatcher, Misfire, Schedule, SchedulingError, Timestamp, cron, every};

/// One beat. It gives its slot.
#[task]
pub async fn beat(of: String, cx: &Context) -> Result<Option<i64>, Infallible> {
    drop(of);
    Ok(cx.occurrence().map(Timestamp::as_millis))
}

/// The schedules, by id.
pub fn schedules() -> [(&'static str, Schedule); 5] {
    let second = "* * * * * *";
    [
        ("all", every("1s").grace("0s").misfire(Misfire::CatchUp { most: 1_000 }).build()),
        ("two", every("1s").grace("0s").misfire(Misfire::CatchUp { most: 2 }).build()),
        ("once", cron(second).grace("0s").build()),
        ("skip", cron(second).grace("1500ms").misfire(Misfire::Skip).build()),
        ("berlin", cron(second).grace("700ms").in_zone("Europe/Berlin").except("2020-01-01").build()),
    ]
    .map(|(id, schedule)| (id, schedule.unwrap()))
}

/// Keeps them, as each program does that starts.
pub async fn keep(dispatcher: &Dispatcher) -> Result<(), SchedulingError> {
    for (id, schedule) in schedules() {
        dispatcher.schedule(id, schedule, beat { of: id.to_owned() }).await?;
    }
    Ok(())
}

/// What was made of one schedule.
#[derive(Debug, Default)]
pub struct Beats {
    /// Turns that started something.
    pub turns: usize,
    /// Slots that were started.
    pub fired: usize,
    /// Slots that were started later than the grace period.
    pub made_up_for: usize,
    /// Slots that were left out.
    pub skipped: u64,
    /// Slots that were started twice.
    pub doubled: usize,
    /// Everything that is not as the plan says.
    pub wrong: Vec<String>,
}

impl fmt::Display for Beats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, fired, made_up_for, skipped, doubled, .. } = self;
        write!(
            f,
            "{fired:>4} beats in {turns:>4} turns, {made_up_for:>3} of them late; {skipped:>3} left out; {doubled} doubled"
        )
    }
}

/// Goes through the tasks of a schedule turn by turn, from the slot at which it began.
pub fn replay(id: &str, schedule: &Schedule, began: Timestamp, record: &ScheduleRecord, tasks: &[TaskRecord]) -> Beats {
    let mut beats = Beats::default();
    // All that one turn starts is added at one time.
    let mut turns = BTreeMap::<Timestamp, Vec<Timestamp>>::new();
    let mut slots = BTreeSet::new();
    for task in tasks {
        let slot = task.output.as_ref().and_then(|output| serde_json::from_slice::<Option<i64>>(output).ok().flatten());
        let Some(slot) = slot.filter(|_| task.state == TaskState::Succeeded).map(Timestamp::from_millis) else {
            beats.wrong.push(format!("{id}: the task {} is {} and gives no slot", task.id, task.state));
            continue;
        };
        if !slots.insert(slot) {
            beats.doubled += 1;
            beats.wrong.push(format!("{id}: the slot {} was started twice", schedule.wall_clock(slot)));
        }
        turns.entry(task.created_at).or_default().push(slot);
    }
    let (mut cursor, mut ran) = (Some(began), 0);
    for (added, mut slots) in turns {
        slots.sort_unstable();
        beats.turns += 1;
        beats.fired += slots.len();
        beats.made_up_for += slots.iter().filter(|slot| slot.until(added) > schedule.grace()).count();
        let Some(from) = cursor else { break };
        // The turn was decided a moment before it was added: with the slots of then.
        let decided = decisions(schedule, added);
        let plan = decided
            .iter()
            .map(|now| schedule.plan(id, from, *now, ran))
            .find(|plan| plan.fire.iter().map(|slot| slot.slot).eq(slots.iter().copied()));
        let Some(plan) = plan else {
            let plan = schedule.plan(id, from, added, ran);
            beats.wrong.push(format!(
                "{id}: the turn of {} started {:?}, and not {:?}, from {}",
                schedule.wall_clock(added),
                slots.iter().map(|slot| slot.as_millis()).collect::<Vec<_>>(),
                plan.fire.iter().map(|slot| slot.slot.as_millis()).collect::<Vec<_>>(),
                from.as_millis(),
            ));
            break;
        };
        ran += slots.len() as u64;
        beats.skipped += plan.skipped;
        cursor = plan.next;
    }
    // Turns that started nothing, behind the last that did, have left out what they passed.
    let end = record.next.zip(cursor);
    let passed = end.map_or(0, |(end, from)| schedule.slots_after(before(from)).take_while(|slot| *slot < end).count());
    beats.skipped += passed as u64;
    if beats.wrong.is_empty() && (record.fired, record.skipped) != (ran, beats.skipped) {
        let (fired, skipped) = (record.fired, record.skipped);
        beats
            .wrong
            .push(format!("{id}: it says {fired} started and {skipped} left out, and not {ran} and {}", beats.skipped));
    }
    beats
}

/// When a turn that was added at this time may have been decided, with different outcomes: then, and just before each
/// time of the last seconds at which a slot comes, or is late.
fn decisions(schedule: &Schedule, added: Timestamp) -> Vec<Timestamp> {
    const SECOND: i64 = 1_000;
    /// A writer that waits for another process may need as long.
    const PATIENCE: i64 = 3;
    let grace = i64::try_from(schedule.grace().as_millis()).unwrap();
    let added = added.as_millis();
    let boundary = |offset: i64| added - (added - offset).rem_euclid(SECOND);
    let [came, late] = [0, grace].map(boundary);
    let earlier = (0..PATIENCE).flat_map(|back| [came - 1, late, late - 1].map(|now| now - back * SECOND));
    [added].into_iter().chain(earlier).map(Timestamp::from_millis).collect()
}

fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_millis(time.as_millis() - 1)
}
