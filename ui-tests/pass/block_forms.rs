//! Every form of arm and target in a block.
#![deny(warnings, missing_docs)]

use std::convert::Infallible;

use evertask::{Failure, FailureReport, prelude::*, workflow};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Parsed {
    Number(u32),
    Pair { left: u32, right: u32 },
    Nothing,
}

use Parsed::Nothing;

#[derive(Debug, Clone, Serialize, Deserialize)]
enum ParseError {
    Empty,
    Odd(String),
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

#[task]
async fn parse(text: String) -> Result<Parsed, ParseError> {
    match text.as_str() {
        "" => Err(ParseError::Empty),
        "pair" => Ok(Parsed::Pair { left: 1, right: 2 }),
        "nothing" => Ok(Nothing),
        odd => odd.parse().map(Parsed::Number).map_err(|_| ParseError::Odd(text)),
    }
}

#[task]
async fn add(left: u32, right: u32) -> Result<u32, Infallible> {
    Ok(left + right)
}

#[task]
async fn tick() -> Result<(), Infallible> {
    Ok(())
}

#[task(derive(Clone))]
async fn report(failure: String) -> Result<(), Infallible> {
    println!("{failure}");
    Ok(())
}

impl From<FailureReport> for report {
    fn from(failure: FailureReport) -> Self {
        Self { failure: failure.to_string() }
    }
}

/// Made of one task's failure.
#[task]
#[derive(Serialize, Deserialize)]
struct ParseFailed {
    text: String,
}

impl From<Failure<parse>> for ParseFailed {
    fn from(failure: Failure<parse>) -> Self {
        Self { text: failure.payload.text }
    }
}

impl Handler for ParseFailed {
    type Output = ();
    type Error = Infallible;

    async fn run(self, _: &Context) -> Result<(), Infallible> {
        Ok(())
    }
}

workflow! {
    Calculate<String -> u32> {
        /// Reads it.
        parse {
            on_ok(Parsed::Number(number)) if number > 100 => done(100),
            on_ok(Parsed::Number(number), parse { text }) if text == "7" => [done(number), tick {}],
            on_ok(Parsed::Number(number)) => done,
            // Two names flow as a pair, none as `()`.
            on_ok(Parsed::Pair { left, right }) => add,
            on_ok(Nothing) => [tick, done(0)],
            on_err(ParseError::Odd(_), parse { text }) if text.len() > 3 => fail(text),
            on_timeout => report,
            on_err(ParseError::Empty) => [report { failure: "empty".to_owned() }, tick after "1s"] ,
            on_failure(f) if f.attempts > 3 => [report, ParseFailed],
            on_failure(Failure { payload, .. }) if payload.text.is_empty() => report(payload.text),
            on_err => [report, report_again, fail],
            on_cancel(f) => report,
        }
        // The output of `add` is the run's.
        add { on_failure(_) => rollback }
        report_again = report { on_ok => end }
        later = report {
            on_ok => add { left: 1, right: 1 },
        }
        tick { on_ok => [later { failure: String::new() } after "5m", add(1, 2)] }
    }
}

fn main() {
    let evertask::registry::Body::Block(steps) = Calculate::entry().body else { panic!("a block") };
    let edges: Vec<&str> = steps[0].edges.iter().map(|edge| edge.on).collect();
    assert_eq!(edges[1], r#"on_ok(Parsed::Number(number), parse { text }) if text == "7""#);
    assert_eq!(edges[4], "on_ok(Parsed::Pair { left, right })");
    assert!(steps[0].on_cancel && !steps[1].on_cancel);
    assert_eq!(steps.len(), 7);
}
