//! The connection, while the database is away and when it is back.

use std::time::Instant;

use sqlx::{Row as _, query};

use super::super::effects::refuse;
use super::super::fault::{Fault, Outcome};
use super::super::outage::Outage;
use super::super::request::Request;
use super::super::sql;
use super::{Unresolved, Writer, open, poll};
use crate::store::StoreError;

impl Writer {
    /// Whether the database can be spoken to; tries to reach it, if it is time to.
    pub(super) async fn is_connected(&mut self) -> bool {
        let Some(outage) = &self.outage else { return true };
        if !outage.pause().is_zero() {
            return false;
        }
        match self.reconnect().await {
            Ok(()) => {
                let lasted = self.outage.take().map(|outage| outage.lasted());
                tracing::info!(?lasted, "the database is back");
                self.contact.send_replace(true);
                // Whatever was said meanwhile was not heard.
                self.looked_round = Instant::now().checked_sub(poll()).unwrap_or_else(Instant::now);
                self.served = self.looked_round;
                self.again = true;
                true
            }
            Err(fault) => {
                self.link = None;
                let error = fault.at(&self.place.shown);
                if self.outage.as_mut().is_some_and(Outage::tried) {
                    tracing::warn!(%error, "the database is away; trying to reach it");
                }
                false
            }
        }
    }

    async fn reconnect(&mut self) -> Outcome<()> {
        let mut link = open(&self.place, self.node, self.time.as_deref()).await?;
        if let Some(unresolved) = &self.unresolved {
            link.begin().await?;
            let row = link.first(query(sql::LAST_BATCH).bind(self.node)).await?;
            let committed = row.map(|row| row.try_get::<i64, _>(0)).transpose()? == Some(self.number);
            if !committed {
                // If its COMMIT is still under way somewhere, it comes too late.
                link.execute(query(sql::SKIP_BATCH).bind(self.node).bind(self.number + 1)).await?;
            }
            link.script(sql::COMMIT.to_owned()).await?;
            self.number += i64::from(!committed);
            tracing::debug!(committed, requests = unresolved.batch.len(), "read back what a lost answer had said");
            if let Some(Unresolved { batch, effects, serve }) = self.unresolved.take() {
                if committed {
                    self.publish(batch, effects, serve);
                } else {
                    self.fleet.roll_back();
                    self.held.splice(0..0, batch);
                }
            }
        }
        self.link = Some(link);
        Ok(())
    }

    /// Those who have waited for the database for long enough are told; everybody is, before the end.
    pub(super) fn refuse_the_impatient(&mut self, is_last: bool) {
        let Some(outage) = &self.outage else { return };
        if !outage.patience().is_zero() && !is_last {
            return;
        }
        let error = StoreError::Unavailable { reason: "the database is away".to_owned() };
        self.held.extend(self.aside.end());
        for request in self.held.drain(..) {
            refuse(request, error.clone(), &self.fleet);
        }
        if let Some(unresolved) = &mut self.unresolved {
            // The results of attempts must not be given again before it is known what became of them.
            let asks = unresolved.batch.extract_if(.., |request| is_last || !matches!(request, Request::Settle(_)));
            for request in asks {
                refuse(request, error.clone(), &self.fleet);
            }
        }
    }

    /// The connection is of no use any more.
    pub(super) fn lose(&mut self, fault: &Fault) {
        tracing::debug!(?fault, "the connection was lost");
        self.link = None;
        self.outage.get_or_insert_with(Outage::begin);
        self.contact.send_replace(false);
    }

    /// The store is closed.
    pub(super) async fn leave(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        let left = async {
            link.begin().await?;
            link.execute(query(sql::DELETE_NODE).bind(self.node)).await?;
            link.script(sql::COMMIT.to_owned()).await
        };
        if let Err(fault) = left.await {
            // The row is forgotten by whoever opens the store in a week.
            tracing::debug!(?fault, "the node's row stays");
        }
        link.close().await;
    }
}
