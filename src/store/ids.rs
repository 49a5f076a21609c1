//! How ids and times are stored.
use uuid::Uuid;

use super::{Bind, FromColumn, Row, SqlType, SqlValue, Store, StoreError};
use crate::domain::id::{
    AttemptId, ConditionId, ConnectionId, DirectoryId, EventId, ExternalGroupId, ExternalUserId, GrantId, Id,
    OauthClientId, PartnerId, RemovalAlertId, RoleId, RuleId, RunId, ScopeId, SessionId, TokenId, UserGroupId, UserId,
};
use crate::domain::time::Timestamp;

/// The database server's clock, to compare with one's own; `None` when both are the same machine's (SQLite).
///
/// # Errors
/// The server does not answer.
pub async fn clock(store: &Store) -> Result<Option<Timestamp>, StoreError> {
    Ok(store.clock_micros().await?.map(Timestamp::from_micros))
}

macro_rules! ids {
    ($($id:ident)*) => {$(
        impl Bind for $id {
            const KIND: SqlType = SqlType::Uuid;
            fn bind(self) -> SqlValue {
                SqlValue::Uuid(self.uuid())
            }
        }

        impl FromColumn for $id {
            fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
                Uuid::read(row, at).map(Self::from_uuid)
            }
        }
    )*};
}

ids! { AttemptId ConditionId ConnectionId DirectoryId EventId ExternalGroupId ExternalUserId GrantId OauthClientId PartnerId RemovalAlertId RoleId RuleId RunId ScopeId SessionId TokenId UserGroupId UserId }

impl Bind for Timestamp {
    const KIND: SqlType = SqlType::I64;
    fn bind(self) -> SqlValue {
        SqlValue::I64(self.micros())
    }
}

impl FromColumn for Timestamp {
    fn read(row: &Row, at: usize) -> Result<Self, StoreError> {
        i64::read(row, at).map(Self::from_micros)
    }
}
