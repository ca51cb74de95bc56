//! Whether this process is the only one with workers on the file: then whatever else is said to run was
//! orphaned by a crash, and nobody need wait for its lease.
//!
//! Every process with workers holds a shared lock on a file beside the database, which its end releases,
//! however it ends. Who gets it exclusively is alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// The lock, once this process has workers.
#[derive(Debug)]
pub(super) struct Presence {
    path: PathBuf,
    held: Option<File>,
}

impl Presence {
    pub(super) fn new(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-lock");
        Self { path: path.into(), held: None }
    }

    /// Whether this process has said that it has workers.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Tries to be alone. `adopt` runs while nobody else can have workers; the shared lock is held after it.
    ///
    /// Between the two locks another process may be alone for a moment. It finds nothing to adopt, because this
    /// one lists its first worker only afterwards.
    pub(super) fn enter<E>(&mut self, adopt: impl FnOnce() -> Result<(), E>) -> Result<(), Denied<E>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path).map_err(Denied::Lock)?;
        match file.try_lock() {
            Ok(()) => {
                adopt().map_err(Denied::Adopt)?;
                file.unlock().map_err(Denied::Lock)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(Denied::Lock(error)),
        }
        file.lock_shared().map_err(Denied::Lock)?;
        self.held = Some(file);
        Ok(())
    }
}

/// Why a process could not say that it has workers.
#[derive(Debug)]
pub(super) enum Denied<E> {
    Lock(io::Error),
    Adopt(E),
}
