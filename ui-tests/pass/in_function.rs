//! Tasks and workflows in a function's body and in modules.
#![deny(warnings, missing_docs)]

mod mail {
    use evertask::prelude::*;

    #[task(name = "mail.send")]
    pub(super) async fn send(to: String) -> Result<u64, String> {
        Ok(to.len() as u64)
    }
}

fn main() {
    use evertask::{prelude::*, workflow};

    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Parcel {
        to: String,
    }

    #[task]
    async fn pack(parcel: Parcel) -> Result<Parcel, String> {
        Ok(parcel)
    }

    workflow! {
        Deliver<Parcel -> u64> {
            pack {
                on_ok(Parcel { to }) => mail::send,
            }
        }
    }

    // A path as a step's head; its name is its last word.
    workflow! {
        Remind<String> {
            mail::send { on_ok(_) => end }
        }
    }

    assert_eq!(<mail::send as Task>::NAME, "mail.send");
    let evertask::registry::Body::Block(steps) = Remind::entry().body else { panic!("a block") };
    assert_eq!(steps[0].name, "send");
    let evertask::registry::Body::Block(steps) = Deliver::entry().body else { panic!("a block") };
    assert_eq!(steps.iter().map(|step| step.name).collect::<Vec<_>>(), ["pack", "send"]);
    let evertask::registry::Does::Task(task) = steps[1].does else { panic!("a task") };
    assert_eq!(task().name, "mail.send");
    drop(Deliver(Parcel { to: String::new() }));
}
