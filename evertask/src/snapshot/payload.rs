//! What a changed payload does to those that are stored. The rules are serde's: a field that is missing is read where it
//! is an `Option` or has a default; one that nobody asks for is ignored, unless unknown fields are denied.

use super::changes::Of;
use super::shape::{Field, Stored};

/// Compares the payloads of one task or workflow.
pub(super) fn compare(of: &mut Of<'_>, old: &Stored, new: &Stored) {
    if old.fields.iter().chain(&new.fields).any(Field::has_number) {
        return by_place(of, old, new);
    }
    rules(of, "the payload", &old.serde, &new.serde);
    for field in &old.fields {
        match new.fields.iter().find(|later| later.reads(field)) {
            Some(later) => kept(of, field, later),
            None if says(&new.serde, "deny_unknown_fields") => of.breaks(
                format!("the field `{}` is gone, and unknown fields are denied", field.name),
                "a payload that is stored has it, and can't be read: its task is parked",
                ["take `deny_unknown_fields` away, or keep the field until none is left".to_owned()],
            ),
            None => of.harmless(
                format!("the field `{}` is gone", field.name),
                "what is stored has it, and it is ignored; a program before this one parks what is stored without it",
            ),
        }
    }
    for field in new.fields.iter().filter(|field| !old.fields.iter().any(|earlier| field.reads(earlier))) {
        added(of, old, new, field);
    }
}

fn kept(of: &mut Of<'_>, old: &Field, new: &Field) {
    let name = &new.name;
    if old.name != new.name {
        of.harmless(format!("the field `{}` is `{name}` now", old.name), "serde reads the old name");
    }
    retyped(of, &format!("the field `{name}`"), &old.of, &new.of);
    rules(of, &format!("the field `{name}`"), &old.serde, &new.serde);
}

fn added(of: &mut Of<'_>, old: &Stored, new: &Stored, field: &Field) {
    let name = &field.name;
    let is_defaulted = ["default", "skip", "skip_deserializing"].iter().any(|word| says(&field.serde, word));
    if is_option(&field.of) || is_defaulted || says(&new.serde, "default") {
        of.harmless(format!("the field `{name}` is new"), "what is stored has none, and is read without");
        return;
    }
    let gone = |earlier: &&Field| earlier.of == field.of && !new.fields.iter().any(|later| later.reads(earlier));
    let mut instead = vec![format!("make it an `Option<{}>`, or, on a struct, say `#[serde(default)]`", field.of)];
    if let Some(gone) = old.fields.iter().find(gone) {
        let alias =
            format!("if it is `{}` by a new name, say `#[serde(alias = \"{}\")]`, on a struct", gone.name, gone.name);
        instead.insert(0, alias);
    }
    let what = format!("the field `{name}` is new, and neither optional nor defaulted");
    of.breaks(what, "a payload that is stored has none, and can't be read: its task is parked", instead);
}

/// A tuple, which is stored as an array; or what is stored as its only field is.
fn by_place(of: &mut Of<'_>, old: &Stored, new: &Stored) {
    rules(of, "the payload", &old.serde, &new.serde);
    if let ([old], [new]) = (&*old.fields, &*new.fields)
        && old.has_number()
        && new.has_number()
    {
        retyped(of, "the payload", &old.of, &new.of);
        return rules(of, "the payload", &old.serde, &new.serde);
    }
    let [before, now] = [old, new].map(|stored| {
        let fields = stored
            .fields
            .iter()
            .map(|field| if field.has_number() { field.of.clone() } else { format!("{}: {}", field.name, field.of) });
        format!("({})", fields.collect::<Vec<_>>().join(", "))
    });
    if before != now {
        of.breaks(
            format!("the payload is `{now}`, and was `{before}`"),
            "a payload that is stored is an array of the other length or order: it can't be read, or is read wrongly",
            ["give the fields names: those can be added and taken away".to_owned()],
        );
    }
}

fn retyped(of: &mut Of<'_>, what: &str, old: &str, new: &str) {
    if old == new {
        return;
    }
    if is_option(new) && new.ends_with(&format!("<{old}>")) {
        of.harmless(format!("{what} is a `{new}`, and was a `{old}`"), "what is stored is read as `Some`");
        return;
    }
    of.breaks(
        format!("{what} is a `{new}`, and was a `{old}`"),
        format!("a payload that is stored is read as a `{new}`: where that fails, its task is parked; else it may mean something else"),
        ["accept it if it is the same type by another path, or one that reads all that the old one wrote".to_owned()],
    );
}

/// What `#[serde(..)]` says of how a thing is stored and read, apart from what makes it only more patient.
fn rules(of: &mut Of<'_>, what: &str, old: &str, new: &str) {
    const PATIENT: [&str; 6] = ["default", "alias", "deny_unknown_fields", "skip_serializing_if", "bound", "crate"];
    let strict = |said| {
        let mut rules: Vec<_> = items(said).filter(|item| !PATIENT.contains(&word(item))).collect();
        rules.sort_unstable();
        rules
    };
    if strict(old) != strict(new) {
        let shown = |said: &str| if said.is_empty() { "nothing".to_owned() } else { format!("`#[serde({said})]`") };
        of.breaks(
            format!("serde is told {} of {what}, and was told {}", shown(new), shown(old)),
            "a payload that is stored was written by the old rules, and may not be read by the new ones",
            ["accept it if they read all that the old ones wrote".to_owned()],
        );
    } else if old != new {
        let (new, old) = (if new.is_empty() { "nothing" } else { new }, if old.is_empty() { "nothing" } else { old });
        of.harmless(format!("serde is told `{new}` of {what}, and was told `{old}`"), "");
    }
}

impl Field {
    fn has_number(&self) -> bool {
        self.name.starts_with(|first: char| first.is_ascii_digit())
    }

    /// The name that it is stored under.
    fn key(&self) -> &str {
        values(&self.serde, "rename").next().unwrap_or(&self.name)
    }

    /// Whether it takes what was stored for that field.
    fn reads(&self, earlier: &Self) -> bool {
        self.key() == earlier.key() || values(&self.serde, "alias").any(|alias| alias == earlier.key())
    }
}

/// As it is written; a type alias of one is not seen.
fn is_option(of: &str) -> bool {
    ["Option<", "std::option::Option<", "core::option::Option<"]
        .iter()
        .any(|start| of.trim_start_matches("::").starts_with(start))
}

fn says(said: &str, what: &str) -> bool {
    items(said).any(|item| word(item) == what)
}

/// The texts of `what = ".."`.
fn values<'a>(said: &'a str, what: &'a str) -> impl Iterator<Item = &'a str> {
    items(said).filter(move |item| word(item) == what).filter_map(|item| {
        let (_, value) = item.split_once('=')?;
        value.trim().strip_prefix('"')?.strip_suffix('"')
    })
}

fn word(item: &str) -> &str {
    item.split(['=', '(', ' ']).next().unwrap_or_default()
}

/// The items of a list, by the commas that are not in texts or brackets.
fn items(said: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut in_text) = (0, false);
    let ends = move |character: char| {
        match character {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0 && !in_text
    };
    said.split(ends).map(str::trim).filter(|item| !item.is_empty())
}
