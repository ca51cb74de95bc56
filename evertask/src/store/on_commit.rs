//! What commits with a task: what its handler writes to its own tables in the store's file.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::sync::Arc;

#[cfg(feature = "sqlite")]
use crate::worker::caught;

#[cfg(feature = "sqlite")]
type Effect = Arc<dyn Fn(&rusqlite::Connection) -> Result<(), Wrong> + Send + Sync>;
#[cfg(not(feature = "sqlite"))]
type Effect = std::convert::Infallible;

/// What an effect says went wrong.
#[cfg(feature = "sqlite")]
pub(crate) type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Whether the store writes such things.
#[cfg(feature = "sqlite")]
pub(crate) fn writes_effects(store: &dyn crate::store::Store) -> bool {
    store.as_any().is::<crate::store::SqliteStore>()
}

/// What a handler writes to the store's file in the transaction that completes its task, in order: see
/// `Context::on_commit`. Only the SQLite store is given any.
#[derive(Clone, Default)]
pub struct OnCommit {
    effects: Vec<Effect>,
}

#[cfg(feature = "sqlite")]
impl OnCommit {
    /// One more.
    pub(crate) fn push(&mut self, effect: impl Fn(&rusqlite::Connection) -> Result<(), Wrong> + Send + Sync + 'static) {
        self.effects.push(Arc::new(effect));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Does them, up to the first that goes wrong. A panic is an error.
    pub(crate) fn run(&self, tx: &rusqlite::Connection) -> Result<(), Wrong> {
        self.effects.iter().try_for_each(|effect| {
            caught(|| effect(tx)).unwrap_or_else(|message| Err(format!("panicked: {message}").into()))
        })
    }
}

/// The same effects, not such that do the same.
impl PartialEq for OnCommit {
    fn eq(&self, other: &Self) -> bool {
        #[cfg(feature = "sqlite")]
        let same = Arc::ptr_eq;
        #[cfg(not(feature = "sqlite"))]
        let same = Effect::eq;
        let pairs = std::iter::zip(&self.effects, &other.effects);
        self.effects.len() == other.effects.len() && pairs.into_iter().all(|(one, two)| same(one, two))
    }
}

impl Eq for OnCommit {}

impl fmt::Debug for OnCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnCommit({})", self.effects.len())
    }
}
