//! Does what was asked by SQL: any worker that knows what it is about, and one of them.

use std::time::Duration;

use crate::dispatch::overlong;
use crate::registry::{Prepare, Registry};
use crate::schedule::Timestamp;
use crate::store::postgres::{Asked, Deed, Desk, SqlOptions, Wish};
use crate::store::{OnKey, PostgresStore, StoreError};
use crate::terms::{DraftTerms, Own};
use crate::worker::caught;
use crate::workflow::Draft;

/// How soon something is seen that was asked and not heard: by a node that listens, which hears what it has missed when
/// it listens again, and by one that does not.
const LOOK: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(5));

/// Does what is asked for ever.
pub(super) async fn tend(store: &PostgresStore, registry: &Registry, max_payload: usize) {
    let (mut asked, mut desk, mut in_contact) = (store.asked(), Desk::default(), true);
    let look = if store.listens() { LOOK.0 } else { LOOK.1 };
    loop {
        asked.mark_unchanged();
        match do_all(store, registry, max_payload, &mut desk).await {
            Ok(()) => in_contact = true,
            Err(StoreError::Closed) => return,
            Err(error) => {
                if std::mem::replace(&mut in_contact, false) {
                    tracing::warn!(%error, "what was asked by SQL can't be done; trying again");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(look) => {}
            // The store lives longer than its worker.
            Ok(()) = asked.changed() => {}
        }
    }
}

async fn do_all(
    store: &PostgresStore,
    registry: &Registry,
    max_payload: usize,
    desk: &mut Desk,
) -> Result<(), StoreError> {
    loop {
        let asked = store.requests(registry.dispatchable().map(str::to_owned).collect()).await?;
        let deeds: Vec<_> = asked
            .into_iter()
            .filter_map(|Asked { seq, wish }| Some((seq, deed(wish, registry, max_payload)?)))
            .collect();
        if deeds.is_empty() {
            return Ok(());
        }
        store.do_requests(desk, &deeds).await?;
    }
}

/// What is to be done about it; nothing, where that is for another program to know.
fn deed(wish: Wish, registry: &Registry, max_payload: usize) -> Option<Deed> {
    match wish {
        Wish::Cancel { id } => Some(Deed::Cancel(id)),
        Wish::Dispatch { id, name, payload, options } => {
            let prepare = registry.prepare(&name)?;
            Some(dispatch(id, &payload, &options, prepare, max_payload).unwrap_or_else(Deed::Refuse))
        }
        Wish::Signal { run, workflow: None, .. } => Some(Deed::Refuse(format!("there is no run {run}"))),
        Wish::Signal { run, workflow: Some(workflow), step, value } => {
            let found = registry.signal(&workflow, &step).ok()?;
            if value.len() > max_payload {
                return Some(Deed::Refuse(too_large(value.len(), max_payload)));
            }
            Some(match found {
                Some((step, was)) => Deed::Signal { run, step, was, value },
                None => Deed::Refuse(format!("`{workflow}` has no step `{step}` that waits for a signal")),
            })
        }
    }
}

fn dispatch(
    id: uuid::Uuid,
    payload: &str,
    options: &str,
    prepare: Prepare,
    max_payload: usize,
) -> Result<Deed, String> {
    if payload.len() > max_payload {
        return Err(too_large(payload.len(), max_payload));
    }
    let options: SqlOptions = serde_json::from_str(options).map_err(|error| error.to_string())?;
    let on_key = match options.on_key.as_deref() {
        None | Some("return") => OnKey::Return,
        Some("replace") => OnKey::Replace,
        Some("refuse") => OnKey::Refuse,
        Some(other) => return Err(format!("`{other}` is nothing to do about a key that is taken")),
    };
    let own = Own { timeout: options.timeout.map(Duration::from_millis), ..Own::default() };
    let deadline = options.deadline.map(Duration::from_millis);
    let draft = Draft {
        id,
        at: options.run_at.map(Timestamp::from_millis),
        priority: options.priority,
        queue: options.queue,
        key: options.key,
        correlation: options.correlation,
        terms: Some(Box::new(DraftTerms { on_key, deadline, own })),
        ..Draft::default()
    };
    if let Some((what, length)) = overlong(&draft) {
        return Err(format!("its {what} has {length} bytes, and must have 1 to {}", crate::MAX_KEY));
    }
    // A payload's `Deserialize`, and the start of a workflow, are the user's code.
    let work = caught(|| prepare(payload.as_bytes(), draft))?.map_err(|error| error.to_string())?;
    Ok(Deed::Dispatch(Box::new(work)))
}

fn too_large(length: usize, limit: usize) -> String {
    format!("its value has {length} bytes, and may have {limit}")
}
