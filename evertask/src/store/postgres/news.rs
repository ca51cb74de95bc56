//! What nodes tell each other: that there is work, that something is to stop, that something has ended. It is a
//! hint and no more: whoever misses it finds out by itself a little later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::{Notify, watch};

use super::fault::Outcome;
use super::link::within;
use super::outage::{Contact, by_chance};
use super::url::Place;

/// There is something to claim.
pub(super) const WORK: u8 = 1;
/// Running tasks are to stop.
pub(super) const STOP: u8 = 2;
/// Tasks or runs have ended.
pub(super) const ENDED: u8 = 4;
/// Something was asked by SQL.
const ASKED: u8 = 8;

/// What was heard and nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Heard {
    news: AtomicU8,
    wake: Notify,
    /// How often something was asked by SQL, as far as it was heard.
    asked: watch::Sender<u64>,
}

impl Heard {
    /// Something was heard.
    fn add(&self, news: u8) {
        if news & ASKED != 0 {
            self.asked.send_modify(|asked| *asked += 1);
        }
        self.news.fetch_or(news & !ASKED, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Changes when something was asked by SQL.
    pub(super) fn asked(&self) -> watch::Receiver<u64> {
        self.asked.subscribe()
    }

    /// Waits for something to be heard.
    pub(super) async fn wait(&self) {
        self.wake.notified().await;
    }

    /// What was heard since the last time.
    pub(super) fn take(&self) -> u8 {
        self.news.swap(0, Ordering::AcqRel)
    }
}

/// What this node says, so that it knows its own words.
pub(super) fn payload(node: uuid::Uuid, news: u8) -> String {
    format!("{}{news}", node.simple())
}

fn understand(node: uuid::Uuid, payload: &str) -> u8 {
    let own = node.simple().to_string();
    if payload.starts_with(&own) {
        return 0;
    }
    // A newer node may say more.
    payload.get(own.len()..).and_then(|news| news.parse().ok()).unwrap_or(WORK | STOP | ENDED)
}

/// After so long a silence the connection is asked whether it still lives; then it is said that it does, too.
const SILENCE: Duration = Duration::from_secs(30);

/// The longest that a statement goes without an answer here.
const ANSWER: Duration = Duration::from_secs(5);

/// Listens, on a connection of its own, until it is dropped. Losing that is survived, and said once, until it has
/// held for a while again.
pub(super) async fn listen(place: Place, node: uuid::Uuid, heard: Arc<Heard>, contact: Contact) {
    let Some(options) = place.listen.clone() else { return };
    let mut warned = false;
    while contact.wait_for_long().await {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER);
        let pool = pool.connect_lazy_with(options.clone());
        let hearing = hear(&pool, &place, node, &heard, &mut warned);
        let error = tokio::select! {
            heard = hearing => heard.map_or_else(|fault| fault.at(&place.shown).to_string(), |()| LOST.to_owned()),
            // It may be as dead as the writer's, and not say so.
            () = contact.lost() => LOST.to_owned(),
        };
        // What was said since is not heard; and the writer finds out whether it has lost the database, too.
        heard.add(WORK | STOP | ENDED);
        if !std::mem::replace(&mut warned, true) {
            tracing::warn!(
                %error,
                "what other nodes do is not heard, but looked for every {} s, until the database lets us listen again",
                super::insert::POLL / 1_000
            );
        }
        let pause = Duration::from_millis(500);
        tokio::time::sleep(pause + by_chance(pause * 2)).await;
    }
}

const LOST: &str = "the connection was lost";

async fn hear(pool: &sqlx::PgPool, place: &Place, node: uuid::Uuid, heard: &Heard, warned: &mut bool) -> Outcome<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.ignore_pool_close_event(true);
    within(ANSWER, listener.listen(&place.channel())).await?;
    // What was said before nobody has heard.
    heard.add(WORK | STOP | ENDED | ASKED);
    loop {
        // What was received half way is there the next time.
        match tokio::time::timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(said))) => match understand(node, said.payload()) {
                0 => {}
                news => heard.add(news),
            },
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {
                within(ANSWER, listener.execute("SELECT 1")).await?;
                if std::mem::take(warned) {
                    tracing::info!("other nodes are heard again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_understands_others_and_ignores_itself() {
        let (one, other) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        assert_eq!(understand(one, &payload(one, WORK | ENDED)), 0);
        assert_eq!(understand(other, &payload(one, WORK | ENDED)), WORK | ENDED);
        assert_eq!(understand(other, "what?"), WORK | STOP | ENDED);
    }

    #[tokio::test]
    async fn what_was_heard_is_there_until_it_is_taken() {
        let heard = Heard::default();
        heard.add(WORK);
        heard.add(STOP);
        heard.wait().await;
        assert_eq!((heard.take(), heard.take()), (WORK | STOP, 0));
    }
}
