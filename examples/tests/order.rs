//! The order workflow survives `kill -9`: every order has exactly one end, and no continuation is missing or doubled.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn order(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_order"));
    command.arg("--db").arg(database);
    command
}

/// Runs it until it says for the `nth` time how far it is, and kills it. Gives its last word.
fn kill_at_progress(database: &Path, nth: usize) -> Option<String> {
    let mut running = order(database).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(running.stderr.take().unwrap()).lines().nth(nth);
    running.kill().unwrap();
    running.wait().unwrap();
    said.map(Result::unwrap)
}

#[test]
fn orders_survive_kills_and_each_has_one_end() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("orders.db");
    let killed = (0..3).filter_map(|_| kill_at_progress(&database, 1)).count();
    assert!(killed > 0, "it ended before it could be killed, so that nothing was tested");

    let early = order(&database).arg("--verify").output().unwrap();
    assert!(!early.status.success(), "a proof that holds before the work is done proves nothing");

    let rest = order(&database).output().unwrap();
    let table = String::from_utf8(rest.stdout).unwrap();
    assert!(rest.status.success(), "{table}{}", String::from_utf8_lossy(&rest.stderr));
    for line in
        ["delivered          315", "declined            21", "invalid             42", "succeeded  ", "a second"]
    {
        assert!(table.contains(line), "{line:?} is not in\n{table}");
    }

    let proof = order(&database).arg("--verify").output().unwrap();
    let said = String::from_utf8(proof.stdout).unwrap();
    assert!(proof.status.success(), "{said}");
    assert_eq!(said, "420 orders, each with exactly one end; no continuation is missing or doubled\n");
}

#[test]
fn the_graph_is_printed() {
    let printed = Command::new(env!("CARGO_BIN_EXE_order")).arg("--graph").output().unwrap();
    let graph = String::from_utf8(printed.stdout).unwrap();
    assert!(graph.starts_with("flowchart TD\n"), "{graph}");
    assert!(graph.contains("|\"on_ok(Charge::Captured(paid))\"|"), "{graph}");
}

#[test]
fn an_unknown_option_is_refused_with_the_known_ones() {
    let refused = Command::new(env!("CARGO_BIN_EXE_order")).arg("--grpah").output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("`--grpah`") && said.contains("--graph"), "{said}");
}
