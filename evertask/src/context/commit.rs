//! What a handler writes to its own tables, and that commits with its task.

#[cfg(feature = "postgres")]
use std::any::TypeId;
#[cfg(feature = "postgres")]
use std::sync::Arc;

use super::Context;
use crate::store::OnCommit;
#[cfg(feature = "postgres")]
use crate::store::{Finished, NewWork, Notes, Settled, Store, StoreError};

#[cfg(feature = "sqlite")]
impl Context {
    /// Writes to tables of your own in the store's file, in the transaction that completes this task: what it writes is
    /// there exactly once, whatever is killed and however often the task is tried.
    ///
    /// It is called when the handler has succeeded and its claim still holds, on the thread that writes, within the
    /// transaction; several are called in order. It should be quick, and leave the transaction to its owner. When that is
    /// undone it may be called again, by the same attempt or another, so that it must do nothing but write.
    ///
    /// If it fails, or panics, nothing of it is kept, and the attempt has failed with
    /// [`Cause::NotCommitted`](crate::Cause::NotCommitted): it is tried again as ever. What an attempt asked for that does
    /// not succeed is forgotten.
    ///
    /// Only the SQLite store has this; of the others it is an error at once. With PostgreSQL, a handler ends its task in
    /// its own transaction: see `complete_in`.
    ///
    /// ```
    /// use evertask::{prelude::*, store::StoreError};
    ///
    /// #[task]
    /// async fn pay(account: i64, amount: i64, cx: &Context) -> Result<(), StoreError> {
    ///     cx.on_commit(move |tx| {
    ///         tx.execute("UPDATE account SET balance = balance - ?2 WHERE id = ?1", (account, amount)).map(drop)
    ///     })
    /// }
    /// ```
    pub fn on_commit<E>(
        &self,
        effect: impl Fn(&rusqlite::Connection) -> Result<(), E> + Send + Sync + 'static,
    ) -> Result<(), crate::store::StoreError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !self.inner.about.writes_effects {
            let reason = "`on_commit` needs the SQLite store; with PostgreSQL, say `complete_in`".to_owned();
            return Err(crate::store::StoreError::Foreign { reason });
        }
        self.state().on_commit.push(move |tx| effect(tx).map_err(Into::into));
        Ok(())
    }
}

impl Context {
    /// The length of an output that is too large, and how large it may be.
    pub(crate) fn overlong(&self, output: &[u8]) -> Option<(usize, usize)> {
        let limit = self.inner.about.max_payload;
        (output.len() > limit).then_some((output.len(), limit))
    }

    /// What the handler writes in the transaction that completes it.
    pub(crate) fn take_effects(&self) -> OnCommit {
        std::mem::take(&mut self.state().on_commit)
    }
}

/// What ends a task, and the store that does it.
#[cfg(feature = "postgres")]
pub(crate) type Completion = (Arc<dyn Store>, Finished);

/// Makes of an output what ends the task.
#[cfg(feature = "postgres")]
pub(crate) trait Completes: Send + Sync {
    /// `given` is the type of the output, and `name` its name.
    fn complete(&self, given: TypeId, name: &str, output: Vec<u8>) -> Result<Completion, CompleteError>;
}

#[cfg(feature = "postgres")]
impl Context {
    /// Ends this task with `output` in a transaction of your own: when that is committed, the task has succeeded, and what
    /// follows it is there; when it is not, nothing of it ever was. So what the handler writes in the transaction is
    /// there exactly once, whatever is killed and however often the task is tried.
    ///
    /// Say it last, commit at once, and return the same output. Until then, whoever has to do with the task, or its run,
    /// waits for the transaction. An error leaves the transaction as it was; after [`CompleteError::Lost`] it must be
    /// rolled back. What the handler returns decides only if the transaction was not committed.
    ///
    /// Only with the PostgreSQL store, and on its database. With SQLite a handler says `on_commit`.
    ///
    /// ```
    /// use evertask::{prelude::*, sqlx};
    ///
    /// #[task]
    /// async fn pay(account: i64, amount: i64, pool: &sqlx::PgPool, cx: &Context) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
    ///     let mut tx = pool.begin().await?;
    ///     let pay = sqlx::query("UPDATE account SET balance = balance - $2 WHERE id = $1").bind(account).bind(amount);
    ///     pay.execute(&mut *tx).await?;
    ///     cx.complete_in(&mut tx, &amount).await?;
    ///     tx.commit().await?;
    ///     Ok(amount)
    /// }
    /// ```
    pub fn complete_in<'t, 'c: 't, O: crate::Payload>(
        &'t self,
        tx: &'t mut sqlx::Transaction<'c, sqlx::Postgres>,
        output: &O,
    ) -> impl Future<Output = Result<(), CompleteError>> + Send + use<'t, 'c, O> {
        let completion = self.completion(output);
        async move {
            let (store, finished) = completion?;
            let reason = || "`complete_in` needs the PostgreSQL store; with SQLite, say `on_commit`".to_owned();
            let store = store.as_any().downcast_ref::<crate::store::PostgresStore>();
            let store = store.ok_or_else(|| StoreError::Foreign { reason: reason() })?;
            match store.settle_in(tx, finished).await? {
                Settled::Committed => {
                    self.state().completed = true;
                    Ok(())
                }
                Settled::Fenced => Err(CompleteError::Lost),
            }
        }
    }

    fn completion<O: crate::Payload>(&self, output: &O) -> Result<Completion, CompleteError> {
        let completes = self.inner.completes.get().ok_or(CompleteError::NoAttempt)?;
        let mut stored = Vec::new();
        output.encode(&mut stored).map_err(|error| CompleteError::Unroutable { reason: error.to_string() })?;
        if let Some((length, limit)) = self.overlong(&stored) {
            return Err(CompleteError::TooLarge { length, limit });
        }
        completes.complete(TypeId::of::<O>(), std::any::type_name::<O>(), stored)
    }
}

#[cfg(feature = "postgres")]
impl Context {
    /// Lets the handler end its task.
    pub(crate) fn let_complete(&self, completes: Box<dyn Completes>) {
        // An attempt has one context, and begins once.
        let _ = self.inner.completes.set(completes);
    }

    /// What the handler has dispatched and noted so far.
    pub(crate) fn so_far(&self) -> (Vec<NewWork>, Notes) {
        let state = self.state();
        (state.dispatched.clone(), state.notes.clone())
    }
}

impl Context {
    /// Whether the handler has ended its task itself, if its transaction is committed.
    pub(crate) fn has_completed(&self) -> bool {
        self.state().completed
    }
}

/// A task could not be ended in its handler's transaction. Nothing of the transaction was changed.
#[cfg(feature = "postgres")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompleteError {
    /// The task is no longer this worker's: somebody else has it, or has ended it. Roll the transaction back.
    #[error("the task is no longer this worker's: roll the transaction back")]
    Lost,
    /// The context is not that of an attempt that runs a task's handler.
    #[error("there is no attempt that could be ended: only a task's handler ends it, while it runs")]
    NoAttempt,
    /// The output is of another type than the task's.
    #[error("`{task}` gives a `{expected}`, and was to end with a `{given}`")]
    Output {
        /// The task.
        task: &'static str,
        /// The type of its output.
        expected: &'static str,
        /// The type that was given.
        given: String,
    },
    /// The output is larger than [`Dispatcher::max_payload`](crate::Dispatcher::max_payload) lets it be.
    #[error(
        "the output has {length} bytes, and may have {limit}: keep it in a table of yours and give its key, or raise \
         `Dispatcher::max_payload`"
    )]
    TooLarge {
        /// Its length, in bytes of JSON.
        length: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The output can't be stored, or what follows can't be made of it.
    #[error("what follows can't be made of the output: {reason}")]
    Unroutable {
        /// Why.
        reason: String,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}
