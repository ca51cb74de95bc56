-- What any program may ask by SQL in a transaction of its own: a dispatch, a cancel, a signal. It is a row; a worker does
-- what it says, in the transaction that removes it.

CREATE TABLE request (
    seq      bigint      NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    verb     text        NOT NULL CHECK (verb IN ('dispatch', 'cancel', 'signal')),
    id       uuid        NOT NULL,                       -- of the work that will be, or that is meant
    name     text        CHECK ((name IS NULL) = (verb = 'cancel')), -- of the task or workflow, or of the step
    value    text        CHECK ((value IS NULL) = (verb = 'cancel')), -- the payload, or the value, as JSON
    options  jsonb       NOT NULL DEFAULT '{}',
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    refused  text                                        -- why it can't be done; then it stays until somebody deletes it
);

CREATE INDEX request_id ON request (id);

-- Whoever may use the schema may call these, and needs no right on its tables. `pg_temp` comes last, so that nobody's
-- temporary table stands in for one of ours.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', TRUE);

-- Asks for something, and wakes the workers when the transaction commits.
CREATE FUNCTION ask(verb text, id uuid, name text, value text, options jsonb) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
BEGIN
    INSERT INTO request (verb, id, name, value, options) VALUES (verb, id, name, value, options);
    PERFORM pg_notify(current_schema(), repeat('0', 32) || '8');
END $$;
REVOKE ALL ON FUNCTION ask FROM PUBLIC;

-- Dispatches a task or a workflow by its name. The id is that of the work that will be.
CREATE FUNCTION dispatch(task text, payload jsonb, options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    known CONSTANT text[] := '{queue,priority,delay,at,key,on_key,correlation,timeout,deadline}';
    ways CONSTANT text[] := '{return,replace,refuse}';
    unknown text := (SELECT string_agg(option, ', ') FROM jsonb_object_keys(options) AS option WHERE option <> ALL (known));
    now_ms bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
    run_at bigint;
    -- A UUID of version 7, as the other ids are.
    id uuid := encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        PLACING substring(int8send(now_ms) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid;
BEGIN
    IF task IS NULL OR payload IS NULL OR options IS NULL THEN
        RAISE EXCEPTION 'a dispatch needs a task, a payload and options: none of them is NULL' USING ERRCODE = '22004';
    END IF;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'a dispatch has no option %; there are %', unknown, array_to_string(known, ', ')
            USING ERRCODE = '22023';
    END IF;
    IF options ->> 'on_key' <> ALL (ways) THEN
        RAISE EXCEPTION 'on_key is one of %', array_to_string(ways, ', ') USING ERRCODE = '22023';
    END IF;
    IF options ? 'at' AND options ? 'delay' THEN
        RAISE EXCEPTION 'a dispatch has a delay, or is due at a time, not both' USING ERRCODE = '22023';
    END IF;
    -- It is due so long after the call, not after a worker has seen it.
    run_at := (extract(epoch FROM coalesce((options ->> 'at')::timestamptz,
        clock_timestamp() + (options ->> 'delay')::interval)) * 1000)::bigint;
    PERFORM ask('dispatch', id, task, payload::text, jsonb_strip_nulls(jsonb_build_object(
        'queue', options ->> 'queue',
        'priority', (options ->> 'priority')::smallint,
        'run_at', run_at,
        'key', options ->> 'key',
        'on_key', options ->> 'on_key',
        'correlation', options ->> 'correlation',
        'timeout', (extract(epoch FROM (options ->> 'timeout')::interval) * 1000)::bigint,
        'deadline', (extract(epoch FROM (options ->> 'deadline')::interval) * 1000)::bigint)));
    RETURN id;
END $$;

-- Cancels a task or a run, which may still be waiting here to be dispatched.
CREATE FUNCTION cancel(id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM ask('cancel', id, NULL, NULL, '{}');
END $$;

-- Gives a run the value that a step of it waits for, now or later.
CREATE FUNCTION signal(run uuid, step text, value jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF step IS NULL OR value IS NULL THEN
        RAISE EXCEPTION 'a signal needs a step and a value: neither is NULL' USING ERRCODE = '22004';
    END IF;
    PERFORM ask('signal', run, step, value::text, '{}');
END $$;
