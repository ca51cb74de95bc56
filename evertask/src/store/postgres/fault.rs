//! What went wrong in a transaction, what that means to the writer, and what to a caller.

use crate::store::StoreError;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlx(sqlx::Error),
    /// A stored value, or one to store, is not what it must be.
    Value(String),
    /// The server did not answer in time: the connection is of no use any more.
    Silent,
    /// What was done for all of a batch at once needs to be done for each, because an id was taken.
    Taken,
    /// A queue may refuse what is dispatched to it: what was done without asking needs to be done with care.
    Guarded,
}

pub(super) type Outcome<T> = Result<T, Fault>;

/// What the writer does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// It is not the connection's fault: perhaps that of one request.
    Tell,
    /// Another node was in the way: the same again, whole.
    Repeat,
    /// The same again, request by request and row by row.
    Slowly,
    /// The same again at once, now that more is known.
    Carefully,
    /// The connection is gone.
    Reconnect,
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlx(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Value(error.to_string())
    }
}

impl Fault {
    /// What the writer does about it.
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Value(_) => Remedy::Tell,
            Self::Silent => Remedy::Reconnect,
            Self::Taken => Remedy::Slowly,
            Self::Guarded => Remedy::Carefully,
            Self::Sqlx(error) => match code(error) {
                Some(code) => remedy(&code),
                None => match error {
                    sqlx::Error::ColumnDecode { .. }
                    | sqlx::Error::ColumnIndexOutOfBounds { .. }
                    | sqlx::Error::ColumnNotFound(_)
                    | sqlx::Error::Decode(_)
                    | sqlx::Error::Encode(_)
                    | sqlx::Error::RowNotFound
                    | sqlx::Error::TypeNotFound { .. }
                    | sqlx::Error::InvalidArgument(_)
                    | sqlx::Error::Configuration(_) => Remedy::Tell,
                    error if tls(error).is_some() => Remedy::Tell,
                    _ => Remedy::Reconnect,
                },
            },
        }
    }

    /// Whether somebody else had a lock for too long.
    pub(super) fn is_lock(&self) -> bool {
        matches!(self, Self::Sqlx(error) if code(error).as_deref() == Some("55P03"))
    }

    /// As the callers of the store at `place` see it.
    pub(super) fn at(self, place: &str) -> StoreError {
        let error = match self {
            Self::Sqlx(error) => error,
            Self::Value(reason) => return StoreError::Refused { reason },
            Self::Silent => return StoreError::Unavailable { reason: "the server does not answer".to_owned() },
            Self::Taken | Self::Guarded => {
                return StoreError::Unavailable { reason: "another node was in the way".to_owned() };
            }
        };
        let reason = error.to_string();
        if let Some(error) = tls(&error) {
            let hint = if cfg!(feature = "postgres-tls") { "" } else { "; it needs the feature `postgres-tls`" };
            return unusable(place, format!("no connection with TLS: {error}{hint}"));
        }
        match code(&error) {
            Some(code) => meaning(&code, reason, place),
            None if Self::Sqlx(error).remedy() == Remedy::Reconnect => StoreError::Unavailable { reason },
            None => StoreError::Refused { reason },
        }
    }
}

/// What is wrong with TLS, or with the server's certificate: the latter comes as what was read and makes no sense.
fn tls(error: &sqlx::Error) -> Option<String> {
    match error {
        sqlx::Error::Tls(error) => Some(error.to_string()),
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Some(error.to_string()),
        _ => None,
    }
}

/// The SQLSTATE, if the server said anything.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

fn remedy(code: &str) -> Remedy {
    match code {
        // A serialization failure, a deadlock, a lock that another node had for too long, a plan of an older table.
        "40001" | "40P01" | "55P03" | "0A000" => Remedy::Repeat,
        // Shutting down, starting up, idle for too long, or not the primary any more.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006" | "25P02" | "53300" => Remedy::Reconnect,
        _ if code.starts_with("08") => Remedy::Reconnect,
        _ => Remedy::Tell,
    }
}

fn meaning(code: &str, reason: String, place: &str) -> StoreError {
    match code {
        "53100" => StoreError::Full { reason },
        // A statement that took too long, and what the server is short of.
        "57014" | "53000" | "53200" | "53400" | "58000" | "58030" => StoreError::Unavailable { reason },
        "3D000" => unusable(place, format!("{reason}; create the database first")),
        "28000" | "28P01" => unusable(place, format!("it does not let this user in: {reason}")),
        "42501" => unusable(place, format!("this user may not: {reason}")),
        "42P01" | "3F000" => unusable(place, format!("its tables are gone: {reason}")),
        "XX001" | "XX002" => unusable(place, format!("it is damaged: {reason}")),
        _ if remedy(code) != Remedy::Tell => StoreError::Unavailable { reason },
        _ => StoreError::Refused { reason },
    }
}

/// A database that is of no use, and why.
pub(super) fn unusable(place: &str, reason: String) -> StoreError {
    StoreError::Unusable { place: place.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_whether_a_retry_helps() {
        let at = |code| meaning(code, String::new(), "db");
        assert!(matches!(at("53100"), StoreError::Full { .. }));
        for code in ["40001", "40P01", "57P01", "57P03", "08006", "25006", "57014", "53300"] {
            assert!(at(code).is_transient(), "{code}");
        }
        for code in ["3D000", "28P01", "42501", "42P01", "XX001"] {
            assert!(matches!(at(code), StoreError::Unusable { .. }), "{code}");
        }
        assert!(matches!(at("23514"), StoreError::Refused { .. }));
    }

    #[test]
    fn each_error_says_what_the_writer_does() {
        assert_eq!(remedy("40P01"), Remedy::Repeat);
        assert_eq!(remedy("57P01"), Remedy::Reconnect);
        assert_eq!(remedy("23505"), Remedy::Tell);
        assert_eq!(Fault::Silent.remedy(), Remedy::Reconnect);
        let io = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(Fault::from(io).remedy(), Remedy::Reconnect);
        assert_eq!(Fault::from(sqlx::Error::RowNotFound).remedy(), Remedy::Tell);
    }
}
