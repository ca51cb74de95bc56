//! How the store's thread starts: it connects, brings the tables up to date, and runs what reads, writes and listens.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sqlx::{Row as _, query};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::clock::DatabaseClock;
use super::fault::{Fault, Outcome, Remedy};
use super::link::{Link, Purpose};
use super::news::Heard;
use super::outage::{Contact, Outage};
use super::reader::{Job, Reader};
use super::request::Request;
use super::url::Place;
use super::wait::Waiters;
use super::{callers, migrate, news, sql, writer};
use crate::schedule::Clock;
use crate::store::StoreError;

/// What the store's thread does.
pub(super) struct Tasks {
    pub(super) place: Place,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) time: Option<Arc<DatabaseClock>>,
    pub(super) waiters: Arc<Waiters>,
    pub(super) heard: Arc<Heard>,
    pub(super) asked: mpsc::UnboundedReceiver<Request>,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    pub(super) to_read: mpsc::UnboundedReceiver<Job>,
}

impl Tasks {
    pub(super) async fn run(self, started: oneshot::Sender<Result<Place, StoreError>>) {
        let node = Uuid::now_v7();
        let (place, link) = match prepare(self.place, node, self.time.as_deref()).await {
            Ok(prepared) => prepared,
            // Whoever opens the store waits for this.
            Err(error) => return drop(started.send(Err(error))),
        };
        let (contact, has_contact) = watch::channel(true);
        let contacts = Contact(has_contact);
        let heard = self.heard;
        let generation = Arc::new(AtomicU64::new(0));
        let reader = Reader { place: place.clone(), contact: contacts.clone(), generation: Arc::clone(&generation) };
        let reads = tokio::task::spawn_local(reader.run(self.to_read));
        let listens = tokio::task::spawn_local(news::listen(place.clone(), node, Arc::clone(&heard), contacts));
        let setup = writer::Setup {
            link,
            place: place.clone(),
            node,
            clock: self.clock,
            time: self.time,
            waiters: self.waiters,
            heard,
            contact,
            generation,
            jobs: self.jobs,
        };
        drop(started.send(Ok(place)));
        writer::run(setup, self.asked).await;
        listens.abort();
        for (name, task) in [("listens", listens), ("reads", reads)] {
            if let Err(error) = task.await
                && error.is_panic()
            {
                tracing::error!(%error, task = name, "a task of the store panicked");
            }
        }
    }
}

/// Connects, brings the tables up to date, and gives the node its row. A database that is away is waited for, as
/// any caller does.
async fn prepare(
    mut place: Place,
    node: Uuid,
    time: Option<&DatabaseClock>,
) -> Result<(Place, Link<'static>), StoreError> {
    let mut outage = Outage::begin();
    loop {
        match try_prepare(&mut place, node, time).await {
            Ok(link) => return Ok((place, link)),
            Err(Failure::Told(error)) => return Err(error),
            Err(Failure::Fault(fault)) if fault.remedy() == Remedy::Tell || outage.patience().is_zero() => {
                return Err(fault.at(&place.shown));
            }
            Err(Failure::Fault(_)) => {
                outage.tried();
                tokio::time::sleep(outage.pause()).await;
            }
        }
    }
}

enum Failure {
    Told(StoreError),
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

async fn try_prepare(place: &mut Place, node: Uuid, time: Option<&DatabaseClock>) -> Result<Link<'static>, Failure> {
    let mut link = Link::open(place, Purpose::Prepare).await?;
    migrate::migrate(&mut link, place).await.map_err(Failure::Told)?;
    let (durability, identity) = durability(&mut link).await?;
    place.identity = identity;
    if durability.0 == "off" {
        tracing::warn!("the database's `synchronous_commit` is off: it is on for what evertask writes");
        place.durable = true;
    }
    if durability.1 == "off" {
        tracing::warn!("the database's `fsync` is off: what it acknowledges may be lost when its machine stops");
    }
    link.close().await;
    let mut link = writer::open(place, node, time).await?;
    link.begin().await?;
    link.execute(query(sql::FORGET_NODES)).await?;
    link.script(sql::COMMIT.to_owned()).await?;
    Ok(link)
}

/// What the server promises of a commit, and which database it is.
async fn durability(link: &mut Link<'_>) -> Outcome<((String, String), String)> {
    link.begin().await?;
    let row = link.one(query(sql::DURABILITY)).await?;
    let identity = callers::identity(link).await?;
    link.script(sql::COMMIT.to_owned()).await?;
    Ok(((row.try_get(0)?, row.try_get(1)?), identity))
}
