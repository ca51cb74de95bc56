//! A workflow of the attribute form as the checks and the expansion see it.

use proc_macro2::{Ident, TokenStream};
use syn::ItemStruct;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};

use crate::arms::{Arm, Linked, Payload, TargetKind};
use crate::errors::Errors;
use crate::krate::Krate;
use crate::messages;
use crate::options::{Among, Entries, entries};
use crate::task::model::{Work, Works};
use crate::workflow::options::{self, Options};

/// A workflow that follows the tasks' own edges.
pub(crate) struct Workflow {
    pub(crate) krate: Krate,
    pub(crate) item: ItemStruct,
    pub(crate) options: Options,
    pub(crate) starts: Vec<Arm<Linked>>,
    pub(crate) arms: Vec<Arm<Linked>>,
    pub(crate) works: Vec<Work>,
    /// Whether something in the attribute could not be read.
    pub(crate) partial: bool,
}

impl Workflow {
    pub(crate) fn ident(&self) -> &Ident {
        &self.item.ident
    }

    pub(crate) fn stored_name(&self) -> String {
        self.options.name.as_ref().map_or_else(|| self.item.ident.unraw().to_string(), syn::LitStr::value)
    }

    /// The one start, with its task and how that one's payload is made.
    pub(crate) fn start(&self) -> Option<(&Arm<Linked>, &Linked, &Payload)> {
        let arm = self.starts.first()?;
        match &arm.targets.first()?.kind {
            TargetKind::Work { to, payload } => Some((arm, to, payload)),
            _ => None,
        }
    }
}

/// Reads it. `None` when it stands on no struct.
pub(crate) fn read(options: TokenStream, item: &TokenStream, errors: &mut Errors) -> Option<Workflow> {
    let item = match syn::parse2::<ItemStruct>(item.clone()) {
        Ok(item) => item,
        Err(error) => {
            errors.at_span(error.span(), messages::NOT_A_WORKFLOW_ITEM);
            return None;
        }
    };
    let mut read = Entries::default();
    let parsed = (|input: ParseStream<'_>| {
        read = entries(input, Among::ArmsAndStart, errors);
        Ok(())
    })
    .parse2(options);
    errors.left_over(parsed);
    let partial = !errors.is_empty() || read.options.iter().any(|given| given.name == "start");
    let options = options::read(&read.options, errors);
    let krate = options.krate.as_ref().map_or_else(Krate::found, Krate::given);
    let mut works = Works::default();
    let mut link = |path| works.link(path);
    let starts = read.starts.into_iter().map(|arm| arm.link(&mut link)).collect();
    let arms = read.arms.into_iter().map(|arm| arm.link(&mut link)).collect();
    Some(Workflow { krate, item, options, starts, arms, works: works.0, partial })
}
