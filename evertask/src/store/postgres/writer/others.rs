//! The other nodes: what they are told, and a look at what they have done.

use std::time::Instant;

use super::super::batch::Batch;
use super::super::effects::Effects;
use super::super::fault::Outcome;
use super::super::link::Link;
use super::super::news::{ENDED, STOP, WORK, payload};
use super::super::{read, sql};
use super::{QUIET, Writer, poll};
use crate::id::WorkerId;

impl Writer {
    pub(super) fn news_of(&self, effects: &Effects) -> u8 {
        effects.news(|worker| self.fleet.get(worker).is_some())
    }

    pub(super) fn call(&self) -> String {
        // Neither of the two has a quote in it.
        format!("NOTIFY \"{}\", '{}'", self.place.channel(), payload(self.node, self.unsaid))
    }

    /// Tells other nodes what they have not been told yet.
    pub(super) async fn say(&mut self) {
        if self.unsaid == 0 || self.said.is_some_and(|said| said.elapsed() < QUIET) {
            return;
        }
        let call = self.call();
        (self.unsaid, self.said) = (0, Some(Instant::now()));
        let Some(mut link) = self.link.take() else { return };
        match link.script(call).await {
            Ok(()) => self.link = Some(link),
            Err(fault) => self.lose(&fault),
        }
    }

    /// Whether slots wait for what others may have added.
    pub(super) fn looks_for_work(&self) -> bool {
        self.recovers_at.is_none() && self.fleet.wants()
    }

    /// Looks at what other nodes have said that they did, and now and then at what they may have done.
    pub(super) async fn look_round(&mut self) {
        let mut news = self.heard.take();
        let watching = !self.fleet.is_empty() || self.waiters.any();
        let is_time = watching && self.looked_round.elapsed() >= poll();
        if is_time {
            news |= STOP | ENDED;
            self.looked_round = Instant::now();
        }
        // A sign of life fills slots too: then this need not.
        if self.looks_for_work() && self.served.elapsed() >= poll() {
            news |= WORK;
        }
        if news == 0 {
            return;
        }
        if news & WORK != 0 {
            self.handle(Vec::new()).await;
        }
        let workers = if news & STOP == 0 { Vec::new() } else { self.fleet.ids() };
        let awaits = news & ENDED != 0 && self.waiters.any();
        if workers.is_empty() && !awaits {
            return;
        }
        let Some(mut link) = self.link.take() else { return };
        match self.look(&mut link, &workers, awaits, is_time).await {
            Ok(()) => self.link = Some(link),
            // A look is only that: the connection is made anew.
            Err(fault) => self.lose(&fault),
        }
    }

    async fn look(&mut self, link: &mut Link<'_>, workers: &[WorkerId], awaits: bool, tell_time: bool) -> Outcome<()> {
        link.begin().await?;
        if let Some(clock) = self.time.as_deref().filter(|_| tell_time) {
            link.tell_time(clock).await?;
        }
        let mut cancels = Vec::new();
        let mut asking = Batch::new(link, &mut self.fleet, &mut self.hints, self.clock.now(), false);
        for &worker in workers {
            cancels.extend(asking.stops_of(worker).await?.into_iter().map(|claim| (worker, claim)));
        }
        let ended = if awaits { read::ended(link, &self.waiters.awaited()).await? } else { Vec::new() };
        link.script(sql::COMMIT.to_owned()).await?;
        self.fleet.tell_to_stop(cancels);
        self.waiters.tell(&ended);
        Ok(())
    }
}
