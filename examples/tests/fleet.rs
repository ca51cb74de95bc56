//! The fleet loses workers, and ends well; the script that starts it finds a server, and takes it away again.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

#[test]
fn a_fleet_loses_workers_and_each_order_has_one_end() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet/run");
    let folder = tempfile::tempdir().unwrap();
    // The server is in a folder of this one; it is not run as root, and must get there.
    let all_may_enter = Command::new("chmod").arg("755").arg(folder.path()).status().unwrap();
    assert!(all_may_enter.success());
    let fleet = Command::new(script)
        .args(["--orders", "70", "--kill-every", "1s"])
        .env("FLEET", env!("CARGO_BIN_EXE_fleet"))
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(fleet.stdout).unwrap();
    assert!(fleet.status.success(), "{said}{}", String::from_utf8_lossy(&fleet.stderr));
    assert!(!said.contains('\x1b'), "what is piped has no control characters: {said}");
    let kills = said.lines().filter(|line| line.contains("killed ") && line.contains("in the middle of")).count();
    assert!(kills >= 2, "{said}");
    for line in [
        "Ada ",
        "Ben ",
        "Cleo ",
        "70 orders, each with exactly one end: 60 delivered, 10 declined\n",
        " of 70 orders have ended, ",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    let proof = format!("250 tasks, none missing or doubled; {kills} kills interrupted ");
    assert!(said.contains(&proof), "{proof:?} is not in\n{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the server's folder is left");
}

#[test]
fn without_a_store_it_says_what_to_do() {
    let refused = Command::new(env!("CARGO_BIN_EXE_fleet")).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("examples/fleet/run"), "{said}");
}
