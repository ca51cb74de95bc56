//! `undo`: what undoes a step is a step of its own, and the end of it.

use crate::arms::TargetKind;
use crate::errors::Errors;
use crate::messages;
use crate::workflow::block::model::{Step, Workflow};

pub(super) fn check(workflow: &Workflow, errors: &mut Errors) {
    leads_to_one_step(workflow, errors);
    let led_to = an_undo_is_a_step_of_its_own(workflow, errors);
    nothing_follows_an_undo(workflow, &led_to, errors);
}

fn leads_to_one_step(workflow: &Workflow, errors: &mut Errors) {
    for arm in workflow.steps.iter().flat_map(Step::undone) {
        let [target] = arm.targets.as_slice() else {
            errors.at(&arm.word, messages::UNDO_SEVERAL);
            continue;
        };
        match &target.kind {
            TargetKind::Work { to, .. } if workflow.steps[to.number].is_wait() => {
                errors.at_span(to.span, messages::not_a_task_but_a_wait("undo", &workflow.name_of(to.number)));
            }
            TargetKind::Work { .. } => {}
            _ => errors.at(&arm.word, messages::UNDO_TARGET),
        }
        if let Some(after) = &target.after {
            errors.at(after, messages::UNDO_AT_ONCE);
        } else if let Some(limit) = &target.limit {
            errors.at(&limit.word, messages::UNDO_AT_ONCE);
        }
    }
}

/// Gives those that are not.
fn an_undo_is_a_step_of_its_own(workflow: &Workflow, errors: &mut Errors) -> Vec<usize> {
    let mut led_to = Vec::new();
    for (number, step) in workflow.steps.iter().enumerate() {
        for target in step.onward().flat_map(|arm| &arm.targets) {
            if let Some(to) = target.to().filter(|to| workflow.steps[to.number].is_undo) {
                errors.at_span(to.span, messages::undo_follows(&workflow.name_of(to.number)));
                led_to.push(to.number);
            }
        }
        if step.is_undo && number == 0 {
            errors.at(&step.name, messages::undo_follows(&step.stored_name()));
            led_to.push(number);
        }
    }
    for join in workflow.joins.iter().filter(|join| workflow.steps[join.then.number].is_undo) {
        errors.at_span(join.then.span, messages::undo_follows(&workflow.name_of(join.then.number)));
        led_to.push(join.then.number);
    }
    led_to
}

fn nothing_follows_an_undo(workflow: &Workflow, led_to: &[usize], errors: &mut Errors) {
    for (number, step) in workflow.steps.iter().enumerate() {
        if !step.is_undo || led_to.contains(&number) {
            continue;
        }
        if let Some(arm) = step.undone().next() {
            errors.at(&arm.word, messages::undo_of_an_undo(&step.stored_name()));
            continue;
        }
        let on = step.arms.iter().flat_map(|arm| &arm.targets).find_map(|target| match &target.kind {
            TargetKind::Work { to, .. } | TargetKind::Each { to, .. } => Some(to.span),
            TargetKind::Done { word, .. } => Some(word.span()),
            TargetKind::Fail { .. } | TargetKind::End { .. } | TargetKind::Rollback { .. } => None,
        });
        if let Some(span) = on {
            errors.at_span(span, messages::undo_goes_on(&step.stored_name()));
        }
    }
}
