//! The shape as text: one fact a line, sorted, so that a version control system shows what has changed.

use std::fmt;
use std::str::FromStr;

use super::Unreadable;
use super::shape::{Doing, Field, Flow, Join, Member, Shape, Step, Stored};

const HEAD: &str = "\
# What evertask stores of this program: its tasks, and its workflows with their steps. Commit this file.
# `evertask::snapshot!` compares it with the program; `EVERTASK_ACCEPT=1 cargo test` writes it anew.
format 1
";

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (name, task) in &self.tasks {
            writeln!(f, "\ntask {name}")?;
            task.fmt(f)?;
        }
        for (name, flow) in &self.workflows {
            writeln!(f, "\nworkflow {name}")?;
            flow.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(f, "    was ", &self.was)?;
        if !self.serde.is_empty() {
            writeln!(f, "    serde({})", self.serde)?;
        }
        for Field { name, of, serde } in &self.fields {
            write!(f, "    field {name}: {of}")?;
            if serde.is_empty() { writeln!(f) } else { writeln!(f, " #[serde({serde})]") }?;
        }
        lines(f, "    ", &self.edges)
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "    version {}", self.version)?;
        lines(f, "    timeout ", &self.timeout)?;
        lines(f, "    promises ", &self.promises)?;
        self.stored.fmt(f)?;
        writeln!(f, "    starts {}", self.starts)?;
        for (then, join) in &self.joins {
            let settled = if join.settled { "all settled " } else { "" };
            let members: Vec<_> = join.members.iter().map(Member::to_string).collect();
            writeln!(f, "    join {then} = {settled}({})", members.join(", "))?;
        }
        for (name, step) in &self.steps {
            writeln!(f, "    step {name}")?;
            lines(f, "        was ", &step.was)?;
            writeln!(f, "        does {}", step.does)?;
            lines(f, "        for ", &step.patience)?;
            if !step.reads.is_empty() {
                writeln!(f, "        reads {}", step.reads.join(", "))?;
            }
            lines(f, "        ", &step.edges)?;
        }
        Ok(())
    }
}

fn lines<'a>(f: &mut fmt::Formatter<'_>, word: &str, texts: impl IntoIterator<Item = &'a String>) -> fmt::Result {
    texts.into_iter().try_for_each(|text| writeln!(f, "{word}{text}"))
}

impl FromStr for Shape {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut shape = Self::default();
        let mut reading = Reading::Nothing;
        let mut format = None;
        for (number, line) in (1..).zip(text.lines()) {
            let fact = line.trim();
            if fact.is_empty() || fact.starts_with('#') {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            let read = match (indent, fact.split_once(' ')) {
                (0, Some(("format", found))) => {
                    format = Some(found.to_owned());
                    (found == "1").then_some(())
                }
                (0, Some(("task", name))) => {
                    reading = Reading::Task(shape.tasks.entry(name.to_owned()).or_default());
                    Some(())
                }
                (0, Some(("workflow", name))) => {
                    reading = Reading::Flow(shape.workflows.entry(name.to_owned()).or_default(), None);
                    Some(())
                }
                (0, _) => None,
                _ => reading.fact(indent, fact),
            };
            read.ok_or_else(|| Unreadable { line: number, text: fact.to_owned() })?;
        }
        match format {
            Some(_) => Ok(shape),
            None => Err(Unreadable { line: 1, text: text.lines().next().unwrap_or_default().to_owned() }),
        }
    }
}

/// Where the lines are.
enum Reading<'a> {
    Nothing,
    Task(&'a mut Stored),
    Flow(&'a mut Flow, Option<String>),
}

impl Reading<'_> {
    /// Takes one line, if it can be read.
    fn fact(&mut self, indent: usize, fact: &str) -> Option<()> {
        match self {
            Self::Nothing => None,
            Self::Task(task) => task.fact(fact),
            Self::Flow(flow, step) => match (&step, fact.strip_prefix("step ")) {
                (_, Some(name)) if indent == 4 => {
                    flow.steps.insert(name.to_owned(), Step::default());
                    *step = Some(name.to_owned());
                    Some(())
                }
                (Some(step), _) if indent > 4 => flow.steps.get_mut(step)?.fact(fact),
                _ => flow.fact(fact),
            },
        }
    }
}

impl Stored {
    fn fact(&mut self, fact: &str) -> Option<()> {
        if let Some(name) = fact.strip_prefix("was ") {
            self.was.push(name.to_owned());
        } else if let Some(said) = fact.strip_prefix("serde(") {
            said.strip_suffix(')')?.clone_into(&mut self.serde);
        } else if let Some(field) = fact.strip_prefix("field ") {
            let (name, of) = field.split_once(": ")?;
            let (of, serde) = match of.split_once(" #[serde(") {
                Some((of, said)) => (of, said.strip_suffix(")]")?),
                None => (of, ""),
            };
            self.fields.push(Field { name: name.to_owned(), of: of.to_owned(), serde: serde.to_owned() });
        } else {
            self.edges.push(is_edge(fact)?);
        }
        Some(())
    }
}

impl Flow {
    fn fact(&mut self, fact: &str) -> Option<()> {
        match fact.split_once(' ')? {
            ("version", version) => version.clone_into(&mut self.version),
            ("timeout", timeout) => self.timeout = Some(timeout.to_owned()),
            ("promises", promises) => self.promises = Some(promises.to_owned()),
            ("starts", starts) => starts.clone_into(&mut self.starts),
            ("join", join) => {
                let (then, join) = join.split_once(" = ")?;
                let (settled, members) = match join.strip_prefix("all settled ") {
                    Some(members) => (true, members),
                    None => (false, join),
                };
                let members = members.strip_prefix('(')?.strip_suffix(')')?;
                let member = |text: &str| match text.strip_prefix("each ") {
                    Some(step) => Member { each: true, step: step.to_owned() },
                    None => Member { each: false, step: text.to_owned() },
                };
                self.joins
                    .insert(then.to_owned(), Join { settled, members: members.split(", ").map(member).collect() });
            }
            _ => return self.stored.fact(fact),
        }
        Some(())
    }
}

impl Step {
    fn fact(&mut self, fact: &str) -> Option<()> {
        match fact.split_once(' ')? {
            ("was", name) => self.was.push(name.to_owned()),
            ("for", patience) => self.patience = Some(patience.to_owned()),
            ("reads", steps) => self.reads = steps.split(", ").map(str::to_owned).collect(),
            ("does", does) => {
                self.does = match does.split_once(' ')? {
                    ("task", name) => Doing::Task(name.to_owned()),
                    ("workflow", name) => Doing::Workflow(name.to_owned()),
                    ("wait", of) => Doing::Wait(of.to_owned()),
                    _ => return None,
                };
            }
            _ => self.edges.push(is_edge(fact)?),
        }
        Some(())
    }
}

fn is_edge(fact: &str) -> Option<String> {
    fact.contains(" => ").then(|| fact.to_owned())
}
