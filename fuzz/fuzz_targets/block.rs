//! Whatever `workflow!` is given, it answers with items or with mistakes: it never panics, and what it makes parses.
//!
//! A macro crate can't be linked as a library, so that its modules are included here. The first byte says how the
//! rest is read: as text, as the words of the language in any order, or as a block by its grammar.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;
use words::WORDS;

#[path = "../../evertask-macros/src/arms/mod.rs"]
mod arms;
#[path = "../../evertask-macros/src/errors.rs"]
mod errors;
#[path = "../../evertask-macros/src/fallback.rs"]
mod fallback;
#[path = "../../evertask-macros/src/soup/grammar.rs"]
mod grammar;
#[path = "../../evertask-macros/src/graph/mod.rs"]
mod graph;
#[path = "../../evertask-macros/src/krate.rs"]
mod krate;
#[path = "../../evertask-macros/src/messages/mod.rs"]
mod messages;
#[path = "../../evertask-macros/src/names.rs"]
mod names;
#[path = "../../evertask-macros/src/options.rs"]
mod options;
#[path = "../../evertask-macros/src/schedule.rs"]
mod schedule;
#[path = "../../evertask-macros/src/suggest.rs"]
mod suggest;
#[path = "../../evertask-macros/src/task/mod.rs"]
mod task;
#[path = "../../evertask-macros/src/soup/words.rs"]
mod words;
#[path = "../../evertask-macros/src/workflow/mod.rs"]
mod workflow;

/// What opens or closes a group.
const BRACKETS: [&str; 10] =
    ["{", "}", "(", ")", "[", "]", "a {", "join all settled (", "wait w<u8> {", "pub W<A -> B> {"];

/// Words, where each group that was opened is closed.
fn words(bytes: &[u8]) -> String {
    let (mut text, mut open) = (String::from("pub W<In -> Out> {"), vec!['}']);
    for byte in bytes {
        let number = usize::from(*byte) % (WORDS.len() + BRACKETS.len());
        let word = WORDS.get(number).unwrap_or_else(|| &BRACKETS[number - WORDS.len()]);
        for letter in word.chars() {
            match letter {
                '{' => open.push('}'),
                '(' => open.push(')'),
                '[' => open.push(']'),
                '}' | ')' | ']' => match open.pop() {
                    Some(close) if close != letter => text.push(close),
                    Some(_) => {}
                    None => continue,
                },
                _ => {}
            }
            text.push(letter);
        }
        text.push(' ');
    }
    text.extend(open.iter().rev());
    text
}

fuzz_target!(|data: &[u8]| {
    // Every text that was read is kept for its spans, which nobody asks for any more.
    proc_macro2::extra::invalidate_current_thread_spans();
    let Some((kind, rest)) = data.split_first() else { return };
    let text = match kind % 4 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => words(rest),
        _ => grammar::block(rest),
    };
    let Ok(tokens) = text.parse::<TokenStream>() else { return };
    let expanded = workflow::block(tokens.clone());
    // What is made of a block by its grammar parses; types that are half types (`u6+`) are given back as they are.
    if kind % 4 > 1 {
        let parsed = syn::parse2::<syn::File>(expanded);
        assert!(parsed.is_ok(), "what it makes of this does not parse: {text}");
    }
    drop(task::task(tokens.clone(), &tokens));
    drop(workflow::attribute(tokens.clone(), &tokens));
});
