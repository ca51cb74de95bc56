//! What a block becomes: its author's tokens are in it, where they were written, whatever is wrong with the block.

use std::collections::HashSet;
use std::fmt::Write as _;

use proc_macro2::{LineColumn, TokenStream, TokenTree};

use super::tokens;
use crate::workflow::block;

const BLOCK: &str = "pub Review<Draft -> Paper> {
    read {
        on_ok(Verdict::Fine(grade), read { text }) if grade > worst_grade => [praise { grade, words: text }, ask_twice],
        on_ok(Verdict::Poor(marks)) => each improve(marks.into_iter()) limit 3,
        undo(Verdict::Fine(_)) => forget { of: kept_for(undone) },
        on_err(ReadError::Blank(why)) => fail(why),
        on_failure(f) => rollback,
    }
    join (each improve) => collect;
    collect { on_ok(paper) with input(draft), read(verdict) => done(merge(paper, draft, verdict)) }
    wait approval<Approval> for \"3d\" {
        on_ok(Approval::Granted(note)) => close after pause_of(&note),
        on_timeout => close { note: nothing },
    }
    ask_twice = mail::ask { on_ok(answer) => approval, on_err => rollback }
    praise { on_ok => end }
}";

/// Words that mean something to the macro, and nothing to the code that it writes.
const OURS: [&str; 18] = [
    "on_ok",
    "on_err",
    "on_failure",
    "on_timeout",
    "undo",
    "done",
    "fail",
    "end",
    "rollback",
    "each",
    "limit",
    "join",
    "with",
    "input",
    "wait",
    "for",
    "after",
    "if",
];

fn words(stream: TokenStream, found: &mut Vec<(String, LineColumn)>) {
    for token in stream {
        match token {
            TokenTree::Ident(word) => found.push((word.to_string(), word.span().start())),
            TokenTree::Group(group) => words(group.stream(), found),
            _ => {}
        }
    }
}

fn missing(block: &str) -> Vec<String> {
    let read = tokens(block);
    let (mut written, mut expanded) = (Vec::new(), Vec::new());
    words(read.clone(), &mut written);
    words(block::block(read), &mut expanded);
    let expanded: HashSet<(String, (usize, usize))> =
        expanded.into_iter().map(|(word, at)| (word, (at.line, at.column))).collect();
    written
        .into_iter()
        .filter(|(word, _)| !OURS.contains(&word.as_str()))
        .filter(|(word, at)| !expanded.contains(&(word.clone(), (at.line, at.column))))
        .map(|(word, at)| format!("{word} at {}:{}", at.line, at.column))
        .collect()
}

#[test]
fn every_word_of_the_author_keeps_its_place() {
    let expanded = block::block(tokens(BLOCK)).to_string();
    assert!(!expanded.contains("compile_error"), "{expanded}");
    assert_eq!(missing(BLOCK), [""; 0]);
}

#[test]
fn the_rules_and_the_expansion_of_a_long_block_take_no_time() {
    let mut text = String::from("Long<u64 -> u64> {");
    for step in 0..500 {
        let next = if step == 499 { "done".to_owned() } else { format!("s{}", step + 1) };
        let _ = write!(
            text,
            "s{step} = work {{ on_ok(x) => {next}, on_err(E::Again) => s{step} limit 3, on_failure(f) => rollback }}"
        );
    }
    text.push('}');
    let block_tokens = tokens(&text);
    let began = std::time::Instant::now();
    let expanded = block::block(block_tokens).to_string();
    println!("500 steps: {:?}", began.elapsed());
    assert!(!expanded.contains("compile_error"));
}

#[test]
fn a_half_typed_block_is_a_type_all_the_same() {
    for (text, kept) in [
        ("pub W<In -> Out> { a { on_ok => b } b { on_ok(x) with => done } }", "b"),
        ("pub W<In -> Out> { a { on_ok => b } join (b, c) => }", "b"),
        ("pub W<In -> Out> { a { on_ok => each } wait answer<Yes> for { on_ok => end } }", "each"),
        ("pub W<In -> Out> { a { on_ok => [b, c after ] } b { on_ok => end } }", "a"),
        ("pub W<In> { a { on_ok => answer } wait answer<Yes> for \"1d\" { on_ok => done } }", "answer"),
    ] {
        let expanded = block::block(tokens(text)).to_string();
        for part in ["compile_error", "pub struct W", "impl :: evertask :: Workflow for W", kept] {
            assert!(expanded.contains(part), "{text}: no `{part}` in {expanded}");
        }
    }
}

#[test]
fn the_documentation_has_a_picture() {
    let block = "/// Takes a look.\n Look<In> { a { on_ok(Some(x)) => [each b(x) limit 2, c after \"1m\"], on_ok(None) => end, undo => u }
        join (each b, c) => d; d { on_ok => w } wait w<Yes> { on_ok => c_again } c_again = m::c { on_ok => fail(\"no\"), on_err => rollback } }";
    let expanded = block::block(tokens(block)).to_string();
    let lines = [
        "```mermaid",
        "flowchart TD",
        "    s0[\\\"a\\\"]",
        "    s2[\\\"wait w: Yes\\\"]",
        "    s3[\\\"c_again = m::c\\\"]",
        "    s0 -->|\\\"on_ok(Some(x)), each limit 2\\\"| s4",
        "    s0 -->|\\\"on_ok(Some(x)) after 1m\\\"| s5",
        "    e1([\\\"end\\\"])",
        "    s0 -->|\\\"undo\\\"| s6",
        "    s4 -->|\\\"join\\\"| s1",
        "    e3([\\\"rollback\\\"])",
    ];
    for line in lines {
        assert!(expanded.contains(line), "no `{line}` in {expanded}");
    }
}
