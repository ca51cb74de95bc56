//! The URL of a store: what of it is for us, and what for the driver.

use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::fault::unusable;
use super::patience::Patience;
use crate::store::StoreError;

/// The schema that the tables are in, if the URL does not say.
const SCHEMA: &str = "evertask";
/// PostgreSQL cuts longer names, without an error.
const LONGEST_NAME: usize = 63;

/// Where the store is, and how to speak to it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// For people: without the password.
    pub(super) shown: String,
    pub(super) schema: String,
    pub(super) options: PgConnectOptions,
    /// Where to listen for news: not through a pooler that gives each transaction another connection.
    pub(super) listen: Option<PgConnectOptions>,
    /// Whether each transaction may get another connection, so that a session keeps nothing.
    pub(super) pooled: bool,
    /// Whether what is written must be said to be durable, because the database does not see to it.
    pub(super) durable: bool,
    /// What no other database has, once it is known.
    pub(super) identity: String,
    /// How long the server may take to answer.
    pub(super) patience: Arc<Patience>,
}

impl Place {
    /// Reads `postgres://user:password@host:port/database?schema=…&pooler=transaction&listen=…`.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (mut head, query) =
            url.split_once('?').map_or((url.to_owned(), ""), |(head, query)| (head.to_owned(), query));
        let (mut schema, mut pooled, mut listen) = (SCHEMA.to_owned(), false, None);
        let mut separator = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || decode(value).ok_or_else(|| refused(format!("the value of `{key}` is not percent-encoded")));
            match key {
                "schema" => schema = value()?,
                "pooler" => match value()?.as_str() {
                    "transaction" => pooled = true,
                    "session" | "none" => pooled = false,
                    other => {
                        return Err(refused(format!(
                            "`pooler={other}` is not known; write `pooler=transaction` behind a pooler in transaction \
                             mode, and nothing else"
                        )));
                    }
                },
                "listen" => listen = Some(value()?),
                _ => {
                    head.push(separator);
                    head.push_str(pair);
                    separator = '&';
                }
            }
        }
        check_schema(&schema)?;
        let options = driver(&head)?;
        let listen = match listen.as_deref() {
            Some("off") => None,
            Some(url) => Some(driver(url)?),
            None if pooled => None,
            None => Some(options.clone()),
        };
        let shown =
            format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default());
        let (identity, patience) = (String::new(), Arc::default());
        let mut place = Self { shown, schema, options, listen, pooled, durable: false, identity, patience };
        if pooled {
            // pgbouncer lets nobody in who says how floating-point numbers are to be shown; there are none here.
            place.options = place.options.statement_cache_capacity(0).extra_float_digits(None);
        }
        Ok(place)
    }

    /// The name by which the nodes of this schema call each other.
    pub(super) fn channel(&self) -> String {
        // The longest schema leaves no room for more.
        self.schema.clone()
    }

    /// As a name in SQL.
    pub(super) fn quoted_schema(&self) -> String {
        format!("\"{}\"", self.schema)
    }
}

fn driver(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| refused(error.to_string()))?;
    Ok(options.disable_statement_logging())
}

/// It becomes a part of statements, so it is a plain name.
fn check_schema(schema: &str) -> Result<(), StoreError> {
    let plain = |character: char| character == '_' || character.is_ascii_alphanumeric();
    let starts = |character: char| character == '_' || character.is_ascii_alphabetic();
    if schema.len() <= LONGEST_NAME
        && schema.starts_with(starts)
        && schema.chars().all(plain)
        && !schema.starts_with("pg_")
    {
        return Ok(());
    }
    Err(refused(format!("`{schema}` is no name for its schema: letters, digits and `_`, at most {LONGEST_NAME}")))
}

/// The URL itself is not shown: it may hold a password.
fn refused(reason: String) -> StoreError {
    unusable("postgres", reason)
}

/// `%2F` and the like.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(digit(rest.next())? * 16 + digit(rest.next())?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_ours_is_taken_and_the_rest_is_the_drivers() {
        let place = Place::parse("postgres://me:secret@db:6432/shop?schema=jobs&application_name=till").unwrap();
        assert_eq!((place.schema.as_str(), place.pooled), ("jobs", false));
        assert_eq!((place.options.get_host(), place.options.get_port()), ("db", 6432));
        assert_eq!(place.options.get_application_name(), Some("till"));
        assert_eq!(place.shown, "db:6432/shop");
        assert!(place.listen.is_some());
    }

    #[test]
    fn behind_a_pooler_it_listens_elsewhere_or_not_at_all() {
        let place = Place::parse("postgres://db:6432/shop?pooler=transaction").unwrap();
        assert!(place.pooled && place.listen.is_none());
        assert_eq!(place.schema, SCHEMA);
        let direct = "postgres://db:6432/shop?pooler=transaction&listen=postgres%3A%2F%2Fdirect%3A5432%2Fshop";
        let place = Place::parse(direct).unwrap();
        assert_eq!(place.listen.unwrap().get_host(), "direct");
        assert!(Place::parse("postgres://db/shop?listen=off").unwrap().listen.is_none());
    }

    #[test]
    fn a_schema_is_a_plain_name_and_no_error_shows_a_password() {
        for schema in ["", "a-b", "a%22b", "1a", "pg_x", &"a".repeat(64)] {
            let error = Place::parse(&format!("postgres://me:secret@db/shop?schema={schema}")).unwrap_err();
            assert!(!error.to_string().contains("secret"));
        }
        assert!(Place::parse(&format!("postgres://db/shop?schema={}", "a".repeat(63))).is_ok());
        assert!(Place::parse("postgres://db/shop?schema=%2").is_err());
        assert!(Place::parse("postgres://db/shop?pooler=statement").is_err());
    }
}
