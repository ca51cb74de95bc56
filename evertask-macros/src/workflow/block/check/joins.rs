//! `join`: what a member may have, and that all of them arrive.

use crate::arms::{Linked, Outcome, TargetKind};
use crate::errors::Errors;
use crate::graph::Lost;
use crate::messages;
use crate::workflow::block::model::{Join, Member, Workflow};
use crate::workflow::block::ways::Ways;

/// The longest tuple that a join gives.
const MOST: usize = 8;

/// What a join looks like.
pub(super) fn form(workflow: &Workflow, errors: &mut Errors) {
    for join in &workflow.joins {
        match join.members.as_slice() {
            [only] if !only.is_each && !workflow.partial => {
                let (name, then) = (workflow.name_of(only.step), workflow.name_of(join.then.number));
                errors.at(&join.word, messages::one_member(&name, &then));
            }
            members if members.len() > MOST => errors.at(&join.word, messages::too_many_members(MOST)),
            _ => {}
        }
        for member in &join.members {
            nothing_else_takes_its_output(workflow, join, member, errors);
            settled_members_may_fail(workflow, join, member, errors);
            is_started_as_it_is_named(workflow, member, errors);
        }
    }
}

fn nothing_else_takes_its_output(workflow: &Workflow, join: &Join, member: &Member, errors: &mut Errors) {
    let step = &workflow.steps[member.step];
    if step.is_undo || member.step == join.then.number {
        errors.at(&member.word, messages::no_member(&step.stored_name()));
    } else if let Some(arm) = step.arms.iter().find(|arm| arm.outcome == Outcome::Ok) {
        errors.at(&arm.word, messages::join_takes_output(&step.stored_name()));
    }
}

fn settled_members_may_fail(workflow: &Workflow, join: &Join, member: &Member, errors: &mut Errors) {
    if !join.settled {
        return;
    }
    let step = &workflow.steps[member.step];
    let takes_failures = |outcome| matches!(outcome, Outcome::Err | Outcome::Failure | Outcome::Timeout);
    if let Some(arm) = step.arms.iter().find(|arm| takes_failures(arm.outcome)) {
        errors.at(&arm.word, messages::settled_takes_failures(&step.stored_name()));
    }
}

fn is_started_as_it_is_named(workflow: &Workflow, member: &Member, errors: &mut Errors) {
    let name = workflow.name_of(member.step);
    let leading = |to: &Linked| to.number == member.step;
    let targets = || workflow.targets();
    let once = targets().any(|target| matches!(&target.kind, TargetKind::Work { to, .. } if leading(to)));
    let each = targets().any(|target| matches!(&target.kind, TargetKind::Each { to, .. } if leading(to)));
    if member.is_each && once {
        errors.at(&member.word, messages::member_runs_once(&name));
    } else if !member.is_each && each {
        errors.at(&member.word, messages::member_runs_for_each(&name));
    }
}

/// That it can't wait for ever.
pub(super) fn complete(workflow: &Workflow, ways: &Ways, errors: &mut Errors) {
    let behind = ways.flow.behind_each();
    for (join, of) in workflow.joins.iter().zip(&ways.flow.joins) {
        if let Some(member) = join.members.iter().find(|member| behind[member.step]) {
            errors.at(&member.word, messages::member_behind_each(&workflow.name_of(member.step)));
            continue;
        }
        let doubled = |member: &Member| Some((member.word.clone(), member.step, ways.flow.doubled(member.step)?));
        if let Some((word, member, [one, two])) = join.members.iter().find_map(doubled) {
            let [one, two] = [one, two].map(|path| workflow.shown(ways, &path));
            errors.at(&word, messages::doubled(&workflow.name_of(member), &one, &two));
            continue;
        }
        for lost in ways.flow.lost(of) {
            let named = |step: usize| workflow.name_of(step);
            let (member, message) = match &lost {
                Lost::Astray { member, path } => {
                    (*member, messages::member_astray(&named(*member), &workflow.shown(ways, path)))
                }
                Lost::MayNotRun { member, path } => {
                    (*member, messages::member_may_not_run(&named(*member), &workflow.shown(ways, path)))
                }
                Lost::Elsewhere { member, other, path } => {
                    let message =
                        messages::member_elsewhere(&named(*member), &named(*other), &workflow.shown(ways, path));
                    (*member, message)
                }
            };
            let word = join.members.iter().find(|known| known.step == member).map_or(&join.word, |known| &known.word);
            errors.at(word, message);
        }
    }
}
