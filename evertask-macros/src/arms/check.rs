//! The rules that need no other arms than these.

use super::pattern::bindings;
use super::{Arm, Outcome, TargetKind};
use crate::errors::Errors;
use crate::graph::repeated;
use crate::messages;

/// All of them.
pub(crate) fn check<W>(arms: &[Arm<W>], errors: &mut Errors) {
    no_arm_twice(arms, errors);
    no_arm_after_one_that_takes_all(arms, errors);
    no_bare_fail_without_a_failure(arms, errors);
    no_name_bound_twice(arms, errors);
}

fn no_arm_twice<W>(arms: &[Arm<W>], errors: &mut Errors) {
    let written: Vec<&str> = arms.iter().map(|arm| arm.written.as_str()).collect();
    for (arm, _) in repeated(&written) {
        errors.at(&arms[arm].word, messages::duplicate_arm(&arms[arm].written));
    }
}

fn no_arm_after_one_that_takes_all<W>(arms: &[Arm<W>], errors: &mut Errors) {
    for (at, arm) in arms.iter().enumerate() {
        let earlier = arms[..at].iter().find(|earlier| hides(earlier, arm));
        if let Some(earlier) = earlier
            && earlier.written != arm.written
        {
            errors.at(&arm.word, messages::arm_never_taken(&earlier.written));
        }
    }
}

/// Whether `arm` is never taken because `earlier` stands before it.
fn hides<W>(earlier: &Arm<W>, arm: &Arm<W>) -> bool {
    let same = match earlier.outcome {
        Outcome::Ok | Outcome::Timeout | Outcome::Cancel | Outcome::Undo => earlier.outcome == arm.outcome,
        Outcome::Err if earlier.is_typed_error() => arm.is_typed_error(),
        Outcome::Err | Outcome::Failure => matches!(arm.outcome, Outcome::Err | Outcome::Failure),
    };
    same && earlier.takes_all()
}

fn no_bare_fail_without_a_failure<W>(arms: &[Arm<W>], errors: &mut Errors) {
    for arm in arms.iter().filter(|arm| arm.outcome == Outcome::Ok) {
        for target in &arm.targets {
            if let TargetKind::Fail { word, reason: None } = &target.kind {
                errors.at(word, messages::FAIL_WITHOUT_REASON);
            }
        }
    }
}

/// What `with` binds stands beside what the arm's own patterns bind.
fn no_name_bound_twice<W>(arms: &[Arm<W>], errors: &mut Errors) {
    for arm in arms.iter().filter(|arm| !arm.with.is_empty()) {
        let mut bound: Vec<_> = arm.pattern.iter().chain(&arm.input).flat_map(bindings).collect();
        for with in &arm.with {
            for name in bindings(&with.pattern) {
                if bound.contains(&name) {
                    errors.at(&name, messages::bound_twice(&name.to_string()));
                }
                bound.push(name);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use syn::parse::Parser as _;

    use super::*;
    use crate::arms::parse::{self, Place};

    fn mistakes(text: &str) -> Vec<String> {
        let mut errors = Errors::new();
        let mut arms = Vec::new();
        let parsed = (|input: syn::parse::ParseStream<'_>| {
            arms = parse::arms(input, Place::Block, &mut errors);
            Ok(())
        })
        .parse_str(text);
        errors.left_over(parsed);
        check(&arms, &mut errors);
        errors.messages().iter().map(|message| message.lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn accepts_arms_in_the_order_of_a_match() {
        for text in [
            "on_ok(A(x)) => a, on_ok(B) => b { y: 1 }, on_ok(z) => [c(z), done(1)], on_err => fail",
            "on_err(E::One) => a, on_err(e) => b, on_timeout => c after \"1m\", on_failure(f) => fail(f), on_cancel => end",
            "on_ok if ready() => a, on_ok => b",
            "on_ok(x, input) if input.big => a, on_ok(x) => b",
            "on_ok(X(x)) if y with a(Y { y, .. }), input(z) => [each b(x.iter()) limit 4, c { z } limit 3 after y.wait(x)]",
            "on_ok => rollback::of, undo(X(x), In { y }) with input(z) => a { x, y, z }, on_err => [rollback, a]",
            "on_ok => [each(x), each { x }, each::x, each, each after \"1m\", each limit 3, rollback(x)]",
            "on_ok => a after Duration::from_secs(3) limit 5",
            "",
        ] {
            assert_eq!(mistakes(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn finds_arms_that_are_never_taken() {
        for (text, expected) in [
            ("on_ok => a, on_ok(X) => b", "this arm is never taken: `on_ok` before it takes everything"),
            ("on_ok(x) => a, on_ok(X) => b", "this arm is never taken: `on_ok(x)` before it takes everything"),
            ("on_err(_) => a, on_err(X) => b", "this arm is never taken: `on_err(_)` before it takes everything"),
            ("on_err => a, on_err(X) => b", "this arm is never taken: `on_err` before it takes everything"),
            ("on_failure(f) => a, on_err => b", "this arm is never taken: `on_failure(f)` before it takes everything"),
            ("on_ok => a, on_ok => b", "the arm `on_ok` is written twice"),
            ("on_ok(X(a)) => a, on_ok( X ( a ) ) => b", "the arm `on_ok(X(a))` is written twice"),
        ] {
            assert_eq!(mistakes(text), [expected], "{text}");
        }
    }

    #[test]
    fn reports_several_arms_at_once() {
        let found = mistakes(
            "undo(x) => a, on_okk => b, on_ok(X) => each c(x), on_err => rollback, on_ok() => d, on_ok => fail",
        );
        assert_eq!(
            found,
            [
                "`on_okk` is no outcome; did you mean `on_ok`?",
                "there is no pattern in `on_ok()`; write `on_ok` or `on_ok(pattern)`",
                "a bare `fail` passes a failure on, and `on_ok` has none; say why: `fail(\"..\")`",
            ]
        );
    }

    #[test]
    fn says_what_is_wrong_with_the_form() {
        for (text, expected) in [
            ("on_ok", "expected `=>` after `on_ok`"),
            ("on_ok =>", messages::NO_TARGET),
            ("on_ok => []", messages::EMPTY_LIST),
            ("on_ok => a after 3", messages::NOT_A_DURATION),
            ("on_ok => a after", messages::NOT_A_DURATION),
            ("on_ok => [a after \"1m\"] after \"2m\"", messages::AFTER_TWICE),
            ("on_ok => end(1)", messages::END_HAS_NO_VALUE),
            ("on_ok => done()", "there is nothing in `done()`; write `done` or `done(..)`"),
            ("on_ok(a) with => d", messages::WITH_WHAT),
            ("on_ok(a) with b => d", "expected a pattern of what `b` gave, as in `with b(value)`"),
            ("on_ok(a) with b() => d", "expected a pattern of what `b` gave, as in `with b(value)`"),
            ("on_ok(a) with b(x, y) => d", messages::WITH_ONE_PATTERN),
            ("on_ok(a) with b(c)", "expected `=>` after `on_ok(a) with b(c)`"),
            ("on_ok(a) with b(a) => d", "`a` is bound twice"),
            ("on_ok with b(a), c(a) => d", "`a` is bound twice"),
            ("on_ok => each b", "expected the items of `b`, as in `each b(items)`"),
            ("on_ok => each b {}", "expected the items of `b`, as in `each b(items)`"),
            ("on_ok => each b()", "expected the items of `b`, as in `each b(items)`"),
            ("on_ok => each b(x, y)", "`each b(..)` takes one value: what gives the items"),
            ("on_ok => each b(x) after \"1m\"", messages::EACH_AFTER),
            ("on_ok => [each b(x), c] after \"1m\"", messages::EACH_AFTER),
            ("on_ok => each b(x) limit none", messages::LIMIT_NUMBER),
            ("on_ok => a limit 0", messages::LIMIT_NUMBER),
            ("on_ok => a limit 3 limit 4", "`limit` is given twice"),
            ("on_ok => a after \"1m\" after b", "`after` is given twice"),
            ("on_ok => end limit 3", messages::LIMIT_OF_AN_END),
            ("on_ok => [a, b] limit 3", messages::LIMIT_OF_A_LIST),
            ("on_ok => rollback", messages::ROLLBACK_WITHOUT_FAILURE),
            ("on_err => rollback, on_err => b", "the arm `on_err` is written twice"),
            ("undo => a, undo(X) => b", "this arm is never taken: `undo` before it takes everything"),
            ("on_ok(a, b, c) => d", messages::TOO_MANY_PATTERNS),
        ] {
            assert_eq!(mistakes(text), [expected.lines().next().unwrap_or_default()], "{text}");
        }
    }
}
