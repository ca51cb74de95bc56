//! The benchmark runs, and its table is whole.

use std::process::Command;

#[test]
fn a_quick_run_prints_every_row_and_that_both_sides_are_durable() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("evertask-bench-{}", std::process::id()));
    let run = Command::new(env!("CARGO_BIN_EXE_bench")).arg("--quick").arg("--dir").arg(&dir).output()?;
    std::fs::remove_dir_all(&dir)?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let table = String::from_utf8(run.stdout)?;
    for row in [
        "disk: 4 KiB appended and synced",
        "floor: synchronous = 2 (FULL), journal_mode = wal",
        "evertask: synchronous = 2 (FULL), journal_mode = wal",
        "| dispatch from 1 task ",
        "| dispatch from 16 tasks ",
        "| dispatch_all of 1,000 ",
        "| drain, concurrency 16 ",
        "| drain of ten times as many ",
        "| three-step workflow, 16 at once ",
        "| idle, dispatch to start, p50 ",
        "| idle, dispatch to start, p99 ",
        "| resident memory, tasks waiting ",
        "flatness: ",
    ] {
        assert!(table.lines().any(|line| line.starts_with(row)), "no `{row}` in:\n{table}");
    }
    assert!(!table.contains("NaN"), "{table}");
    Ok(())
}
