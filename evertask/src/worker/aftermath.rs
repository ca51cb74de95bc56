//! What is still to come for attempts whose handlers have ended, until the store has answered.

use std::collections::{HashMap, HashSet};

use super::attempt::Otherwise;
use crate::context::Context;
use crate::store::{Claim, Settled};

/// Of most attempts nothing is.
#[derive(Default)]
pub(super) struct Aftermath {
    /// How attempts end if what was to commit with them is refused.
    otherwise: HashMap<Claim, (Context, Otherwise)>,
    /// Those that ended their tasks themselves: it is no surprise that they are ended already.
    completed: HashSet<Claim>,
}

impl Aftermath {
    /// An attempt has ended.
    pub(super) fn expect(&mut self, cx: &Context, otherwise: Option<Otherwise>) {
        if let Some(otherwise) = otherwise {
            self.otherwise.insert(cx.claim(), (cx.clone(), otherwise));
        }
        if cx.has_completed() {
            self.completed.insert(cx.claim());
        }
    }

    /// The store has answered for these.
    pub(super) fn settled(&mut self, settled: &[(Claim, Settled)]) {
        for (claim, settled) in settled {
            if !self.otherwise.is_empty() {
                self.otherwise.remove(claim);
            }
            let itself = !self.completed.is_empty() && self.completed.remove(claim);
            if *settled == Settled::Fenced && !itself {
                tracing::warn!(id = %claim.id, fence = claim.fence, "a late result was refused: the task is no longer this worker's");
            }
        }
    }

    /// How an attempt ends that was refused.
    pub(super) fn otherwise(&mut self, claim: Claim) -> Option<(Context, Otherwise)> {
        self.otherwise.remove(&claim)
    }
}
