//! What steps say: every output is a text that holds all that led to it, so that two runs that took other ways
//! do not come to the same.

use crate::graph::Kind;
use crate::plan::{Ending, Outcome};

/// The longest text; what is longer is said by its hash.
const LONGEST: usize = 120;

pub(crate) const STEP_NAMES: [&str; crate::graph::STEPS] = [
    "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17",
    "s18", "s19", "s20", "s21", "s22", "s23",
];
pub(crate) const FLOW_NAMES: [&str; crate::graph::FLOWS] = ["flow0", "flow1", "flow2"];

/// What a panic of a task begins with.
pub(crate) const PANICS: &str = "panic of ";

pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn short(text: String) -> String {
    if text.len() > LONGEST { format!("#{:x}", hash(&text)) } else { text }
}

/// The output of a step.
pub(crate) fn output(step: usize, variant: u8, input: &str) -> String {
    short(format!("{}.{variant}({input})", STEP_NAMES[step]))
}

/// What flows from a step that failed.
pub(crate) fn failed(step: usize, input: &str) -> String {
    short(format!("!{}({input})", STEP_NAMES[step]))
}

/// What flows along an arm that asks for an earlier output.
pub(crate) fn with(text: &str, earlier: &str) -> String {
    short(format!("{text}+{:x}", hash(earlier) % 0x10000))
}

/// What the step that follows a join is given.
pub(crate) fn joined(members: &[String]) -> String {
    short(format!("join({})", members.join(";")))
}

/// What a run within a run gave.
pub(crate) fn of_run(output: Option<&str>) -> &str {
    output.unwrap_or("nothing")
}

/// The value that a step waits for.
pub(crate) fn signal(step: usize) -> String {
    format!("signal of {}", STEP_NAMES[step])
}

/// How the attempts of a task end that is given this: so many fail, and then, if that was not the last one, it ends
/// like that.
pub(crate) fn outcome(kind: &Kind, input: &str) -> Outcome {
    let Kind::Task { outcomes, .. } = kind else { return Outcome { stumbles: 0, end: Ending::Ok(0) } };
    outcomes[usize::try_from(hash(input) % outcomes.len() as u64).unwrap_or(0)]
}

pub(crate) fn error(step: usize) -> String {
    format!("error of {}", STEP_NAMES[step])
}

pub(crate) fn stumble(step: usize) -> String {
    format!("stumble of {}", STEP_NAMES[step])
}

pub(crate) fn panic(step: usize) -> String {
    format!("{PANICS}{}", STEP_NAMES[step])
}

/// Why a run fails whose workflow says so.
pub(crate) fn declared(step: usize) -> String {
    format!("declared by {}", STEP_NAMES[step])
}
