//! A worker's sign of life, on a thread of its own with a runtime of its own, so that handlers that block
//! every other thread do not cost the worker its claims. The same thread takes over from workers that died.

use std::cell::Cell;
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
        let (in_contact, was_apart) = (Cell::new(true), Cell::new(false));
        let pulse = Pulse { store, commands, lives, lease: worker.lease, beat, in_contact, was_apart };
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
    /// Whether the last sign of life was taken.
    in_contact: Cell<bool>,
    /// A sign of life was not taken, since the others were looked at last.
    was_apart: Cell<bool>,
}

impl Pulse {
    /// Gives signs of life, and looks at the others meanwhile: neither waits for the other.
    async fn run(self) {
        tokio::select! {
            () = self.give_signs() => {}
            () = self.look_after_others() => {}
        }
    }

    async fn give_signs(&self) {
        let (mut contact, mut next_beat) = (Instant::now(), Instant::now() + self.beat);
        loop {
            // A beat early, so that what runs here has ended before anybody may take it over. However long the
            // store takes to answer: nobody waits for it beyond this.
            let fence = contact + self.lease - self.beat;
            tokio::time::sleep_until(next_beat.min(fence)).await;
            if Instant::now() >= next_beat {
                let sent = Instant::now();
                next_beat = sent + self.beat;
                let silent = || StoreError::Unavailable { reason: "it does not answer".to_owned() };
                let taken = tokio::time::timeout_at(fence, self.give_sign()).await;
                match taken.unwrap_or_else(|_| Err(silent())) {
                    Ok(()) => {
                        contact = sent;
                        self.in_contact.set(true);
                    }
                    Err(StoreError::Closed) => return,
                    Err(error) => {
                        self.was_apart.set(true);
                        if self.in_contact.replace(false) {
                            tracing::warn!(%error, "the store does not take the worker's sign of life");
                        }
                    }
                }
            }
            if contact.elapsed() + self.beat >= self.lease {
                self.tell(Command::OutOfContact);
                contact = Instant::now();
            }
        }
    }

    async fn give_sign(&self) -> Result<(), StoreError> {
        let life = *self.lives.borrow();
        match self.store.beat(life).await? {
            Beat::Alive(cancelled) if cancelled.is_empty() => {}
            Beat::Alive(cancelled) => self.tell(Command::Cancel(cancelled)),
            Beat::Lapsed => self.tell(Command::Lapsed(life)),
        }
        Ok(())
    }

    async fn look_after_others(&self) {
        let tick = self.beat.min(LONGEST_TICK);
        let (mut peers, mut looks) = (Peers::default(), true);
        loop {
            let begun = Instant::now();
            tokio::time::sleep(tick).await;
            if begun.elapsed() > tick + self.beat {
                // This process was frozen: what it knows of the others' lives is old.
                peers.forget();
            }
            if !self.in_contact.get() {
                continue;
            }
            match self.look_around(&mut peers).await {
                Ok(()) => looks = true,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    peers.forget();
                    if std::mem::replace(&mut looks, false) && self.in_contact.get() {
                        tracing::warn!(%error, "the store does not say who lives");
                    }
                }
            }
        }
    }

    async fn look_around(&self, peers: &mut Peers) -> Result<(), StoreError> {
        for run in self.store.expire_runs().await? {
            tracing::info!(%run, "a run's time is up");
        }
        let listed = self.store.workers().await?;
        if self.was_apart.take() {
            peers.forget();
        }
        let lapsed = peers.lapsed(listed, *self.lives.borrow(), Instant::now());
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
    looked: Option<Instant>,
}

impl Peers {
    /// After an outage everybody gets a whole lease to show that they live.
    fn forget(&mut self) {
        self.seen.clear();
    }

    /// Those that gave no sign for as long as their lease, under unbroken observation. Where nobody has looked for
    /// half of it, because the store was away or slow, it begins anew.
    fn lapsed(&mut self, listed: Vec<Peer>, own: WorkerId, now: Instant) -> Vec<Peer> {
        let unseen = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.duration_since(looked));
        // Others may have far shorter leases than this worker, which looks as often as its own demands.
        let own_lease = listed.iter().find(|peer| peer.id == own).map(|peer| peer.lease);
        let tick = own_lease.map_or(LONGEST_TICK, |lease| LONGEST_TICK.min(lease / BEATS_PER_LEASE));
        let is_watched = |peer: &Peer| unseen < (peer.lease / 2).max(tick * 2);
        self.seen.retain(|id, _| listed.iter().any(|peer| peer.id == *id && is_watched(peer)));
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

    /// What the observer sees when it looks each ten seconds, at beats that it finds.
    fn watch(peers: &mut Peers, start: Instant, seconds: std::ops::Range<u64>, found: &Peer) -> Vec<Peer> {
        let looks = seconds.step_by(10).map(|second| start + Duration::from_secs(second));
        looks.flat_map(|now| peers.lapsed(vec![found.clone()], WorkerId::new(), now)).collect()
    }

    #[test]
    fn a_peer_lapses_only_after_a_whole_lease_without_a_beat() {
        let (other, start) = (WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        assert_eq!(watch(&mut peers, start, 0..30, &peer(other, 4)), []);
        assert_eq!(watch(&mut peers, start, 30..60, &peer(other, 5)), []);
        assert_eq!(watch(&mut peers, start, 60..61, &peer(other, 5)), [peer(other, 5)]);
    }

    #[test]
    fn a_peer_with_a_short_lease_lapses_too() {
        let (other, start) = (WorkerId::new(), Instant::now());
        let brief = Peer { lease: Duration::from_millis(600), ..peer(other, 4) };
        let mut peers = Peers::default();
        assert_eq!(peers.lapsed(vec![brief.clone()], WorkerId::new(), start), []);
        assert_eq!(peers.lapsed(vec![brief.clone()], WorkerId::new(), start + LONGEST_TICK), [brief]);
    }

    #[test]
    fn nobody_lapses_by_itself() {
        let (own, start) = (WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        for second in (0..100).step_by(10) {
            assert_eq!(peers.lapsed(vec![peer(own, 4)], own, start + Duration::from_secs(second)), []);
        }
    }

    #[test]
    fn after_an_outage_everybody_has_a_whole_lease_again() {
        let (other, start) = (WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        assert_eq!(watch(&mut peers, start, 0..20, &peer(other, 1)), []);
        peers.forget();
        assert_eq!(watch(&mut peers, start, 20..50, &peer(other, 1)), []);
        assert_eq!(watch(&mut peers, start, 50..51, &peer(other, 1)), [peer(other, 1)]);
    }

    #[test]
    fn after_an_answer_that_took_long_everybody_has_a_whole_lease_again() {
        let (other, start) = (WorkerId::new(), Instant::now());
        let mut peers = Peers::default();
        assert_eq!(watch(&mut peers, start, 0..20, &peer(other, 1)), []);
        // The store was away for less than its callers wait, so that nobody has heard of it.
        assert_eq!(watch(&mut peers, start, 45..75, &peer(other, 1)), []);
        assert_eq!(watch(&mut peers, start, 75..76, &peer(other, 1)), [peer(other, 1)]);
    }
}
