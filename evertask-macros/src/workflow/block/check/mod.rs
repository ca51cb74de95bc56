//! The rules of a block, one function each. Those on one word of the language stand in a file of their own.

mod joins;
mod outputs;
mod past;
mod undo;
mod wait;

use std::collections::HashSet;

use syn::Type;
use syn::ext::IdentExt as _;

use super::model::{Does, Workflow};
use super::ways::Edge;
use crate::arms::written::written_type;
use crate::arms::{self, TargetKind};
use crate::errors::Errors;
use crate::graph::{circles, reachable};
use crate::messages;
use crate::suggest::nearest;

/// All of them. Those on the whole are left out where only a part could be read.
pub(crate) fn check(workflow: &Workflow, errors: &mut Errors) {
    for step in &workflow.steps {
        arms::check::check(&step.arms, errors);
    }
    no_alias_of_itself(workflow, errors);
    done_only_where_promised(workflow, errors);
    old_names_are_old(workflow, errors);
    schedule_gives_what_is_taken(workflow, errors);
    // A rule on ways has nothing to say of a block whose ways are not what its author thinks.
    let known_before = errors.count();
    wait::check(workflow, errors);
    undo::check(workflow, errors);
    joins::form(workflow, errors);
    if workflow.partial {
        return;
    }
    has_a_step(workflow, errors);
    let edges = workflow.edges();
    every_step_is_reached(workflow, &edges, errors);
    nothing_goes_round_for_ever(workflow, &edges, errors);
    let ways = workflow.ways();
    past::check(workflow, &ways, errors);
    if errors.count() > known_before || workflow.steps.is_empty() {
        return;
    }
    joins::complete(workflow, &ways, errors);
    if errors.count() == known_before {
        outputs::check(workflow, &ways, errors);
    }
}

fn schedule_gives_what_is_taken(workflow: &Workflow, errors: &mut Errors) {
    let is_unit = matches!(&workflow.input, Type::Tuple(tuple) if tuple.elems.is_empty());
    if let Some(schedule) = workflow.options.schedule.as_ref().filter(|_| !is_unit) {
        schedule.check(&workflow.name.unraw().to_string(), &[written_type(&workflow.input)], errors);
    }
}

fn no_alias_of_itself(workflow: &Workflow, errors: &mut Errors) {
    for step in &workflow.steps {
        if let Does::Work { path, is_alias: true } = &step.does
            && path.get_ident() == Some(&step.name)
        {
            errors.at(path, messages::alias_of_itself(&step.name.to_string()));
        }
    }
}

fn done_only_where_promised(workflow: &Workflow, errors: &mut Errors) {
    if workflow.output.is_some() {
        return;
    }
    for target in workflow.steps.iter().flat_map(|step| &step.arms).flat_map(|arm| &arm.targets) {
        if let TargetKind::Done { word, .. } = &target.kind {
            errors.at(word, messages::DONE_WITHOUT_OUTPUT);
        }
    }
}

fn has_a_step(workflow: &Workflow, errors: &mut Errors) {
    if workflow.steps.is_empty() {
        errors.at(&workflow.name, messages::EMPTY_BLOCK);
    }
}

/// Where a target without a block is a slip of a block that nothing leads to, the one mistake is the slip.
fn every_step_is_reached(workflow: &Workflow, edges: &[Edge], errors: &mut Errors) {
    let steps = &workflow.steps;
    let Some(first) = steps.first() else { return };
    let mut pairs: Vec<(usize, usize)> = edges.iter().map(|edge| (edge.from, edge.to)).collect();
    // A step of its own at the end, from which everything that was said is reached already.
    let mut slips: Vec<usize> = Vec::new();
    let led: HashSet<usize> = edges.iter().filter(|edge| edge.from != edge.to).map(|edge| edge.to).collect();
    loop {
        let reached = reachable(steps.len(), &pairs);
        let lost = |step: &usize| !reached[*step];
        let all: Vec<usize> = (0..steps.len()).filter(lost).collect();
        let Some(&step) = all.iter().find(|step| !led.contains(step)).or(all.first()) else { return };
        let name = steps[step].name.unraw().to_string();
        let slip = edges.iter().find(|edge| {
            let target = &steps[edge.to];
            !target.has_block
                && target.work().is_some_and(|path| path.get_ident().is_some())
                && !slips.contains(&edge.to)
                && nearest(&target.stored_name(), [name.as_str()]).is_some()
        });
        match slip {
            Some(edge) => {
                slips.push(edge.to);
                errors.at_span(edge.span, messages::unknown_step(&steps[edge.to].stored_name(), &name));
            }
            None => errors.at(&steps[step].name, messages::never_reached(&name, &first.stored_name())),
        }
        pairs.push((0, step));
    }
}

fn nothing_goes_round_for_ever(workflow: &Workflow, edges: &[Edge], errors: &mut Errors) {
    let at_once: Vec<&Edge> = edges.iter().filter(|edge| !edge.rests).collect();
    let pairs: Vec<(usize, usize)> = at_once.iter().map(|edge| (edge.from, edge.to)).collect();
    for circle in circles(workflow.steps.len(), &pairs) {
        let mut way: Vec<String> =
            circle.iter().map(|edge| workflow.steps[at_once[*edge].from].stored_name()).collect();
        let Some(last) = circle.last().map(|edge| at_once[*edge]) else { continue };
        way.push(workflow.steps[last.to].stored_name());
        let way: Vec<&str> = way.iter().map(String::as_str).collect();
        errors.at_span(last.span, messages::endless(&way));
    }
}

/// A name that a step had before is nobody's name today.
fn old_names_are_old(workflow: &Workflow, errors: &mut Errors) {
    let mut names: HashSet<String> = workflow.steps.iter().map(super::model::Step::stored_name).collect();
    for was in workflow.steps.iter().flat_map(|step| &step.was) {
        if !names.insert(was.value()) {
            errors.at(was, messages::name_is_taken(&was.value()));
        }
    }
}
