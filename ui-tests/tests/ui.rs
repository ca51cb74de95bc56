//! Programs that must compile, and programs that must not, with what the compiler says of them.
//!
//! `cargo test -p evertask-ui-tests fail -- trybuild=flow` runs the programs whose path contains `flow`;
//! `TRYBUILD=overwrite` writes down what the compiler says now. Read it as a user would before you commit it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn pass() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

#[test]
fn fail() {
    trybuild::TestCases::new().compile_fail("fail/*/*.rs");
}

/// One mistake is one error. A program with more says so in its first line: `// 3 errors: ..`.
#[test]
fn one_mistake_is_one_error() -> Result<(), Box<dyn Error>> {
    let mut programs = 0;
    for program in programs_that_fail()? {
        let source = fs::read_to_string(&program)?;
        let said = fs::read_to_string(program.with_extension("stderr"))
            .map_err(|error| format!("{}: no .stderr: {error}", program.display()))?;
        let first_line = source.lines().next().unwrap_or_default();
        let expected = match first_line.strip_prefix("// ").and_then(|line| line.split_once(" errors: ")) {
            Some((number, _)) => number.parse()?,
            None => 1,
        };
        assert!(first_line.starts_with("// "), "{}: the first line says what is wrong", program.display());
        let errors = said.lines().filter(|line| line.starts_with("error")).count();
        assert_eq!(errors, expected, "{}:\n{said}", program.display());
        programs += 1;
    }
    assert!(programs > 100, "only {programs} programs");
    Ok(())
}

/// No message names a place on somebody's machine, and none blames the macro for the user's mistake.
#[test]
fn messages_are_for_people() -> Result<(), Box<dyn Error>> {
    for program in programs_that_fail()? {
        let said = fs::read_to_string(program.with_extension("stderr"))?;
        for word in ["/home/", "/root/", "/work/", "/tmp/", "panicked at", "__Evertask"] {
            assert!(!said.contains(word), "{}: `{word}` in\n{said}", program.display());
        }
    }
    Ok(())
}

fn programs_that_fail() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut programs = Vec::new();
    for kind in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fail"))? {
        for file in fs::read_dir(kind?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                programs.push(path);
            }
        }
    }
    programs.sort();
    Ok(programs)
}
