//! What the options of a task say.

use proc_macro2::Span;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::{Expr, ExprCall, LitStr, Path, Token, Type};

use super::limits::{self, Concurrency, RateLimit};
use crate::arms::pattern;
use crate::errors::Errors;
use crate::messages;
use crate::options::{Among, Given, entries};
use crate::schedule::{self, Schedule};

/// What a task is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Function,
    Struct,
}

/// The options, read.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) was: Vec<LitStr>,
    pub(crate) queue: Option<LitStr>,
    pub(crate) priority: Option<i16>,
    pub(crate) timeout: Option<LitStr>,
    pub(crate) deadline: Option<LitStr>,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) retry: Option<Retry>,
    pub(crate) retry_if: Option<Expr>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) needs: Vec<Type>,
    pub(crate) derive: Vec<Path>,
    pub(crate) krate: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) times: u32,
    pub(crate) backoff: Backoff,
}

/// The pauses, as texts.
#[derive(Debug)]
pub(crate) enum Backoff {
    Fixed(LitStr),
    Linear(LitStr, LitStr),
    Exponential(LitStr, LitStr),
    /// One for each retry.
    List(Vec<LitStr>),
}

const RETRY_EXAMPLE: &str = "retry(times = 5, backoff = exponential(\"1s\", max = \"5m\"))";

/// As many as the runtime holds.
const MOST_PAUSES: usize = 16;

const KNOWN: [&str; 12] = [
    "name",
    "was",
    "queue",
    "priority",
    "timeout",
    "deadline",
    "retry",
    "retry_if",
    "rate_limit",
    "concurrency",
    "schedule",
    "crate",
];

/// Reads the options, each in its own way.
pub(crate) fn read(given: &[Given], on: On, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    for given in given {
        match given.name.to_string().as_str() {
            "name" => options.name = given.text("name = \"charge-card\"", errors),
            "was" => options.was = given.texts("was = \"charge\"", errors),
            "queue" => options.queue = given.text("queue = \"payments\"", errors),
            "priority" => {
                options.priority = given.number("a whole number from -32768 to 32767", "priority = -3", errors);
            }
            "timeout" => options.timeout = given.duration("timeout = \"30s\"", errors),
            "deadline" => options.deadline = given.duration("deadline = \"1h\"", errors),
            "rate_limit" => options.rate_limit = limits::rate_limit(given, errors),
            "concurrency" => options.concurrency = limits::concurrency(given, errors),
            "retry" => options.retry = retry(given, errors),
            "retry_if" => {
                let example = "retry_if = PaymentError::is_transient";
                options.retry_if = given.expression("a function of the error", example, errors).cloned();
            }
            "schedule" => options.schedule = schedule::read(given, errors),
            "crate" => options.krate = given.path("crate = my_jobs::evertask", errors),
            "needs" if on == On::Struct => options.needs = needs(given, errors),
            "needs" => errors.at(&given.name, messages::NEEDS_ON_A_FUNCTION),
            "derive" if on == On::Function => options.derive = derives(given, errors),
            "derive" => errors.at(&given.name, messages::DERIVE_ON_A_STRUCT),
            unknown => {
                let more = if on == On::Struct { "needs" } else { "derive" };
                let known: Vec<&str> = KNOWN.into_iter().chain([more]).collect();
                errors.at(&given.name, messages::unknown_option(unknown, &known));
            }
        }
    }
    options
}

fn needs(given: &Given, errors: &mut Errors) -> Vec<Type> {
    let Some(list) = given.list("needs(CardGateway, dyn Mailer)", errors) else { return Vec::new() };
    let parsed = Punctuated::<Type, Token![,]>::parse_terminated.parse2(list.clone());
    errors.take(parsed).map(|types| types.into_iter().collect()).unwrap_or_default()
}

fn derives(given: &Given, errors: &mut Errors) -> Vec<Path> {
    let Some(list) = given.list("derive(Debug, Clone)", errors) else { return Vec::new() };
    let paths = |input: syn::parse::ParseStream<'_>| {
        Punctuated::<Path, Token![,]>::parse_terminated_with(input, Path::parse_mod_style)
    };
    let parsed = paths.parse2(list.clone());
    errors.take(parsed).map(|paths| paths.into_iter().collect()).unwrap_or_default()
}

fn retry(given: &Given, errors: &mut Errors) -> Option<Retry> {
    let list = given.list(RETRY_EXAMPLE, errors)?.clone();
    let mut read = None;
    let parser = |input: syn::parse::ParseStream<'_>| {
        read = Some(entries(input, Among::Nothing, errors));
        Ok(())
    };
    let parsed = parser.parse2(list);
    errors.left_over(parsed);
    let (mut times, mut backoff, mut said, mut unknown) = (None, None, None, false);
    for option in read?.options {
        match option.name.to_string().as_str() {
            "times" => {
                times = option.number("a whole number", "times = 5", errors);
                said = Some(option.name);
            }
            "backoff" => backoff = Some(option.expression("a pause", "backoff = fixed(\"1s\")", errors).cloned()),
            word => {
                unknown = true;
                errors.at(&option.name, messages::unknown_retry_option(word));
            }
        }
    }
    let backoff = match backoff {
        None => Some(Backoff::Exponential(text("1s"), text("5m"))),
        Some(None) => None,
        Some(Some(value)) => self::backoff(&value, errors),
    };
    match (&backoff, &said) {
        (Some(Backoff::List(pauses)), None) => times = u32::try_from(pauses.len()).ok(),
        (Some(Backoff::List(_)), Some(word)) => errors.at(word, messages::LIST_SAYS_TIMES),
        (Some(_), None) if !unknown => errors.at(&given.name, messages::RETRY_NEEDS_TIMES),
        _ => {}
    }
    Some(Retry { times: times?, backoff: backoff? })
}

fn text(text: &str) -> LitStr {
    LitStr::new(text, Span::mixed_site())
}

/// `fixed("1s")`, `linear("1s", max = "1m")`, `exponential("1s", max = "5m")` or `list("1s", "10s", "1m")`.
fn backoff(value: &Expr, errors: &mut Errors) -> Option<Backoff> {
    let Expr::Call(call) = value else {
        errors.at(value, messages::BACKOFF_EXAMPLE);
        return None;
    };
    let kind = match call.func.as_ref() {
        Expr::Path(path) => path.path.get_ident().map(ToString::to_string).unwrap_or_default(),
        _ => String::new(),
    };
    if kind == "list" {
        return list(call, errors);
    }
    if !["fixed", "linear", "exponential"].contains(&kind.as_str()) {
        errors.at(&call.func, messages::unknown_backoff(&kind));
        return None;
    }
    let (mut first, mut max) = (None, None);
    for argument in &call.args {
        match argument {
            Expr::Assign(assign) if matches!(assign.left.as_ref(), Expr::Path(path) if path.path.is_ident("max")) => {
                match pattern::text(&assign.right) {
                    Some(text) if max.is_none() && kind != "fixed" => max = Some(text.clone()),
                    Some(_) if kind == "fixed" => {
                        errors.at(&assign.left, messages::FIXED_HAS_NO_MAX);
                        return None;
                    }
                    Some(_) => {
                        errors.at(&assign.left, messages::duplicate_option("max"));
                        return None;
                    }
                    None => {
                        errors.at(&assign.right, messages::NOT_A_DURATION);
                        return None;
                    }
                }
            }
            _ => match pattern::text(argument) {
                Some(text) if first.is_none() => first = Some(text.clone()),
                _ => {
                    errors.at(argument, messages::BACKOFF_EXAMPLE);
                    return None;
                }
            },
        }
    }
    match (kind.as_str(), first, max) {
        ("fixed", Some(first), _) => Some(Backoff::Fixed(first)),
        ("linear", Some(first), Some(max)) => Some(Backoff::Linear(first, max)),
        ("exponential", Some(first), Some(max)) => Some(Backoff::Exponential(first, max)),
        _ => {
            errors.at(value, messages::BACKOFF_EXAMPLE);
            None
        }
    }
}

/// One pause for each retry.
fn list(call: &ExprCall, errors: &mut Errors) -> Option<Backoff> {
    let mut pauses = Vec::new();
    for argument in &call.args {
        let Some(text) = pattern::text(argument) else {
            errors.at(argument, messages::NOT_A_DURATION);
            return None;
        };
        if pauses.len() == MOST_PAUSES {
            errors.at(text, messages::too_many_pauses(MOST_PAUSES));
            return None;
        }
        pauses.push(text.clone());
    }
    if pauses.is_empty() {
        errors.at(call, messages::EMPTY_LIST_OF_PAUSES);
        return None;
    }
    Some(Backoff::List(pauses))
}
