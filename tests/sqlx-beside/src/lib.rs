//! Only its test counts: `tests/sqlx_beside.rs`.
