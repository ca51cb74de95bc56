//! What is said of retries and limits.

use super::{did_you_mean, listed};

pub(crate) fn unknown_retry_option(word: &str) -> String {
    let known = ["times", "backoff"];
    let hint = did_you_mean(word, known).unwrap_or_else(|| format!("\nthe options are {}", listed(&known)));
    format!("unknown option `{word}` of `retry`{hint}")
}

pub(crate) const RETRY_NEEDS_TIMES: &str =
    "`retry` needs `times`, as in `retry(times = 5, backoff = exponential(\"1s\", max = \"5m\"))`";

pub(crate) const BACKOFF_EXAMPLE: &str = "a backoff is `fixed(\"1s\")`, `linear(\"1s\", max = \"1m\")`, `exponential(\"1s\", max = \"5m\")` or `list(\"1s\", \"10s\")`";

pub(crate) fn unknown_backoff(word: &str) -> String {
    let hint = did_you_mean(word, ["fixed", "linear", "exponential", "list"]).unwrap_or_default();
    format!("unknown backoff `{word}`{hint}\n{BACKOFF_EXAMPLE}")
}

pub(crate) const FIXED_HAS_NO_MAX: &str = "`fixed` has one pause and no `max`";

pub(crate) const LIST_SAYS_TIMES: &str =
    "a `list` has one pause for each retry, so it says how many; leave `times` out";

pub(crate) const EMPTY_LIST_OF_PAUSES: &str =
    "a list without pauses is no retry; leave `retry` out, or write `list(\"1s\", \"10s\")`";

pub(crate) fn too_many_pauses(most: usize) -> String {
    format!("a list has {most} pauses at most; `exponential(\"1s\", max = \"5m\")` has any number")
}

pub(crate) const RATE_FIRST: &str =
    "`rate_limit` begins with a rate, as in `rate_limit(\"100/s\")` or `rate_limit(\"5/m\", key = tenant, burst = 2)`";

pub(crate) const CONCURRENCY_FIRST: &str =
    "`concurrency` begins with a whole number from 1, as in `concurrency(5)` or `concurrency(1, key = account)`";

pub(crate) fn unknown_part(option: &str, word: &str, known: &[&str]) -> String {
    let hint = did_you_mean(word, known.iter().copied())
        .unwrap_or_else(|| format!("\nbehind the limit comes {}", listed(known)));
    format!("unknown option `{word}` of `{option}`{hint}")
}
