//! The accepted external state and the stored decisions, as plain data.
//!
//! Only what lives is here: a deleted partner or user is simply absent.
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::capability::CapabilityId;
use crate::domain::directory::{CeilingEntry, DirectoryMode};
use crate::domain::grant::{Holder, Scope};
use crate::domain::id::{
    ConditionId, DirectoryId, ExternalGroupId, ExternalUserId, GrantId, PartnerId, RoleId, UserGroupId, UserId,
};
use crate::domain::partner::LevelId;
use crate::domain::rule::Rule;
use crate::domain::time::{Timestamp, Window};
use crate::domain::user::SuspensionSource;

/// Everything a decision depends on, except the time.
#[derive(Clone, Debug, Default)]
pub struct AccessSnapshot {
    /// The level scheme.
    pub levels: BTreeMap<LevelId, SnapshotLevel>,
    /// The catalog's capabilities; true: works on suspended partners too.
    pub capabilities: BTreeMap<CapabilityId, bool>,
    /// The partner tree.
    pub partners: BTreeMap<PartnerId, SnapshotPartner>,
    /// Everyone.
    pub users: BTreeMap<UserId, SnapshotUser>,
    /// User groups of all partners.
    pub groups: BTreeMap<UserGroupId, SnapshotGroup>,
    /// Who an administrator put in which user group.
    pub members: BTreeSet<(UserGroupId, UserId)>,
    /// Roles of all partners.
    pub roles: BTreeMap<RoleId, SnapshotRole>,
    /// What administrators granted.
    pub grants: BTreeMap<GrantId, SnapshotGrant>,
    /// Directories of all partners.
    pub directories: BTreeMap<DirectoryId, SnapshotDirectory>,
    /// Mapping rules of every rule-set version.
    pub rules: Vec<Rule>,
    /// Users as the directories say them.
    pub external_users: BTreeMap<ExternalUserId, SnapshotExternalUser>,
    /// Groups as the directories say them.
    pub external_groups: BTreeMap<ExternalGroupId, SnapshotExternalGroup>,
    /// Direct memberships of external users.
    pub external_members: BTreeSet<(ExternalGroupId, ExternalUserId)>,
    /// Direct nesting: the outer group, the group in it. May hold cycles.
    pub subgroups: BTreeSet<(ExternalGroupId, ExternalGroupId)>,
    /// Attribute conditions: what each asks.
    pub conditions: BTreeMap<ConditionId, String>,
    /// For whom each condition holds.
    pub condition_members: BTreeSet<(ConditionId, ExternalUserId)>,
}

/// A level and its ceiling.
#[derive(Clone, Debug, Default)]
pub struct SnapshotLevel {
    /// The name users see.
    pub name: String,
    /// All that may ever be done to a partner of this level.
    pub ceiling: BTreeSet<CapabilityId>,
}

/// A partner of the tree.
#[derive(Clone, Debug)]
pub struct SnapshotPartner {
    /// The name users see.
    pub name: String,
    /// The partner above.
    pub parent: Option<PartnerId>,
    /// Its level.
    pub level: LevelId,
    /// Who switched it off; empty: nobody.
    pub suspended_by: Vec<SuspensionSource>,
}

/// A user.
#[derive(Clone, Debug)]
pub struct SnapshotUser {
    /// The name users see.
    pub name: String,
    /// The home partner.
    pub partner: PartnerId,
    /// The primary user group an administrator chose.
    pub pin: Option<UserGroupId>,
    /// Whether somebody has said that the user belongs here. Who is not confirmed rests on the directories that vouch.
    pub confirmed: bool,
    /// Who switched the user off; empty: nobody.
    pub suspended_by: Vec<SuspensionSource>,
    /// From when on the user is off because they were to leave then, in whose name; none: no such day.
    pub ends: Option<(Timestamp, SuspensionSource)>,
}

/// A user group.
#[derive(Clone, Debug)]
pub struct SnapshotGroup {
    /// The name users see.
    pub name: String,
    /// Whose users it holds.
    pub partner: PartnerId,
    /// A place; otherwise a label.
    pub is_primary: bool,
    /// The place of those whom no rule places.
    pub is_default: bool,
}

/// A role.
#[derive(Clone, Debug)]
pub struct SnapshotRole {
    /// The name users see.
    pub name: String,
    /// The role it never exceeds.
    pub parent: Option<RoleId>,
    /// Its own capabilities, before those above cut them down.
    pub capabilities: BTreeSet<CapabilityId>,
}

/// A manual grant.
#[derive(Clone, Debug)]
pub struct SnapshotGrant {
    /// The role.
    pub role: RoleId,
    /// Who holds it.
    pub holder: Holder,
    /// Over what.
    pub scope: Scope,
    /// When.
    pub window: Window,
    /// Put aside until an administrator returns it.
    pub suspended: bool,
    /// Who gave it.
    pub granted_by: Option<UserId>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// A directory.
#[derive(Clone, Debug)]
pub struct SnapshotDirectory {
    /// The name users see.
    pub name: String,
    /// Whether its word counts.
    pub mode: DirectoryMode,
    /// Lower wins where two directories place one user.
    pub authority: i64,
    /// The rule set in force.
    pub rule_version: i64,
    /// The most it may confer.
    pub ceilings: Vec<CeilingEntry>,
}

/// A user as a directory says it.
#[derive(Clone, Debug)]
pub struct SnapshotExternalUser {
    /// Which directory says so.
    pub directory: DirectoryId,
    /// The user it is linked to; unlinked ones confer nothing.
    pub user: Option<UserId>,
    /// Inactive ones confer nothing.
    pub active: bool,
}

/// A group as a directory says it.
#[derive(Clone, Debug)]
pub struct SnapshotExternalGroup {
    /// The name users see.
    pub name: String,
    /// Which directory says so.
    pub directory: DirectoryId,
}
