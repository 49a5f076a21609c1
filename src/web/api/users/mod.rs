//! Users.
pub(super) mod access;
pub(super) mod confirm;
pub(super) mod reactivate;
pub(super) mod show;
pub(super) mod suspend;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::ApiTimestamp;
use crate::domain::id::Id;
use crate::domain::user::User;

/// A user, at home in one partner; merged from what directories say.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserView {
    /// Its id; never changes.
    pub id: Uuid,
    /// The home partner.
    pub partner: Uuid,
    /// The name users see.
    pub display_name: String,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// The name to sign in with, unique in the partner.
    pub login_name: Option<String>,
    /// The primary user group the user is placed in.
    pub primary_group: Uuid,
    /// Whether an administrator chose that place.
    pub is_primary_group_pinned: bool,
    /// When the user came to be.
    pub created_at: ApiTimestamp,
    /// When somebody said that the user belongs here, by making or by confirming them. Null: a directory alone says so,
    /// and what the default group holds is clipped to its ceiling.
    pub confirmed_at: Option<ApiTimestamp>,
}

pub(super) fn view(user: User) -> UserView {
    UserView {
        id: user.id.uuid(),
        partner: user.partner.uuid(),
        display_name: user.profile.display_name,
        given_name: user.profile.given_name,
        family_name: user.profile.family_name,
        email: user.profile.email,
        login_name: user.profile.login_name,
        primary_group: user.primary_group.uuid(),
        is_primary_group_pinned: user.pinned_group.is_some(),
        created_at: ApiTimestamp(user.created_at),
        confirmed_at: user.confirmed_at.map(ApiTimestamp),
    }
}
