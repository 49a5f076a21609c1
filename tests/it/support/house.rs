//! A small house to sign in to: a distributor, a reseller below it with one directory that has a SCIM and an OpenID connection,
//! and an owner at the top.
use rolecall::clock::Clock;
use rolecall::domain::capability::CoreCapability;
use rolecall::domain::ctx::{Actor, Ctx, Entropy};
use rolecall::domain::directory::ConnectionKind;
use rolecall::domain::id::{
    ConditionId, ConnectionId, DirectoryId, ExternalUserId, GrantId, PartnerId, RoleId, RuleId, ScopeId, UserGroupId,
    UserId,
};
use rolecall::domain::time::Timestamp;
use rolecall::provision::{Execution, ProvisionSource, UnknownMembers, users};
use rolecall::scim::resource::{self, Rules};
use rolecall::scim::schema::{SchemaSet, USER_URN};
use rolecall::secret::{Keyring, SealPurpose};
use rolecall::store::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use rolecall::store::{SqlValue, Store, StoreError, Tx, api_tokens};
use rolecall::{binds, statements};
use serde_json::{Value as Json, json};

statements! {
    LEVEL = "INSERT INTO levels (id, ordinal, name, title) VALUES (1, 1, 'reseller', 'Reseller')";
    CAPABILITY = "INSERT INTO capabilities (id, name, title, category, risk, on_suspended) VALUES ($1, $2, $2, 'core', 0, $3)";
    LEVEL_CAPABILITY = "INSERT INTO level_capabilities (level_id, capability_id) VALUES (1, $1)";
    PARTNER = "INSERT INTO partners (id, parent_id, name, sort_key, kind, level_id, state, version, authority_version, created_at, \
        updated_at) VALUES ($1, $2, $3, $4, 'company', 1, 'live', 1, 1, 0, 0)";
    ANCESTOR = "INSERT INTO partner_ancestors (partner_id, ancestor_id, depth) VALUES ($1, $2, $3)";
    GROUP = "INSERT INTO user_groups (id, partner_id, name, name_key, is_primary, is_default, created_at) \
        VALUES ($1, $2, 'Everyone', $3, TRUE, TRUE, 0)";
    USER = "INSERT INTO users (id, partner_id, display_name, sort_key, primary_group_id, state, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, 'live', 1, 0, 0)";
    TOTAL = "INSERT INTO kept_totals (owner_id, kind, id, number) VALUES ($1, 'users', $2, 1)";
    ROLE = "INSERT INTO roles (id, partner_id, name, name_key, version, created_at) VALUES ($1, $2, $3, $4, 1, 0)";
    ROLE_SELF = "INSERT INTO role_ancestors (role_id, ancestor_id) VALUES ($1, $1)";
    ROLE_CAPABILITY = "INSERT INTO role_capabilities (role_id, capability_id) VALUES ($1, $2)";
    SCOPE = "INSERT INTO scopes (id, kind, partner_id) VALUES ($1, $2, $3)";
    GRANT = "INSERT INTO grants (id, role_id, user_id, scope_id, created_at) VALUES ($1, $2, $3, $4, 0)";
    DIRECTORY = "INSERT INTO directories (id, partner_id, name, name_key, mode, rule_set_version, priority, version, created_at) \
        VALUES ($1, $2, $3, $4, 'authoritative', 1, 1, 1, 0)";
    CONNECTION = "INSERT INTO connections (id, directory_id, kind, slug, profile, state, settings, secret, matching_attribute, version, \
        created_at, updated_at) VALUES ($1, $2, $3, $4, 'generic', 'active', $5, $6, $7, 1, 0, 0)";
    STATE = "UPDATE connections SET state = $2 WHERE id = $1";
    CONFIG = "UPDATE connections SET settings = $2 WHERE id = $1";
    MODE = "UPDATE directories SET mode = $2 WHERE id = $1";
    SUSPEND_PARTNER = "INSERT INTO partner_suspensions (partner_id, source, reason, suspended_at) VALUES ($1, 'admin', 'unpaid', 0)";
    SUSPEND_USER = "INSERT INTO user_suspensions (user_id, source, reason, suspended_at) VALUES ($1, 'admin', 'left', 0)";
    COUNT_EXTERNAL = "SELECT COUNT(*) FROM external_users WHERE connection_id = $1";
    COUNT_EVENTS = "SELECT COUNT(*) FROM events WHERE kind = $1";
    ATTEMPTS = "SELECT COUNT(*) FROM login_attempts";
    SCOPES_OF = "SELECT scope_id FROM grants WHERE user_id = $1";
    ROLE_OF = "SELECT role_id FROM grants WHERE user_id = $1";
    LEAVE_OUT = "INSERT INTO scope_excluded_partners (scope_id, partner_id) VALUES ($1, $2)";
    NEW_CEILING = "INSERT INTO directory_ceilings (directory_id, role_id, scope_id) VALUES ($1, $2, $3)";
    NEW_RULE = "INSERT INTO mapping_rules (id, directory_id, rule_set_version, ordinal, name, effect, role_id, scope_id, created_at) \
        VALUES ($1, $2, 1, 1, 'Rule of Harbor', 'grant_role', $3, $4, 0)";
    NEW_TERM = "INSERT INTO rule_terms (rule_id, term, positive_count) VALUES ($1, 0, 1)";
    NEW_CRITERION = "INSERT INTO rule_criteria (rule_id, term, set_id, set_kind, negated) VALUES ($1, 0, $2, 'condition', FALSE)";
    NEW_CONDITION = "INSERT INTO attribute_conditions (id, directory_id, expression, created_at) VALUES ($1, $2, 'title eq \"Secret\"', 0)";
    HOLDS = "INSERT INTO attribute_condition_members (condition_id, external_user_id) VALUES ($1, $2)";
}

/// The ids of the house.
pub struct House {
    pub store: Store,
    pub top: PartnerId,
    pub reseller: PartnerId,
    pub everyone: UserGroupId,
    pub owner: UserId,
    pub directory: DirectoryId,
    pub scim: ConnectionId,
    pub oidc: ConnectionId,
    pub schemas: SchemaSet,
}

/// Circumstances now.
pub fn ctx() -> Ctx {
    Clock.ctx(Actor::Operator)
}

impl House {
    /// Lays the house down in an empty database. The OpenID connection asks the provider `issuer` and joins the claim `sub`
    /// with the SCIM connection's `externalId`.
    pub async fn build(store: &Store, issuer: &str) -> Self {
        let ctx = ctx();
        let house = Self {
            store: store.clone(),
            top: ctx.id(),
            reseller: ctx.id(),
            everyone: ctx.id(),
            owner: ctx.id(),
            directory: ctx.id(),
            scim: ctx.id(),
            oidc: ctx.id(),
            schemas: SchemaSet::base(),
        };
        let above: UserGroupId = ctx.id();
        let config =
            json!({"issuer": issuer, "client_id": "rolecall", "token_endpoint_auth_method": "none"}).to_string();
        let none = None::<Vec<u8>>;
        let mut rows: Vec<(&'static rolecall::store::Statement, Vec<SqlValue>)> = vec![(&LEVEL, binds![])];
        for core in CoreCapability::ALL {
            rows.push((&CAPABILITY, binds![core.id().0, core.name(), core.on_suspended()]));
            rows.push((&LEVEL_CAPABILITY, binds![core.id().0]));
        }
        rows.extend([
            (&PARTNER, binds![house.top, None::<PartnerId>, "Meridian", b"meridian"]),
            (&PARTNER, binds![house.reseller, house.top, "Harbor", b"harbor"]),
            (&ANCESTOR, binds![house.top, house.top, 0]),
            (&ANCESTOR, binds![house.reseller, house.reseller, 0]),
            (&ANCESTOR, binds![house.reseller, house.top, 1]),
            (&GROUP, binds![above, house.top, b"everyone"]),
            (&GROUP, binds![house.everyone, house.reseller, b"everyone"]),
            (&USER, binds![house.owner, house.top, "Olga Owner", b"olga", above]),
            (&TOTAL, binds![house.top, house.owner]),
            (&DIRECTORY, binds![house.directory, house.reseller, "Our Entra", b"our entra"]),
            (&CONNECTION, binds![house.scim, house.directory, "scim", "acme", "{}", none.clone(), "externalId"]),
            (&CONNECTION, binds![house.oidc, house.directory, "oidc", "acme-sso", config, none, "sub"]),
        ]);
        house.write(rows).await;
        house.grant(house.owner, CoreCapability::ALL, "subtree", house.top).await;
        house
    }

    async fn write(&self, rows: Vec<(&'static rolecall::store::Statement, Vec<SqlValue>)>) {
        let work = async |tx: &mut Tx| -> Result<(), StoreError> {
            for (statement, values) in &rows {
                tx.execute(*statement, values.clone()).await?;
            }
            Ok(())
        };
        self.store.write(work).await.unwrap();
    }

    /// Gives a user a role of these capabilities.
    pub async fn grant(&self, user: UserId, capabilities: &[CoreCapability], reach: &str, partner: PartnerId) {
        let ctx = ctx();
        let (role, scope, grant): (RoleId, ScopeId, GrantId) = (ctx.id(), ctx.id(), ctx.id());
        let name = role.to_string();
        let mut rows: Vec<(&'static rolecall::store::Statement, Vec<SqlValue>)> = vec![
            (&ROLE, binds![role, self.top, &name, name.as_bytes()]),
            (&ROLE_SELF, binds![role]),
            (&SCOPE, binds![scope, reach, partner]),
            (&GRANT, binds![grant, role, user, scope]),
        ];
        rows.extend(capabilities.iter().map(|core| (&ROLE_CAPABILITY as _, binds![role, core.id().0])));
        self.write(rows).await;
    }

    /// A user at the reseller who came from nowhere.
    pub async fn user(&self, name: &str) -> UserId {
        let user: UserId = ctx().id();
        self.write(vec![
            (&USER, binds![user, self.reseller, name, name.as_bytes(), self.everyone]),
            (&TOTAL, binds![self.reseller, user]),
        ])
        .await;
        user
    }

    /// A further OpenID connection of the same directory.
    pub async fn oidc_connection(
        &self,
        slug: &str,
        config: Json,
        keys: Option<(&Keyring, &str)>,
        join: &str,
    ) -> ConnectionId {
        let id: ConnectionId = ctx().id();
        let secret = keys.map(|(keys, secret)| {
            keys.seal(&ctx(), SealPurpose::secret(id, ConnectionKind::Oidc, &config), secret.as_bytes()).unwrap()
        });
        let values = binds![id, self.directory, "oidc", slug, config.to_string(), secret, join];
        self.write(vec![(&CONNECTION, values)]).await;
        id
    }

    /// The extent over the top, as the operator has it.
    pub fn at(&self, partner: PartnerId) -> PartnerExtent {
        OperatorExtent::assume().at(partner)
    }

    async fn connection(&self, connection: ConnectionId) -> ConnectionExtent {
        let mut reader = self.store.reader().await.unwrap();
        OperatorExtent::assume().connection(&mut reader, connection).await.unwrap().unwrap()
    }

    /// Pushes a user, Ada, through the SCIM connection.
    pub async fn push(&self, name: &str, external_id: &str) -> (ExternalUserId, UserId) {
        let body = json!({"schemas": [USER_URN], "userName": name, "displayName": "Ada", "externalId": external_id, "active": true});
        let document = resource::create(self.schemas.users(), body, Rules::STRICT).unwrap().document;
        let new = users::NewExternalUser { stable_key: None, said: document.into() };
        let extent = self.connection(self.scim).await;
        let done = users::create(&self.store, &ctx(), &self.source(extent), new, Execution::Real).await.unwrap();
        (done.value.id, done.value.user.unwrap())
    }

    /// Says `active` of a pushed user through the SCIM connection, at `store`.
    pub async fn set_active(&self, store: &Store, user: ExternalUserId, active: bool) {
        let extent = self.connection(self.scim).await;
        users::set_active(store, &ctx(), &self.source(extent), user, active, Execution::Real).await.unwrap();
    }

    /// Removes a pushed user through the SCIM connection.
    pub async fn delete(&self, user: ExternalUserId) {
        let extent = self.connection(self.scim).await;
        users::delete(&self.store, &ctx(), &self.source(extent), user, None, Execution::Real).await.unwrap();
    }

    fn source(&self, extent: ConnectionExtent) -> ProvisionSource<'_> {
        ProvisionSource {
            extent,
            schemas: &self.schemas,
            matching_attribute: Some("externalId"),
            unknown_members: UnknownMembers::Skip,
        }
    }

    pub async fn set_connection_state(&self, connection: ConnectionId, state: &str) {
        self.write(vec![(&STATE, binds![connection, state])]).await;
    }

    pub async fn set_config(&self, connection: ConnectionId, config: &Json) {
        self.write(vec![(&CONFIG, binds![connection, config.to_string()])]).await;
    }

    pub async fn set_directory_mode(&self, mode: &str) {
        self.write(vec![(&MODE, binds![self.directory, mode])]).await;
    }

    pub async fn suspend_partner(&self, partner: PartnerId) {
        self.write(vec![(&SUSPEND_PARTNER, binds![partner])]).await;
    }

    pub async fn suspend_user(&self, user: UserId) {
        self.write(vec![(&SUSPEND_USER, binds![user])]).await;
    }

    /// The scopes of a user's grants, oldest first.
    pub async fn scopes_of(&self, user: UserId) -> Vec<ScopeId> {
        self.store.reader().await.unwrap().all(&SCOPES_OF, binds![user], |row| row.get(0)).await.unwrap()
    }

    /// The role of a user's only grant.
    pub async fn role_of(&self, user: UserId) -> RoleId {
        self.store.reader().await.unwrap().one(&ROLE_OF, binds![user], |row| row.get(0)).await.unwrap()
    }

    /// Leaves a partner out of a scope.
    pub async fn leave_out(&self, scope: ScopeId, partner: PartnerId) {
        self.write(vec![(&LEAVE_OUT, binds![scope, partner])]).await;
    }

    /// Lets the directory confer a role over a scope of this kind at `partner`.
    pub async fn ceiling(&self, role: RoleId, kind: &str, partner: PartnerId) -> ScopeId {
        let scope = ctx().id();
        let ceiling = binds![self.directory, role, scope];
        self.write(vec![(&SCOPE, binds![scope, kind, partner]), (&NEW_CEILING, ceiling)]).await;
        scope
    }

    /// A rule of the directory, named `Rule of Harbor`, that grants a role over the scope of a ceiling to these external
    /// users, for whom the condition `title eq "Secret"` holds.
    pub async fn rule(&self, role: RoleId, scope: ScopeId, users: &[ExternalUserId]) -> RuleId {
        let (rule, condition): (RuleId, ConditionId) = (ctx().id(), ctx().id());
        let mut rows: Vec<(&'static rolecall::store::Statement, Vec<SqlValue>)> = vec![
            (&NEW_CONDITION, binds![condition, self.directory]),
            (&NEW_RULE, binds![rule, self.directory, role, scope]),
            (&NEW_TERM, binds![rule]),
            (&NEW_CRITERION, binds![rule, condition]),
        ];
        rows.extend(users.iter().map(|user| (&HOLDS as _, binds![condition, *user])));
        self.write(rows).await;
        rule
    }

    async fn count(&self, statement: &'static rolecall::store::Statement, values: Vec<SqlValue>) -> i64 {
        self.store.reader().await.unwrap().one(statement, values, |row| row.get(0)).await.unwrap()
    }

    /// How many external users a connection has.
    pub async fn external_users(&self, connection: ConnectionId) -> i64 {
        self.count(&COUNT_EXTERNAL, binds![connection]).await
    }

    /// How many events of a kind were written.
    pub async fn events(&self, kind: &str) -> i64 {
        self.count(&COUNT_EVENTS, binds![kind]).await
    }

    /// How many attempts are open.
    pub async fn attempts(&self) -> i64 {
        self.count(&ATTEMPTS, binds![]).await
    }

    /// An API token of a user at `partner`.
    pub async fn api_token(&self, user: UserId, partner: PartnerId) -> (rolecall::domain::id::TokenId, String) {
        let (at, ctx) = (self.at(partner), ctx());
        let made: Result<_, StoreError> =
            self.store.write(async |tx| api_tokens::create(tx, &at, &ctx, user, "test", None).await).await;
        let (id, token) = made.unwrap();
        (id, token.reveal().to_owned())
    }
}

/// The machine's randomness, at a moment the test chooses.
pub struct Machine;

impl Entropy for Machine {
    fn uuid(&self, now: Timestamp) -> uuid::Uuid {
        let millis = u64::try_from(now.micros() / 1_000).unwrap();
        uuid::Builder::from_unix_timestamp_millis(millis, &ctx().random()).into_uuid()
    }

    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            let random = ctx().random::<32>();
            part.copy_from_slice(&random[..part.len()]);
        }
    }
}
