//! The lock file of a program, before and after a change.

#![allow(clippy::unwrap_used)]

use evertask::registry::Registry;
use evertask::snapshot;

mod before {
    use evertask::prelude::*;
    use evertask::workflow;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) struct Order {
        pub(crate) number: u64,
    }

    #[task]
    pub(crate) async fn charge(order: Order) -> Result<u64, String> {
        Ok(order.number)
    }

    #[task(on_ok => archive)]
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    pub(crate) struct Pack {
        pub(crate) order: u64,
        #[serde(default)]
        pub(crate) gift_wrap: bool,
    }

    impl Handler for Pack {
        type Output = u64;
        type Error = String;

        async fn run(self, _: &Context) -> Result<u64, String> {
            Ok(self.order + u64::from(self.gift_wrap))
        }
    }

    impl From<u64> for Pack {
        fn from(order: u64) -> Self {
            Self { order, gift_wrap: false }
        }
    }

    #[task]
    pub(crate) async fn archive(order: u64) -> Result<(), String> {
        let _ = order;
        Ok(())
    }

    #[task]
    pub(crate) async fn label(order: u64, parcel: u64) -> Result<u64, String> {
        Ok(order + parcel)
    }

    #[task]
    pub(crate) async fn close(done: (Vec<u64>, u64)) -> Result<u64, String> {
        Ok(done.0.len() as u64 + done.1)
    }

    #[task]
    pub(crate) async fn refund(order: u64) -> Result<(), String> {
        let _ = order;
        Ok(())
    }

    workflow! {
        /// As it was.
        #[workflow(timeout = "7d")]
        pub(crate) Ship<Order -> u64> {
            charge {
                on_ok => consent,
                undo(order) => refund { order },
            }
            wait consent<bool> for "3d" {
                on_ok(_) with charge(order), input(Order { number }) =>
                    [each label([(order, 1), (number, 2)]) limit 4, Pack { order, gift_wrap: true }],
                on_timeout => fail("nobody said yes"),
            }
            join (each label, Pack) => close;
        }
    }
}

mod after {
    use evertask::prelude::*;
    use evertask::workflow;
    use serde::{Deserialize, Serialize};

    pub(crate) use super::before::{Order, Pack, close, label, refund};

    #[task]
    pub(crate) async fn pay(order: Order, card: String) -> Result<u64, String> {
        Ok(order.number + card.len() as u64)
    }

    impl From<Order> for pay {
        fn from(order: Order) -> Self {
            Self { order, card: String::new() }
        }
    }

    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub(crate) enum Consent {
        Given,
    }

    workflow! {
        /// As it is: the first step has a new name, and what is waited for another type.
        #[workflow(timeout = "9d")]
        pub(crate) Ship<Order -> u64> {
            pay {
                on_ok => consent,
                undo(order) => refund { order },
            }
            wait consent<Consent> for "3d" {
                on_ok(Consent::Given) with pay(order), input(Order { number }) =>
                    [each label([(order, 1), (number, 2)]) limit 8, Pack { order, gift_wrap: true }],
                on_timeout => fail("nobody said yes"),
            }
            join all settled (each label, Pack) => settle;
        }
    }

    #[task]
    pub(crate) async fn settle(
        done: (Vec<Result<u64, evertask::FailureReport>>, Result<u64, evertask::FailureReport>),
    ) -> Result<u64, String> {
        close((done.0.into_iter().flatten().collect(), done.1.unwrap_or(0))).await
    }
}

// The file beside this one is what a user would commit.
evertask::snapshot!("tests/snapshot.lock", before::Ship);

/// The file's text, and what the test of it would say.
#[test]
fn a_change_is_told_with_what_it_does_and_the_ways_out() {
    let now = snapshot::text(&Registry::default().add::<after::Ship>().add::<before::close>());
    let changes = snapshot::compare(include_str!("snapshot.lock"), &now).unwrap();
    let shown = changes.to_string();
    let expected = include_str!("snapshot.txt");
    if std::env::var_os(snapshot::ACCEPT).is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshot.txt"), &shown).unwrap();
        return;
    }
    assert_eq!(shown, expected, "{shown}");
}

#[test]
fn the_fingerprint_knows_joins_and_limits() {
    let fingerprint = |registry: Registry| registry.workflows().next().unwrap().fingerprint();
    let [before, after] =
        [Registry::default().add::<before::Ship>(), Registry::default().add::<after::Ship>()].map(fingerprint);
    assert_ne!(before, after);
}
