//! `wait` and `each`: what may lead to them, and what they have.

use crate::arms::{Outcome, Payload, TargetKind};
use crate::errors::Errors;
use crate::messages;
use crate::workflow::block::model::{Does, Workflow};

pub(super) fn check(workflow: &Workflow, errors: &mut Errors) {
    a_run_starts_with_a_task(workflow, errors);
    arms_of_a_wait(workflow, errors);
    a_wait_takes_nothing(workflow, errors);
}

fn a_run_starts_with_a_task(workflow: &Workflow, errors: &mut Errors) {
    if let Some(Does::Wait { word, .. }) = workflow.steps.first().map(|step| &step.does) {
        errors.at(word, messages::WAIT_FIRST);
    }
}

/// A wait ends with its value, with a time-out or with a cancel.
fn arms_of_a_wait(workflow: &Workflow, errors: &mut Errors) {
    for step in &workflow.steps {
        let Does::Wait { patience, .. } = &step.does else { continue };
        for arm in &step.arms {
            if arm.outcome == Outcome::Timeout && patience.is_none() {
                errors.at(&arm.word, messages::timeout_without_for(&step.stored_name()));
            } else if arm.is_typed_error() {
                errors.at(&arm.word, messages::WAIT_ERROR);
            } else if let Some(input) = &arm.input {
                errors.at(input, messages::WAIT_PAYLOAD_PATTERN);
            }
        }
    }
}

fn a_wait_takes_nothing(workflow: &Workflow, errors: &mut Errors) {
    for target in workflow.targets() {
        match &target.kind {
            TargetKind::Work { to, payload: Payload::Fields(_) | Payload::Values(_) }
                if is_wait(workflow, to.number) =>
            {
                errors.at_span(to.span, messages::wait_payload(&workflow.name_of(to.number)));
            }
            TargetKind::Each { to, .. } if is_wait(workflow, to.number) => {
                errors.at_span(to.span, messages::not_a_task_but_a_wait("each", &workflow.name_of(to.number)));
            }
            _ => {}
        }
    }
    for join in workflow.joins.iter().filter(|join| is_wait(workflow, join.then.number)) {
        errors.at_span(join.then.span, messages::not_a_task_but_a_wait("a join", &workflow.name_of(join.then.number)));
    }
}

fn is_wait(workflow: &Workflow, step: usize) -> bool {
    workflow.steps[step].is_wait()
}
