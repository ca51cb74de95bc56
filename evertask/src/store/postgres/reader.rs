//! Reading: a connection of its own, so that no listing waits for the writer, nor the writer for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::fault::{Fault, Outcome, Remedy};
use super::link::{Link, Purpose};
use super::outage::{Contact, SHORTEST};
use super::url::Place;
use super::{read, sql};
use crate::schedule::Timestamp;
use crate::store::{Peer, StoreError};

/// Something that is read; it may be asked twice, where a connection is lost.
pub(super) type Reading<T> =
    Box<dyn for<'l> Fn(&'l mut Link<'static>) -> Pin<Box<dyn Future<Output = Outcome<T>> + 'l>> + Send>;

/// The workers that are listed, and what comes next.
#[derive(Debug, Clone, Default)]
pub(super) struct Living {
    pub(super) peers: Vec<Peer>,
    /// When the first run's time is up.
    pub(super) deadline: Option<Timestamp>,
    /// When the first slot of a schedule comes, or came.
    pub(super) slot: Option<Timestamp>,
}

/// What the reader is asked.
pub(super) enum Job {
    Read(Box<dyn Question>),
    /// Who lives, and what comes next; not older than this.
    Lives(oneshot::Sender<Result<Living, StoreError>>, Duration),
    /// The connection is closed, and this is dropped.
    Close(oneshot::Sender<()>),
}

/// A reading with whoever asked for it.
pub(super) trait Question: Send {
    fn read<'q>(&'q mut self, link: &'q mut Link<'static>) -> Pin<Box<dyn Future<Output = Outcome<()>> + 'q>>;
    fn answer(self: Box<Self>, failed: Option<StoreError>);
}

struct Asked<T> {
    read: Reading<T>,
    found: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send> Question for Asked<T> {
    fn read<'q>(&'q mut self, link: &'q mut Link<'static>) -> Pin<Box<dyn Future<Output = Outcome<()>> + 'q>> {
        Box::pin(async move {
            self.found = Some((self.read)(link).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, failed: Option<StoreError>) {
        let answer = match (failed, self.found) {
            (None, Some(found)) => Ok(found),
            (failed, _) => Err(failed.unwrap_or(StoreError::Closed)),
        };
        // Whoever no longer waits is not told.
        let _ = self.reply.send(answer);
    }
}

/// Asks for something to be read.
pub(super) fn ask<T: Send + 'static>(
    jobs: &mpsc::UnboundedSender<Job>,
    read: Reading<T>,
) -> oneshot::Receiver<Result<T, StoreError>> {
    let (reply, answer) = oneshot::channel();
    // A reader that is closed drops the reply, which says so.
    let _ = jobs.send(Job::Read(Box::new(Asked { read, found: None, reply })));
    answer
}

/// What was read of workers, deadlines and slots.
struct Lives {
    read_at: Instant,
    generation: u64,
    living: Living,
}

/// The one that reads.
pub(super) struct Reader {
    pub(super) place: Place,
    pub(super) contact: Contact,
    /// How often this process has changed workers, deadlines or schedules.
    pub(super) generation: Arc<AtomicU64>,
}

impl Reader {
    /// Works until the store is closed, or dropped.
    pub(super) async fn run(self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut link = None;
        let mut lives: Option<Lives> = None;
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Read(mut question) => {
                    let failed = self.read(&mut link, &mut *question).await.err();
                    question.answer(failed);
                }
                Job::Lives(reply, age) => {
                    let _ = reply.send(self.lives(&mut link, &mut lives, age).await);
                }
                Job::Close(done) => {
                    if let Some(link) = link {
                        link.close().await;
                    }
                    drop(done);
                    return;
                }
            }
        }
    }

    async fn lives(
        &self,
        link: &mut Option<Link<'static>>,
        known: &mut Option<Lives>,
        age: Duration,
    ) -> Result<Living, StoreError> {
        let generation = self.generation.load(Ordering::Acquire);
        if let Some(lives) =
            known.as_ref().filter(|lives| lives.generation == generation && lives.read_at.elapsed() < age)
        {
            return Ok(lives.living.clone());
        }
        *known = None;
        let read: Reading<_> = Box::new(|link| Box::pin(read::lives(link)));
        let (reply, _) = oneshot::channel();
        let mut asked = Asked { read, found: None, reply };
        let read_at = Instant::now();
        self.read(link, &mut asked).await?;
        let living = asked.found.unwrap_or_default();
        *known = Some(Lives { read_at, generation, living: living.clone() });
        Ok(living)
    }

    /// Reads in a transaction of its own; once more where the connection was lost meanwhile.
    async fn read(&self, link: &mut Option<Link<'static>>, question: &mut dyn Question) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            if link.is_none() && self.contact.wait().await.is_err() {
                return Err(Fault::Silent.at(&self.place.shown));
            }
            if tries > 2 {
                // The writer does not know yet that the database is away.
                tokio::time::sleep(SHORTEST).await;
            }
            let fault = match self.try_read(link, question).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let again = fault.remedy() != Remedy::Tell && tries < 3;
            if !again {
                return Err(fault.at(&self.place.shown));
            }
        }
    }

    /// If the writer finds that the database is away, this connection is given up too: it may be as dead, and not
    /// say so.
    async fn try_read(&self, kept: &mut Option<Link<'static>>, question: &mut dyn Question) -> Outcome<()> {
        tokio::select! {
            biased;
            done = self.read_once(kept, question) => done,
            () = self.contact.lost() => Err(Fault::Silent),
        }
    }

    async fn read_once(&self, kept: &mut Option<Link<'static>>, question: &mut dyn Question) -> Outcome<()> {
        // A link that fails is not put back.
        let mut link = if let Some(link) = kept.take() { link } else { Link::open(&self.place, Purpose::Read).await? };
        link.begin().await?;
        let done = question.read(&mut link).await;
        let end = if done.is_ok() { sql::COMMIT } else { sql::ROLLBACK };
        link.script(end.to_owned()).await?;
        *kept = Some(link);
        done
    }
}
