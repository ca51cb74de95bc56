//! The rules: what each change of the shape does to work in flight.

use std::collections::BTreeMap;

use super::shape::{Doing, Flow, Join, Shape, Step};
use super::{Change, Changes, payload};

/// All that has changed.
pub(super) fn changes(old: &Shape, new: &Shape) -> Changes {
    let mut changes = Changes::default();
    let works = Works {
        tasks: Renames::of(&old.tasks, &new.tasks, |task| &task.was),
        workflows: Renames::of(&old.workflows, &new.workflows, |flow| &flow.stored.was),
    };
    for (name, task) in &old.tasks {
        let Some(now) = works.tasks.today(name) else {
            let mut of = Of { name: format!("task `{name}`"), changes: &mut changes };
            let like = works.tasks.new_ones(&new.tasks).find(|(_, other)| other.fields == task.fields);
            of.breaks(
                "it is gone".to_owned(),
                "a task of it that waits is parked until a program starts that has it",
                [was("task", name, like.map(|(like, _)| like)), format!("keep `{name}` until none waits")],
            );
            continue;
        };
        let mut of = Of { name: format!("task `{now}`"), changes: &mut changes };
        renamed(&mut of, "it", name, now);
        let later = &new.tasks[now];
        payload::compare(&mut of, task, later);
        names_kept(&mut of, "it", "task", &task.was, (now, &later.was));
        arms(&mut of, "its arms", &task.edges, &later.edges);
    }
    for (name, _) in works.tasks.new_ones(&new.tasks) {
        Of { name: format!("task `{name}`"), changes: &mut changes }.harmless("it is new".to_owned(), "");
    }
    for (name, flow) in &old.workflows {
        let Some(now) = works.workflows.today(name) else {
            let mut of = Of { name: format!("workflow `{name}`"), changes: &mut changes };
            let like = works.workflows.new_ones(&new.workflows).find(|(_, other)| other.steps == flow.steps);
            of.breaks(
                "it is gone".to_owned(),
                "its runs stand still: what waits in them is parked until a program starts that has it",
                [
                    was("workflow", name, like.map(|(like, _)| like)),
                    format!("keep `{name}` until none of its runs is left"),
                ],
            );
            continue;
        };
        let mut of = Of { name: format!("workflow `{now}`"), changes: &mut changes };
        renamed(&mut of, "it", name, now);
        workflow(&mut of, &works, flow, (now, &new.workflows[now]));
    }
    for (name, _) in works.workflows.new_ones(&new.workflows) {
        Of { name: format!("workflow `{name}`"), changes: &mut changes }.harmless("it is new".to_owned(), "");
    }
    changes
}

/// What a change is of.
pub(super) struct Of<'c> {
    name: String,
    changes: &'c mut Changes,
}

impl Of<'_> {
    pub(super) fn breaks(&mut self, what: String, so: impl Into<String>, instead: impl IntoIterator<Item = String>) {
        let instead = instead.into_iter().collect();
        self.changes.breaking.push(Change { of: self.name.clone(), what, so: so.into(), instead });
    }

    pub(super) fn harmless(&mut self, what: String, so: impl Into<String>) {
        self.changes.harmless.push(Change { of: self.name.clone(), what, so: so.into(), instead: Vec::new() });
    }
}

/// The name of today of each earlier one.
struct Renames<'s>(BTreeMap<&'s str, &'s str>);

impl<'s> Renames<'s> {
    fn of<T>(old: &'s BTreeMap<String, T>, new: &'s BTreeMap<String, T>, was: impl Fn(&T) -> &Vec<String>) -> Self {
        let today = |name: &'s String| {
            let same = new.get_key_value(name);
            let found = same.or_else(|| new.iter().find(|(_, entry)| was(entry).contains(name)))?;
            Some((name.as_str(), found.0.as_str()))
        };
        Self(old.keys().filter_map(today).collect())
    }

    fn today(&self, name: &str) -> Option<&'s str> {
        self.0.get(name).copied()
    }

    /// Those that were not there before, by any name.
    fn new_ones<'n, T>(&self, new: &'n BTreeMap<String, T>) -> impl Iterator<Item = (&'n str, &'n T)> {
        let known: Vec<&str> = self.0.values().copied().collect();
        new.iter().map(|(name, entry)| (name.as_str(), entry)).filter(move |(name, _)| !known.contains(name))
    }
}

struct Works<'s> {
    tasks: Renames<'s>,
    workflows: Renames<'s>,
}

impl Works<'_> {
    /// What does today what a step did.
    fn today(&self, does: &Doing) -> Doing {
        let now = |names: &Renames<'_>, name: &String| names.today(name).unwrap_or(name).to_owned();
        match does {
            Doing::Task(name) => Doing::Task(now(&self.tasks, name)),
            Doing::Workflow(name) => Doing::Workflow(now(&self.workflows, name)),
            other => other.clone(),
        }
    }
}

fn workflow(of: &mut Of<'_>, works: &Works<'_>, old: &Flow, (name, new): (&str, &Flow)) {
    let steps = Renames::of(&old.steps, &new.steps, |step| &step.was);
    payload::compare(of, &old.stored, &new.stored);
    promise(of, old.promises.as_deref(), new.promises.as_deref());
    for (name, step) in &old.steps {
        if let Some(now) = steps.today(name) {
            compare_steps(of, works, &steps, (name, step), (now, &new.steps[now]));
            continue;
        }
        let is_like = |other: &Step| {
            works.today(&step.does) == other.does || (!step.edges.is_empty() && step.edges == other.edges)
        };
        let like = steps.new_ones(&new.steps).find(|(_, other)| is_like(other));
        of.breaks(
            format!("the step `{name}` is gone"),
            "a run that is at it stands still: its task is parked until a program starts that has the step",
            [
                was("step", name, like.map(|(like, _)| like)),
                "keep the step, with no arm that leads to it, until no run is at it".to_owned(),
            ],
        );
    }
    joins(of, &steps, old, new);
    names_kept(of, "it", "workflow", &old.stored.was, (name, &new.stored.was));
    for (name, _) in steps.new_ones(&new.steps) {
        of.harmless(format!("the step `{name}` is new"), "");
    }
    if old.version != new.version {
        of.harmless(format!("its version is {}, and was {}", new.version, old.version), "");
    }
    if old.timeout != new.timeout {
        let [before, now] = [old, new].map(|flow| flow.timeout.as_deref().unwrap_or("without end"));
        of.harmless(
            format!("a run may take {now}, and might take {before}"),
            "a run keeps the time that it began with",
        );
    }
    let start =
        |flow: &Flow| steps.today(&flow.starts).or(works.tasks.today(&flow.starts)).unwrap_or(&flow.starts).to_owned();
    if start(old) != new.starts {
        of.harmless(format!("a run starts with `{}`, and not with `{}`", new.starts, old.starts), "");
    }
    arms(of, "its own arms", &old.stored.edges, &new.stored.edges);
}

fn promise(of: &mut Of<'_>, old: Option<&str>, new: Option<&str>) {
    if old == new {
        return;
    }
    let [before, now] = [old, new].map(|promise| promise.unwrap_or("()"));
    let so = if old.is_some() {
        format!("a run that has its output has a `{before}`, which is read as a `{now}`")
    } else {
        format!("a run in flight began with the output `()`, which is read as a `{now}`")
    };
    let instead = "let it be a new workflow, under a name of its own".to_owned();
    of.breaks(format!("it promises `{now}`, and promised `{before}`"), so, [instead]);
}

fn compare_steps(
    of: &mut Of<'_>,
    works: &Works<'_>,
    steps: &Renames<'_>,
    (was_name, old): (&str, &Step),
    (name, new): (&str, &Step),
) {
    let step = format!("the step `{name}`");
    renamed(of, &format!("the step `{was_name}`"), was_name, name);
    does(of, works, name, &old.does, &new.does);
    let before: Vec<&str> = old.reads.iter().map(|read| steps.today(read).unwrap_or(read)).collect();
    let known: Vec<&str> = steps.0.values().copied().collect();
    for read in new.reads.iter().filter(|read| *read != "input" && !before.contains(&read.as_str())) {
        // What a step had before is listed under each of its names.
        if steps.today(read).is_none() && !known.contains(&read.as_str()) {
            of.breaks(
                format!("{step} reads the output of `{read}`, which is new"),
                format!("a run that is past `{read}` has no output of it: `{name}` fails there"),
                [format!("read it in a step that only `{read}` leads to")],
            );
        }
    }
    if old.patience != new.patience {
        let [before, now] = [old, new].map(|step| step.patience.as_deref().unwrap_or("without end"));
        of.harmless(format!("{step} waits {now}, and waited {before}"), "who waits keeps the time that it began with");
    }
    names_kept(of, &step, "step", &old.was, (name, &new.was));
    arms(of, &format!("the arms of `{name}`"), &old.edges, &new.edges);
}

fn does(of: &mut Of<'_>, works: &Works<'_>, step: &str, old: &Doing, new: &Doing) {
    if works.today(old) == *new {
        return;
    }
    let apart = format!("do it in a step of a new name, and keep `{step}` until no run is at it");
    match (old, new) {
        (Doing::Wait(old), Doing::Wait(new)) => of.breaks(
            format!("the step `{step}` waits for a `{new}`, and waited for a `{old}`"),
            format!("a value that was given as a `{old}` is read as a `{new}`: where that fails, its task is parked"),
            [apart, "accept it if the new type reads all that the old one wrote".to_owned()],
        ),
        (Doing::Task(old), Doing::Task(new)) => of.breaks(
            format!("the step `{step}` runs the task `{new}`, and ran `{old}`"),
            format!("a task that waits there was made for `{old}`: `{new}` gets its payload"),
            [format!("if `{new}` is `{old}` by a new name, say `#[task(was = \"{old}\")]` there"), apart],
        ),
        _ => of.breaks(
            format!("the step `{step}` is `{new}`, and was `{old}`"),
            "a task that waits there was made for the one, and is read as the other",
            [apart],
        ),
    }
}

fn joins(of: &mut Of<'_>, steps: &Renames<'_>, old: &Flow, new: &Flow) {
    let today = |join: &Join| {
        let mut join = join.clone();
        for member in &mut join.members {
            if let Some(now) = steps.today(&member.step) {
                now.clone_into(&mut member.step);
            }
        }
        join
    };
    let earlier: BTreeMap<&str, Join> =
        old.joins.iter().map(|(then, join)| (steps.today(then).unwrap_or(then), today(join))).collect();
    for (&then, join) in &earlier {
        let Some(later) = new.joins.get(then) else {
            let moved = new
                .joins
                .iter()
                .find(|(then, later)| !earlier.contains_key(then.as_str()) && later.members == join.members);
            let (what, instead) = match moved {
                Some((now, _)) => (
                    format!("the join {} leads to `{now}`, and led to `{then}`", members(join)),
                    format!("if `{now}` is `{then}` by a new name, say `#[step(was = \"{then}\")]` there"),
                ),
                None => (
                    format!("the join {} to `{then}` is gone", members(join)),
                    "keep the join until no run waits at it".to_owned(),
                ),
            };
            of.breaks(
                what,
                "a run where some of its members have ended fails at its end: the join was never complete",
                [instead],
            );
            continue;
        };
        if later.members != join.members {
            of.breaks(
                format!("the join to `{then}` is of {}, and was of {}", members(later), members(join)),
                "who has arrived is known by its place: a run where some members have ended mixes them up, or fails at its end",
                ["join them in a step of a new name".to_owned()],
            );
        } else if later.settled != join.settled {
            let [now, before] = [later, join].map(|join| if join.settled { "`Result`s" } else { "outputs" });
            of.breaks(
                format!("the join to `{then}` gives {now}, and gave {before}"),
                format!("a `{then}` that waits has what its members gave before: it can't be read, and is parked"),
                ["join them in a step of a new name".to_owned()],
            );
        }
    }
    for (then, join) in new.joins.iter().filter(|(then, _)| !earlier.contains_key(then.as_str())) {
        let is_old = |step: &str| steps.0.values().any(|now| *now == step);
        let is_moved =
            earlier.iter().any(|(then, earlier)| !new.joins.contains_key(*then) && earlier.members == join.members);
        let old_members: Vec<_> = join.members.iter().filter(|member| is_old(&member.step)).collect();
        let what = format!("the join {} to `{then}` is new", members(join));
        if is_moved {
            continue;
        }
        if old_members.is_empty() {
            of.harmless(what, "");
        } else {
            of.breaks(
                what,
                "a run where some of its members have ended fails at its end: the join was never complete",
                ["join steps of new names, so that runs in flight go on as they began".to_owned()],
            );
        }
    }
}

fn members(join: &Join) -> String {
    let members: Vec<_> = join.members.iter().map(|member| format!("`{member}`")).collect();
    format!("({})", members.join(", "))
}

fn renamed(of: &mut Of<'_>, what: &str, was: &str, now: &str) {
    if was != now {
        of.harmless(format!("{what} is `{now}` now, and was `{was}`"), "what waits under the old name goes on");
    }
}

/// The way out of a lost name.
fn was(kind: &str, name: &str, like: Option<&str>) -> String {
    match like {
        Some(like) => format!("if it is `{like}` now, say `#[{kind}(was = \"{name}\")]` there"),
        None => format!("if it has a new name, say `#[{kind}(was = \"{name}\")]` there"),
    }
}

/// Whether all earlier names are known still.
fn names_kept(of: &mut Of<'_>, what: &str, kind: &str, old: &[String], (name, new): (&str, &[String])) {
    for lost in old.iter().filter(|lost| *lost != name && !new.contains(lost)) {
        of.breaks(
            format!("{what} is not known as `{lost}` any more"),
            "what was begun under that name is not found: it is parked",
            [format!("say `#[{kind}(was = \"{lost}\")]` until nothing of that name is left")],
        );
    }
}

fn arms(of: &mut Of<'_>, what: &str, old: &[String], new: &[String]) {
    if old == new {
        return;
    }
    let lost = old.iter().filter(|edge| !new.contains(edge)).map(|edge| format!("\n        - {edge}"));
    let added = new.iter().filter(|edge| !old.contains(edge)).map(|edge| format!("\n        + {edge}"));
    let changed: Vec<_> = lost.chain(added).collect();
    let has_undo = changed.iter().any(|edge| edge.contains("undo"));
    let so = if has_undo {
        "what is in flight goes on by the new ones, what has completed is undone by the old"
    } else {
        "what is in flight goes on by the new ones"
    };
    let changed = if changed.is_empty() { " in another order".to_owned() } else { changed.concat() };
    of.harmless(format!("{what}:{changed}"), so);
}
