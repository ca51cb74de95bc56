//! The words of a block beyond steps and arms.
#![deny(warnings, missing_docs)]

use std::convert::Infallible;
use std::time::Duration;

use evertask::registry::{Body, StepEntry, Target};
use evertask::{FailureReport, prelude::*, workflow};
use serde::{Deserialize, Serialize};

/// What a run is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Album {
    title: String,
    images: Vec<String>,
}

/// What a person says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Approval {
    /// Yes.
    Granted {
        /// By whom.
        by: String,
    },
    /// No.
    Refused,
}

/// Not `Clone`: what undoes a step may have it all the same, where nothing else wants it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Receipt(u32);

#[task]
async fn open_album(album: Album) -> Result<Vec<String>, String> {
    Ok(album.images)
}

#[task]
async fn resize(image: String) -> Result<u32, String> {
    u32::try_from(image.len()).map_err(|error| error.to_string())
}

#[task]
async fn resize_at(image: String, size: u32) -> Result<u32, Infallible> {
    Ok(size + u32::from(image.is_empty()))
}

#[task]
async fn write_index(names: Vec<String>) -> Result<String, String> {
    Ok(names.join(", "))
}

#[task]
async fn charge(title: String) -> Result<Receipt, String> {
    Ok(Receipt(u32::from(title.is_empty())))
}

#[task]
async fn refund(amount: u32) -> Result<(), String> {
    println!("{amount}");
    Ok(())
}

#[task(derive(Clone))]
async fn publish(sizes: Vec<u32>, index: String) -> Result<String, String> {
    Ok(format!("{} images: {index}", sizes.len()))
}

#[task]
async fn count_up(settled: (Vec<Result<u32, FailureReport>>, Result<u32, FailureReport>)) -> Result<u32, Infallible> {
    let (many, one) = settled;
    Ok(many.into_iter().chain([one]).flatten().sum())
}

#[task]
async fn sum(sizes: Vec<u32>) -> Result<u32, Infallible> {
    Ok(sizes.into_iter().sum())
}

#[task]
async fn poll(job: u32) -> Result<Option<u32>, String> {
    Ok(job.checked_sub(1))
}

workflow! {
    /// With `with`, `each`, `join`, `undo`, `rollback` and `wait`.
    #[workflow(was = "Publish")]
    pub PublishAlbum<Album -> String> {
        open_album {
            on_ok(images) with input(Album { title, .. }) => charge { title: format!("{title} ({})", images.len()) },
        }
        #[step(was = "bill")]
        charge {
            on_ok with open_album(images) => [each resize(images.clone()) limit 4, write_index(images)],
            undo(Receipt(amount)) if amount > 0 => refund { amount },
            on_err => rollback,
        }
        join (each resize, write_index) => publish;
        publish {
            on_ok(_) => approval,
            on_err(why) => [refund_by_hand { amount: 0 }, fail(why)],
        }
        wait approval<Approval> for "3d" {
            on_ok(Approval::Granted { by }) with publish(text) => done(format!("{text}, for {by}")),
            on_ok(Approval::Refused) => fail("refused"),
            on_timeout => publish { sizes: Vec::new(), index: String::new() } after "1h" limit 3,
            on_cancel => end,
        }
        refund_by_hand = refund { on_ok => end }
    }
}

workflow! {
    /// One `each` alone, its items made on the edge; then all of it settled.
    Resize<Album -> u32> {
        open_album {
            on_ok(images) => each resize_at(images.into_iter().map(|image| resize_at { image, size: 3 })),
        }
        join (each resize_at) => sum;
        sum {
            on_ok(size) with open_album(images) => [each again(images) limit 2, other(size.to_string())],
        }
        again = resize {}
        join all settled (each again, other) => count_up;
        other = resize { on_cancel => end }
        count_up {}
    }
}

workflow! {
    /// Goes round, with pauses and limits; nothing binds what undoes a step.
    Poll<u32 -> u32> {
        poll {
            on_ok(Some(left)) => poll { job: left } after Duration::from_secs(u64::from(left)) limit 10,
            on_ok(None, poll { job }) => done(job),
            on_err(why) => poll { job: 1 } after why.as_str() limit 3,
            undo(Some(left), poll { job }) if left > 3 => refund { amount: job },
            undo => refund { amount: 1 },
        }
    }
}

workflow! {
    /// A workflow is a step as a task is.
    Both<Album -> u32> {
        open_album { on_ok(images) with input(album) => [resizing(album), each write_to(images)] }
        resizing = Resize {
            on_ok(size) => Poll(size),
            on_err(report) => fail(report.message),
        }
        write_to = resize { on_ok(_) => end }
        Poll { on_failure => rollback }
    }
}

fn step(of: &Body, name: &str) -> &'static StepEntry {
    let Body::Block(steps) = of else { panic!("a block") };
    steps.iter().find(|step| step.name == name).unwrap()
}

fn main() {
    let entry = PublishAlbum::entry();
    assert_eq!((entry.was, entry.fields, entry.promises), (&["Publish"][..], &[("0", "Album")][..], Some("String")));
    let charge = step(&entry.body, "charge");
    assert_eq!((charge.was, charge.earlier), (&["bill"][..], &["open_album"][..]));
    assert!(step(&entry.body, "open_album").asks_input);
    assert!(matches!(charge.edges[0].to, Target::Each("resize")));
    assert!(matches!(charge.edges[2].to, Target::Undo("refund")));
    assert!(matches!(charge.edges[3].to, Target::Rollback));
    assert!(matches!(step(&entry.body, "resize").edges[0].to, Target::Join("publish")));
    let approval = step(&entry.body, "approval");
    assert_eq!((approval.value, approval.patience), (Some("Approval"), Some(Duration::from_secs(3 * 86_400))));
    assert_eq!(PublishAlbum::approval.step(), "approval");
    assert_eq!(resize_at::entry().fields, [("image", "String"), ("size", "u32")]);
    assert!(matches!(step(&Both::entry().body, "resizing").does, evertask::__private::Does::Workflow(_)));
}
