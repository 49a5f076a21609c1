-- OAuth 2.0 clients of SCIM connections, the tokens they are given, and the assertions they have used up.

CREATE TABLE oauth_client (
    id UUID PRIMARY KEY,
    connection UUID NOT NULL REFERENCES connection (id),
    name TEXT NOT NULL,
    prefix TEXT,
    secret_hash BYTEA,
    jwks TEXT,
    jwks_uri TEXT,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    last_used_at BIGINT,
    CHECK ((CASE WHEN secret_hash IS NULL THEN 0 ELSE 1 END) + (CASE WHEN jwks IS NULL THEN 0 ELSE 1 END)
        + (CASE WHEN jwks_uri IS NULL THEN 0 ELSE 1 END) = 1)
);
CREATE INDEX oauth_client_connection ON oauth_client (connection, created_at);

-- Set on tokens that the token endpoint gave to a client; null on those an administrator made.
ALTER TABLE connection_token ADD COLUMN client UUID REFERENCES oauth_client (id);
CREATE INDEX connection_token_client ON connection_token (client, expires_at) WHERE client IS NOT NULL;

CREATE TABLE oauth_assertion (
    client UUID NOT NULL REFERENCES oauth_client (id),
    jti BYTEA NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client, jti)
);
