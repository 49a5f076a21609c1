//! The unique indexes that use cases tell apart, by one name on both databases.
use super::UniqueIndex;

/// The external id of a living partner among those directly below its parent.
pub const PARTNER_EXTERNAL_ID: UniqueIndex = UniqueIndex::named("partners_external_id");
/// The name of a user group in its partner.
pub const USER_GROUP_NAME: UniqueIndex = UniqueIndex::named("user_groups_name");
/// The default user group of a partner: there is one.
pub const USER_GROUP_DEFAULT: UniqueIndex = UniqueIndex::named("user_groups_default");
/// The login name of a living user in their partner.
pub const USER_LOGIN_NAME: UniqueIndex = UniqueIndex::named("users_login_name");
/// The name of a role in its partner.
pub const ROLE_NAME: UniqueIndex = UniqueIndex::named("roles_name");
/// The name of a directory in its partner.
pub const DIRECTORY_NAME: UniqueIndex = UniqueIndex::named("directories_name");
/// The slug of a connection.
pub const CONNECTION_SLUG: UniqueIndex = UniqueIndex::named("connections_slug");
/// The stable id of an external user in its connection.
pub const EXTERNAL_USER_STABLE_ID: UniqueIndex = UniqueIndex::named("external_users_stable_id");
/// The user name of an external user in its connection.
pub const EXTERNAL_USER_NAME: UniqueIndex = UniqueIndex::named("external_users_name");
/// The stable id of an external group in its connection.
pub const EXTERNAL_GROUP_STABLE_ID: UniqueIndex = UniqueIndex::named("external_groups_stable_id");
/// The client's own id of a living external group in its connection.
pub const EXTERNAL_GROUP_EXTERNAL_ID: UniqueIndex = UniqueIndex::named("external_groups_external_id");
/// The match key of a user in its directory.
pub const MATCH_KEY: UniqueIndex = UniqueIndex::named("match_keys_pkey");
/// The number of a sealed event.
pub const EVENT_SEQ: UniqueIndex = UniqueIndex::named("events_seq");

/// All of them. Each must exist.
pub(super) const ALL: &[UniqueIndex] = &[
    PARTNER_EXTERNAL_ID,
    USER_GROUP_NAME,
    USER_GROUP_DEFAULT,
    USER_LOGIN_NAME,
    ROLE_NAME,
    DIRECTORY_NAME,
    CONNECTION_SLUG,
    EXTERNAL_USER_STABLE_ID,
    EXTERNAL_USER_NAME,
    EXTERNAL_GROUP_STABLE_ID,
    EXTERNAL_GROUP_EXTERNAL_ID,
    MATCH_KEY,
    EVENT_SEQ,
];
