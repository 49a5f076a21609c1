//! What a connection has been told: users, groups and members by the directory's own ids.
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connection;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id};
use crate::store::external_read;
use crate::store::members::MemberId;
use crate::web::api::error::Fault;
use crate::web::api::page::{ApiPage, PageParams};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A user as the directory says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalUser)]
pub(in crate::web::api) struct ExternalUserView {
    /// The directory's own id: `entryUUID`, `objectGUID`, the subject; over SCIM our id of the resource.
    stable_id: String,
    /// The unique name.
    user_name: String,
    /// Whether the directory lets the user in.
    active: bool,
    /// The user it is linked to; null while it waits for review.
    user_id: Option<Uuid>,
    /// All that is said, as SCIM attributes.
    #[schema(value_type = Object)]
    document: Value,
}

/// A group as the directory says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalGroup)]
pub(in crate::web::api) struct ExternalGroupView {
    /// The directory's own id.
    stable_id: String,
    /// The name.
    name: String,
}

/// What a member of a group is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ExternalMemberType)]
pub(in crate::web::api) enum MemberType {
    /// A user.
    User,
    /// A group.
    Group,
}

/// A direct member of a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalMember)]
pub(in crate::web::api) struct MemberView {
    /// User or group.
    r#type: MemberType,
    /// The directory's own id of it.
    stable_id: String,
}

/// A user in a group, directly or by nesting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectiveMember)]
pub(in crate::web::api) struct EffectiveView {
    /// The directory's own id of the user.
    stable_id: String,
}

/// The users that a connection has been told of. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-users", tag = "Directories",
    operation_id = "listExternalUsers",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of external users", body = ApiPage<ExternalUserView>)))]
pub(in crate::web::api) async fn users(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<ExternalUserId>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let after = wanted.after.unwrap_or(Id::from_uuid(Uuid::nil()));
    let limit = wanted.rows();
    let rows =
        call.read(async |reader| Ok(external_read::users(reader, &connection.extent, after, limit).await?)).await?;
    let view = |row: external_read::ExternalUserRow| ExternalUserView {
        stable_id: row.stable_id,
        user_name: row.user_name,
        active: row.active,
        user_id: row.user_id.map(Id::uuid),
        document: row.document,
    };
    ok(&wanted.page(rows, |row| row.id, view))
}

/// The groups that a connection has been told of. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-groups", tag = "Directories",
    operation_id = "listExternalGroups",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of external groups", body = ApiPage<ExternalGroupView>)))]
pub(in crate::web::api) async fn groups(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<ExternalGroupId>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let after = wanted.after.unwrap_or(Id::from_uuid(Uuid::nil()));
    let limit = wanted.rows();
    let rows =
        call.read(async |reader| Ok(external_read::groups(reader, &connection.extent, after, limit).await?)).await?;
    let view =
        |row: external_read::ExternalGroupRow| ExternalGroupView { stable_id: row.stable_id, name: row.display_name };
    ok(&wanted.page(rows, |row| row.id, view))
}

/// Who is directly in a group that a connection has been told of: users, then groups. Needs `core.connection.view`
/// over the connection's partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-groups/{stable_id}/members", tag = "Directories",
    operation_id = "listExternalMembers",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("stable_id" = String, Path, description = "the directory's own id of the group"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of its members", body = ApiPage<MemberView>)))]
pub(in crate::web::api) async fn members(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<(bool, Uuid)>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let stable_id = stable_id(&call)?;
    let after = wanted.after.map(|(group, id)| match group {
        true => MemberId::Group(Id::from_uuid(id)),
        false => MemberId::User(Id::from_uuid(id)),
    });
    let limit = wanted.rows();
    let rows = call.read(async |reader| {
        let group = external_read::group(reader, &connection.extent, stable_id).await?;
        Ok(external_read::members(reader, &connection.extent, group, after, limit).await?)
    });
    let nested = |who: MemberId| matches!(who, MemberId::Group(_));
    let view = |row: external_read::ExternalMemberRow| MemberView {
        r#type: if nested(row.who) { MemberType::Group } else { MemberType::User },
        stable_id: row.stable_key,
    };
    ok(&wanted.page(rows.await?, |row| (nested(row.who), row.who.uuid()), view))
}

/// Everyone in a group that a connection has been told of, users in nested groups counted, each once. Needs
/// `core.connection.view` over the connection's partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-groups/{stable_id}/effective-members",
    tag = "Directories", operation_id = "listEffectiveMembers",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("stable_id" = String, Path, description = "the directory's own id of the group"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of users", body = ApiPage<EffectiveView>)))]
pub(in crate::web::api) async fn effective_members(call: ApiRequest) -> ApiResult {
    let wanted = PageParams::<ExternalUserId>::of(&call)?;
    let connection = connection(&call, CoreCapability::ConnectionView).await?;
    let stable_id = stable_id(&call)?;
    let after = wanted.after.unwrap_or(Id::from_uuid(Uuid::nil()));
    let limit = wanted.rows();
    let rows = call.read(async |reader| {
        let group = external_read::group(reader, &connection.extent, stable_id).await?;
        Ok(external_read::effective_members(reader, &connection.extent, group, after, limit).await?)
    });
    ok(&wanted.page(rows.await?, |(user, _)| *user, |(_, id)| EffectiveView { stable_id: id }))
}

fn stable_id(call: &ApiRequest) -> Result<&str, Fault> {
    let stable_id = call.segment("stable_id");
    // PostgreSQL knows no such text, so no directory can have said it.
    if stable_id.contains('\0') { Err(Fault::hidden()) } else { Ok(stable_id) }
}
