//! A worker's sign of life, on a thread of its own with a runtime of its own, so that handlers that block
//! every other thread do not cost the worker its claims. The same thread takes over from workers that died.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::run::Command;
use crate::id::WorkerId;
use crate::store::{Beat, Peer, Store, StoreError, WorkerInfo};

/// A worker gives so many signs of life in the time of a lease.
const BEATS_PER_LEASE: u32 = 6;
/// How often the thread looks at what is due besides.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// The thread.
#[derive(Debug)]
pub(super) struct Heart {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
    life: watch::Sender<WorkerId>,
    thread: thread::JoinHandle<()>,
}

impl Heart {
    pub(super) fn start(
        store: Arc<dyn Store>,
        worker: &WorkerInfo,
        commands: mpsc::UnboundedSender<Command>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let (life, lives) = watch::channel(worker.id);
        let beat = worker.lease / BEATS_PER_LEASE;
        let pulse = Pulse { store, commands, lives, lease: worker.lease, beat, peers: Peers::default() };
        let thread = thread::Builder::new().name("evertask-heart".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = pulse.run() => {}
                }
            });
            // Nobody may wait for it any more.
            let _ = end.send(());
        })?;
        Ok(Self { stop, ended, life, thread })
    }

    /// The worker has begun another life.
    pub(super) fn relive(&self, id: WorkerId) {
        self.life.send_replace(id);
    }

    /// Stops the thread, and waits for it.
    pub(super) async fn stop(self) {
        drop(self.stop);
        // An error says that it has ended, too.
        let _ = self.ended.await;
        if self.thread.join().is_err() {
            tracing::error!("the thread of the worker's sign of life panicked");
        }
    }
}

struct Pulse {
    store: Arc<dyn Store>,
    commands: mpsc::UnboundedSender<Command>,
    lives: watch::Receiver<WorkerId>,
    lease: Duration,
    beat: Duration,
    peers: Peers,
}

impl Pulse {
    async fn run(mut self) {
        let tick = self.beat.min(LONGEST_TICK);
        let (mut contact, mut next_beat) = (Instant::now(), Instant::now() + self.beat);
        let mut in_contact = true;
        loop {
            let begun = Instant::now();
            // Never past the next beat: it would come up to a tick late.
            tokio::time::sleep(tick.min(next_beat.saturating_duration_since(begun))).await;
            if begun.elapsed() > tick + self.beat {
                // This process was frozen: what it knows of the others' lives is old.
                self.peers.forget();
            }
            let mut result = Ok(());
            if Instant::now() >= next_beat {
                let sent = Instant::now();
                next_beat = sent + self.beat;
                result = self.give_sign().await;
                if result.is_ok() {
                    contact = sent;
                }
            }
            if result.is_ok() {
                result = self.look_around().await;
            }
            match (result, in_contact) {
                (Ok(()), _) => in_contact = true,
                (Err(StoreError::Closed), _) => return,
                (Err(error), was_in_contact) => {
                    self.peers.forget();
                    if was_in_contact {
                        tracing::warn!(%error, "the store does not take the worker's sign of life");
                    }
                    in_contact = false;
                }
            }
            // A beat early, so that what runs here has ended before anybody may take it over.
            if contact.elapsed() + self.beat > self.lease {
                self.tell(Command::OutOfContact);
                contact = Instant::now();
            }
        }
    }

    async fn give_sign(&mut self) -> Result<(), StoreError> {
        let life = *self.lives.borrow_and_update();
        match self.store.beat(life).await? {
            Beat::Alive(cancelled) if cancelled.is_empty() => {}
            Beat::Alive(cancelled) => self.tell(Command::Cancel(cancelled)),
            Beat::Lapsed => self.tell(Command::Lapsed(life)),
        }
        Ok(())
    }

    async fn look_around(&mut self) -> Result<(), StoreError> {
        for run in self.store.expire_runs().await? {
            tracing::info!(%run, "a run's time is up");
        }
        let lapsed = self.peers.lapsed(self.store.workers().await?, *self.lives.borrow(), Instant::now());
        if !lapsed.is_empty() {
            for peer in &lapsed {
                tracing::warn!(worker = %peer.id, place = peer.place, "a worker gives no sign of life: its tasks run again");
            }
            self.store.reclaim(lapsed).await?;
        }
        Ok(())
    }

    fn tell(&self, command: Command) {
        // A worker that is gone stops this thread.
        let _ = self.commands.send(command);
    }
}

/// What this worker has seen of the others: no clock is compared, only the count of their signs of life.
#[derive(Debug, Default)]
pub(super) struct Peers {
    seen: HashMap<WorkerId, (i64, Instant)>,
}

impl Peers {
    /// After an outage everybody gets a whole lease to show that they live.
    fn forget(&mut self) {
        self.seen.clear();
    }

    /// Those that gave no sign for as long as their lease, under unbroken observation.
    fn lapsed(&mut self, listed: Vec<Peer>, own: WorkerId, now: Instant) -> Vec<Peer> {
        self.seen.retain(|id, _| listed.iter().any(|peer| peer.id == *id));
        let mut lapsed = Vec::new();
        for peer in listed.into_iter().filter(|peer| peer.id != own) {
            let (beat, since) = self.seen.entry(peer.id).or_insert((peer.beat, now));
            if *beat != peer.beat {
                (*beat, *since) = (peer.beat, now);
            } else if now.duration_since(*since) >= peer.lease {
                lapsed.push(peer);
            }
        }
        lapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(id: WorkerId, beat: i64) -> Peer {
        Peer { id, place: "process 7".into(), beat, lease: Duration::from_secs(30) }
    }

    #[test]
    fn a_peer_lapses_only_after_a_whole_lease_without_a_beat() {
        let (own, other, start) = (WorkerId::new(), WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(peers.lapsed(vec![peer(own, 0), peer(other, 4)], own, at(0)), []);
        assert_eq!(peers.lapsed(vec![peer(own, 0), peer(other, 4)], own, at(29)), []);
        assert_eq!(peers.lapsed(vec![peer(own, 0), peer(other, 5)], own, at(31)), []);
        assert_eq!(peers.lapsed(vec![peer(own, 0), peer(other, 5)], own, at(60)), []);
        assert_eq!(peers.lapsed(vec![peer(own, 0), peer(other, 5)], own, at(61)), [peer(other, 5)]);
    }

    #[test]
    fn after_an_outage_everybody_has_a_whole_lease_again() {
        let (own, other, start) = (WorkerId::new(), WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        peers.lapsed(vec![peer(other, 1)], own, start);
        peers.forget();
        assert_eq!(peers.lapsed(vec![peer(other, 1)], own, start + Duration::from_secs(40)), []);
        assert_eq!(peers.lapsed(vec![peer(other, 1)], own, start + Duration::from_secs(70)), [peer(other, 1)]);
    }
}
