//! The macros of evertask. They check and name things; the runtime does them.
//!
//! Each goes through the same phases: `parse` reads tokens, `model` is what they say, `check` holds the rules (one
//! function each), and `expand` writes code that can't fail any more. `messages` is all that they say to a person,
//! `errors` collects it, and the stubs keep one mistake from becoming many. Everything works on `proc_macro2`, so that
//! it is tested like any other code; whole programs are in `ui-tests`.

use proc_macro::TokenStream;

mod arms;
mod errors;
mod fallback;
mod graph;
mod krate;
mod messages;
mod names;
mod options;
mod schedule;
#[cfg(test)]
mod soup;
mod suggest;
mod task;
mod workflow;

/// Makes a function or a struct a task.
///
/// On a function, owned arguments are the payload, which is kept on disk; borrowed arguments are lent for one attempt:
/// `&Context`, or what the worker was given with `.data(..)`. The function stays what it is, and a struct of the same
/// name carries the payload. A function that is not `async` runs on a thread of its own.
///
/// ```
/// use evertask::prelude::*;
///
/// struct CardGateway;
///
/// #[task(queue = "payments", timeout = "30s", retry(times = 5, backoff = exponential("1s", max = "5m")))]
/// async fn charge_card(order: u64, cards: &CardGateway, cx: &Context) -> Result<String, String> {
///     Ok(format!("receipt of order {order}"))
/// }
///
/// assert_eq!(charge_card { order: 7 }.order, charge_card::from(7).order);
/// assert_eq!(charge_card::entry().options.queue, "payments");
/// # let _ = CardGateway;
/// ```
///
/// On a struct, the fields are the payload, and what it does is an `impl Handler`.
///
/// ```
/// use evertask::prelude::*;
///
/// #[task(on_ok => archive, on_failure(f) => alert { reason: f.to_string() })]
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct SendReceipt {
///     order: u64,
/// }
///
/// impl Handler for SendReceipt {
///     type Output = u64;
///     type Error = String;
///
///     async fn run(self, _: &Context) -> Result<u64, String> {
///         Ok(self.order)
///     }
/// }
///
/// #[task]
/// async fn archive(order: u64) -> Result<(), String> {
///     println!("archived {order}");
///     Ok(())
/// }
///
/// #[task]
/// async fn alert(reason: String) -> Result<(), String> {
///     println!("{reason}");
///     Ok(())
/// }
///
/// assert_eq!(SendReceipt::entry().edges.len(), 2);
/// ```
///
/// # Options
///
/// | option | meaning |
/// | --- | --- |
/// | `name = ".."` | the name on disk; the item's own by default |
/// | `was = ".."` | a name that it had before, under which tasks may still wait; `was("..", "..")` are several |
/// | `queue = ".."` | the queue it waits in; `default` by default |
/// | `priority = -3` | higher runs first within its queue; 0 by default |
/// | `timeout = "30s"` | the longest that one attempt may take |
/// | `deadline = "1h"` | the longest that it may take in all, from when it is first due: waits, attempts and pauses |
/// | `retry(times = 5, backoff = ..)` | more attempts after the first, `fixed("1s")`, `linear("1s", max = "1m")` or `exponential("1s", max = "5m")` apart; `retry(backoff = list("1s", "10s"))` is one for each pause |
/// | `retry_if = path` | which errors are worth another attempt: a function of the error, to `bool` or `RetryAdvice`; without it, the error's own `RetryHint`, if it has one |
/// | `rate_limit("100/s", key = tenant, burst = 10)` | how many may start in a time, evenly spread after `burst` at once; for each key on its own, if there is one: an expression of the payload's fields that is `Display` |
/// | `concurrency(1, key = account)` | how many may run at once, on all workers together; for each key on its own, if there is one |
/// | | a task with such a `key` can't follow a `join`: its payload is made after its limits are looked at |
/// | `schedule = "0 3 * * *"` | when it recurs: a cron expression of five or six fields, or what gives a schedule, as in `every("15m")`; see below |
/// | `needs(T, dyn Trait)` | on a struct: what its handler takes from `cx.data()` |
/// | `derive(Debug, Clone)` | on a function: derives on the struct of its payload |
/// | `crate = path` | where evertask is, if the macro can't find it |
///
/// # Schedules
///
/// A worker that starts keeps the schedules that its program declares, each under the task's stored name: a deploy changes
/// one, and never doubles it. `cx.occurrence()` is the slot that an attempt runs for. `docs/guides/schedules.md` has the
/// rules.
///
/// ```
/// use evertask::{every_day, prelude::*};
///
/// #[task(schedule = "0 3 * * *")]
/// async fn tidy_up(cx: &Context) -> Result<(), String> {
///     cx.log(format!("for {:?}", cx.occurrence()));
///     Ok(())
/// }
///
/// #[task(schedule("*/15 9-17 * * MON-FRI", zone = "Europe/Berlin", misfire = catch_up(3), payload = 7))]
/// async fn remind(user: u64) -> Result<(), String> {
///     println!("reminds {user}");
///     Ok(())
/// }
///
/// #[task(schedule = every_day().at("03:00").except("SUN"))]
/// async fn back_up() -> Result<(), String> {
///     Ok(())
/// }
///
/// assert!(tidy_up::entry().recurs.is_some());
/// ```
///
/// Behind a cron expression come `zone`, `misfire` (`skip`, `once`, `catch_up(5)`), `grace`, `jitter`, `except("SUN", ..)`,
/// `starting`, `until` and `max_runs`; behind either form comes `payload`, which a task with arguments needs: what it is made
/// of, by `From`, once for each start of a worker.
///
/// # Arms
///
/// What follows, whatever started the task: `on_ok`, `on_err`, `on_failure`, `on_timeout` and `on_cancel`, as in a
/// [`workflow!`](macro@workflow) block, except that they lead to tasks and workflows only. Inside a block, the block's
/// arms are the only ones.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::task(options.into(), &item.into()).into()
}

/// Makes a payload struct start a run, which follows the tasks' own arms.
///
/// ```
/// use evertask::prelude::*;
///
/// #[workflow(start(import) => fetch { day: import.day }, timeout = "2d")]
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct NightlyImport {
///     day: u32,
/// }
///
/// #[task(on_ok => report)]
/// async fn fetch(day: u32) -> Result<u32, String> {
///     Ok(day)
/// }
///
/// #[task]
/// async fn report(day: u32) -> Result<(), String> {
///     println!("day {day}");
///     Ok(())
/// }
///
/// assert_eq!(NightlyImport::entry().name, "NightlyImport");
/// ```
///
/// `start => First` makes the first task's payload of the struct by `From`; with a pattern, what it binds flows, or the
/// payload is given field by field. Options are `name`, `was`, `version`, `timeout`, `schedule` and `crate`; arms say what follows the run.
#[proc_macro_attribute]
pub fn workflow_attribute(options: TokenStream, item: TokenStream) -> TokenStream {
    workflow::attribute(options.into(), &item.into()).into()
}

/// A workflow with its steps.
///
/// ```
/// use evertask::{prelude::*, workflow};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// enum Charge {
///     Captured(u64),
///     Declined(String),
/// }
///
/// #[task]
/// async fn charge_card(order: u64) -> Result<Charge, String> {
///     Ok(if order > 9 { Charge::Declined("too much".into()) } else { Charge::Captured(order) })
/// }
///
/// #[task]
/// async fn ship_order(order: u64) -> Result<String, String> {
///     Ok(format!("order {order} is on its way"))
/// }
///
/// #[task]
/// async fn send_email(text: String) -> Result<(), String> {
///     println!("{text}");
///     Ok(())
/// }
///
/// workflow! {
///     /// Takes an order to the doorstep.
///     #[workflow(version = 2, timeout = "7d")]
///     pub FulfilOrder<u64 -> String> {
///         charge_card {                                    // the first step is where a run starts
///             on_ok(Charge::Captured(order))  => ship_order,
///             on_ok(Charge::Declined(reason)) => [notify { text: reason.clone() }, remind after "3d", fail(reason)],
///             on_failure(f)                   => fail(f),
///         }
///         ship_order { on_ok(text) => [done(text.clone()), notify { text }] }
///         notify = send_email { on_ok => end }             // a step's own name for a task
///         remind = send_email { on_ok => end }
///     }
/// }
///
/// assert_eq!(<FulfilOrder as Work>::NAME, "FulfilOrder");
/// ```
///
/// `Name<Input -> Output>` promises an output, `Name<Input>` none. Each step has arms, read from top to bottom like
/// `match`, and those of one outcome must take every case:
///
/// | arm | takes |
/// | --- | --- |
/// | `on_ok`, `on_ok(pattern)` | an output |
/// | `on_err(pattern)` | the task's own error |
/// | `on_err`, `on_failure`, `on_failure(f)` | every failure that no arm before took, as `Failure<Step>` |
/// | `on_timeout`, `on_timeout(f)` | a time-out, before the others do |
/// | `on_cancel`, `on_cancel(f)` | a cancel, which nothing else takes |
///
/// | `undo`, `undo(pattern)` | an output, if the run fails later: what undoes the step |
///
/// A second pattern, `on_ok(pattern, input)`, matches the step's own payload, and `if` guards an arm. Behind the guard,
/// `with step(pattern)` takes the output of an earlier step, and `with input(pattern)` what the run was given. The step
/// must have completed on every way to the arm.
///
/// What follows is a target, or a list of them, which run in parallel:
///
/// | target | means |
/// | --- | --- |
/// | `step` | the step is given what flows: the output, or what the pattern binds |
/// | `step { field: .. }`, `step(value)` | the step is given this |
/// | `each step(items)` | one task for each item; `limit 4` of them at once |
/// | `done`, `done(value)` | the run has its output |
/// | `fail`, `fail(reason)`, `rollback` | the run fails, and what completed is undone, newest first |
/// | `end` | this branch ends, without an output |
///
/// `after "10m"`, or an expression, is a durable pause before a step; `limit 5` is how often a run may come to it. What
/// goes round needs one of the two. A step may be a task or another workflow, whose run is a part of this one.
///
/// # Joins and waits
///
/// ```
/// use evertask::{prelude::*, workflow};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// enum Verdict {
///     Good { by: String },
///     Bad,
/// }
///
/// #[task]
/// async fn split(text: String) -> Result<Vec<String>, String> {
///     Ok(text.lines().map(str::to_owned).collect())
/// }
///
/// #[task]
/// async fn translate(line: String) -> Result<String, String> {
///     Ok(line.to_uppercase())
/// }
///
/// #[task]
/// async fn find_title(text: String) -> Result<String, String> {
///     text.lines().next().map(str::to_owned).ok_or_else(|| "no title".to_owned())
/// }
///
/// #[task]
/// async fn set(lines: Vec<String>, title: String) -> Result<String, String> {
///     Ok(format!("# {title}\n{}", lines.join("\n")))
/// }
///
/// workflow! {
///     /// Translates a text, and has somebody read it.
///     pub Translate<String -> String> {
///         split {
///             on_ok(lines) with input(text) => [each translate(lines) limit 4, find_title { text }],
///         }
///         join (each translate, find_title) => set;    // gets (Vec<String>, String)
///         set { on_ok => verdict }
///         wait verdict<Verdict> for "3d" {
///             on_ok(Verdict::Good { by }) with set(page) => done(format!("{page}\n({by})")),
///             on_ok(Verdict::Bad) => fail("badly translated"),
///             on_timeout with set(page) => done(page),
///         }
///     }
/// }
///
/// assert_eq!(Translate::verdict.step(), "verdict");    // for `dispatcher.signal(run.id(), Translate::verdict, &value)`
/// ```
///
/// `join all settled (a, b) => c;` waits for the members whatever becomes of them, and gives a `Result` of each. The
/// members of a join are started by one list, so that none is waited for in vain. `#[step(was = "old")]` before a step
/// is a name that it had in earlier versions.
#[proc_macro]
pub fn workflow(block: TokenStream) -> TokenStream {
    workflow::block(block.into()).into()
}
