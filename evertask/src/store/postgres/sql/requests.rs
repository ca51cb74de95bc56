//! What was asked by SQL. The tables and functions are in `migrations/postgres/0001_requests.sql`.

/// What a program with these names can do, in the order in which it was asked; of what concerns the same work, the first.
pub(in crate::store::postgres) const REQUESTS: &str = "\
    SELECT seq, verb, id, name, value, options::text, (SELECT workflow FROM run WHERE run.id = request.id) \
    FROM request WHERE refused IS NULL AND (verb <> 'dispatch' OR name = ANY ($1)) \
      AND NOT EXISTS (SELECT 1 FROM request AS before \
                      WHERE before.id = request.id AND before.seq < request.seq AND before.refused IS NULL) \
    ORDER BY seq LIMIT $2";
/// Those that nobody else is about to do; from here on they are ours, or gone.
pub(in crate::store::postgres) const TAKE_REQUESTS: &str = "\
    SELECT seq FROM request WHERE seq = ANY ($1) AND refused IS NULL ORDER BY seq FOR UPDATE SKIP LOCKED";
/// They are done, by the transaction that removes them.
pub(in crate::store::postgres) const DELETE_REQUESTS: &str = "DELETE FROM request WHERE seq = ANY ($1)";
/// It can't be done: it is kept for somebody to see.
pub(in crate::store::postgres) const REFUSE_REQUEST: &str = "UPDATE request SET refused = $2 WHERE seq = $1";
