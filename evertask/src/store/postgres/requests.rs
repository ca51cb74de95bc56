//! What was asked by SQL: a worker that knows what it is about does it, in the transaction that removes the request, on
//! a connection of its own.

use std::collections::HashSet;

use serde::Deserialize;
use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};
use tokio::sync::watch;
use uuid::Uuid;

use super::batch::Batch;
use super::fault::{Fault, Outcome, Remedy};
use super::fleet::Fleet;
use super::link::{Link, Purpose};
use super::news::payload;
use super::queues::Hints;
use super::request::Request;
use super::value::{optional_string, text};
use super::{PostgresStore, points, sql};
use crate::id::{RunId, WorkId};
use crate::store::{NewWork, Selection, SignalOutcome, StoreError};

/// The most that is done in one transaction.
const MOST: i64 = 200;

/// Something that was asked by SQL.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its number.
    pub(crate) seq: i64,
    /// What is asked.
    pub(crate) wish: Wish,
}

/// What is asked.
#[derive(Debug)]
pub(crate) enum Wish {
    Dispatch {
        id: Uuid,
        name: String,
        payload: String,
        options: String,
    },
    Cancel {
        id: Uuid,
    },
    /// `workflow` is that of the run, if there is one.
    Signal {
        run: RunId,
        workflow: Option<String>,
        step: String,
        value: String,
    },
}

/// The options of a dispatch, as the function has checked and stored them. Times are milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SqlOptions {
    pub(crate) queue: Option<String>,
    pub(crate) priority: Option<i16>,
    pub(crate) run_at: Option<i64>,
    pub(crate) key: Option<String>,
    pub(crate) on_key: Option<String>,
    pub(crate) correlation: Option<String>,
    pub(crate) timeout: Option<u64>,
    pub(crate) deadline: Option<u64>,
}

/// What a worker does about it.
#[derive(Debug)]
pub(crate) enum Deed {
    Dispatch(Box<NewWork>),
    Cancel(Uuid),
    Signal {
        run: RunId,
        step: &'static str,
        was: &'static [&'static str],
        value: String,
    },
    /// It can't be done.
    Refuse(String),
}

/// Where a worker does it.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    link: Option<Link<'static>>,
    hints: Hints,
}

/// How often it is done again with more care.
const TRIES: u32 = 3;

impl PostgresStore {
    /// Changes whenever something is asked, as far as that is heard.
    pub(crate) fn asked(&self) -> watch::Receiver<u64> {
        self.heard.asked()
    }

    /// Whether it hears what others say, when the database lets it.
    pub(crate) fn listens(&self) -> bool {
        self.place.listen.is_some()
    }

    /// What was asked and a worker that knows these names can do now.
    pub(crate) async fn requests(&self, names: Vec<String>) -> Result<Vec<Asked>, StoreError> {
        self.read(Box::new(move |link| {
            let names = names.clone();
            Box::pin(async move { read(link, &names).await })
        }))
        .await
    }

    /// Does what was asked: all of it at once, or each alone if that fails. Who fails alone is refused.
    pub(crate) async fn do_requests(&self, desk: &mut Desk, deeds: &[(i64, Deed)]) -> Result<(), StoreError> {
        let Some(_) = self.try_requests(desk, deeds).await? else { return Ok(()) };
        for deed in deeds {
            let Some(reason) = self.try_requests(desk, std::slice::from_ref(deed)).await? else { continue };
            self.try_requests(desk, &[(deed.0, Deed::Refuse(reason))]).await?;
        }
        Ok(())
    }

    /// Does them in one transaction. Why that can't be done, if it is the fault of one of them.
    async fn try_requests(&self, desk: &mut Desk, deeds: &[(i64, Deed)]) -> Result<Option<String>, StoreError> {
        // A link that fails is not put back: what was begun on it is undone by the server.
        let open = async {
            match desk.link.take() {
                Some(link) => Ok(link),
                None => Link::open(&self.place, Purpose::Write).await,
            }
        };
        let at = |fault: Fault| fault.at(&self.place.shown);
        let mut link = open.await.map_err(at)?;
        let mut tries = 0;
        let done = loop {
            let done = self.transact(&mut link, &mut desk.hints, deeds).await;
            match done {
                Err(fault) if fault.remedy() == Remedy::Carefully && tries < TRIES => {
                    tries += 1;
                    link.script(sql::ROLLBACK.to_owned()).await.map_err(at)?;
                }
                done => break done,
            }
        };
        match done {
            Ok(()) => {
                desk.link = Some(link);
                // There may be something for a worker of this node, which does not hear itself everywhere.
                self.mailbox.tell(Request::Wake);
                Ok(None)
            }
            Err(fault) if matches!(fault.remedy(), Remedy::Tell | Remedy::Slowly | Remedy::Carefully) => {
                Ok(Some(at(fault).to_string()))
            }
            Err(fault) => Err(at(fault)),
        }
    }

    async fn transact(&self, link: &mut Link<'_>, hints: &mut Hints, deeds: &[(i64, Deed)]) -> Outcome<()> {
        link.begin().await?;
        let asked: Vec<i64> = deeds.iter().map(|(seq, _)| *seq).collect();
        let taken = link.all(query(sql::TAKE_REQUESTS).bind(&asked)).await?;
        let taken: HashSet<i64> = taken.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let (mut fleet, mut done, mut refused) = (Fleet::default(), Vec::new(), Vec::new());
        let mut batch = Batch::new(link, &mut fleet, hints, self.clock.now(), true);
        for (seq, deed) in deeds.iter().filter(|(seq, _)| taken.contains(seq)) {
            match batch.act(deed).await? {
                None => done.push(*seq),
                Some(reason) => refused.push((*seq, reason)),
            }
        }
        batch.flush().await?;
        let news = batch.effects.news(|_| false);
        link.execute(query(sql::DELETE_REQUESTS).bind(&done)).await?;
        for (seq, reason) in refused {
            tracing::error!(request = seq, reason, "what was asked by SQL can't be done");
            link.execute(query(sql::REFUSE_REQUEST).bind(seq).bind(text(&reason))).await?;
        }
        let call = if news == 0 {
            String::new()
        } else {
            format!("NOTIFY \"{}\", '{}'; ", self.place.channel(), payload(Uuid::nil(), news))
        };
        points::hit("postgres.request.before_commit");
        link.script(format!("{call}{}", sql::COMMIT)).await?;
        points::hit("postgres.request.after_commit");
        Ok(())
    }
}

impl Batch<'_> {
    /// Does what was asked. Why that can't be done, if it can't.
    async fn act(&mut self, deed: &Deed) -> Outcome<Option<String>> {
        match deed {
            Deed::Dispatch(work) => {
                let refusal = self.dispatch_alone(vec![(**work).clone()]).await?.err();
                return Ok(refusal.map(|refusal| refusal.to_string()));
            }
            Deed::Cancel(id) => {
                let both = [WorkId::Task((*id).into()), WorkId::Run((*id).into())];
                self.cancel(&Selection::Ids(both.into())).await?;
            }
            Deed::Signal { run, step, was, value } => {
                return Ok(match self.signal(*run, step, was, value.as_bytes()).await? {
                    SignalOutcome::Delivered | SignalOutcome::Kept => None,
                    SignalOutcome::Repeated => Some(format!("`{step}` of run {run} has had its signal")),
                    SignalOutcome::Ended => Some(format!("run {run} has ended")),
                    SignalOutcome::NotFound => Some(format!("there is no run {run}")),
                });
            }
            Deed::Refuse(reason) => return Ok(Some(reason.clone())),
        }
        self.follow_up().await?;
        Ok(None)
    }
}

async fn read(link: &mut Link<'_>, names: &[String]) -> Outcome<Vec<Asked>> {
    let rows = link.all(query(sql::REQUESTS).bind(names).bind(MOST)).await?;
    rows.iter().map(asked).collect()
}

fn asked(row: &PgRow) -> Outcome<Asked> {
    let (seq, verb, id): (_, &str, Uuid) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let (name, value) = (row.try_get::<Option<String>, _>(3)?, row.try_get::<Option<String>, _>(4)?);
    let wish = match (verb, name, value) {
        ("dispatch", Some(name), Some(payload)) => Wish::Dispatch { id, name, payload, options: row.try_get(5)? },
        ("signal", Some(step), Some(value)) => {
            Wish::Signal { run: id.into(), workflow: optional_string(row, 6)?, step, value }
        }
        ("cancel", None, None) => Wish::Cancel { id },
        _ => return Err(Fault::Value(format!("`{verb}` can't be asked, or not so"))),
    };
    Ok(Asked { seq, wish })
}
