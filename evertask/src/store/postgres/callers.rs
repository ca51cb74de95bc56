//! What is done in a transaction of the caller's, by the same code as in our own, and committed by the caller.
//!
//! For that while our settings hold, so that the tables are found; then the caller's do again. What goes wrong is undone
//! to where it began, and leaves the caller's transaction as it was.

use std::sync::Arc;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Row as _, query};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::batch::Batch;
use super::effects::Effects;
use super::fault::{Fault, Outcome, Remedy};
use super::fleet::Fleet;
use super::link::{Link, PLANS};
use super::news::payload;
use super::queues::Hints;
use super::request::{Ask, Request, Settle};
use super::url::Place;
use super::{PostgresStore, sql};
use crate::store::{Dispatched, Finished, NewWork, Settled, StoreError};

impl PostgresStore {
    /// Adds work in the transaction that the caller has on this connection, all of it or none.
    pub(crate) async fn dispatch_in(
        &self,
        conn: &mut PgConnection,
        work: &[NewWork],
    ) -> Result<Vec<Dispatched>, StoreError> {
        let mut link = Link::lent(conn, &self.place);
        let (mut hints, mut tries) = (Hints::default(), 0);
        loop {
            let settings = enter(&mut link, &self.place, &[]).await?;
            match self.add(&mut link, &mut hints, work).await {
                // It takes more care than was taken.
                Err(fault) if fault.remedy() == Remedy::Carefully && tries < TRIES => {
                    tries += 1;
                    undo(&mut link).await;
                }
                added => return leave(&mut link, &self.place, &settings, added).await?,
            }
        }
    }

    /// Ends an attempt in the transaction that its handler has on this connection, with all that follows from it.
    pub(crate) async fn settle_in(&self, conn: &mut PgConnection, finished: Finished) -> Result<Settled, StoreError> {
        let mut link = Link::lent(conn, &self.place);
        let settings = enter(&mut link, &self.place, &[(IDLE, "5s")]).await?;
        let settled = self.end(&mut link, finished).await;
        leave(&mut link, &self.place, &settings, settled).await
    }

    async fn end(&self, link: &mut Link<'_>, finished: Finished) -> Outcome<(Settled, Effects)> {
        let (mut fleet, mut hints) = (Fleet::default(), Hints::default());
        let mut batch = Batch::new(link, &mut fleet, &mut hints, self.clock.now(), true);
        // Whose it is says the fence.
        let mut settle = [Request::Settle(Settle::new(Uuid::nil().into(), vec![finished], Vec::new()))];
        batch.apply_all(&mut settle).await?;
        batch.finish(&mut settle).await?;
        let [Request::Settle(settle)] = settle else { return Ok((Settled::Fenced, batch.effects)) };
        let settled = settle.settled.first().map_or(Settled::Fenced, |(_, settled)| *settled);
        Ok((settled, batch.effects))
    }

    async fn add(
        &self,
        link: &mut Link<'_>,
        hints: &mut Hints,
        work: &[NewWork],
    ) -> Outcome<(Result<Vec<Dispatched>, StoreError>, Effects)> {
        // Nobody here gets any of it before the caller commits.
        let mut fleet = Fleet::default();
        let mut batch = Batch::new(link, &mut fleet, hints, self.clock.now(), true);
        let added = batch.dispatch_alone(work.to_vec()).await?;
        Ok((added, batch.effects))
    }
}

impl Batch<'_> {
    /// Adds work, as if nothing else was asked.
    pub(super) async fn dispatch_alone(&mut self, work: Vec<NewWork>) -> Outcome<Result<Vec<Dispatched>, StoreError>> {
        let (ask, _) = Ask::new(work);
        // Nobody waits for it in a queue.
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned();
        let permit = permit.map_err(|error| Fault::Value(error.to_string()))?;
        let mut asked = [Request::Dispatch(ask, permit)];
        self.apply_all(&mut asked).await?;
        self.finish(&mut asked).await?;
        let [Request::Dispatch(ask, _)] = asked else { return Ok(Err(StoreError::Closed)) };
        Ok(match (ask.refusal, ask.answer) {
            (Some(refusal), _) => Err(refusal),
            (None, answer) => answer.ok_or(StoreError::Closed),
        })
    }
}

/// How often work is added with more care.
const TRIES: u32 = 3;

/// How long a transaction may do nothing.
const IDLE: &str = "idle_in_transaction_session_timeout";

/// What was set before, by name.
type Settings = Vec<(String, String)>;

/// Begins a part of the caller's transaction, if that is one of this store's database. What was set there comes back.
async fn enter(link: &mut Link<'_>, place: &Place, more: &[(&str, &str)]) -> Result<Settings, StoreError> {
    let schema = place.quoted_schema();
    let mut settings = vec![("search_path", schema.as_str())];
    settings.extend(PLANS);
    settings.extend(more);
    let values: Vec<_> =
        settings.iter().map(|(name, value)| format!("({}, {})", literal(name), literal(value))).collect();
    let table = literal(&format!("{schema}.migration"));
    let found = link.told(format!("{}; {}", sql::BEGIN_PART, sql::enter(&table, &values.join(", ")))).await;
    let rows = found.map_err(|fault| fault.at(&place.shown))?;
    let entered = async {
        let is_there = rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or(false);
        let identity = if is_there { Some(identity(link).await?) } else { None };
        let settings = rows.iter().map(before).collect::<Outcome<Settings>>()?;
        Ok((identity.as_ref() == Some(&place.identity)).then_some(settings))
    };
    match entered.await {
        Ok(Some(settings)) => Ok(settings),
        Ok(None) => {
            undo(link).await;
            let reason = format!("it is one of another database than the store's, {}", place.shown);
            Err(StoreError::Foreign { reason })
        }
        Err(fault) => Err(undone(link, place, fault).await),
    }
}

fn before(row: &PgRow) -> Outcome<(String, String)> {
    Ok((row.try_get(1)?, row.try_get(2)?))
}

/// What no other database has.
pub(super) async fn identity(link: &mut Link<'_>) -> Outcome<String> {
    Ok(link.one(query(sql::IDENTITY)).await?.try_get(0)?)
}

/// Ends the part: the caller's settings hold again, and other nodes hear of it when the caller has committed.
async fn leave<T>(
    link: &mut Link<'_>,
    place: &Place,
    settings: &Settings,
    done: Outcome<(T, Effects)>,
) -> Result<T, StoreError> {
    let (done, effects) = match done {
        Ok(done) => done,
        Err(fault) => return Err(undone(link, place, fault).await),
    };
    // A handler that is frozen before its commit is thrown out, so that others get its task, if it has not said when.
    let back = settings.iter().filter(|(name, was)| name != IDLE || was != "0");
    let set: Vec<_> =
        back.map(|(name, was)| format!("set_config({}, {}, TRUE)", literal(name), literal(was))).collect();
    let mut script = format!("SELECT {}; {}", set.join(", "), sql::KEEP_PART);
    let news = effects.news(|_| false);
    if news != 0 {
        // This node does not know of it either.
        let call = payload(Uuid::nil(), news);
        script.extend(["; NOTIFY \"", &place.channel(), "\", '", &call, "'"]);
    }
    match link.script(script).await {
        Ok(()) => Ok(done),
        Err(fault) => Err(undone(link, place, fault).await),
    }
}

async fn undone(link: &mut Link<'_>, place: &Place, fault: Fault) -> StoreError {
    if fault.remedy() != Remedy::Reconnect {
        undo(link).await;
    }
    fault.at(&place.shown)
}

/// Whatever was done since the part began is undone, settings included. Where that fails, the caller's transaction does.
async fn undo(link: &mut Link<'_>) {
    if let Err(fault) = link.script(format!("{}; {}", sql::UNDO_PART, sql::KEEP_PART)).await {
        tracing::debug!(?fault, "a part of a caller's transaction could not be undone");
    }
}

/// A text in SQL, whatever the session says of backslashes.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_literal_is_one_whatever_it_says() {
        assert_eq!(literal("\"$user\", public"), "'\"$user\", public'");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\'b"), r"E'a\\''b'");
    }
}
