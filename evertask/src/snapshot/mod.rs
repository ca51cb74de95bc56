//! The lock file: the shape of what a program stores, kept beside its code, so that a change that would strand or
//! misread work in flight is seen before it is deployed.
//!
//! [`snapshot!`](crate::snapshot!) is the test. `shape` is what is stored, as values; `text` is how that is written and
//! read; `changes` holds the rules, which say what each change does to work in flight.

mod changes;
mod payload;
mod shape;
mod text;

use std::fmt;
use std::path::Path;

use crate::registry::{Registry, WorkflowEntry};
use shape::{Flow, Shape};

/// Compares the program's tasks and workflows with a lock file, in a test.
///
/// In `tests/workflows.rs`, where `shop` is your crate:
///
/// ```
/// # extern crate evertask as shop;
/// use shop as _;
///
/// evertask::snapshot!("workflows.lock");
/// ```
///
/// It is a `#[test]` by the name of `stored_work_is_still_understood`. The path is relative to the crate's
/// `Cargo.toml`. Where there is no file yet, the test writes it, and you commit it; where the variable `CI` is set it
/// fails instead, because a lock that nobody committed guards nothing.
///
/// Any change of the shape fails the test until the file is written anew with `EVERTASK_ACCEPT=1 cargo test`, so that
/// the change is in the review. One that would strand or misread work in flight says what would happen to it, and the
/// ways out: `#[step(was = "..")]`, `#[task(was = "..")]`, an `Option`, `#[serde(default)]`.
///
/// By itself it looks at all that the test program has registered. Name the workflows and tasks to look at these alone,
/// with all that they name: in the unit tests of a program without a library, say, which register tasks of their own.
///
/// ```
/// # use evertask::prelude::*;
/// # #[task]
/// # async fn send_report(day: u32) -> Result<(), String> { Ok(()) }
/// evertask::snapshot!("workflows.lock", send_report);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! snapshot {
    ($path:literal $(,)?) => {
        #[::core::prelude::v1::test]
        fn stored_work_is_still_understood() {
            $crate::snapshot::check(
                ::core::env!("CARGO_MANIFEST_DIR"),
                $path,
                &$crate::registry::Registry::collect(),
            );
        }
    };
    ($path:literal $(, $work:ty)+ $(,)?) => {
        #[::core::prelude::v1::test]
        fn stored_work_is_still_understood() {
            $crate::snapshot::check(
                ::core::env!("CARGO_MANIFEST_DIR"),
                $path,
                &$crate::registry::Registry::default()$(.add::<$work>())+,
            );
        }
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "`snapshot!` takes the path of the lock file as a text, and then the workflows and tasks to look at alone, \
             if any: `snapshot!(\"workflows.lock\", Order)`"
        );
    };
}

/// The environment variable that says that the file is to be written anew.
pub const ACCEPT: &str = "EVERTASK_ACCEPT";

/// The text of the lock file of these tasks and workflows.
pub fn text(registry: &Registry) -> String {
    Shape::of(registry).to_string()
}

/// What identifies the shape of a workflow.
pub(crate) fn section(entry: &WorkflowEntry) -> String {
    Flow::of(entry).to_string()
}

/// What has changed from one lock file's text to another's.
///
/// ```
/// use evertask::{prelude::*, registry::Registry, snapshot};
///
/// #[task]
/// async fn greet(name: String) -> Result<(), String> {
///     println!("hello {name}");
///     Ok(())
/// }
///
/// let now = snapshot::text(&Registry::default().add::<greet>());
/// let before = now.replace("field name: String", "field name: u64");
/// let changes = snapshot::compare(&before, &now)?;
/// assert_eq!(changes.breaking.len(), 1);
/// assert_eq!(changes.breaking[0].what, "the field `name` is a `String`, and was a `u64`");
/// # Ok::<(), snapshot::Unreadable>(())
/// ```
pub fn compare(locked: &str, now: &str) -> Result<Changes, Unreadable> {
    Ok(changes::changes(&locked.parse()?, &now.parse()?))
}

/// What [`snapshot!`](crate::snapshot!) does.
///
/// # Panics
///
/// With what has changed, and with what becomes of work in flight.
#[track_caller]
pub fn check(folder: &str, path: &str, registry: &Registry) {
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !matches!(&*value, "" | "0" | "false"));
    let file = Path::new(folder).join(path);
    let now = text(registry);
    let locked = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("`{}` can't be read: {error}", file.display()),
    };
    match decide(path, locked.as_deref(), &now, is_set(ACCEPT), is_set("CI")) {
        Decision::Same => {}
        Decision::Write => {
            if let Err(error) = std::fs::write(&file, &now) {
                panic!("`{}` can't be written: {error}", file.display());
            }
            println!("`{path}` was written: commit it");
        }
        Decision::Fail(why) => panic!("{why}"),
    }
}

/// What becomes of the file and the test.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Same,
    Write,
    Fail(String),
}

fn decide(path: &str, locked: Option<&str>, now: &str, accepts: bool, in_ci: bool) -> Decision {
    let is_empty = !now.lines().any(|line| line.starts_with("task ") || line.starts_with("workflow "));
    if is_empty {
        return Decision::Fail(
            "no task is registered here: name the crate that declares them (`use shop as _;`), \
             or name them: `evertask::snapshot!(\"workflows.lock\", Order)`"
                .to_owned(),
        );
    }
    match locked {
        None if in_ci && !accepts => Decision::Fail(format!(
            "there is no `{path}`, and nothing to compare with: run `cargo test` on your machine, which writes it, and commit it"
        )),
        None => Decision::Write,
        Some(locked) => match compare(locked, now) {
            Ok(changes) if changes.is_empty() => Decision::Same,
            _ if accepts => Decision::Write,
            Ok(changes) => Decision::Fail(changes.report(path)),
            Err(unreadable) => Decision::Fail(format!(
                "`{path}` can't be read: {unreadable}\n\
                 restore it from your repository; {ACCEPT}=1 writes it anew, without a comparison"
            )),
        },
    }
}

/// What has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// What strands or misreads work in flight.
    pub breaking: Vec<Change>,
    /// What does not concern work in flight.
    pub harmless: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The task or workflow: ``workflow `Order` ``.
    pub of: String,
    /// What is different.
    pub what: String,
    /// What becomes of work in flight.
    pub so: String,
    /// What its author can do about it; empty where nothing needs to be done.
    pub instead: Vec<String>,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.breaking.is_empty() && self.harmless.is_empty()
    }

    /// What the test says.
    fn report(&self, path: &str) -> String {
        if self.breaking.is_empty() {
            return format!(
                "`{path}` is out of date; nothing in flight is affected\n{self}\n\
                 to accept it: {ACCEPT}=1 cargo test\n"
            );
        }
        format!(
            "work in flight would be stranded or misread: the program is not what `{path}` says\n{self}\n\
             None of it matters where nothing of it is in flight: let the runs end first\n\
             (`dispatcher.list_runs(RunFilter::new().workflow(\"..\"))`), or keep the old one under its name beside the new one.\n\
             To accept it, knowing what it does: {ACCEPT}=1 cargo test\n"
        )
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut of = "";
        for change in &self.breaking {
            if of != change.of {
                of = &change.of;
                writeln!(f, "\n{of}")?;
            }
            writeln!(f, "  ! {}", change.what)?;
            writeln!(f, "      {}", change.so)?;
            change.instead.iter().try_for_each(|instead| writeln!(f, "      -> {instead}"))?;
        }
        if !self.breaking.is_empty() && !self.harmless.is_empty() {
            write!(f, "\nharmless:")?;
        }
        of = "";
        for change in &self.harmless {
            if of != change.of {
                of = &change.of;
                writeln!(f, "\n{of}")?;
            }
            writeln!(f, "    {}", change.what)?;
            if !change.so.is_empty() {
                writeln!(f, "      {}", change.so)?;
            }
        }
        Ok(())
    }
}

/// A line of a lock file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} says `{text}`, which this version of evertask does not know")]
#[non_exhaustive]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

#[cfg(test)]
mod tests;
