//! Which slots of a schedule are due, which of them run, and where it goes on.

use super::clock::Timestamp;
use super::spec::{Misfire, Schedule};

/// The most runs that one plan starts. Those that are left are in the next one, which is due at once.
pub const MOST_AT_ONCE: usize = 1_000;

/// What to do about a schedule now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The runs to start, the oldest first.
    pub fire: Vec<Slot>,
    /// The slot at which the schedule goes on: its new cursor. It is due already if there were more than
    /// [`MOST_AT_ONCE`]; `None` when the schedule is over.
    pub next: Option<Timestamp>,
    /// How many slots were due and don't run.
    pub skipped: u64,
}

/// One time of a schedule, and the run of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The time, which with the schedule's id identifies the run.
    pub slot: Timestamp,
    /// When the run may begin: the slot, and its jitter.
    pub run_at: Timestamp,
    /// The how-manieth run of the schedule it is, from 1 on.
    pub number: u64,
}

impl Schedule {
    /// What is due at `now`, of the schedule with this id, which goes on at the slot `cursor` and of which `ran` runs
    /// have been started.
    ///
    /// A slot that is later than the grace period was missed, and the misfire policy says what becomes of it; every
    /// other one that is due runs. The cursor only rises, so a clock that is put back fires nothing twice; how far a
    /// clock jumps ahead changes what is skipped, and hardly the work, which grows with the days and not with the slots.
    ///
    /// ```
    /// use evertask::{Misfire, Timestamp, every};
    ///
    /// let minutely = every("1m").misfire(Misfire::CatchUp { most: 2 }).build()?;
    /// let at = |minute: i64| Timestamp::from_millis(minute * 60_000);
    /// let plan = minutely.plan("heartbeat", at(1), at(10), 0);
    /// let fired: Vec<_> = plan.fire.iter().map(|slot| slot.slot).collect();
    ///
    /// // Up to 8 they are late. 7 and 8 are made up for, 9 and 10 are on time.
    /// assert_eq!(fired, [at(7), at(8), at(9), at(10)]);
    /// assert_eq!((plan.skipped, plan.next), (6, Some(at(11))));
    /// # Ok::<(), evertask::ScheduleError>(())
    /// ```
    pub fn plan(&self, id: &str, cursor: Timestamp, now: Timestamp, ran: u64) -> Plan {
        let left = self.max_runs().map_or(u64::MAX, |most| most.saturating_sub(ran));
        if left == 0 {
            return Plan { fire: Vec::new(), next: None, skipped: 0 };
        }
        let mut calendar = self.calendar();
        let grace = i64::try_from(self.grace().as_millis()).unwrap_or(i64::MAX);
        let due = now.as_millis().saturating_add(1);
        let late = now.as_millis().saturating_sub(grace).max(cursor.as_millis());
        let missed = self.count(&mut calendar, cursor.as_millis(), late);
        let kept = match self.misfire() {
            Misfire::Skip => 0,
            Misfire::Once => u64::from(self.count(&mut calendar, late, due) == 0),
            Misfire::CatchUp { most } => u64::from(most),
        };
        let skipped = missed.saturating_sub(kept);
        let begin = match kept.min(missed) {
            kept if kept == missed => cursor.as_millis(),
            0 => late,
            kept => self.last(kept, cursor.as_millis(), late),
        };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(MOST_AT_ONCE);
        let (mut fire, mut next) = (Vec::new(), self.first(&mut calendar, begin));
        while let Some(slot) = next.filter(|slot| *slot < due && fire.len() < most) {
            fire.push(self.run(id, Timestamp::from_millis(slot), ran.saturating_add(fire.len() as u64 + 1)));
            next = self.first(&mut calendar, slot.saturating_add(1));
        }
        let over = fire.len() as u64 == left;
        Plan { fire, next: next.filter(|_| !over).map(Timestamp::from_millis), skipped }
    }

    /// When the run of a slot may begin. The jitter follows from the schedule's id and the slot, so that it is the same
    /// wherever it is computed.
    pub fn run_at(&self, id: &str, slot: Timestamp) -> Timestamp {
        let most = u64::try_from(self.jitter().as_millis()).unwrap_or(u64::MAX);
        let seed = fnv(id.as_bytes()) ^ slot.as_millis().cast_unsigned();
        slot.plus(std::time::Duration::from_millis(spread(seed, most)))
    }

    fn run(&self, id: &str, slot: Timestamp, number: u64) -> Slot {
        Slot { slot, run_at: self.run_at(id, slot), number }
    }

    /// Where the last `number` slots of a stretch of time begin. It is found by halves.
    fn last(&self, number: u64, from: i64, to: i64) -> i64 {
        let mut calendar = self.calendar();
        let (mut low, mut high) = (from, to);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.count(&mut calendar, middle, to) >= number {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// A number from 0 to `most` that follows from the seed, each as likely as any other.
pub(super) fn spread(seed: u64, most: u64) -> u64 {
    // SplitMix64: every bit of the seed changes every bit of the number.
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    u64::try_from((u128::from(mixed) * (u128::from(most) + 1)) >> 64).unwrap_or(most)
}

/// FNV-1a, 64 bits.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
