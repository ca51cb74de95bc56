//! What a join gives: the outputs of its members, read back from a JSON array.

use std::marker::PhantomData;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::FailureReport;
use crate::payload::{CodecError, Payload};
use crate::task::{Accepts, Work};

/// A member of a join.
pub trait Member {
    /// What it gives.
    type Value;
    /// Reads it.
    #[doc(hidden)]
    fn read(stored: &RawValue) -> Result<Self::Value, CodecError>;
}

/// A step, which gives its output.
#[derive(Debug)]
pub struct One<O>(PhantomData<O>);

impl<O: Payload> Member for One<O> {
    type Value = O;

    fn read(stored: &RawValue) -> Result<O, CodecError> {
        O::decode(stored.get().as_bytes())
    }
}

/// A step that may fail.
#[derive(Debug)]
pub struct Settled<O>(PhantomData<O>);

/// How a settled member is stored.
#[derive(Deserialize)]
enum Stored<'a> {
    Ok(#[serde(borrow)] &'a RawValue),
    Err(FailureReport),
}

impl<O: Payload> Member for Settled<O> {
    type Value = Result<O, FailureReport>;

    fn read(stored: &RawValue) -> Result<Self::Value, CodecError> {
        Ok(match parse::<Stored<'_>>(stored.get().as_bytes())? {
            Stored::Ok(output) => Ok(O::decode(output.get().as_bytes())?),
            Stored::Err(report) => Err(report),
        })
    }
}

/// A step that runs once for each item, which gives what all of them do, in their order.
#[derive(Debug)]
pub struct EachOf<M>(PhantomData<M>);

impl<M: Member> Member for EachOf<M> {
    type Value = Vec<M::Value>;

    fn read(stored: &RawValue) -> Result<Self::Value, CodecError> {
        parse::<Vec<&RawValue>>(stored.get().as_bytes())?.into_iter().map(M::read).collect()
    }
}

/// The members of a join: a tuple of [`Member`]s. One alone gives what it gives, several a tuple.
pub trait Members {
    /// What they give.
    type Value;
    /// Reads it.
    #[doc(hidden)]
    fn read(stored: &[u8]) -> Result<Self::Value, CodecError>;
}

impl<M: Member> Members for (M,) {
    type Value = M::Value;

    fn read(stored: &[u8]) -> Result<Self::Value, CodecError> {
        let [only] = array(stored)?;
        M::read(only)
    }
}

macro_rules! members {
    ($($member:ident),*) => {
        impl<$($member: Member),*> Members for ($($member,)*) {
            type Value = ($($member::Value,)*);

            #[allow(non_snake_case)]
            fn read(stored: &[u8]) -> Result<Self::Value, CodecError> {
                let [$($member),*] = array(stored)?;
                Ok(($($member::read($member)?,)*))
            }
        }
    };
}

members!(A, B);
members!(A, B, C);
members!(A, B, C, D);
members!(A, B, C, D, E);
members!(A, B, C, D, E, F);
members!(A, B, C, D, E, F, G);
members!(A, B, C, D, E, F, G, H);

/// `Self` accepts what the members of a join give.
#[diagnostic::on_unimplemented(
    message = "`{V}` cannot flow into task `{Self}`",
    label = "`{Self}` does not accept `{V}`",
    note = "a join gives the outputs of its members in the order in which it names them: write `impl From<{V}> for {Self}`"
)]
pub trait Joins<V>: Work {
    /// The payload made of the outputs.
    fn join(outputs: V) -> Self;
}

#[diagnostic::do_not_recommend]
impl<V, W: Accepts<V>> Joins<V> for W {
    fn join(outputs: V) -> Self {
        Self::accept(outputs)
    }
}

fn array<const N: usize>(stored: &[u8]) -> Result<[&RawValue; N], CodecError> {
    let members: Vec<&RawValue> = parse(stored)?;
    let found = members.len();
    members.try_into().map_err(|_| unreadable(&format!("{found} members, not {N}")))
}

fn parse<'a, T: Deserialize<'a>>(stored: &'a [u8]) -> Result<T, CodecError> {
    serde_json::from_slice(stored).map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(reason: &str) -> CodecError {
    CodecError::Decode { what: "the outputs of the members of a join", reason: reason.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_member_gives_its_value_and_several_a_tuple() {
        assert_eq!(<(EachOf<One<u8>>,)>::read(b"[[1, 2]]").unwrap(), [1, 2]);
        assert_eq!(<(One<u8>, One<String>)>::read(br#"[7, "x"]"#).unwrap(), (7, "x".to_owned()));
        assert!(<(One<u8>, One<u8>)>::read(b"[7]").is_err());
    }

    #[test]
    fn a_settled_member_is_a_result() {
        let report =
            r#"{"task":"t","id":"00000000-0000-0000-0000-000000000000","kind":"error","message":"no","attempts":1}"#;
        let stored = format!(r#"[{{"Ok":3}}, [{{"Err":{report}}}]]"#);
        let (one, each) = <(Settled<u8>, EachOf<Settled<u8>>)>::read(stored.as_bytes()).unwrap();
        assert_eq!(one, Ok(3));
        assert_eq!(each[0].as_ref().unwrap_err().message, "no");
    }
}
