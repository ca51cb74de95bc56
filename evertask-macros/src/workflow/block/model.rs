//! A block as the checks and the expansion see it: every step has a number, those without arms of their own too.

use std::collections::HashMap;

use proc_macro2::{Ident, Span};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::{Attribute, LitStr, Path, Type, Visibility};

pub(crate) use super::parse::Does;
use super::parse::{self, Parsed};
use crate::arms::written::written;
use crate::arms::{Arm, Linked, Outcome, Past, Target, last_word};
use crate::errors::Errors;
use crate::krate::Krate;
use crate::messages;
use crate::workflow::options::Options;

/// A workflow block.
pub(crate) struct Workflow {
    pub(crate) krate: Krate,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) options: Options,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    pub(crate) input: Type,
    /// What it promises. `()` promises nothing.
    pub(crate) output: Option<Type>,
    /// The steps with arms, in order, then those without.
    pub(crate) steps: Vec<Step>,
    pub(crate) joins: Vec<Join>,
    pub(crate) partial: bool,
}

/// A step.
pub(crate) struct Step {
    /// Its name, where it is written first.
    pub(crate) name: Ident,
    pub(crate) does: Does,
    /// Whether it has a block of its own.
    pub(crate) has_block: bool,
    pub(crate) arms: Vec<Arm<Linked>>,
    pub(crate) was: Vec<LitStr>,
    /// The join that it is a member of, and which one.
    pub(crate) member: Option<(usize, usize)>,
    /// The join that it follows.
    pub(crate) follows: Option<usize>,
    /// Whether it undoes another one.
    pub(crate) is_undo: bool,
}

/// A join.
pub(crate) struct Join {
    pub(crate) word: Ident,
    pub(crate) settled: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) then: Linked,
}

pub(crate) struct Member {
    pub(crate) step: usize,
    pub(crate) is_each: bool,
    pub(crate) word: Ident,
}

impl Step {
    pub(crate) fn stored_name(&self) -> String {
        self.name.unraw().to_string()
    }

    /// What it runs, if it does not wait.
    pub(crate) fn work(&self) -> Option<&Path> {
        match &self.does {
            Does::Work { path, .. } => Some(path),
            Does::Wait { .. } => None,
        }
    }

    pub(crate) fn is_wait(&self) -> bool {
        matches!(self.does, Does::Wait { .. })
    }

    /// Where what it does is written first.
    pub(crate) fn first(&self) -> Span {
        self.work().map_or_else(|| self.name.span(), |path| last_word(path).span())
    }

    /// Whether it has arms for its output.
    pub(crate) fn goes_on(&self) -> bool {
        self.arms.iter().any(|arm| arm.outcome == Outcome::Ok)
    }

    /// The arms that a run may take.
    pub(crate) fn onward(&self) -> impl Iterator<Item = &Arm<Linked>> {
        self.arms.iter().filter(|arm| arm.outcome != Outcome::Undo)
    }

    /// The arms that undo it.
    pub(crate) fn undone(&self) -> impl Iterator<Item = &Arm<Linked>> {
        self.arms.iter().filter(|arm| arm.outcome == Outcome::Undo)
    }

    /// The past that its arms ask for: the steps, each once, and whether the input too.
    pub(crate) fn past(&self) -> (Vec<usize>, bool) {
        let (mut steps, mut input) = (Vec::new(), false);
        for with in self.arms.iter().flat_map(|arm| &arm.with) {
            match with.from {
                Some(Past::Step(step)) if !steps.contains(&step) => steps.push(step),
                Some(Past::Input) => input = true,
                _ => {}
            }
        }
        (steps, input)
    }
}

impl Workflow {
    pub(crate) fn stored_name(&self) -> String {
        self.options.name.as_ref().map_or_else(|| self.name.unraw().to_string(), syn::LitStr::value)
    }

    /// What the arms lead to that a run may take.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target<Linked>> {
        self.steps.iter().flat_map(Step::onward).flat_map(|arm| &arm.targets)
    }

    /// The name of a step.
    pub(crate) fn name_of(&self, step: usize) -> String {
        self.steps[step].stored_name()
    }

    /// What an output of this step leads to: the join that it is a member of.
    pub(crate) fn join_of(&self, step: usize) -> Option<&Join> {
        self.steps[step].member.map(|(join, _)| &self.joins[join])
    }
}

/// The steps so far, and their numbers by name.
#[derive(Default)]
struct Known {
    steps: Vec<Step>,
    numbers: HashMap<String, usize>,
}

impl Known {
    fn add(&mut self, name: Ident, does: Does, was: Vec<LitStr>, has_block: bool) -> usize {
        let number = self.steps.len();
        self.numbers.insert(name.to_string(), number);
        let (arms, member, follows) = (Vec::new(), None, None);
        self.steps.push(Step { name, does, has_block, arms, was, member, follows, is_undo: false });
        number
    }

    fn number(&self, name: &Ident) -> Option<usize> {
        self.numbers.get(&name.to_string()).copied()
    }

    /// The number of the step that a target names; one without a block of its own is made here.
    fn link(&mut self, path: Path, errors: &mut Errors) -> Linked {
        let name = last_word(&path);
        let span = name.span();
        if let Some(number) = self.number(&name) {
            let step = &self.steps[number];
            let names_the_step = path.get_ident().is_some() && step.has_block;
            if let Some(work) = step.work().filter(|work| !names_the_step && *work != &path) {
                let [runs, this] = [work, &path].map(|path| written(path.to_token_stream()));
                errors.at(&path, messages::ambiguous_step(&name.to_string(), &runs, &this));
            }
            return Linked { number, span, first: step.first() };
        }
        let number = self.add(name, Does::Work { path, is_alias: false }, Vec::new(), false);
        Linked { number, span, first: span }
    }

    /// A step that is named but not led to, so that it must be there.
    fn find(&self, name: &Ident, errors: &mut Errors) -> Option<usize> {
        let found = self.number(name);
        if found.is_none() {
            let names = self.steps.iter().map(|step| step.name.to_string()).collect::<Vec<_>>();
            errors.at(name, messages::no_step(&name.to_string(), names.iter().map(String::as_str)));
        }
        found
    }
}

/// Makes the model. Two steps of one name are an error here, because a name then says nothing.
pub(crate) fn model(parsed: Parsed, errors: &mut Errors) -> Workflow {
    let Parsed { attributes, options, visibility, name, input, output, steps, joins, mut partial } = parsed;
    let krate = options.krate.as_ref().map_or_else(Krate::found, Krate::given);
    let output = output.filter(|output| !matches!(output, Type::Tuple(tuple) if tuple.elems.is_empty()));
    let mut known = Known::default();
    let mut arms_of = Vec::new();
    for step in steps {
        if known.number(&step.name).is_some() {
            errors.at(&step.name, messages::duplicate_step(&step.name.to_string()));
            partial = true;
            continue;
        }
        known.add(step.name, step.does, step.was, true);
        arms_of.push(step.arms);
    }
    for (number, arms) in arms_of.into_iter().enumerate() {
        let arms = arms.into_iter().map(|arm| arm.link(&mut |path| known.link(path, errors))).collect();
        known.steps[number].arms = arms;
    }
    let found_before = errors.count();
    let joins = link_joins(joins, &mut known, errors);
    link_past(&mut known, errors);
    partial |= errors.count() > found_before;
    let undone: Vec<usize> = known
        .steps
        .iter()
        .flat_map(|step| step.undone().flat_map(|arm| &arm.targets).filter_map(|target| Some(target.to()?.number)))
        .collect();
    for step in undone {
        known.steps[step].is_undo = true;
    }
    Workflow { krate, attributes, options, visibility, name, input, output, steps: known.steps, joins, partial }
}

fn link_joins(joins: Vec<parse::Join>, known: &mut Known, errors: &mut Errors) -> Vec<Join> {
    let mut linked: Vec<Join> = Vec::new();
    for parse::Join { word, settled, members, then } in joins {
        let then = known.link(then, errors);
        let mut found: Vec<Member> = Vec::new();
        for parse::Member { is_each, word } in members {
            let Some(step) = known.find(&word, errors) else { continue };
            let of = &mut known.steps[step].member;
            match of {
                Some((join, _)) if *join == linked.len() => {
                    errors.at(&word, messages::member_twice(&word.to_string()));
                    continue;
                }
                Some(_) => {
                    errors.at(&word, messages::member_of_two_joins(&word.to_string()));
                    continue;
                }
                None => *of = Some((linked.len(), found.len())),
            }
            found.push(Member { step, is_each, word });
        }
        let follows = &mut known.steps[then.number].follows;
        if follows.is_some() {
            errors.at_span(then.span, messages::follows_two_joins(&known.steps[then.number].name.to_string()));
        } else {
            *follows = Some(linked.len());
        }
        linked.push(Join { word, settled, members: found, then });
    }
    linked
}

/// What `with` names.
fn link_past(known: &mut Known, errors: &mut Errors) {
    let mut steps = std::mem::take(&mut known.steps);
    let names: Vec<String> = steps.iter().map(|step| step.name.to_string()).collect();
    for with in steps.iter_mut().flat_map(|step| &mut step.arms).flat_map(|arm| &mut arm.with) {
        with.from = match known.number(&with.word) {
            _ if with.word == "input" => Some(Past::Input),
            Some(step) => Some(Past::Step(step)),
            None => {
                let name = with.word.to_string();
                let known = names.iter().map(String::as_str).chain(["input"]);
                errors.at(&with.word, messages::no_step(&name, known));
                None
            }
        };
    }
    known.steps = steps;
}
