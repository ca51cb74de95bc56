//! The client's side of schedules: it keeps them, holds them, and starts them by hand.

use crate::dispatch::{DispatchError, IntoDispatch, MAX_KEY};
use crate::dispatcher::Dispatcher;
use crate::id::WorkId;
use crate::maintenance::Template;
use crate::payload::{CodecError, Payload};
use crate::registry::Registry;
use crate::schedule::{IntoSchedule, ScheduleError};
use crate::store::{NewSchedule, ScheduleRecord, StoreError};
use crate::task::Work;

impl Dispatcher {
    /// Starts this work whenever the schedule says so, on any worker that knows it. The id is the schedule's for ever: a
    /// schedule that is there already is changed, never doubled, so that a program may say this at each start. What it
    /// has counted, and whether it is held, stays; another schedule sets its next slot anew.
    ///
    /// Each slot is started once, however many workers there are. `cx.occurrence()` gives the slot to the handler.
    ///
    /// ```
    /// use evertask::{Dispatcher, SchedulingError, every_day, prelude::*};
    ///
    /// #[task]
    /// async fn tidy_up(cx: &Context) -> Result<(), String> {
    ///     cx.log(format!("for {:?}", cx.occurrence()));
    ///     Ok(())
    /// }
    ///
    /// async fn keep(dispatcher: &Dispatcher) -> Result<(), SchedulingError> {
    ///     let nightly = every_day().at("03:00").in_zone("Europe/Berlin");
    ///     dispatcher.schedule("nightly", nightly, tidy_up {}.deadline("2h")).await
    /// }
    /// ```
    pub async fn schedule<D: IntoDispatch>(
        &self,
        id: impl Into<String>,
        schedule: impl IntoSchedule,
        work: D,
    ) -> Result<(), SchedulingError> {
        let (id, name, schedule) = (id.into(), <D::Work as Work>::NAME, schedule.into_schedule()?);
        if id.is_empty() || id.len() > MAX_KEY {
            return Err(DispatchError::Length { name, what: "schedule's id", length: id.len() }.into());
        }
        let (work, draft, patience) = work.into_dispatch().into_parts()?;
        for (option, given) in [
            ("key", draft.key.is_some()),
            ("after", draft.delay.is_some()),
            ("at", draft.at.is_some()),
            ("wait_for_room", patience.is_some()),
        ] {
            if given {
                return Err(SchedulingError::DispatchOption { id, option });
            }
        }
        let mut payload = Vec::new();
        work.encode(&mut payload)?;
        let (length, limit) = (payload.len(), self.payload_limit());
        if length > limit {
            return Err(DispatchError::TooLarge { name, length, limit }.into());
        }
        let encode = |reason: serde_json::Error| CodecError::Encode { what: "schedule", reason: reason.to_string() };
        let new = NewSchedule {
            name: name.to_owned(),
            spec: serde_json::to_vec(&schedule).map_err(encode)?,
            template: serde_json::to_vec(&Template::new(payload, draft)?).map_err(encode)?,
            next: schedule.next_after(self.clock().now()),
            id,
        };
        Ok(self.store().keep_schedules(vec![new]).await?)
    }

    /// Forgets a schedule. What it has started stays. Says whether it was there.
    pub async fn unschedule(&self, id: impl Into<String>) -> Result<bool, StoreError> {
        self.store().drop_schedule(id.into()).await
    }

    /// The schedules, by id.
    pub async fn schedules(&self) -> Result<Vec<ScheduleRecord>, StoreError> {
        self.store().schedules().await
    }

    /// Holds a schedule. Says whether that changed anything.
    pub async fn pause_schedule(&self, id: impl Into<String>) -> Result<bool, StoreError> {
        self.store().hold_schedule(id.into(), true, None).await
    }

    /// Lets a schedule go on with its first slot from now: what it has missed stays missed. Says whether it was held.
    pub async fn resume_schedule(&self, id: impl Into<String>) -> Result<bool, SchedulingError> {
        let record = self.record(id.into()).await?;
        if !record.paused {
            return Ok(false);
        }
        let next = record.schedule()?.next_after(self.clock().now());
        Ok(self.store().hold_schedule(record.id, false, next).await?)
    }

    /// Starts what a schedule starts, now, whether or not it is held or over. It is no slot of it: its own slots stay,
    /// and so does what it has counted. This program must know the task, as a worker must.
    pub async fn trigger(&self, id: impl Into<String>) -> Result<WorkId, SchedulingError> {
        let record = self.record(id.into()).await?;
        let Some(prepare) = Registry::collect().prepare(&record.name) else {
            return Err(SchedulingError::UnknownTask { id: record.id, name: record.name });
        };
        let template: Template = serde_json::from_slice(&record.template)
            .map_err(|error| CodecError::Decode { what: "schedule", reason: error.to_string() })?;
        let work = template.by_hand(self.clock().now(), prepare)?;
        let started = self.store().dispatch(vec![work]).await.map_err(DispatchError::from)?;
        started.first().map(|started| started.id).ok_or(SchedulingError::Store(StoreError::Closed))
    }

    async fn record(&self, id: String) -> Result<ScheduleRecord, SchedulingError> {
        let found = self.store().schedules().await?.into_iter().find(|schedule| schedule.id == id);
        found.ok_or(SchedulingError::NotFound { id })
    }
}

/// Something could not be done with a schedule. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulingError {
    /// It is no schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// What it is to start can't be dispatched.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The payload has no JSON form, or what is stored can't be read here.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An option of the dispatch has no meaning for work that recurs.
    #[error("the schedule `{id}` can't have `{option}`: each of its slots is work of its own, at its own time")]
    DispatchOption {
        /// The schedule.
        id: String,
        /// The option.
        option: &'static str,
    },
    /// There is no such schedule.
    #[error("there is no schedule `{id}`")]
    NotFound {
        /// The schedule.
        id: String,
    },
    /// This program does not know what the schedule starts.
    #[error("the schedule `{id}` starts `{name}`, which this program does not know")]
    UnknownTask {
        /// The schedule.
        id: String,
        /// The task or workflow.
        name: String,
    },
}
