//! `with step(..)`: the step has completed on every way to the arm.

use std::collections::HashMap;

use crate::arms::{Past, TargetKind};
use crate::errors::Errors;
use crate::graph::{Path, Without};
use crate::messages;
use crate::workflow::block::model::Workflow;
use crate::workflow::block::ways::Ways;

pub(super) fn check(workflow: &Workflow, ways: &Ways, errors: &mut Errors) {
    let mut without: HashMap<usize, Without> = HashMap::new();
    let mut doubled: HashMap<usize, Option<[Path; 2]>> = HashMap::new();
    let (repeated, behind) = (repeated(workflow), ways.flow.behind_each());
    for (number, step) in workflow.steps.iter().enumerate() {
        for with in step.arms.iter().flat_map(|arm| &arm.with) {
            let Some(Past::Step(of)) = with.from else { continue };
            let name = workflow.name_of(of);
            if of == number {
                errors.at(&with.word, messages::with_itself(&name));
            } else if repeated[of] {
                errors.at(&with.word, messages::with_each(&name));
            } else if behind[of] {
                errors.at(&with.word, messages::with_behind_each(&name));
            } else if let Some([one, two]) = doubled.entry(of).or_insert_with(|| ways.flow.doubled(of)) {
                let [one, two] = [one, two].map(|path| workflow.shown(ways, path));
                errors.at(&with.word, messages::doubled(&name, &one, &two));
            } else if let Some(path) = without.entry(of).or_insert_with(|| ways.flow.without(of)).path(number) {
                errors.at(&with.word, messages::not_completed(&name, &workflow.shown(ways, &path)));
            }
        }
    }
}

/// The steps that run once for each item.
fn repeated(workflow: &Workflow) -> Vec<bool> {
    let mut repeated = vec![false; workflow.steps.len()];
    for target in workflow.targets() {
        if let TargetKind::Each { to, .. } = &target.kind {
            repeated[to.number] = true;
        }
    }
    repeated
}
