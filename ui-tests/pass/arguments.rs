//! None, one and many arguments; results under other names; things that are lent.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![allow(clippy::unused_async)]

use std::convert::Infallible;
use std::sync::Arc;

use evertask::{Payload, RetryAdvice, prelude::*};

/// The error of this program.
#[derive(Debug)]
pub struct Error;

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("error")
    }
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// Sends mail.
pub trait Mailer: Send + Sync {
    /// Sends one.
    fn send(&self, to: &str);
}

/// A connection.
#[derive(Debug)]
pub struct Pool;

#[task]
async fn nothing() -> Result<()> {
    Ok(())
}

#[task(derive(Debug, Clone, PartialEq))]
async fn one(name: String) -> Result<String> {
    Ok(name)
}

#[task(derive(Debug, Clone, PartialEq), priority = 7, queue = "mail", name = "many-arguments")]
async fn many(
    mut count: u8,
    pool: &Pool,
    r#type: Option<String>,
    mailer: &dyn Mailer,
    cx: &Context,
    _: &Arc<Pool>,
    pair: (u8, u8),
) -> Result<u8, Infallible> {
    count += pair.0;
    mailer.send(&format!("{pool:?} {type:?} {:?}", cx.id()));
    Ok(count)
}

#[task]
fn lent<'a>(pool: &'a Pool, cx: &'a Context) -> Result<(), String> {
    cx.check_cancelled().map_err(|error| format!("{error} {pool:?}"))
}

#[task(retry(times = 3, backoff = linear("1s", max = "1m")), retry_if = |error| error == "later")]
fn patient(to: u8) -> Result<u8, String> {
    if to == 0 { Err("later".to_owned()) } else { Ok(to) }
}

fn round_trip<T: Payload>(value: &T) -> (String, T) {
    let mut stored = Vec::new();
    value.encode(&mut stored).unwrap();
    let read = T::decode(&stored).unwrap();
    (String::from_utf8(stored).unwrap(), read)
}

fn main() {
    assert_eq!(round_trip(&nothing {}).0, "{}");
    drop(nothing::from(()));
    assert_eq!(round_trip(&one::from("Ada".to_owned())), (r#"{"name":"Ada"}"#.to_owned(), one { name: "Ada".into() }));
    let payload = many::from((1, None, (2, 3)));
    let (stored, read) = round_trip(&payload);
    assert_eq!(stored, r#"{"count":1,"type":null,"pair":[2,3]}"#);
    assert_eq!(read, payload);
    // A field that was added later, and one that nobody knows.
    assert_eq!(many::decode(br#"{"count":1,"pair":[2,3],"old":true}"#).unwrap(), payload);
    assert!(many::decode(br#"{"pair":[2,3]}"#).unwrap_err().to_string().contains("argument `count` is missing"));
    assert_eq!(<many as Task>::NAME, "many-arguments");
    let needs: Vec<_> = (many::entry().needs)().iter().map(|need| need.type_name).collect();
    assert_eq!(needs.len(), 4);
    assert!(needs[1].starts_with("dyn ") && needs[1].ends_with("Mailer"), "{needs:?}");
    assert_eq!((lent::entry().needs)().len(), 2);
    assert_eq!(patient::retry_advice(&"later".to_owned()), RetryAdvice::Usual);
    assert_eq!(patient::retry_advice(&"never".to_owned()), RetryAdvice::Never);
    assert_eq!(patient::entry().options.retry.map(|retry| retry.times), Some(3));
    assert_eq!(patient::encode_error(&"later".to_owned()), Some(br#""later""#.to_vec()));
    assert_eq!(patient::decode_error(br#""later""#), Some("later".to_owned()));
    assert!(one::encode_error(&Error).is_none());
}
