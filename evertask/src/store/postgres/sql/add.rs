//! Adding work.

/// An id or a key that is taken adds nothing: nothing forks a chain, whatever is repeated. The rows arrive in order.
/// After the ids of the new ones come those of the queues asked about that may refuse what is dispatched to them.
pub(in crate::store::postgres) const INSERT_TASKS: &str = concat!(
    "WITH added AS (\
     INSERT INTO task (id, name, queue, priority, state, due, run_at, rank, fence, worker, cancel_routed, created_at, \
                       payload, key, correlation, parent, run, workflow, step, wait, got, undo, item, group_id, \
                       deadline, own, slot, slots, rate, pace) \
     SELECT id, name, queue, priority, state, due, run_at, ",
    rank!("run_at", "new"),
    ", CASE WHEN worker IS NULL THEN 0 ELSE 1 END, worker, cancel_routed, $1, payload, key, correlation, parent, run, \
     workflow, step, wait, got, undo, item, group_id, deadline, own, ",
    bucket!("slot"),
    ", slots, ",
    bucket!("rate"),
    ", pace \
     FROM unnest($2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::smallint[], $8::bigint[], \
                 $9::uuid[], $10::boolean[], $11::bytea[], $12::text[], $13::text[], $14::uuid[], $15::uuid[], \
                 $16::text[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::uuid[], \
                 $23::bigint[], $24::bytea[], $25::text[], $26::integer[], $27::text[], $28::text[]) \
          WITH ORDINALITY AS new (id, name, queue, priority, state, due, run_at, worker, cancel_routed, payload, key, \
                                  correlation, parent, run, workflow, step, wait, got, undo, item, group_id, \
                                  deadline, own, slot, slots, rate, pace, place) \
     ORDER BY place ON CONFLICT DO NOTHING RETURNING id) \
     SELECT id, NULL FROM added UNION ALL \
     SELECT NULL, name FROM queue WHERE name = ANY($29) AND (state = 'draining' OR depth IS NOT NULL)"
);
/// As above, for runs; their first tasks follow in the same transaction.
pub(in crate::store::postgres) const INSERT_RUNS: &str = "\
    INSERT INTO run (id, workflow, version, state, open_tasks, end_routed, deadline, created_at, input, output, \
                     key, correlation, parent, step, fingerprint) \
    SELECT id, workflow, version, 'running', 1, end_routed, deadline, $1, input, output, key, correlation, parent, \
           step, fingerprint \
    FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bytea[], $8::bytea[], \
                $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::bigint[]) \
         WITH ORDINALITY AS new (id, workflow, version, end_routed, deadline, input, output, key, correlation, parent, \
                                 step, fingerprint, place) \
    ORDER BY place ON CONFLICT DO NOTHING RETURNING id";
/// What is there in place of these: first by the id, whatever the key, and then by the key.
pub(in crate::store::postgres) const EXISTING_TASKS: &str = "\
    SELECT coalesce((SELECT task.id FROM task WHERE task.id = asked.id), \
                    (SELECT task.id FROM task WHERE task.name = asked.name AND md5(task.key) = md5(asked.key) \
                                                    AND task.key IS NOT NULL)) \
    FROM unnest($1::uuid[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (id, name, key, place) ORDER BY place";
/// The same for a run.
pub(in crate::store::postgres) const EXISTING_RUN: &str = "\
    SELECT coalesce((SELECT id FROM run WHERE id = $1), \
                    (SELECT id FROM run WHERE workflow = $2 AND md5(key) = md5($3) AND key IS NOT NULL))";
/// How often a step has run: a loop ends. One that is there already is not counted again.
pub(in crate::store::postgres) const VISITS: &str = "\
    SELECT count(*) FROM task WHERE run = $1 AND step = ANY ($2) AND undo IS NULL \
    AND NOT EXISTS (SELECT 1 FROM task WHERE id = $3)";
