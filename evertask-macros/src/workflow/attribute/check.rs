//! The rules of the attribute form, one function each.

use syn::ext::IdentExt as _;

use super::model::Workflow;
use crate::arms;
use crate::errors::Errors;
use crate::messages;
use crate::schedule::takes;
use crate::task::check::not_generic;
use crate::task::expand::fields_of;

/// All of them.
pub(crate) fn check(workflow: &Workflow, errors: &mut Errors) {
    arms::check::check(&workflow.arms, errors);
    not_generic(&workflow.item.generics, messages::GENERIC_WORKFLOW, errors);
    starts_once(workflow, errors);
    starts_with_one_task(workflow, errors);
    start_is_plain(workflow, errors);
    if let Some(schedule) = &workflow.options.schedule {
        let name = workflow.ident().unraw().to_string();
        schedule.check(&name, &takes(&fields_of(&workflow.item.fields)), errors);
    }
}

fn starts_once(workflow: &Workflow, errors: &mut Errors) {
    if workflow.starts.is_empty() && !workflow.partial {
        errors.at(workflow.ident(), messages::MISSING_START);
    }
    for again in workflow.starts.iter().skip(1) {
        errors.at(&again.word, messages::START_TWICE);
    }
}

fn starts_with_one_task(workflow: &Workflow, errors: &mut Errors) {
    for start in workflow.starts.iter().take(1) {
        if start.targets.len() > 1 {
            errors.at(&start.word, messages::START_SEVERAL);
        }
    }
}

fn start_is_plain(workflow: &Workflow, errors: &mut Errors) {
    for start in workflow.starts.iter().take(1) {
        let waits = start.targets.iter().find_map(|target| target.after.as_ref());
        if let Some(guard) = &start.guard {
            errors.at(guard, messages::START_PARTS);
        } else if let Some(input) = &start.input {
            errors.at(input, messages::START_PARTS);
        } else if let Some(after) = waits {
            errors.at(after, messages::START_PARTS);
        }
    }
}
