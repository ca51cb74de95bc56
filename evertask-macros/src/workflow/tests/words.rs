//! The words of a block beyond steps and arms: `with`, `each`, `join`, `undo`, `rollback`, `wait`, `limit`.

use super::steps;
use crate::messages;

fn accepts(texts: &[&str]) {
    for text in texts {
        assert_eq!(steps("W<In -> Out>", text), [""; 0], "{text}");
    }
}

/// What is said of each, the first line, of a workflow that promises nothing.
fn refuses(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(steps("W<In>", text), [expected.lines().next().unwrap_or_default()], "{text}");
    }
}

#[test]
fn takes_the_past() {
    accepts(&[
        "a { on_ok => b } b { on_ok(x) with a(y), input(In { z }) => done(x, y, z) }".replace("x, y, z", "x").as_str(),
        "a { on_ok(X) => b, on_ok(Y) => c } b { on_ok => d } c { on_ok => d } d { on_ok with a(x) => done(x) }",
        "a { on_ok => [b, c] } join (b, c) => d; d { on_ok with a(x), b(y), c(z) => done(x) }",
        "a { on_ok => b } b { on_ok => done, on_err with a(x) => fail(x), undo with a(x) => u(x) }",
        "a { on_ok => b } wait b<B> { on_ok => c } c { on_ok with b(x) => done(x) }",
    ]);
    refuses(&[
        ("a { on_ok with b(x) => end }", "no step is named `b`"),
        ("a { on_ok => bb } bb { on_ok with aa(x) => end }", "no step is named `aa`"),
        ("first { on_ok => b } b { on_ok with frist(x) => end }", "no step is named `frist`; did you mean `first`?"),
        ("a { on_ok with a(x) => end }", "`a` is this step: its output is what `on_ok(..)` binds"),
        (
            "a { on_ok(X) => b, on_ok(Y) => c } b { on_ok => c } c { on_ok with b(x) => end }",
            "`b` has not completed on every way here: a (on_ok(Y)) -> c",
        ),
        (
            "a { on_ok => b, on_err => c } b { on_ok => c } c { on_ok with a(x) => end }",
            "`a` has not completed on every way here: a (on_err) -> c",
        ),
        (
            "a { on_ok => [b, c] } b { on_ok => end } c { on_ok => d } d { on_ok with b(x) => end }",
            "`b` has not completed on every way here: a -> c -> d",
        ),
        (
            "a { on_ok => [b, c] } join all settled (b, c) => d; d { on_ok with b(x) => end }",
            "`b` has not completed on every way here: a -> b (failed) -> d",
        ),
        (
            "a { on_ok(x) => each b(x) } b { on_ok => c } c { on_ok with b(y) => end }",
            "`b` runs once for each item, so it has no one output",
        ),
        (
            "a { on_ok(x) => each b(x) } b { on_ok => c } c { on_ok => d } d { on_ok with a(x), c(y) => end }",
            "`c` runs behind an `each`, once for each item, so it has no one output",
        ),
    ]);
}

#[test]
fn joins_what_is_started_together() {
    accepts(&[
        "a { on_ok(x) => [b, each c(x) limit 3] } join (b, each c) => d; d { on_ok => done }",
        "a { on_ok(x) => each b(x) } join (each b) => c; c {}",
        "a { on_ok => [b, c] } join all settled (b, c) => d; b { on_cancel => end }",
        "a { on_ok => [b, x] } x { on_ok => c } join (b, c) => d; b { on_failure(f) => fail(f) } c { on_err => rollback }",
        "a { on_ok => [b, c] } join (b, c) => d; b { on_failure(f) => b after \"1m\" limit 3 }",
        "a { on_ok => [b, c] } join (b, c) => d; wait c<C> for \"1m\" { on_timeout => fail(\"late\") }",
    ]);
    refuses(&[
        ("a { on_ok => [b, c] } join b, c => d;", messages::JOIN),
        ("a { on_ok => [b, c] } join all (b, c) => d;", messages::ALL_SETTLED),
        ("a { on_ok => [b, c] } join () => d;", messages::JOIN),
        ("a { on_ok => [b, c] } join (b, c(x)) => d;", messages::JOIN_MEMBER),
        ("a { on_ok => [b, c] } join (b, c) d;", "expected `=>` after `join (..)`"),
        ("a { on_ok => [b, c] } join (b, c) => d { on_ok => end }", &messages::join_payload("d")),
        ("a { on_ok => [b, c] } join (b, e) => d;", "no step is named `e`"),
        ("a { on_ok => [b, c] } join (b, b, c) => d;", "`b` is a member of this join already"),
        ("a { on_ok => [b, c, e] } join (b, c) => d; join (b, e) => f;", "`b` is a member of another join"),
        ("a { on_ok => [b, c, e, f] } join (b, c) => d; join (e, f) => d;", "`d` follows another join already"),
        ("a { on_ok => b } join (b) => c;", "one step needs no join: `b { on_ok => c }`"),
        (
            "a { on_ok => [b, c] } join (b, c) => d; b { on_ok => e }",
            "the join takes the output of `b`, so it has no `on_ok`",
        ),
        (
            "a { on_ok => [b, c] } join all settled (b, c) => d; b { on_err => e }",
            "`all settled` takes the failure of `b` too, as a `Result`, so no arm takes it",
        ),
        (
            "a { on_ok => [b, c] } join (b, each c) => d;",
            "`c` does not run for each item; write `c` without `each`, or start it so: `=> each c(..)`",
        ),
        ("a { on_ok(x) => [b, each c(x)] } join (b, c) => d;", "`c` runs once for each item; write `each c`"),
        (
            "a { on_ok(X) => b, on_ok(Y) => c } join (b, c) => d;",
            "the join could wait for ever: `c` does not run where `b` does: a (on_ok(X)) -> b",
        ),
        (
            "a { on_ok => b, on_err => c } join (b, c) => d;",
            "the join could wait for ever: `c` does not run where `b` does: a -> b",
        ),
        (
            "a { on_ok => [b, x] } x { on_ok(X) => c, on_ok(_) => end } join (b, c) => d;",
            "the join could wait for ever: `c` may not run: a -> x (on_ok(_)) -> end",
        ),
        (
            "a { on_ok => [b, c] } b { on_err => e } e { on_ok => end } join (b, c) => d;",
            "the join could wait for ever: `b` may end in another way: b (on_err) -> e -> end",
        ),
        (
            "a { on_ok(x) => each b(x) } b { on_ok => [c, d] } join (c, d) => e;",
            "`c` runs behind an `each`, once for each item, and a join takes its members once",
        ),
        (
            "a { on_ok(x) => each b(x) } b { on_ok(y) => each c(y) } join (each c) => e;",
            "`c` runs behind an `each`, once for each item, and a join takes its members once",
        ),
        ("a { on_ok => [b, c] } join (b, c) => b;", "`b` can't be a member of this join"),
        ("a { on_ok => [b, c] } join (b, c) => a;", "this goes round for ever: a -> b -> a"),
    ]);
}

#[test]
fn undoes_with_a_step_of_its_own() {
    accepts(&[
        "a { on_ok => done, undo => u } u {}",
        "a { on_ok => done, undo(X(x)) => u { x }, undo(Y(y)) if y => v } u { on_ok => end, on_err => fail }",
        "a { on_ok => [done, undo_it], undo => undo } undo_it = undo { on_ok => end }",
    ]);
    refuses(&[
        ("a { on_ok => end, undo => [u, v] }", messages::UNDO_SEVERAL),
        ("a { on_ok => end, undo => end }", messages::UNDO_TARGET),
        ("a { on_ok => end, undo(x) => each u(x) }", messages::UNDO_TARGET),
        ("a { on_ok => end, undo => u after \"1m\" }", messages::UNDO_AT_ONCE),
        ("a { on_ok => end, undo => rollback }", messages::ROLLBACK_WITHOUT_FAILURE),
        ("a { on_ok => end, undo => u } u { undo => v }", "`u` undoes a step, and what undoes is not undone"),
        (
            "a { on_ok => end, undo => u } u { on_ok => v }",
            "`u` undoes a step of a run that has failed, so nothing follows it; write `end`",
        ),
        ("a { on_ok => u, undo => u }", "`u` undoes a step, so no arm leads to it"),
        ("a { on_ok => b } b { on_ok => end, undo => a }", "`a` undoes a step, so no arm leads to it"),
        ("a { on_ok => end, undo => w } wait w<W> {}", "`w` waits for a value from outside, and undo leads to a task"),
    ]);
}

#[test]
fn waits_for_a_value() {
    accepts(&[
        "a { on_ok => w } wait w<W> for \"3d\" { on_ok(x) => done(x), on_timeout => fail(\"late\"), on_cancel => end }",
        "a { on_ok => w after \"1m\" limit 3 } wait w<Vec<W>> { on_ok(x) => done(x) }",
        "a { on_ok => w } wait w<W> for \"3d\" { on_ok(x) => done(x), on_failure(f) => fail(f) }",
        "a { on_ok => w } wait w<W> for \"3d\" { on_ok(Yes) => done(1), on_ok(No) => a }",
        "wait { on_ok => join } join = x { on_ok => each } each { on_ok => done }",
    ]);
    refuses(&[
        ("a { on_ok => w } wait <W> {}", messages::WAIT),
        ("a { on_ok => w } wait w {}", "`w` must say what it waits for, as in `wait w<Approval> { .. }`"),
        ("a { on_ok => w } wait w<W> for 3 {}", messages::NOT_A_DURATION),
        ("a { on_ok => w } wait w<W>;", "expected the arms of `w`, in braces"),
        (
            "a { on_ok => w } wait w<W> { on_timeout => end }",
            "`w` waits for as long as it takes; to end it, say how long: `wait w<..> for \"3d\"`",
        ),
        ("a { on_ok => w } wait w<W> { on_err(x) => end }", messages::WAIT_ERROR),
        ("a { on_ok => w } wait w<W> { on_ok(x, y) => end }", messages::WAIT_PAYLOAD_PATTERN),
        ("a { on_ok => w(3) } wait w<W> {}", "`w` waits for a value from outside, so it takes none here; write `=> w`"),
        ("a { on_ok(x) => each w(x) } wait w<W> {}", "`w` waits for a value from outside, and each leads to a task"),
        (
            "a { on_ok => [b, c] } join (b, c) => w; wait w<W> {}",
            "`w` waits for a value from outside, and a join leads to a task",
        ),
        ("wait w<W> { on_ok => end }", messages::WAIT_FIRST),
    ]);
}

#[test]
fn goes_round_with_a_pause_or_a_limit() {
    accepts(&[
        "a { on_ok(X) => a limit 5, on_ok(Y) => done }",
        "a { on_ok(X) => a after x limit 5, on_ok(Y) => done }",
        "a { on_ok => b } b { on_ok => done, on_err => a limit 3 }",
    ]);
    refuses(&[
        ("a { on_ok(X(x)) => each a(x) limit 3, on_ok(Y) => end }", "this goes round for ever: a -> a"),
        ("a { on_ok => [b, c] } b { on_err => a } join (b, c) => d;", "this goes round for ever: a -> b -> a"),
    ]);
}

#[test]
fn every_way_has_one_output() {
    accepts(&[
        "a { on_ok(X) => done, on_ok(Y) => b, on_err => rollback } b {}",
        "a { on_ok => [done, b] } b { on_ok => end }",
        "a { on_ok => [b, c] } join (b, c) => d; d { on_ok => done }",
        "a { on_ok(x) => [each b(x), done] } b { on_ok => end }",
        "a { on_ok => b after \"1m\" } b { on_ok(X) => a, on_ok(Y) => done, on_cancel => end }",
    ]);
    for (text, expected) in [
        (
            "a { on_ok(X) => done, on_ok(Y) => b } b { on_ok => end }",
            "this way ends without the output that the workflow promises: a (on_ok(Y)) -> b -> end",
        ),
        (
            "a { on_ok => done, on_err => end }",
            "this way ends without the output that the workflow promises: a (on_err) -> end",
        ),
        (
            "a { on_ok => [b, c] } b { on_ok => done } c { on_ok => d } d { on_ok => done }",
            "this gives the workflow's output a second time: a -> c -> d -> done",
        ),
        ("a { on_ok => [done, a after \"1d\"] }", "this gives the workflow's output a second time: a -> a -> done"),
        (
            "a { on_ok(x) => each b(x) } b { on_ok => done }",
            "`b` runs for each item, of which there may be none or many, so it can't lead to the workflow's one output",
        ),
    ] {
        let found = steps("W<In -> Out>", text);
        assert_eq!(found.last().map(String::as_str), Some(expected), "{text}: {found:?}");
    }
    let two = steps("W<In -> Out>", "a { on_ok(X) => end, on_ok(Y) => done, on_ok(Z) => b } b { on_ok => end }");
    assert_eq!(two.len(), 2, "{two:?}");
}
