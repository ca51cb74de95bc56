//! Eight voices that join in one.

use std::convert::Infallible;
use std::time::Duration;

use evertask::prelude::*;
use evertask::workflow;

use crate::dice;

/// The longest that a voice sings, in milliseconds: those of one chorus end at about the same time.
const LONGEST: u64 = 3;

/// Gives its number, for everyone to sing.
#[task]
pub async fn intone(number: u64) -> Result<u64, Infallible> {
    Ok(number)
}

/// Sings, and gives its number.
#[task]
pub async fn sing(number: u64, voice: u64) -> Result<u64, Infallible> {
    tokio::time::sleep(Duration::from_millis(dice(number, voice) % (LONGEST + 1))).await;
    Ok(number + voice)
}

/// Adds the eight numbers.
#[task]
#[allow(clippy::too_many_arguments, clippy::many_single_char_names)]
pub async fn tutti(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64) -> Result<u64, Infallible> {
    Ok(a + b + c + d + e + f + g + h)
}

workflow! {
    /// A join of eight.
    pub Chorus<u64 -> u64> {
        intone {
            on_ok(n) => [
                first { number: n, voice: 1 }, second { number: n, voice: 2 }, third { number: n, voice: 3 },
                fourth { number: n, voice: 4 }, fifth { number: n, voice: 5 }, sixth { number: n, voice: 6 },
                seventh { number: n, voice: 7 }, eighth { number: n, voice: 8 },
            ],
        }
        first = sing {}
        second = sing {}
        third = sing {}
        fourth = sing {}
        fifth = sing {}
        sixth = sing {}
        seventh = sing {}
        eighth = sing {}
        join (first, second, third, fourth, fifth, sixth, seventh, eighth) => tutti;
        tutti {}
    }
}

/// What a chorus comes to.
pub const fn sum(number: u64) -> u64 {
    8 * number + 36
}
