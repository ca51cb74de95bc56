//! Where it is measured: each measurement has a place of its own, which is gone with it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cases::{self, Case};
use crate::floor::{postgres, sqlite};
use crate::measure::Scratch;
use crate::server::Server;
use crate::{Result, ours};

/// The environment variable that names a server to be used.
const SERVER: &str = "EVERTASK_POSTGRES";

/// What keeps the tasks.
pub(crate) enum Store {
    /// Files in this folder.
    Sqlite { dir: PathBuf },
    /// Schemas of the server with this URL, which may be one of the benchmark's own.
    Postgres { url: String, _own: Option<Server>, made: AtomicUsize },
}

impl Store {
    pub(crate) fn postgres() -> Result<Self> {
        let named = std::env::var(SERVER).ok();
        let own = if named.is_none() { Some(Server::start()?) } else { None };
        let url = named.or_else(|| own.as_ref().map(Server::url)).ok_or("no server")?;
        Ok(Self::Postgres { url, _own: own, made: AtomicUsize::new(0) })
    }

    pub(crate) fn cases(&self) -> &'static [Case] {
        match self {
            Self::Sqlite { .. } => cases::SQLITE,
            Self::Postgres { .. } => cases::POSTGRES,
        }
    }

    /// A place where there is nothing yet.
    pub(crate) fn place(&self) -> Result<Place> {
        match self {
            Self::Sqlite { dir } => {
                let scratch = Scratch::new(dir)?;
                let path = scratch.file().to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
                Ok(Place { name: path, kind: Kind::File(scratch) })
            }
            Self::Postgres { url, made, .. } => {
                let number = made.fetch_add(1, Ordering::Relaxed);
                let separator = if url.contains('?') { '&' } else { '?' };
                let name = format!("{url}{separator}schema=bench_{}_{number}", std::process::id());
                Ok(Place { name, kind: Kind::Schema })
            }
        }
    }

    /// What decides how durable each side is, as its open connection has it.
    pub(crate) fn durability(&self) -> Result<[String; 2]> {
        match self {
            Self::Sqlite { .. } => {
                let floor = sqlite::pragmas(self.place()?.name())?;
                let ours = ours::pragmas(self.place()?.name())?;
                Ok([floor, ours].map(|(synchronous, journal_mode)| {
                    let full = if synchronous == 2 { " (FULL)" } else { "" };
                    format!("synchronous = {synchronous}{full}, journal_mode = {journal_mode}")
                }))
            }
            Self::Postgres { .. } => {
                let said = postgres::settings(self.place()?.name())?;
                // The store takes a session whose commits wait for the disk, or makes it so.
                Ok([said.clone(), said])
            }
        }
    }
}

/// A place for one measurement.
pub(crate) struct Place {
    name: String,
    kind: Kind,
}

enum Kind {
    File(#[allow(dead_code)] Scratch),
    Schema,
}

impl Place {
    /// A file's path, or a schema's URL.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Kind::Schema = self.kind
            && let Err(error) = postgres::remove(&self.name)
        {
            eprintln!("{} is left: {error}", self.name);
        }
    }
}
