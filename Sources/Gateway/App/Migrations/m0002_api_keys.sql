-- Who may ask by X-API-Key. The key itself is not here: only its SHA-256, in lower-case hexadecimal digits.
CREATE TABLE api_keys (
    key_hash     text        PRIMARY KEY CHECK (key_hash ~ '^[0-9a-f]{64}$'),
    user_id      text        NOT NULL CHECK (user_id <> ''),
    tier         text        NOT NULL DEFAULT 'free',
    name         text        NOT NULL DEFAULT '',
    active       boolean     NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);

CREATE INDEX api_keys_user ON api_keys (user_id);
