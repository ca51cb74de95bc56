//! What each kind of lap comes to where nothing goes wrong, word for word, on both stores: this is what the
//! other tests compare with.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use evertask::Dispatcher;
use evertask_tests::check::Reference;
use evertask_tests::courses::{self, KINDS, key};
use evertask_tests::laps::{Lap, Track};
use evertask_tests::process::Place;
use evertask_tests::record::{Record, idle};
use evertask_tests::witness::Witness;

/// The laps that do not go the whole way, and one that does.
const ENDS: &[(u32, &[&str])] = &[
    (
        1,
        &[
            "run Course succeeded: its input, no failure",
            "task Course/cheer after Course/odd succeeded: 0 failures",
            "task Course/come_to after Course/faint succeeded: 0 failures",
            "task Course/faint after Course/nap failed: 1 failures",
            "task Course/fall after Course/start failed: 2 failures",
            "task Course/finish after Course/cheer succeeded: 0 failures",
            "task Course/get_up after Course/fall succeeded: 0 failures",
            "task Course/nap after Course/start succeeded: 0 failures",
            "task Course/odd after Course/stumble succeeded: 0 failures",
            "task Course/start after nothing succeeded: 0 failures",
            "task Course/stumble after Course/start succeeded: 1 failures",
            "task FileAway after Course/cheer succeeded: 0 failures",
            "task lose after stamp succeeded: 0 failures",
            "task postcard after Course/cheer succeeded: 0 failures",
            "task stamp after postcard failed: 1 failures",
        ],
    ),
    (
        4,
        &[
            "run Detour failed: another output, failed by the workflow",
            "task Detour/depart after nothing succeeded: 0 failures",
            "task Detour/refuse after Detour/stumble succeeded: 0 failures",
            "task Detour/stumble after Detour/depart succeeded: 1 failures",
        ],
    ),
    (
        5,
        &[
            "run Stopped cancelled: no output, no failure",
            "task Stopped/arm after nothing succeeded: 0 failures",
            "task Stopped/clear_up after Stopped/hold succeeded: 0 failures",
            "task Stopped/hold after Stopped/arm cancelled: 0 failures",
            "task stop_run after Stopped/arm succeeded: 0 failures",
        ],
    ),
    (
        6,
        &[
            "run Unload succeeded: its input, no failure",
            "task FileAway after Unload succeeded: 0 failures",
            "task Unload after nothing succeeded: 0 failures",
            "task Unload/FileAway after Unload/stamp succeeded: 0 failures",
            "task Unload/postcard after nothing succeeded: 0 failures",
            "task Unload/stamp after Unload/postcard succeeded: 0 failures",
        ],
    ),
    (7, &["run Overdue failed: no output, time-out", "task Overdue/hold after nothing cancelled: 0 failures"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lap_ends_as_its_course_says() {
    let reference = Reference::run().await;
    for (nth, end) in ENDS {
        assert_eq!(reference.shape(*nth), *end, "lap {nth}");
    }
    assert_eq!(reference.shape(0).len(), 15);
    assert_eq!(reference.shape(2), reference.shape(0));
    assert_eq!(reference.shape(3), reference.shape(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_and_memory_come_to_the_same() {
    let (reference, place) = (Reference::run().await, Place::new());
    let dispatcher = Dispatcher::open(&format!("sqlite:{}", place.database().display())).await.unwrap();
    let witness = Witness::open(&place.witness(), false).unwrap();
    let track = Track { witness, dispatcher: dispatcher.clone(), gate_is_open: true };
    let worker = dispatcher.worker().lease("300ms").data_dyn(Arc::new(track)).start().await.unwrap();
    for nth in 0..KINDS {
        courses::dispatch(&dispatcher, Lap { nth, seed: 0 }).await.unwrap();
    }
    idle(&dispatcher).await.unwrap();
    worker.shutdown().await;
    let shapes = Record::read(&dispatcher).await.unwrap().shapes();
    let expected: BTreeMap<_, _> = (0..KINDS).map(|nth| (key(nth), reference.shape(nth).to_vec())).collect();
    assert_eq!(shapes, expected);
    dispatcher.close().await.unwrap();
}
