//! The pictures in `docs/pictures` are those that the library draws of the longer examples, and these are short.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use evertask::registry::Registry;

// Each is a program; here it only registers its workflow.
#[allow(dead_code)]
#[path = "../patterns/approval.rs"]
mod approval;
#[allow(dead_code)]
#[path = "../patterns/media.rs"]
mod media;
#[allow(dead_code)]
#[path = "../patterns/travel.rs"]
mod travel;

const EXAMPLES: [(&str, &str); 3] = [("approval", "Approve"), ("media", "EncodeFilm"), ("travel", "BookTrip")];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn pictures_are_fresh() {
    let accept = std::env::var("EVERTASK_ACCEPT").is_ok_and(|value| !matches!(&*value, "" | "0" | "false"));
    let registry = Registry::collect();
    for (example, workflow) in EXAMPLES {
        let entry = registry.workflows().find(|entry| entry.name == workflow).unwrap();
        let file = repository().join("docs/pictures").join(example).with_extension("svg");
        let svg = entry.graph().svg();
        if accept {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &svg).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == svg,
            "`docs/pictures/{example}.svg` is not what the library draws of `{workflow}`: draw it anew with \
             `EVERTASK_ACCEPT=1 cargo test -p evertask-examples pictures`, and look at it"
        );
    }
}

#[test]
fn examples_are_short_and_shown() {
    let page = std::fs::read_to_string(repository().join("docs/examples.md")).unwrap();
    for (example, workflow) in EXAMPLES {
        let source = repository().join("examples/patterns").join(example).with_extension("rs");
        let lines = std::fs::read_to_string(source).unwrap().lines().count();
        assert!(lines < 150, "{example} has {lines} lines");
        let shown =
            [format!("pictures/{example}.svg"), format!("../examples/patterns/{example}.rs"), workflow.to_owned()];
        for part in shown {
            assert!(page.contains(&part), "`docs/examples.md` says nothing of {part}");
        }
    }
}
