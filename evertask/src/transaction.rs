//! Dispatching in a transaction of the caller's own.

use crate::dispatch::DispatchError;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::store::StoreError;
use crate::store::{Dispatched, NewWork, Store};

/// What was dispatched becomes what the caller is given.
type Then<'t, T> = Box<dyn FnOnce(Vec<Dispatched>) -> Result<T, DispatchError> + Send + 't>;

mod sealed {
    pub trait Sealed {}
}

/// A transaction of the caller's own, on the database of the store: `sqlx::Transaction<'_, sqlx::Postgres>` with the
/// feature `postgres`, `rusqlite::Transaction` and `rusqlite::Savepoint` with the feature `sqlite`.
///
/// evertask gives the crates that it was built with: `evertask::sqlx` and `evertask::rusqlite`.
pub trait InTransaction: sealed::Sealed {
    /// What a dispatch gives: a future of its result for sqlx; for rusqlite, which blocks, the result.
    type Answer<'t, T: Send + 't>
    where
        Self: 't;

    /// Adds work, all of it or none.
    #[doc(hidden)]
    fn add<'t, T: Send + 't>(
        &'t mut self,
        store: &'t dyn Store,
        work: Result<Vec<NewWork>, DispatchError>,
        then: Then<'t, T>,
    ) -> Self::Answer<'t, T>;
}

#[cfg(feature = "postgres")]
mod postgres {
    use std::future::Future;
    use std::pin::Pin;

    use super::{DispatchError, InTransaction, NewWork, Store, Then, of, sealed};
    use crate::store::PostgresStore;

    impl sealed::Sealed for sqlx::Transaction<'_, sqlx::Postgres> {}

    impl InTransaction for sqlx::Transaction<'_, sqlx::Postgres> {
        type Answer<'t, T: Send + 't>
            = Pin<Box<dyn Future<Output = Result<T, DispatchError>> + Send + 't>>
        where
            Self: 't;

        fn add<'t, T: Send + 't>(
            &'t mut self,
            store: &'t dyn Store,
            work: Result<Vec<NewWork>, DispatchError>,
            then: Then<'t, T>,
        ) -> Self::Answer<'t, T> {
            Box::pin(async move {
                let work = work?;
                let store = of::<PostgresStore>(store, "PostgreSQL")?;
                then(store.dispatch_in(self, &work).await?)
            })
        }
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::{DispatchError, InTransaction, NewWork, Store, Then, of, sealed};
    use crate::store::SqliteStore;

    fn add<T>(
        conn: &rusqlite::Connection,
        store: &dyn Store,
        work: Result<Vec<NewWork>, DispatchError>,
        then: Then<'_, T>,
    ) -> Result<T, DispatchError> {
        let work = work?;
        let store = of::<SqliteStore>(store, "SQLite")?;
        then(store.dispatch_in(conn, &work)?)
    }

    macro_rules! in_transaction {
        ($transaction:ty) => {
            impl sealed::Sealed for $transaction {}

            impl InTransaction for $transaction {
                type Answer<'t, T: Send + 't>
                    = Result<T, DispatchError>
                where
                    Self: 't;

                fn add<'t, T: Send + 't>(
                    &'t mut self,
                    store: &'t dyn Store,
                    work: Result<Vec<NewWork>, DispatchError>,
                    then: Then<'t, T>,
                ) -> Self::Answer<'t, T> {
                    add(self, store, work, then)
                }
            }
        };
    }

    in_transaction!(rusqlite::Transaction<'_>);
    in_transaction!(rusqlite::Savepoint<'_>);
}

/// The store that a transaction of this kind can be one of.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn of<'s, S: Store>(store: &'s dyn Store, kind: &str) -> Result<&'s S, StoreError> {
    let of = store.as_any().downcast_ref();
    of.ok_or_else(|| StoreError::Foreign { reason: format!("it is one of {kind}, and the store is of another kind") })
}
