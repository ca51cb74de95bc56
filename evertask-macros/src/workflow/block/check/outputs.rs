//! Every way through a workflow with an output ends in exactly one, or in a failure.

use proc_macro2::Span;

use crate::arms::{Linked, Target, TargetKind};
use crate::errors::Errors;
use crate::messages;
use crate::workflow::block::model::{Step, Workflow};
use crate::workflow::block::ways::Ways;

pub(super) fn check(workflow: &Workflow, ways: &Ways, errors: &mut Errors) {
    let Some(output) = &workflow.output else { return };
    if !something_gives_it(workflow) {
        errors.at(output, messages::NO_OUTPUT_GIVEN);
        return;
    }
    let (none, two) = (ways.flow.without_output(), ways.flow.with_two_outputs());
    let of_each = |at| {
        let target = workflow.target_of(ways, at)?;
        let TargetKind::Each { to, .. } = &target.kind else { return None };
        two.iter().any(|(wrong, _)| wrong.at == at).then_some(to)
    };
    for wrong in &none {
        if let Some(to) = of_each(wrong.at) {
            errors.at_span(to.span, messages::output_of_each(&workflow.name_of(to.number)));
            continue;
        }
        let span = workflow.target_of(ways, wrong.at).map_or_else(|| workflow.name.span(), span_of);
        errors.at_span(span, messages::way_without_output(&workflow.shown(ways, &wrong.path)));
    }
    for (wrong, first) in &two {
        if none.iter().any(|known| known.at == wrong.at) {
            continue;
        }
        let span = workflow.target_of(ways, wrong.at).map_or_else(|| workflow.name.span(), span_of);
        let [one, two] = [first, &wrong.path].map(|path| workflow.shown(ways, path));
        errors.at_span(span, messages::two_outputs(&one, &two));
    }
}

fn something_gives_it(workflow: &Workflow) -> bool {
    let is_done = |step: &Step| {
        let mut targets = step.onward().flat_map(|arm| &arm.targets);
        targets.any(|target| matches!(target.kind, TargetKind::Done { .. }))
    };
    workflow.steps.iter().any(|step| is_done(step) || !step.goes_on() && !step.is_undo && step.member.is_none())
}

fn span_of(target: &Target<Linked>) -> Span {
    match &target.kind {
        TargetKind::Work { to, .. } | TargetKind::Each { to, .. } => to.span,
        TargetKind::Done { word, .. }
        | TargetKind::Fail { word, .. }
        | TargetKind::End { word }
        | TargetKind::Rollback { word } => word.span(),
    }
}
