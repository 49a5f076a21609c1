//! A world as rows: what the generator makes, the naive evaluator reads, and the loaders turn into a
//! `access::World` or into tables.
use std::collections::{BTreeMap, BTreeSet};

use rolecall::access::snapshot;
use rolecall::domain::capability::CapabilityId;
use rolecall::domain::directory::{CeilingEntry, DirectoryMode};
use rolecall::domain::grant::{Holder, Resource, Scope};
use rolecall::domain::id::{
    ConditionId, ConnectionId, DirectoryId, ExternalGroupId, ExternalUserId, GrantId, PartnerId, RoleId, UserGroupId,
    UserId,
};
use rolecall::domain::partner::LevelId;
use rolecall::domain::rule::Rule;
use rolecall::domain::time::{Timestamp, Window};
use rolecall::domain::user::{HoldKind, SuspensionSource};

#[derive(Clone, Debug, Default)]
pub struct Model {
    pub levels: Vec<(LevelId, BTreeSet<CapabilityId>)>,
    /// True: works on suspended partners.
    pub capabilities: Vec<(CapabilityId, bool)>,
    pub partners: Vec<Partner>,
    pub groups: Vec<Group>,
    pub users: Vec<User>,
    pub members: Vec<(UserGroupId, UserId)>,
    pub roles: Vec<Role>,
    pub grants: Vec<Grant>,
    pub directories: Vec<Directory>,
    pub rules: Vec<Rule>,
    pub external_users: Vec<ExternalUser>,
    pub external_groups: Vec<(ExternalGroupId, DirectoryId)>,
    pub external_members: Vec<(ExternalGroupId, ExternalUserId)>,
    pub subgroups: Vec<(ExternalGroupId, ExternalGroupId)>,
    pub conditions: Vec<(ConditionId, DirectoryId)>,
    pub condition_members: Vec<(ConditionId, ExternalUserId)>,
}

#[derive(Clone, Debug)]
pub struct Partner {
    pub id: PartnerId,
    pub parent: Option<PartnerId>,
    pub level: LevelId,
    pub suspended: bool,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub id: UserGroupId,
    pub partner: PartnerId,
    pub is_primary: bool,
    pub is_default: bool,
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub partner: PartnerId,
    pub pin: Option<UserGroupId>,
    /// Whether somebody has said that the user belongs here.
    pub confirmed: bool,
    pub suspended: Option<SuspensionSource>,
    /// When the user was to leave.
    pub ends: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Role {
    pub id: RoleId,
    pub parent: Option<RoleId>,
    pub capabilities: BTreeSet<CapabilityId>,
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub id: GrantId,
    pub role: RoleId,
    pub holder: Holder,
    pub scope: Scope,
    pub window: Window,
    pub suspended: bool,
}

#[derive(Clone, Debug)]
pub struct Directory {
    pub id: DirectoryId,
    pub connection: ConnectionId,
    pub partner: PartnerId,
    pub mode: DirectoryMode,
    pub authority: i64,
    pub rule_version: i64,
    pub ceilings: Vec<CeilingEntry>,
}

#[derive(Clone, Debug)]
pub struct ExternalUser {
    pub id: ExternalUserId,
    pub directory: DirectoryId,
    pub user: Option<UserId>,
    /// Whom it would be linked to after a review.
    pub candidate: UserId,
    pub active: bool,
    /// The user's second source.
    pub second: bool,
}

/// A question without the house's own types around it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub principal: UserId,
    pub capability: CapabilityId,
    pub resource: Resource,
    pub now: Timestamp,
}

impl Model {
    /// The same world for the law.
    pub fn world(&self) -> snapshot::AccessSnapshot {
        let source = |on: bool| on.then_some(SuspensionSource::Admin).into_iter().collect();
        snapshot::AccessSnapshot {
            levels: map(&self.levels, |(id, ceiling)| {
                (*id, snapshot::SnapshotLevel { name: name(id.0), ceiling: ceiling.clone() })
            }),
            capabilities: self.capabilities.iter().copied().collect(),
            partners: map(&self.partners, |p| {
                let suspended_by = source(p.suspended);
                (p.id, snapshot::SnapshotPartner { name: name(p.id), parent: p.parent, level: p.level, suspended_by })
            }),
            users: map(&self.users, |p| {
                let suspended_by = p.suspended.into_iter().collect();
                let (name, confirmed) = (name(p.id), p.confirmed);
                let ends = p.ends.map(|at| (at, SuspensionSource::Decided(HoldKind::End, p.partner)));
                (p.id, snapshot::SnapshotUser { name, partner: p.partner, pin: p.pin, confirmed, suspended_by, ends })
            }),
            groups: map(&self.groups, |g| {
                let Group { id, partner, is_primary, is_default } = *g;
                (id, snapshot::SnapshotGroup { name: name(id), partner, is_primary, is_default })
            }),
            members: self.members.iter().copied().collect(),
            roles: map(&self.roles, |r| {
                (
                    r.id,
                    snapshot::SnapshotRole { name: name(r.id), parent: r.parent, capabilities: r.capabilities.clone() },
                )
            }),
            grants: map(&self.grants, |g| {
                let grant = snapshot::SnapshotGrant {
                    role: g.role,
                    holder: g.holder,
                    scope: g.scope.clone(),
                    window: g.window,
                    suspended: g.suspended,
                    granted_by: None,
                    created_at: Timestamp::from_micros(0),
                };
                (g.id, grant)
            }),
            directories: map(&self.directories, |d| {
                let directory = snapshot::SnapshotDirectory {
                    name: name(d.id),
                    mode: d.mode,
                    authority: d.authority,
                    rule_version: d.rule_version,
                    ceilings: d.ceilings.clone(),
                };
                (d.id, directory)
            }),
            rules: self.rules.clone(),
            external_users: map(&self.external_users, |e| {
                (e.id, snapshot::SnapshotExternalUser { directory: e.directory, user: e.user, active: e.active })
            }),
            external_groups: map(&self.external_groups, |(id, directory)| {
                (*id, snapshot::SnapshotExternalGroup { name: name(*id), directory: *directory })
            }),
            external_members: self.external_members.iter().copied().collect(),
            subgroups: self.subgroups.iter().copied().collect(),
            conditions: map(&self.conditions, |(id, _)| (*id, name(*id))),
            condition_members: self.condition_members.iter().copied().collect(),
        }
    }
}

/// Everything is named after its id.
pub fn name(id: impl std::fmt::Display) -> String {
    format!("n-{id}")
}

fn map<T, K: Ord, V>(rows: &[T], entry: impl Fn(&T) -> (K, V)) -> BTreeMap<K, V> {
    rows.iter().map(entry).collect()
}
