//! Each program of `patterns/` prints what its first comment says.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn promised(name: &str) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns").join(name).with_extension("rs");
    let source = std::fs::read_to_string(source).unwrap();
    let lines: Vec<_> = source.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut shown = String::new();
    let block =
        lines.iter().skip_while(|line| line.trim() != "```text").skip(1).take_while(|line| line.trim() != "```");
    for line in block {
        shown.push_str(line.strip_prefix(' ').unwrap_or(line));
        shown.push('\n');
    }
    assert!(!shown.is_empty(), "the first comment of {name} says nothing of what it prints");
    shown
}

fn check(name: &str, program: &str) {
    let output = Command::new(program).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{name}: {}\n{printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed, promised(name), "{name}");
}

macro_rules! patterns {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), env!(concat!("CARGO_BIN_EXE_", stringify!($name))));
            }
        )*

        #[test]
        fn every_pattern_is_checked() {
            let mut files: Vec<_> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns"))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            files.sort();
            assert_eq!(files, [$(stringify!($name)),*]);
        }
    };
}

patterns! {
    approval
    cancel_hook
    cancel_many
    cancel_pending
    cancel_running
    compensation
    conditional
    continuation
    correlation
    idempotency
    media
    multi_stage
    passing_context
    reschedule
    schedule
    travel
}
