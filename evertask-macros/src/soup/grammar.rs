//! A block made of bytes, by the grammar of the language: most are wrong in what they mean, not in how they are
//! written, so that the checks and the expansion are reached. The fuzzer includes this file, too.

use std::fmt::Write as _;

const STEPS: [&str; 8] = ["a", "b", "c", "d", "f", "g", "h", "r#type"];
const OUTCOMES: [&str; 8] = ["on_ok", "on_ok", "on_ok", "on_err", "on_failure", "on_timeout", "on_cancel", "undo"];
const PATTERNS: [&str; 8] = ["", "", "(x)", "(Some(x))", "(_)", "(E::V { x, .. })", "(x, In { y })", "(x @ 1..=3)"];
const WITHS: [&str; 6] = ["a(p)", "b(p)", "input(q)", "c(_), input(In { q })", "a(p), b(q)", "g(p)"];
const TIMES: [&str; 4] = ["\"1m\"", "\"2d\"", "x.pause()", "\"soon\""];
const SLIPS: [&str; 12] =
    [",", ";", "=>", "on_ok", "join", "each", "}", "{ }", "limit", "after", "#[step(was = \"a\")]", "wait w<u8>"];

/// Reads choices. When there are no bytes left, every choice is the first one.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn below(&mut self, limit: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % limit
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == odds - 1
    }

    fn of(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }
}

/// The text of a block.
pub(crate) fn block(bytes: &[u8]) -> String {
    let mut choices = Choices(bytes);
    let mut text = String::new();
    let steps = 1 + choices.below(STEPS.len());
    let promises = choices.of(&["In -> Out", "In", "In -> ()", "() -> Vec<u8>"]);
    let options = choices.of(&["", "#[workflow(version = 2)]", "#[workflow(timeout = \"1h\", name = \"w\")]"]);
    put(&mut text, format_args!("{options} pub W<{promises}> {{ "));
    for number in 0..steps {
        step(&mut choices, &mut text, number, steps);
    }
    for _ in 0..choices.below(3) {
        join(&mut choices, &mut text, steps);
    }
    text.push('}');
    text
}

fn step(choices: &mut Choices<'_>, text: &mut String, number: usize, steps: usize) {
    let name = if choices.one_in(32) { choices.of(&STEPS) } else { STEPS[number] };
    if choices.one_in(16) {
        put(text, format_args!("#[step(was = \"{}\")] ", choices.of(&["old", "older", "b"])));
    }
    match choices.below(8) {
        7 => put(text, format_args!("wait {name}<u8> ")),
        6 => put(text, format_args!("wait {name}<Vec<u8>> for {} ", choices.of(&TIMES))),
        5 => put(text, format_args!("{name} = m::{} ", choices.of(&STEPS))),
        _ => put(text, format_args!("{name} ")),
    }
    text.push_str("{ ");
    for _ in 0..choices.below(4) {
        arm(choices, text, number, steps);
    }
    text.push_str("} ");
}

fn arm(choices: &mut Choices<'_>, text: &mut String, from: usize, steps: usize) {
    put(text, format_args!("{}{} ", choices.of(&OUTCOMES), choices.of(&PATTERNS)));
    if choices.one_in(8) {
        text.push_str("if x > 3 ");
    }
    if choices.one_in(4) {
        put(text, format_args!("with {} ", choices.of(&WITHS)));
    }
    text.push_str("=> ");
    match choices.below(4) {
        0 | 1 => target(choices, text, from, steps),
        several => {
            text.push('[');
            for _ in 0..several {
                target(choices, text, from, steps);
                text.push_str(", ");
            }
            text.push(']');
        }
    }
    text.push_str(", ");
    if choices.one_in(32) {
        put(text, format_args!("{} ", choices.of(&SLIPS)));
    }
}

fn target(choices: &mut Choices<'_>, text: &mut String, from: usize, steps: usize) {
    // Most edges lead forward.
    let to = if choices.one_in(8) { choices.below(STEPS.len()) } else { (from + 1 + choices.below(3)) % (steps + 1) };
    let to = STEPS.get(to).unwrap_or(&STEPS[0]);
    match choices.below(12) {
        0..=3 => text.push_str(to),
        4 => put(text, format_args!("{to} {{ x }}")),
        5 => put(text, format_args!("{to}(x)")),
        6 => put(text, format_args!("each {to}(x)")),
        7 => put(text, format_args!("each {to} limit {}", 1 + choices.below(4))),
        8 => text.push_str(choices.of(&["done", "done(x)"])),
        9 => text.push_str(choices.of(&["fail(x)", "fail(\"no\")", "fail"])),
        10 => text.push_str("end"),
        _ => text.push_str("rollback"),
    }
    match choices.below(8) {
        6 => put(text, format_args!(" limit {}", choices.below(4))),
        7 => put(text, format_args!(" after {}", choices.of(&TIMES))),
        _ => {}
    }
}

fn join(choices: &mut Choices<'_>, text: &mut String, steps: usize) {
    text.push_str(choices.of(&["join (", "join all settled ("]));
    for _ in 0..=choices.below(3) {
        put(text, format_args!("{}{}, ", choices.of(&["", "", "each "]), STEPS[choices.below(steps)]));
    }
    put(text, format_args!(") => {}; ", choices.of(&STEPS)));
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = text.write_fmt(what);
}
