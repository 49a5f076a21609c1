//! A small world: one partner, one directory, connections; and circumstances that are the same every time.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rolecall::clock::Clock;
use rolecall::domain::ctx::{Actor, Ctx, Entropy};
use rolecall::domain::id::{ConnectionId, DirectoryId, Id as _, PartnerId, UserGroupId};
use rolecall::domain::time::Timestamp;
use rolecall::provision::{ProvisionSource, UnknownMembers};
use rolecall::scim::resource::{self, Document, Rules};
use rolecall::scim::schema::SchemaSet;
use rolecall::store::extent::{ConnectionExtent, OperatorExtent};
use rolecall::store::{Store, StoreError, Tx};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};
use uuid::Uuid;

statements! {
    LEVEL = "INSERT INTO levels (id, ordinal, name, title) VALUES (1, 1, 'reseller', 'Reseller') ON CONFLICT DO NOTHING";
    PARTNER = "INSERT INTO partners (id, external_id, name, sort_key, kind, level_id, state, version, authority_version, \
        created_at, updated_at) VALUES ($1, $2, 'Cove', $3, 'company', 1, 'live', 1, 1, 0, 0)";
    ANCESTOR = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $1, 0)";
    GROUP = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, 'Default', $3, TRUE, TRUE, 0)";
    DIRECTORY = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, $3, $4, 'authoritative', 1, $5, 1, 0)";
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, version, created_at, \
        updated_at) VALUES ($1, $2, 'scim', $3, 'generic', 'active', '{}', 1, 0, 0)";
}

/// A new id of any kind.
pub fn fresh_id() -> Uuid {
    Clock.ctx(Actor::System).id::<PartnerId>().uuid()
}

/// What the tests stand on.
pub struct World {
    /// The partner.
    pub partner: PartnerId,
    /// Its default group.
    pub default_group: UserGroupId,
    /// Its directory.
    pub directory: DirectoryId,
    /// Two connections of that directory.
    pub connections: [ConnectionExtent; 2],
    /// A connection of another directory of the same partner.
    pub stranger: ConnectionExtent,
    /// What documents may hold.
    pub schemas: SchemaSet,
}

impl World {
    /// Lays the world down in an empty database.
    pub async fn new(store: &Store) -> Self {
        let ids: Vec<Uuid> = (0..8).map(|_| fresh_id()).collect();
        let partner = PartnerId::from_uuid(ids[0]);
        let default_group = UserGroupId::from_uuid(ids[1]);
        let directory = DirectoryId::from_uuid(ids[2]);
        let other = DirectoryId::from_uuid(ids[3]);
        let connection_ids: Vec<ConnectionId> = ids[4..7].iter().copied().map(ConnectionId::from_uuid).collect();
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            tx.execute(&LEVEL, binds![]).await?;
            tx.execute(&PARTNER, binds![partner, partner.to_string(), b"cove"]).await?;
            tx.execute(&ANCESTOR, binds![partner]).await?;
            tx.execute(&GROUP, binds![default_group, partner, b"default"]).await?;
            tx.execute(&DIRECTORY, binds![directory, partner, "Entra", b"entra", 1]).await?;
            tx.execute(&DIRECTORY, binds![other, partner, "AD", b"ad", 2]).await?;
            for (connection, at) in connection_ids.iter().zip([directory, directory, other]) {
                tx.execute(&CONNECTION, binds![*connection, at, connection.to_string()]).await?;
            }
            Ok(())
        };
        store.write(work).await.unwrap();
        let mut reader = store.reader().await.unwrap();
        let mut connections = Vec::new();
        for connection in connection_ids {
            connections.push(OperatorExtent::assume().connection(&mut reader, connection).await.unwrap().unwrap());
        }
        Self {
            partner,
            default_group,
            directory,
            connections: [connections[0], connections[1]],
            stranger: connections[2],
            schemas: SchemaSet::base(),
        }
    }

    /// The first connection, joining by `externalId`.
    pub fn source(&self) -> ProvisionSource<'_> {
        self.at(self.connections[0])
    }

    /// A connection, joining by `externalId`.
    pub fn at(&self, extent: ConnectionExtent) -> ProvisionSource<'_> {
        ProvisionSource {
            extent,
            schemas: &self.schemas,
            matching_attribute: Some("externalId"),
            unknown_members: UnknownMembers::Skip,
        }
    }

    /// A user document as the schema accepts it.
    pub fn user(&self, mut body: Json) -> Document {
        body["schemas"] = json!([rolecall::scim::schema::USER_URN]);
        resource::create(self.schemas.users(), body, Rules::STRICT).unwrap().document
    }

    /// A group document as the schema accepts it.
    pub fn group(&self, name: &str) -> Document {
        let body = json!({"schemas": [rolecall::scim::schema::GROUP_URN], "displayName": name});
        resource::create(self.schemas.groups(), body, Rules::STRICT).unwrap().document
    }
}

/// Ids and bytes that are the same in every run of a test that asks in the same order.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn uuid(&self, now: Timestamp) -> Uuid {
        let place = self.0.fetch_add(1_000_000, Ordering::Relaxed);
        let millis = u64::try_from(now.micros() / 1_000).unwrap();
        let mut random = [0; 10];
        random[2..].copy_from_slice(&place.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// Circumstances at `second`, by the operator. Ids of two with the same second are the same, in order.
pub fn ctx(second: i64) -> Ctx {
    let entropy = Arc::new(Counting(AtomicU64::new(0)));
    Ctx::new(Timestamp::from_micros(second * 1_000_000), Actor::Operator, entropy)
}
