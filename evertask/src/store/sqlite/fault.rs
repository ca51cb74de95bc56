//! What went wrong in a transaction, and what that means to a caller.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// A stored value, or one to store, is not what it must be.
    Value(String),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Value(error.to_string())
    }
}

impl Fault {
    /// As the callers of the store at `place` see it.
    pub(super) fn at(self, place: &Path) -> StoreError {
        let error = match self {
            Self::Sqlite(error) => error,
            Self::Value(reason) => return StoreError::Refused { reason },
        };
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { reason },
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory,
            ) => StoreError::Unavailable { reason },
            Some(ErrorCode::DatabaseCorrupt) => unusable(place, format!("the file is damaged: {reason}")),
            Some(ErrorCode::NotADatabase) => unusable(place, "it is not a SQLite database".to_owned()),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                unusable(place, format!("it can't be written: {reason}"))
            }
            _ => StoreError::Refused { reason },
        }
    }
}

/// A file that is of no use, and why.
pub(super) fn unusable(place: &Path, reason: String) -> StoreError {
    StoreError::Unusable { place: place.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(code: i32) -> StoreError {
        Fault::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).at(Path::new("x.db"))
    }

    #[test]
    fn each_error_says_whether_a_retry_helps() {
        assert!(matches!(at(rusqlite::ffi::SQLITE_FULL), StoreError::Full { .. }));
        for code in [rusqlite::ffi::SQLITE_BUSY, rusqlite::ffi::SQLITE_LOCKED, rusqlite::ffi::SQLITE_IOERR_FSYNC] {
            assert!(at(code).is_transient(), "{code}");
        }
        for code in [rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_NOTADB, rusqlite::ffi::SQLITE_READONLY] {
            assert!(matches!(at(code), StoreError::Unusable { .. }), "{code}");
        }
        assert!(matches!(at(rusqlite::ffi::SQLITE_CONSTRAINT), StoreError::Refused { .. }));
    }
}
