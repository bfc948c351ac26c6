-- Parsed results, one row for each parcel (party) and source; the newest wins.
-- batch_ordinal is the row's place in the statement that wrote it last: INSERT … RETURNING can only return columns of
-- the table, and comparing keys to find out which row of a batch came back costs more than two bytes.
CREATE TABLE parcel_results (
    parcel_id         text        NOT NULL,
    platform          text        NOT NULL,
    state             text        NOT NULL,
    county            text        NOT NULL,
    scraped_at        timestamptz NOT NULL,
    received_at       timestamptz NOT NULL DEFAULT now(),
    parse_duration_ms integer     NOT NULL,
    attempt           integer,
    batch_ordinal     smallint    NOT NULL,
    task_id           text        NOT NULL,
    worker_id         text        NOT NULL,
    raw_html_hash     text,
    data              jsonb       NOT NULL,
    PRIMARY KEY (parcel_id, platform, state, county)
);

CREATE TABLE party_results (
    party_id          text        NOT NULL,
    platform          text        NOT NULL,
    state             text        NOT NULL,
    county            text        NOT NULL,
    scraped_at        timestamptz NOT NULL,
    received_at       timestamptz NOT NULL DEFAULT now(),
    parse_duration_ms integer     NOT NULL,
    attempt           integer,
    batch_ordinal     smallint    NOT NULL,
    task_id           text        NOT NULL,
    worker_id         text        NOT NULL,
    raw_html_hash     text,
    data              jsonb       NOT NULL,
    PRIMARY KEY (party_id, platform, state, county)
);

-- lz4 costs a third less of the server's time than pglz for a few per cent of space; a server built without it says so
-- here and keeps its default.
DO $$
BEGIN
    ALTER TABLE parcel_results ALTER COLUMN data SET COMPRESSION lz4;
    ALTER TABLE party_results ALTER COLUMN data SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this PostgreSQL has no lz4: results are compressed with its default';
END
$$;
