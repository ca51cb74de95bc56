//! The check of the invariants.

use std::collections::{BTreeMap, HashSet};

use crate::id::RunId;
use crate::store::{RunState, TaskState, Violation, Wait};

use super::state::{Row, State};

impl State {
    pub(super) fn verify(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        for row in self.task_ids.iter().filter_map(|id| self.tasks.get(&id)) {
            self.verify_task(row, &mut found);
        }
        self.verify_keys(&mut found);
        for id in self.run_ids.iter() {
            self.verify_run(id, &mut found);
        }
        self.verify_groups(&mut found);
        self.verify_slots(&mut found);
        self.verify_queues(&mut found);
        self.verify_archive(&mut found);
        found
    }

    fn verify_slots(&self, found: &mut Vec<Violation>) {
        let mut buckets: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in self.tasks.values() {
            if let Some(bucket) = row.slot_bucket() {
                buckets.entry(bucket).or_default().push(row);
            }
        }
        for (bucket, rows) in buckets {
            let running = || rows.iter().filter(|row| row.state == TaskState::Running);
            let waiting = rows.iter().any(|row| row.wait == Some(Wait::Slot));
            let ready = rows.iter().any(|row| row.state == TaskState::Ready);
            let most = running().filter_map(|row| row.terms.as_ref()?.slots.as_ref()).map(|slots| slots.most.max(1));
            let mut check = |holds: bool, invariant: &'static str, detail: &str| {
                if !holds {
                    found.push(Violation { invariant, id: bucket.to_owned(), detail: detail.to_owned() });
                }
            };
            check(!waiting || ready || running().count() > 0, "S1", "what waits for a slot waits for nobody");
            check(running().count() <= most.max().unwrap_or(0) as usize, "S2", "more of a bucket run than may");
        }
    }

    fn verify_queues(&self, found: &mut Vec<Violation>) {
        for (id, queue) in self.queues.iter().enumerate() {
            let count = |of: fn(&Row) -> bool| self.tasks.values().filter(|row| row.queue == id && of(row)).count();
            let counted = (queue.standing.due, queue.standing.later, queue.standing.running, queue.standing.live);
            let there = (
                count(|row| row.state == TaskState::Ready && row.due),
                count(|row| row.state == TaskState::Ready && !row.due),
                count(|row| row.state == TaskState::Running),
                count(|row| !row.state.is_terminal()),
            );
            if counted != there {
                let detail = format!("its tasks are counted as {counted:?}, but are {there:?}");
                found.push(Violation { invariant: "Q1", id: queue.name.clone(), detail });
            }
        }
        for (id, schedule) in &self.schedules {
            if schedule.occurrences.len() as u64 > schedule.record.fired {
                let detail = "it has more occurrences than it has fired".to_owned();
                found.push(Violation { invariant: "O1", id: id.clone(), detail });
            }
        }
    }

    fn verify_archive(&self, found: &mut Vec<Violation>) {
        let tasks = self.tasks.values().filter(|row| row.run.is_none() && row.state.is_terminal()).count();
        let runs = self.runs.values().filter(|run| run.record.state.is_terminal()).count();
        if (tasks, runs) != (self.archive.tasks_kept(), self.archive.runs_kept()) {
            let detail = "what has ended is counted wrongly".to_owned();
            found.push(Violation { invariant: "P1", id: String::new(), detail });
        }
    }

    fn verify_groups(&self, found: &mut Vec<Violation>) {
        for (id, group) in &self.groups {
            let rows = || group.tasks.iter().filter_map(|id| self.tasks.get(id));
            let open = rows().filter(|row| !row.state.is_terminal()).count();
            let waiting = rows().filter(|row| row.wait == Some(Wait::Turn)).count();
            // A cancel that a worker must route waits for no turn.
            let started = rows()
                .filter(|row| matches!(row.state, TaskState::Ready | TaskState::Running) && !row.cancel_requested);
            let holds = started.count() <= group.limit.map_or(usize::MAX, |limit| limit.max(1) as usize);
            if !holds || open != group.open || waiting != group.waiting.len() {
                let detail = "its items are counted wrongly, or too many have started".to_owned();
                found.push(Violation { invariant: "E1", id: id.to_string(), detail });
            }
        }
    }

    fn verify_task(&self, row: &Row, found: &mut Vec<Violation>) {
        let mut check = |holds: bool, invariant: &'static str, detail: &str| {
            if !holds {
                found.push(Violation { invariant, id: row.id.to_string(), detail: detail.to_owned() });
            }
        };
        let running = row.state == TaskState::Running;
        check(running == row.worker.is_some(), "I1", "running tasks have a worker, and no others");
        let listed = row.worker.is_none_or(|worker| {
            self.workers.get(&worker).is_some_and(|attached| attached.is_listed() && attached.running.contains(&row.id))
        });
        check(listed, "I1", "its worker is not listed");
        check(row.state.is_terminal() == row.finished_at.is_some(), "I2", "ended tasks have an end, and no others");
        let ends = i64::from(row.failures) + i64::from(row.crashes) + i64::from(row.interrupts);
        check(ends <= row.fence, "I3", "more attempts ended than began");
        check((row.state == TaskState::Succeeded) == row.output.is_some(), "I6", "succeeded means an output");
        check(row.state != TaskState::Failed || row.failure.is_some(), "I6", "a failed task has a failure");
        check((row.state == TaskState::Parked) == row.parked.is_some(), "I1", "parked means a reason");
        let fences: HashSet<i64> = row.attempts.iter().map(|attempt| attempt.fence).collect();
        check(fences.len() == row.attempts.len(), "I5", "two attempts of one fence");
        check(fences.iter().all(|&fence| fence <= row.fence), "I5", "an attempt that was never claimed");
        let counted = row.run.is_none_or(|run| {
            self.runs.get(&run).is_some_and(|run| {
                run.members.contains(&row.id)
                    && run.live.contains(&row.id) == row.is_open()
                    && run.undos.contains(&row.id) == row.is_undo_in_waiting()
            })
        });
        check(counted, "I10", "its run does not count it");
        check((row.state == TaskState::Waiting) == row.wait.is_some(), "W1", "waiting tasks wait for something");
        check(row.wait != Some(Wait::Undo) || row.is_undo, "W1", "what waits to undo is no undo");
        let held = row.run.and_then(|run| self.state_of(run)) == Some(RunState::Paused);
        check((row.wait == Some(Wait::Pause)) <= held, "W2", "it is held, but its run is not");
        check(!held || row.state != TaskState::Ready, "W2", "its run is held, but it is ready");
        let inner = self.inner_runs.get(&row.id).and_then(|run| self.runs.get(run));
        let inner = inner.is_some_and(|run| !run.record.state.is_terminal());
        check((row.wait == Some(Wait::Run)) <= inner, "W3", "the run that it waits for has ended");
    }

    fn verify_run(&self, id: RunId, found: &mut Vec<Violation>) {
        let Some(run) = self.runs.get(&id) else { return };
        let record = &run.record;
        let mut check = |holds: bool, invariant: &'static str, detail: &str| {
            if !holds {
                found.push(Violation { invariant, id: id.to_string(), detail: detail.to_owned() });
            }
        };
        let terminal = record.state.is_terminal();
        let live = run.members.iter().filter_map(|id| self.tasks.get(id)).filter(|row| row.is_open()).count();
        check(usize::try_from(record.open_tasks) == Ok(live), "I10", "its open tasks are counted wrongly");
        check(terminal == (live == 0), "I10", "a run is live as long as a task of it is");
        check(terminal == record.finished_at.is_some(), "I2", "ended runs have an end, and no others");
        check(record.state != RunState::Succeeded || record.output.is_some(), "I6", "a succeeded run has an output");
        check(record.state == RunState::Failed || !terminal || run.undos.is_empty(), "I10", "it has something to undo");
        let kept = !terminal || record.state == RunState::Failed;
        check(kept || run.joins.is_empty(), "J1", "somebody waits at a join of an ended run");
        check(kept || run.signals.is_empty(), "J2", "an ended run keeps signals");
        let failing = matches!(record.state, RunState::Failed | RunState::Compensating);
        check(failing == record.failure.is_some(), "I6", "failed runs have a failure, and no others");
    }

    fn verify_keys(&self, found: &mut Vec<Violation>) {
        let tasks = self.tasks.values().filter_map(|row| {
            row.key.as_ref().map(|key| (false, &self.kinds.get(row.kind).name, key, row.id.to_string()))
        });
        let runs = self.runs.values().filter_map(|run| {
            run.record.key.as_ref().map(|key| (true, &run.record.workflow, key, run.record.id.to_string()))
        });
        let mut seen = HashSet::new();
        for (is_run, name, key, id) in tasks.chain(runs) {
            if !seen.insert((is_run, name, key)) {
                found.push(Violation { invariant: "I11", id, detail: format!("the key `{key}` is taken twice") });
            }
        }
    }
}
