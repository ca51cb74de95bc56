//! All that the macros say to a person. One line says what is wrong, the next what to do.

mod schedule;
mod terms;

pub(crate) use schedule::*;
pub(crate) use terms::*;

use crate::arms::Outcome;
use crate::suggest::nearest;

fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|known| format!("; did you mean `{known}`?"))
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

// Words and options.

/// The words that other libraries have for ours.
const ELSEWHERE: [(&str, &str); 8] = [
    ("on_success", "on_ok"),
    ("on_complete", "on_ok"),
    ("on_completed", "on_ok"),
    ("on_done", "on_ok"),
    ("on_error", "on_err"),
    ("on_fail", "on_failure"),
    ("on_failed", "on_failure"),
    ("on_cancelled", "on_cancel"),
];

pub(crate) fn no_outcome(word: &str) -> String {
    let known = Outcome::WORDS.into_iter().chain(ELSEWHERE.into_iter().map(|(theirs, _)| theirs));
    let meant = ELSEWHERE
        .into_iter()
        .find(|(theirs, _)| *theirs == word)
        .map(|(_, ours)| ours)
        .or_else(|| nearest(word, known))
        .map(|near| ELSEWHERE.into_iter().find(|(theirs, _)| *theirs == near).map_or(near, |(_, ours)| ours));
    let hint = match meant {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("\nan arm begins with one of {}", listed(&Outcome::WORDS)),
    };
    format!("`{word}` is no outcome{hint}")
}

pub(crate) fn unknown_option(word: &str, known: &[&str]) -> String {
    if word == "start" {
        return "unknown option `start`; did you mean `start =>`?".to_owned();
    }
    if ["cron", "every", "recurring", "repeat"].contains(&word) && known.contains(&"schedule") {
        return format!("unknown option `{word}`; did you mean `schedule`?");
    }
    let words = known.iter().copied().chain(Outcome::WORDS);
    let hint = did_you_mean(word, words).unwrap_or_else(|| format!("\nthe options are {}", listed(known)));
    format!("unknown option `{word}`{hint}")
}

pub(crate) fn duplicate_option(word: &str) -> String {
    format!("`{word}` is given twice")
}

pub(crate) const OPTION: &str = "expected an option, as in `timeout = \"30s\"`, or an arm, as in `on_ok => Next`";

pub(crate) fn option_without_value(word: &str) -> String {
    format!("`{word} =` needs a value")
}

pub(crate) fn wrong_value(word: &str, wanted: &str, example: &str) -> String {
    format!("`{word}` is {wanted}, as in `{example}`")
}

pub(crate) fn empty_text(word: &str) -> String {
    format!("`{word}` is empty")
}

pub(crate) const NOT_A_DURATION: &str =
    "a duration is a text of whole numbers with units, as in \"250ms\", \"30s\", \"5m\", \"1h30m\" or \"7d\"";

pub(crate) const NEEDS_ON_A_FUNCTION: &str =
    "a function has no `needs`: it borrows what it needs, as in `cards: &CardGateway`";

pub(crate) const DERIVE_ON_A_STRUCT: &str = "a struct derives with its own `#[derive(..)]`";

pub(crate) fn derived_already(name: &str) -> String {
    format!("`{name}` can't be derived: the payload of a task function is stored already")
}

// Arms.

pub(crate) fn empty_pattern(word: &str) -> String {
    format!("there is no pattern in `{word}()`; write `{word}` or `{word}(pattern)`")
}

pub(crate) const TOO_MANY_PATTERNS: &str =
    "an arm has at most two patterns: one for how the task ended, one for its payload";

pub(crate) const AFTER_PATTERN: &str = "a pattern ends here; expected `)`, or `,` and a pattern of the task's payload";

pub(crate) fn arrow_expected(after: &str) -> String {
    format!("expected `=>` after `{after}`")
}

pub(crate) const NO_TARGET: &str = "expected what follows: a task, or a list of them: `[a, b]`";

pub(crate) const EMPTY_LIST: &str = "an empty list leads nowhere";

pub(crate) const GENERIC_TARGET: &str = "a task has no type parameters";

pub(crate) const AFTER_TWICE: &str = "this target has an `after` of its own, and its list has one for all";

pub(crate) fn outside_a_block(word: &str) -> String {
    let does = match word {
        "done" => "sets the output of a run",
        "fail" => "fails a run",
        "rollback" => "fails a run, and undoes its steps",
        "undo" => "undoes a step of a run that fails",
        "with" => "takes what an earlier step of a run gave",
        "each" => "starts a step of a run for each item",
        "limit" => "counts how often a step of a run follows",
        _ => "ends a branch of a run",
    };
    format!("`{word}` {does}, so it belongs in a `workflow!` block\na standing chain leads to tasks and workflows only")
}

pub(crate) const END_HAS_NO_VALUE: &str = "`end` has no value; `done(..)` sets the output of the run";

pub(crate) fn empty_ending(word: &str) -> String {
    match word {
        "end" => END_HAS_NO_VALUE.to_owned(),
        _ => format!("there is nothing in `{word}()`; write `{word}` or `{word}(..)`"),
    }
}

pub(crate) fn one_value(word: &str) -> String {
    format!("`{word}` takes one value")
}

pub(crate) const BASE_IS_LAST: &str = "the base after `..` comes last";

pub(crate) fn arm_never_taken(earlier: &str) -> String {
    format!("this arm is never taken: `{earlier}` before it takes everything")
}

pub(crate) fn duplicate_arm(arm: &str) -> String {
    format!("the arm `{arm}` is written twice\nto start several tasks, write a list: `{arm} => [a, b]`")
}

pub(crate) const FAIL_WITHOUT_REASON: &str =
    "a bare `fail` passes a failure on, and `on_ok` has none; say why: `fail(\"..\")`";

pub(crate) const WITH_WHAT: &str =
    "expected an earlier step, as in `with validate_order(order)`, or `with input(order)`";

pub(crate) fn with_pattern(step: &str) -> String {
    format!("expected a pattern of what `{step}` gave, as in `with {step}(value)`")
}

pub(crate) const WITH_ONE_PATTERN: &str = "`with` has one pattern for each step: that of its output";

pub(crate) fn bound_twice(name: &str) -> String {
    format!("`{name}` is bound twice")
}

pub(crate) fn each_items(step: &str) -> String {
    format!(
        "expected the items of `{step}`, as in `each {step}(items)`\nthere is one task for each item, which it accepts"
    )
}

pub(crate) fn each_one_value(step: &str) -> String {
    format!("`each {step}(..)` takes one value: what gives the items")
}

pub(crate) const EACH_AFTER: &str =
    "`each` has no pause: its items start at once, or as `limit` lets them\nput the pause on a step before it";

pub(crate) const LIMIT_NUMBER: &str = "a limit is a whole number from 1, as in `limit 5`";

pub(crate) const LIMIT_OF_A_LIST: &str = "a limit belongs to one step; write it within the list: `[a limit 5, b]`";

pub(crate) const LIMIT_OF_AN_END: &str = "a run ends once; `limit` says how often a step may follow";

pub(crate) const ROLLBACK_WITHOUT_FAILURE: &str =
    "`rollback` passes a failure on, and there is none here; say why the run fails: `fail(\"..\")`";

// Tasks.

pub(crate) fn no_such_item(kind: &str) -> String {
    format!("a task can't be {kind}: it is a function or a struct\nits payload may well hold {kind}")
}

pub(crate) const GENERIC_TASK: &str =
    "a task can't be generic: it has one name and one payload on disk\nwrite one task for each type";

pub(crate) const GENERIC_WHERE: &str = "a task can't be generic, so it has no `where`";

pub(crate) fn borrowed_payload(owned: Option<&str>) -> String {
    match owned {
        Some(owned) => format!("a task owns its payload, which is kept on disk; write `{owned}`"),
        None => "a task owns its payload, which is kept on disk: it can't hold a reference or a lifetime".to_owned(),
    }
}

pub(crate) const INJECTED_LIFETIME: &str =
    "a borrowed argument is lent for one attempt, so it can't hold a lifetime of its own; write `&T`";

pub(crate) const INJECTED_MUT: &str =
    "a borrowed argument is shared by all tasks; write `&T`, and put a lock in `T` if it must change";

pub(crate) fn no_result(name: &str) -> String {
    format!(
        "the task `{name}` must return a `Result`\nwrite `-> Result<(), Error>`; the error of a task that can't fail is `std::convert::Infallible`"
    )
}

pub(crate) const SELF_ARGUMENT: &str =
    "a task function has no `self`\nput `#[task]` on a function of its own, or on the struct with an `impl Handler`";

pub(crate) const PATTERN_ARGUMENT: &str = "an argument of a task needs a plain name: it is a field of the payload";

pub(crate) const IMPL_ARGUMENT: &str = "an argument of a task has one type, which is kept on disk; write that type";

pub(crate) const IMPL_RESULT: &str = "a task returns one type, which is kept on disk; write `Result<Output, Error>`";

pub(crate) const CFG_ARGUMENT: &str = "an argument of a task can't come and go with `cfg`; put it on the whole task";

pub(crate) fn no_such_function(word: &str) -> String {
    format!("a task can't be `{word}`: the worker calls it as a plain function")
}

// Workflows.

pub(crate) const NOT_A_WORKFLOW_ITEM: &str = "`#[workflow]` belongs on a struct, which is the payload that starts a run\nsteps are written in a `workflow! { .. }` block";

pub(crate) const GENERIC_WORKFLOW: &str =
    "a workflow can't be generic: it has one name and one payload on disk\nwrite one workflow for each type";

pub(crate) const MISSING_START: &str = "the workflow has no start; write `#[workflow(start => FirstTask)]`";

pub(crate) const START_TWICE: &str = "a workflow starts once";

pub(crate) const START_SEVERAL: &str = "a workflow starts with one task; let that one lead to several";

pub(crate) const START_PARTS: &str = "`start` has one pattern, for the payload, and neither a guard nor `after`";

pub(crate) const HEADER: &str =
    "a workflow begins with its name and what it takes, as in `pub FulfilOrder<PlaceOrder -> Delivery> { .. }`";

pub(crate) fn header_types(name: &str) -> String {
    format!("the workflow `{name}` must say what it takes, as in `{name}<Input -> Output>` or `{name}<Input>`")
}

pub(crate) const ONE_WORKFLOW: &str = "one `workflow!` block is one workflow";

pub(crate) const ALIAS_NAME: &str = "a step's own name is one word, as in `notify_seller = mail::send { .. }`";

pub(crate) const STEP: &str = "expected a step, as in `charge_card { on_ok => ship_order }`";

pub(crate) fn step_braces(step: &str) -> String {
    format!("expected the arms of `{step}`, in braces")
}

pub(crate) const STEP_ATTRIBUTE: &str = "a step has no attributes but docs and `#[step(was = \"..\")]`";

pub(crate) fn unknown_step_option(word: &str) -> String {
    let hint = did_you_mean(word, ["was"]).unwrap_or_else(|| "\nthe only one is `was`".to_owned());
    format!("unknown option `{word}` of a step{hint}")
}

pub(crate) const JOIN: &str =
    "a join names its members and what follows, as in `join (ship_order, each send_mail) => close_order;`";

pub(crate) const ALL_SETTLED: &str = "expected `all settled`, as in `join all settled (a, b) => c;`";

pub(crate) const JOIN_MEMBER: &str = "a member of a join is a step, or `each` and a step";

pub(crate) const JOIN_THEN: &str = "expected the step that follows the join";

pub(crate) fn join_payload(step: &str) -> String {
    format!("`{step}` is given what the members gave; its arms are written in a block of its own: `{step} {{ .. }}`")
}

pub(crate) const WAIT: &str =
    "a wait has a name and the type of its value, as in `wait approval<Approval> for \"3d\" { .. }`";

pub(crate) fn wait_type(name: &str) -> String {
    format!("`{name}` must say what it waits for, as in `wait {name}<Approval> {{ .. }}`")
}

pub(crate) const EMPTY_BLOCK: &str = "a workflow has at least one step, where a run starts";

pub(crate) fn duplicate_step(step: &str) -> String {
    format!(
        "there are two steps of the name `{step}`\nto run a task twice, give one its own name: `again = {step} {{ .. }}`"
    )
}

pub(crate) fn ambiguous_step(step: &str, runs: &str, this: &str) -> String {
    format!(
        "the step `{step}` runs `{runs}`, and `{this}` is another task\nto run both, give one its own name: `other = {this} {{ .. }}`"
    )
}

pub(crate) fn never_reached(step: &str, first: &str) -> String {
    format!("no arm leads to the step `{step}`, so it never runs\na run starts with `{first}`")
}

pub(crate) fn unknown_step(step: &str, meant: &str) -> String {
    format!("no step is named `{step}`; did you mean `{meant}`?")
}

pub(crate) fn no_step<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let hint = did_you_mean(name, known).unwrap_or_default();
    format!("no step is named `{name}`{hint}")
}

pub(crate) fn name_is_taken(name: &str) -> String {
    format!("`{name}` is the name of a step; an earlier name is one that no step has any more")
}

pub(crate) fn endless(way: &[&str]) -> String {
    let last = way.last().unwrap_or(&"step");
    format!(
        "this goes round for ever: {}\nput a pause on it: `=> {last} after \"10m\"`, or a limit: `=> {last} limit 5`",
        way.join(" -> "),
    )
}

pub(crate) const DONE_WITHOUT_OUTPUT: &str =
    "this workflow promises no output; write `end`, or promise one: `Name<Input -> Output>`";

pub(crate) const NO_OUTPUT_GIVEN: &str =
    "nothing gives this output\nsome arm must be `=> done(..)`, or some step's output must flow nowhere else";

pub(crate) fn alias_of_itself(step: &str) -> String {
    format!("`{step}` is an alias of itself; write `{step} {{ .. }}`")
}

pub(crate) fn way_without_output(way: &str) -> String {
    format!("this way ends without the output that the workflow promises: {way}\nend it with `done(..)` or `fail(..)`")
}

pub(crate) fn two_outputs(one: &str, two: &str) -> String {
    if one == two {
        return format!("this may give the workflow's output more than once: {one}");
    }
    format!("this gives the workflow's output a second time: {two}\nthe first one: {one}")
}

pub(crate) fn output_of_each(step: &str) -> String {
    format!(
        "`{step}` runs for each item, of which there may be none or many, so it can't lead to the workflow's one output\njoin it first: `join (each {step}) => next;`"
    )
}

// The past, waits and undo.

pub(crate) fn with_itself(step: &str) -> String {
    format!("`{step}` is this step: its output is what `on_ok(..)` binds")
}

pub(crate) fn with_each(step: &str) -> String {
    format!(
        "`{step}` runs once for each item, so it has no one output\njoin it: `join (each {step}) => next;` gives all of them"
    )
}

pub(crate) fn with_behind_each(step: &str) -> String {
    format!("`{step}` runs behind an `each`, once for each item, so it has no one output")
}

pub(crate) fn not_completed(step: &str, way: &str) -> String {
    format!("`{step}` has not completed on every way here: {way}")
}

pub(crate) fn doubled(step: &str, one: &str, two: &str) -> String {
    format!("`{step}` may run twice side by side, so that it has no one output: {one}, and {two}")
}

pub(crate) const WAIT_FIRST: &str = "a run can't start with a `wait`: its first step takes what the run is given";

pub(crate) fn timeout_without_for(step: &str) -> String {
    format!("`{step}` waits for as long as it takes; to end it, say how long: `wait {step}<..> for \"3d\"`")
}

pub(crate) const WAIT_ERROR: &str =
    "a `wait` has no error of its own: it ends with its value, or with `on_timeout` or `on_cancel`";

pub(crate) const WAIT_PAYLOAD_PATTERN: &str = "a `wait` has no payload";

pub(crate) fn wait_payload(step: &str) -> String {
    format!("`{step}` waits for a value from outside, so it takes none here; write `=> {step}`")
}

pub(crate) fn not_a_task_but_a_wait(word: &str, step: &str) -> String {
    format!("`{step}` waits for a value from outside, and {word} leads to a task")
}

pub(crate) const UNDO_SEVERAL: &str = "`undo` leads to one step, which undoes this one";

pub(crate) const UNDO_TARGET: &str = "`undo` leads to a step, which undoes this one";

pub(crate) const UNDO_AT_ONCE: &str =
    "a step is undone once, when it is its turn: `undo` has neither `after` nor `limit`";

pub(crate) fn undo_follows(step: &str) -> String {
    format!(
        "`{step}` undoes a step, so no arm leads to it\nto run the task here too, give the step a name of its own: `other = {step} {{ .. }}`"
    )
}

pub(crate) fn undo_of_an_undo(step: &str) -> String {
    format!("`{step}` undoes a step, and what undoes is not undone")
}

pub(crate) fn undo_goes_on(step: &str) -> String {
    format!("`{step}` undoes a step of a run that has failed, so nothing follows it; write `end`")
}

// Joins.

pub(crate) fn member_twice(step: &str) -> String {
    format!("`{step}` is a member of this join already")
}

pub(crate) fn member_of_two_joins(step: &str) -> String {
    format!("`{step}` is a member of another join\nlet one step follow both: a member's output goes to one join")
}

pub(crate) fn follows_two_joins(step: &str) -> String {
    format!("`{step}` follows another join already")
}

pub(crate) fn one_member(step: &str, then: &str) -> String {
    format!("one step needs no join: `{step} {{ on_ok => {then} }}`")
}

pub(crate) fn too_many_members(most: usize) -> String {
    format!("a join has at most {most} members; join some of them first")
}

pub(crate) fn no_member(step: &str) -> String {
    format!("`{step}` can't be a member of this join")
}

pub(crate) fn join_takes_output(step: &str) -> String {
    format!("the join takes the output of `{step}`, so it has no `on_ok`")
}

pub(crate) fn settled_takes_failures(step: &str) -> String {
    format!("`all settled` takes the failure of `{step}` too, as a `Result`, so no arm takes it")
}

pub(crate) fn member_runs_once(step: &str) -> String {
    format!("`{step}` does not run for each item; write `{step}` without `each`, or start it so: `=> each {step}(..)`")
}

pub(crate) fn member_runs_for_each(step: &str) -> String {
    format!("`{step}` runs once for each item; write `each {step}`")
}

pub(crate) fn member_behind_each(step: &str) -> String {
    format!(
        "`{step}` runs behind an `each`, once for each item, and a join takes its members once\njoin the `each` itself"
    )
}

pub(crate) fn member_astray(step: &str, way: &str) -> String {
    format!(
        "the join could wait for ever: `{step}` may end in another way: {way}\nlet the failure fail the run, or join `all settled`"
    )
}

pub(crate) fn member_may_not_run(step: &str, way: &str) -> String {
    format!("the join could wait for ever: `{step}` may not run: {way}\nstart all members in one list: `=> [a, b]`")
}

pub(crate) fn member_elsewhere(step: &str, other: &str, way: &str) -> String {
    format!(
        "the join could wait for ever: `{step}` does not run where `{other}` does: {way}\nstart all members in one list: `=> [a, b]`"
    )
}
