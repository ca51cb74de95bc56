//! What is stored: payloads, outputs and typed errors, as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that a task can be given, or can give back: it is stored as JSON.
///
/// Every type that implements `Serialize` and `DeserializeOwned` and owns its data is a payload.
/// The trait has no serde supertraits so that the compiler reports what is wrong in one message.
///
/// ```
/// use evertask::Payload;
///
/// let mut stored = Vec::new();
/// vec![1, 2, 3].encode(&mut stored)?;
/// assert_eq!(stored, b"[1,2,3]");
/// assert_eq!(Vec::<u8>::decode(&stored)?, [1, 2, 3]);
/// # Ok::<(), evertask::CodecError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored",
    label = "not serialisable, or not owned",
    note = "payloads, outputs and what they hold are kept on disk: derive `Serialize` and `Deserialize` for `{Self}`, and hold no references"
)]
pub trait Payload: Sized + Send + Sync + 'static {
    /// Appends the JSON of this value to `into`.
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), CodecError>;
    /// Reads a value back from its JSON.
    fn decode(stored: &[u8]) -> Result<Self, CodecError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Payload for T {
    fn encode(&self, into: &mut Vec<u8>) -> Result<(), CodecError> {
        serde_json::to_writer(into, self)
            .map_err(|error| CodecError::Encode { what: std::any::type_name::<T>(), reason: error.to_string() })
    }

    fn decode(stored: &[u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(stored)
            .map_err(|error| CodecError::Decode { what: std::any::type_name::<T>(), reason: error.to_string() })
    }
}

/// A value could not be written as JSON, or not be read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The value has no JSON form (a map whose keys are no strings, a `Serialize` that fails).
    #[error("`{what}` can't be written as JSON: {reason}")]
    Encode {
        /// The Rust type.
        what: &'static str,
        /// What serde said.
        reason: String,
    },
    /// The stored JSON is not a value of this type, usually because the type changed.
    #[error("the stored JSON is no `{what}`: {reason}")]
    Decode {
        /// The Rust type.
        what: &'static str,
        /// What serde said.
        reason: String,
    },
}
