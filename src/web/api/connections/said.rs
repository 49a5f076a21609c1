//! What a connection has been told: people, groups and members by the directory's own ids.
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::door;
use crate::domain::capability::Core;
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id};
use crate::store::readback;
use crate::web::api::call::{Answer, Call, ok};
use crate::web::api::fault::Fault;
use crate::web::api::page::{Page, Wanted};

/// A person as the directory says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalUser)]
pub(in crate::web::api) struct UserView {
    /// The directory's own id: `entryUUID`, `objectGUID`, the subject; over SCIM our id of the resource.
    id: String,
    /// The unique name.
    user_name: String,
    /// Whether the directory lets the person in.
    active: bool,
    /// The person it is linked to; null while it waits for review.
    user: Option<Uuid>,
    /// All that is said, as SCIM attributes.
    #[schema(value_type = Object)]
    document: Value,
}

/// A group as the directory says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalGroup)]
pub(in crate::web::api) struct GroupView {
    /// The directory's own id.
    id: String,
    /// The name.
    name: String,
}

/// The members of a group, by the directory's own ids.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExternalMembers)]
pub(in crate::web::api) struct MembersView {
    /// People who are directly in it.
    users: Vec<String>,
    /// Groups that are directly in it.
    groups: Vec<String>,
    /// Everyone in it, nested groups counted.
    effective: Vec<String>,
}

/// The people that a connection has been told of. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-users", tag = "Directories",
    operation_id = "listExternalUsers",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of external users", body = Page<UserView>)))]
pub(in crate::web::api) async fn users(call: Call) -> Answer {
    let wanted = Wanted::<ExternalUserId>::of(&call)?;
    let door = door(&call, Core::ConnectionView).await?;
    let after = wanted.after.unwrap_or(Id::from_uuid(Uuid::nil()));
    let limit = u32::try_from(wanted.rows()).unwrap_or(u32::MAX);
    let rows = call.read(async |reader| Ok(readback::users(reader, &door.extent, after, limit).await?)).await?;
    let view = |row: readback::SaidUser| UserView {
        id: row.stable_key,
        user_name: row.user_name,
        active: row.active,
        user: row.person.map(Id::uuid),
        document: row.doc,
    };
    ok(&wanted.page(rows, |row| row.id, view))
}

/// The groups that a connection has been told of. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-groups", tag = "Directories",
    operation_id = "listExternalGroups",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("limit" = Option<u32>, Query, description = "1 to 500 entries; 100 unless said"),
        ("after" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, description = "a page of external groups", body = Page<GroupView>)))]
pub(in crate::web::api) async fn groups(call: Call) -> Answer {
    let wanted = Wanted::<ExternalGroupId>::of(&call)?;
    let door = door(&call, Core::ConnectionView).await?;
    let after = wanted.after.unwrap_or(Id::from_uuid(Uuid::nil()));
    let limit = u32::try_from(wanted.rows()).unwrap_or(u32::MAX);
    let rows = call.read(async |reader| Ok(readback::groups(reader, &door.extent, after, limit).await?)).await?;
    let view = |row: readback::SaidGroup| GroupView { id: row.stable_key, name: row.display_name };
    ok(&wanted.page(rows, |row| row.id, view))
}

/// Who is in a group that a connection has been told of, all at one moment. Needs `core.connection.view` over the
/// connection's partner.
#[utoipa::path(get, path = "/api/v1/connections/{slug}/external-groups/{stable_id}/members", tag = "Directories",
    operation_id = "listExternalMembers",
    params(("slug" = String, Path, description = "the connection's name in addresses"),
        ("stable_id" = String, Path, description = "the directory's own id of the group")),
    responses((status = 200, description = "its members", body = MembersView)))]
pub(in crate::web::api) async fn members(call: Call) -> Answer {
    let door = door(&call, Core::ConnectionView).await?;
    let stable_id = call.segment("stable_id");
    if stable_id.contains('\0') {
        return Err(Fault::hidden());
    }
    let found = call.read(async |reader| Ok(readback::members(reader, &door.extent, stable_id).await?)).await?;
    let members = found.ok_or_else(Fault::hidden)?;
    ok(&MembersView { users: members.users, groups: members.groups, effective: members.effective })
}
