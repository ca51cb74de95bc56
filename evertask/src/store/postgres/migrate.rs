//! The tables, as they grew. Migrations only go forward; a schema of a newer version is left alone.

use sqlx::Row as _;

use super::fault::{Outcome, unusable};
use super::link::Link;
use super::url::Place;
use crate::store::StoreError;

/// In order; the table `migration` says how many a schema has had.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/postgres/0001_work.sql")];

/// Several nodes that start at once take turns.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('evertask.migrate.' || $1, 0))";
/// Whether the schema is there, and whether it is one of ours.
const FOUND: &str = "\
    SELECT to_regnamespace(quote_ident($1)) IS NOT NULL, to_regclass(quote_ident($1) || '.migration') IS NOT NULL, \
           EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1))), \
           current_setting('server_version_num')::int";
/// Which migrations it has had.
const VERSION: &str = "SELECT coalesce(max(number), 0) FROM migration";
/// One more.
const DONE: &str = "INSERT INTO migration (number) VALUES ($1)";
/// Their list. Its first row is also what new workers and those who park take turns at.
const TABLE: &str = "\
    CREATE TABLE migration (number integer NOT NULL PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())";

/// The oldest server that has all that is used.
const OLDEST: i32 = 130_000;

/// Brings the schema up to date, in one transaction, alone.
pub(super) async fn migrate(link: &mut Link, place: &Place) -> Result<(), StoreError> {
    let version = apply(link, place).await.map_err(|fault| fault.at(&place.shown))?;
    match version {
        Found::UpToDate => Ok(()),
        Found::Foreign => Err(unusable(
            &place.shown,
            format!("its schema `{}` holds tables of another program; give evertask one of its own", place.schema),
        )),
        Found::OldServer(version) => {
            Err(unusable(&place.shown, format!("it is PostgreSQL {}; 13 is the oldest that will do", version / 10_000)))
        }
        Found::Newer(version) => Err(unusable(
            &place.shown,
            format!(
                "its schema `{}` was written by a newer evertask (its format is {version}, this program knows {}); \
                 update this program",
                place.schema,
                known()
            ),
        )),
    }
}

enum Found {
    UpToDate,
    Foreign,
    OldServer(i32),
    Newer(i32),
}

async fn apply(link: &mut Link, place: &Place) -> Outcome<Found> {
    link.begin().await?;
    let found = look(link, place).await?;
    link.script(super::sql::COMMIT.to_owned()).await?;
    if let Some(found) = found {
        return Ok(found);
    }
    link.begin().await?;
    link.execute(sqlx::query(ALONE).bind(&place.schema)).await?;
    // Another node may have done it meanwhile.
    let found = look(link, place).await?;
    if found.is_none() {
        let schema = link.one(sqlx::query(FOUND).bind(&place.schema)).await?;
        if !schema.try_get::<bool, _>(0)? {
            link.script(format!("CREATE SCHEMA {}", place.quoted_schema())).await?;
        }
        if !schema.try_get::<bool, _>(1)? {
            link.script(TABLE.to_owned()).await?;
        }
        let version: i32 = link.one(sqlx::query(VERSION)).await?.try_get(0)?;
        for (number, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            link.script((*migration).to_owned()).await?;
            link.execute(sqlx::query(DONE).bind(number)).await?;
        }
        super::points::hit("postgres.migrate.before_commit");
    }
    link.script(super::sql::COMMIT.to_owned()).await?;
    super::points::hit("postgres.migrate.after_commit");
    Ok(found.unwrap_or(Found::UpToDate))
}

/// What there is; nothing, if there is something to do.
async fn look(link: &mut Link, place: &Place) -> Outcome<Option<Found>> {
    let found = link.one(sqlx::query(FOUND).bind(&place.schema)).await?;
    let server: i32 = found.try_get(3)?;
    if server < OLDEST {
        return Ok(Some(Found::OldServer(server)));
    }
    if !found.try_get::<bool, _>(1)? {
        return Ok(found.try_get::<bool, _>(2)?.then_some(Found::Foreign));
    }
    let version: i32 = link.one(sqlx::query(VERSION)).await?.try_get(0)?;
    Ok(match version.cmp(&known()) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(Found::UpToDate),
        std::cmp::Ordering::Greater => Some(Found::Newer(version)),
    })
}

fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}
