//! Reads options, `key = value` and `key(..)`, among which arms may stand.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseBuffer, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, Lit, LitInt, LitStr, Path, Token, UnOp, token};

use crate::arms::parse::{Place, arm, arm_of, begins_arm, skip_to_comma};
use crate::arms::{Arm, Outcome, pattern};
use crate::errors::Errors;
use crate::messages;

/// One option as it is written.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// `key`.
    Flag,
    /// `key = value`.
    Is(Expr),
    /// `key(..)`.
    List(TokenStream),
}

/// All that stands in the parentheses of an attribute.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) options: Vec<Given>,
    pub(crate) arms: Vec<Arm<Path>>,
    /// `start => ..`, of a workflow.
    pub(crate) starts: Vec<Arm<Path>>,
}

/// What may stand among the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    Arms,
    ArmsAndStart,
    Nothing,
}

/// Reads the options, and reports those that are given twice.
pub(crate) fn entries(input: ParseStream<'_>, among: Among, errors: &mut Errors) -> Entries {
    let mut entries = Entries::default();
    while !input.is_empty() {
        let read = entry(input, among, &mut entries);
        if errors.take(read).is_some() && (input.is_empty() || errors.take(input.parse::<Token![,]>()).is_some()) {
            continue;
        }
        skip_to_comma(input);
    }
    let mut seen: Vec<String> = Vec::new();
    entries.options.retain(|given| {
        let name = given.name.to_string();
        let twice = seen.contains(&name);
        if twice {
            errors.at(&given.name, messages::duplicate_option(&name));
        }
        seen.push(name);
        !twice
    });
    entries
}

fn entry(input: ParseStream<'_>, among: Among, entries: &mut Entries) -> syn::Result<()> {
    let ahead = input.fork();
    let is_start = among == Among::ArmsAndStart && ahead.call(Ident::parse_any).is_ok_and(|word| word == "start");
    if is_start && !ahead.peek(Token![=]) | ahead.peek(Token![=>]) {
        let word = input.call(Ident::parse_any)?;
        entries.starts.push(arm_of(input, word, Outcome::Ok, Place::Standing)?);
    } else if among != Among::Nothing && begins_arm(input) {
        entries.arms.push(arm(input, Place::Standing)?);
    } else {
        entries.options.push(option(input)?);
    }
    Ok(())
}

fn option(input: ParseStream<'_>) -> syn::Result<Given> {
    let name = input.call(Ident::parse_any).map_err(|error| syn::Error::new(error.span(), messages::OPTION))?;
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), messages::option_without_value(&name.to_string())));
        }
        Value::Is(input.parse()?)
    } else if input.peek(token::Paren) {
        let inner: ParseBuffer<'_>;
        syn::parenthesized!(inner in input);
        Value::List(inner.parse()?)
    } else {
        Value::Flag
    };
    Ok(Given { name, value })
}

impl Given {
    /// A text that is not empty.
    pub(crate) fn text(&self, example: &str, errors: &mut Errors) -> Option<LitStr> {
        let text = self.expression("a text", example, errors).map(|value| (pattern::text(value), value));
        match text {
            Some((Some(text), _)) if text.value().trim().is_empty() => {
                errors.at(text, messages::empty_text(&self.name.to_string()));
                None
            }
            Some((Some(text), _)) => Some(text.clone()),
            Some((None, value)) => {
                errors.at(value, messages::wrong_value(&self.name.to_string(), "a text", example));
                None
            }
            None => None,
        }
    }

    /// A text, or several: `was = "old"`, `was("old", "older")`.
    pub(crate) fn texts(&self, example: &str, errors: &mut Errors) -> Vec<LitStr> {
        let Value::List(list) = &self.value else { return self.text(example, errors).into_iter().collect() };
        let parsed = Punctuated::<LitStr, Token![,]>::parse_terminated.parse2(list.clone());
        match parsed {
            Ok(texts) if !texts.is_empty() => texts.into_iter().collect(),
            _ => {
                errors.at(&self.name, messages::wrong_value(&self.name.to_string(), "a text", example));
                Vec::new()
            }
        }
    }

    /// A text; that it is a duration is for the compiler to say.
    pub(crate) fn duration(&self, example: &str, errors: &mut Errors) -> Option<LitStr> {
        let value = self.expression("a duration", example, errors)?;
        let text = pattern::text(value);
        if text.is_none() {
            errors.at(value, messages::NOT_A_DURATION);
        }
        text.cloned()
    }

    /// A whole number of the type `N`.
    pub(crate) fn number<N: std::str::FromStr>(&self, wanted: &str, example: &str, errors: &mut Errors) -> Option<N> {
        let value = self.expression(wanted, example, errors)?;
        let number = whole_number(value);
        if number.is_none() {
            errors.at(value, messages::wrong_value(&self.name.to_string(), wanted, example));
        }
        number
    }

    /// A path.
    pub(crate) fn path(&self, example: &str, errors: &mut Errors) -> Option<Path> {
        match self.expression("a path", example, errors)? {
            Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            other => {
                errors.at(other, messages::wrong_value(&self.name.to_string(), "a path", example));
                None
            }
        }
    }

    /// What stands behind the `=`.
    pub(crate) fn expression(&self, wanted: &str, example: &str, errors: &mut Errors) -> Option<&Expr> {
        match &self.value {
            Value::Is(value) => Some(value),
            Value::Flag | Value::List(_) => {
                errors.at(&self.name, messages::wrong_value(&self.name.to_string(), wanted, example));
                None
            }
        }
    }

    /// What stands in the parentheses.
    pub(crate) fn list(&self, example: &str, errors: &mut Errors) -> Option<&TokenStream> {
        match &self.value {
            Value::List(list) => Some(list),
            Value::Flag | Value::Is(_) => {
                errors.at(&self.name, messages::wrong_value(&self.name.to_string(), "a list", example));
                None
            }
        }
    }
}

/// What comes first in the list of an option, and the options behind it.
pub(crate) fn first<F: Parse>(
    given: &Given,
    example: &str,
    wanted: &str,
    errors: &mut Errors,
) -> Option<(F, Vec<Given>)> {
    let list = given.list(example, errors)?.clone();
    if list.is_empty() {
        errors.at(&given.name, wanted);
        return None;
    }
    let (mut first, mut options) = (None, Vec::new());
    let parser = |input: ParseStream<'_>| {
        first = Some(input.parse::<F>().map_err(|error| syn::Error::new(error.span(), wanted))?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
            options = entries(input, Among::Nothing, errors).options;
        }
        Ok(())
    };
    let parsed = parser.parse2(list);
    errors.take(parsed)?;
    Some((first?, options))
}

/// The number that a literal is, with its sign.
pub(crate) fn whole_number<N: std::str::FromStr>(value: &Expr) -> Option<N> {
    let digits = |lit: &LitInt| lit.suffix().is_empty().then(|| lit.base10_digits().to_owned());
    match value {
        Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => digits(number)?.parse().ok(),
        Expr::Unary(syn::ExprUnary { op: UnOp::Neg(_), expr, .. }) => match expr.as_ref() {
            Expr::Lit(syn::ExprLit { lit: Lit::Int(number), .. }) => format!("-{}", digits(number)?).parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
