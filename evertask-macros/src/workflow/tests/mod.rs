mod tokens;
mod words;

use proc_macro2::TokenStream;

use super::{attribute, block};
use crate::errors::Errors;

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}

fn first_lines(errors: Errors) -> Vec<String> {
    errors.messages().iter().map(|message| message.lines().next().unwrap_or_default().to_owned()).collect()
}

/// What is said of a block with these steps, the first line of each.
fn steps(head: &str, steps: &str) -> Vec<String> {
    let mut errors = Errors::new();
    if let Some(parsed) = block::parse::parse(tokens(&format!("{head} {{ {steps} }}")), &mut errors) {
        let workflow = block::model::model(parsed, &mut errors);
        block::check::check(&workflow, &mut errors);
    }
    first_lines(errors)
}

/// What is said of `#[workflow(options)] item`.
fn of_attribute(options: &str, item: &str) -> Vec<String> {
    let mut errors = Errors::new();
    if let Some(workflow) = attribute::model::read(tokens(options), &tokens(item), &mut errors) {
        attribute::check::check(&workflow, &mut errors);
    }
    first_lines(errors)
}

#[test]
fn accepts_what_the_language_has() {
    for text in [
        "a { on_ok => b, on_failure(f) => c { f } } b { on_ok(x) => [done(x), d] } d = c { on_ok => end }",
        "mail::send { on_ok => again, on_err => send after \"1m\" } again = mail::send { on_ok => done }",
        "/// docs\n a { /** docs */ on_ok => a after \"1d\" , on_cancel => done(x) }",
        "a {}",
        "a { on_ok => [b, c] } b { on_ok => d } c { on_ok => d } d {}",
        "a { on_ok => each::of, on_err => r#end } each::of { on_ok => done } r#end {}",
    ] {
        assert_eq!(steps("pub W<In -> Out>", text), [""; 0], "{text}");
    }
}

#[test]
fn says_what_is_wrong_with_the_steps() {
    for (text, expected) in [
        ("", "a workflow has at least one step, where a run starts"),
        ("a { on_ok => end } b {}", "no arm leads to the step `b`, so it never runs"),
        ("a { on_ok => ship_ordr } ship_order {}", "no step is named `ship_ordr`; did you mean `ship_order`?"),
        ("a { on_ok => end } b { on_ok => c } c {}", "no arm leads to the step `b`, so it never runs"),
        (
            "a { on_ok => end } b { on_ok => c } c { on_ok => b after \"1m\" }",
            "no arm leads to the step `b`, so it never runs",
        ),
        ("a { on_ok => end } a {}", "there are two steps of the name `a`"),
        ("a { on_ok => b } b { on_err => c } c { on_ok => b }", "this goes round for ever: b -> c -> b"),
        ("a { on_err => a }", "this goes round for ever: a -> a"),
        ("a = a { on_ok => end }", "`a` is an alias of itself; write `a { .. }`"),
        ("a::b = c { on_ok => end }", crate::messages::ALIAS_NAME),
        ("a { on_ok => [x::b, y::b] }", "the step `b` runs `x::b`, and `y::b` is another task"),
        (
            "a { on_ok => done }",
            "this workflow promises no output; write `end`, or promise one: `Name<Input -> Output>`",
        ),
        ("a on_ok => b", "expected the arms of `a`, in braces"),
        ("#[cfg(x)] a { on_ok => end }", crate::messages::STEP_ATTRIBUTE),
        ("#[step(wsa = \"b\")] a { on_ok => end }", "unknown option `wsa` of a step; did you mean `was`?"),
        (
            "#[step(was = \"a\")] a { on_ok => end }",
            "`a` is the name of a step; an earlier name is one that no step has any more",
        ),
        ("a { on_ok => b with c }", "expected `,`"),
    ] {
        assert_eq!(steps("W<In>", text), [expected], "{text}");
    }
    assert_eq!(steps("W<In -> Out>", "a { on_ok => end }"), ["nothing gives this output"]);
    assert_eq!(steps("W<In -> ()>", "a { on_ok => end }"), [""; 0]);
}

#[test]
fn says_what_is_wrong_with_the_head() {
    for (head, expected) in [
        ("W", "the workflow `W` must say what it takes, as in `W<Input -> Output>` or `W<Input>`"),
        ("#[workflow(verison = 2)] W<In>", "unknown option `verison`; did you mean `version`?"),
        ("#[workflow(version = -2)] W<In>", "`version` is a whole number, as in `version = 2`"),
        ("struct", crate::messages::HEADER),
    ] {
        assert_eq!(steps(head, "a { on_ok => end }"), [expected], "{head}");
    }
}

#[test]
fn several_lost_steps_are_one_error_each() {
    let found = steps("W<In>", "a { on_ok => end } b {} c { on_ok => d } d {}");
    assert_eq!(
        found,
        ["no arm leads to the step `b`, so it never runs", "no arm leads to the step `c`, so it never runs"]
    );
}

#[test]
fn says_what_is_wrong_with_the_attribute() {
    const ITEM: &str = "struct Import { day: u8 }";
    assert_eq!(of_attribute("start => First, on_ok => Next, timeout = \"1d\", version = 3", ITEM), [""; 0]);
    assert_eq!(of_attribute("start(Import { day }) => first { day }", ITEM), [""; 0]);
    for (options, expected) in [
        ("", "the workflow has no start; write `#[workflow(start => FirstTask)]`"),
        ("start => A, start => B", "a workflow starts once"),
        ("start => [A, B]", "a workflow starts with one task; let that one lead to several"),
        ("start(x) if x.y => A", crate::messages::START_PARTS),
        ("start => A after \"1m\"", crate::messages::START_PARTS),
        ("start => A, queue = \"x\"", "unknown option `queue`"),
        ("start => A, on_ok => end", "`end` ends a branch of a run, so it belongs in a `workflow!` block"),
        ("start = A", "unknown option `start`; did you mean `start =>`?"),
    ] {
        assert_eq!(of_attribute(options, ITEM), [expected], "{options}");
    }
    assert_eq!(
        of_attribute("start => A", "struct Import<T>(T);"),
        ["a workflow can't be generic: it has one name and one payload on disk"]
    );
    assert_eq!(
        of_attribute("start => A", "fn import() {}"),
        ["`#[workflow]` belongs on a struct, which is the payload that starts a run"]
    );
}
