//! `rate_limit("100/s", key = tenant, burst = 10)` and `concurrency(1, key = account)`.

use syn::{Expr, LitInt, LitStr};

use crate::errors::Errors;
use crate::messages;
use crate::options::{Given, first};

/// How many may start in a time; that the text is a rate is for the compiler to say.
#[derive(Debug)]
pub(crate) struct RateLimit {
    pub(crate) rate: LitStr,
    pub(crate) burst: Option<u32>,
    pub(crate) key: Option<Expr>,
}

/// How many may run at once.
#[derive(Debug)]
pub(crate) struct Concurrency {
    pub(crate) most: u32,
    pub(crate) key: Option<Expr>,
}

const RATE: &str = "rate_limit(\"100/s\", key = tenant, burst = 10)";
const CONCURRENCY: &str = "concurrency(1, key = account)";

pub(super) fn rate_limit(given: &Given, errors: &mut Errors) -> Option<RateLimit> {
    let (rate, options) = first::<LitStr>(given, RATE, messages::RATE_FIRST, errors)?;
    let (mut burst, mut key) = (None, None);
    for option in options {
        match option.name.to_string().as_str() {
            "burst" => burst = at_least_one(&option, "burst = 10", errors),
            "key" => key = self::key(&option, errors),
            unknown => errors.at(&option.name, messages::unknown_part("rate_limit", unknown, &["key", "burst"])),
        }
    }
    Some(RateLimit { rate, burst, key })
}

pub(super) fn concurrency(given: &Given, errors: &mut Errors) -> Option<Concurrency> {
    let (most, options) = first::<LitInt>(given, CONCURRENCY, messages::CONCURRENCY_FIRST, errors)?;
    let mut key = None;
    for option in options {
        match option.name.to_string().as_str() {
            "key" => key = self::key(&option, errors),
            unknown => errors.at(&option.name, messages::unknown_part("concurrency", unknown, &["key"])),
        }
    }
    let number = most.base10_parse().ok().filter(|most| *most > 0);
    if number.is_none() {
        errors.at(&most, messages::CONCURRENCY_FIRST);
    }
    Some(Concurrency { most: number?, key })
}

fn key(option: &Given, errors: &mut Errors) -> Option<Expr> {
    option.expression("a value of the payload", "key = tenant", errors).cloned()
}

fn at_least_one(option: &Given, example: &str, errors: &mut Errors) -> Option<u32> {
    let wanted = "a whole number from 1";
    let number: u32 = option.number(wanted, example, errors)?;
    if number == 0 {
        errors.at(&option.name, messages::wrong_value(&option.name.to_string(), wanted, example));
    }
    (number > 0).then_some(number)
}
