//! What a run compares a read with.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Failure, SyncRun};
use crate::domain::directory::DirectoryMode;
use crate::domain::id::ExternalUserId;
use crate::ldap::compare::{Basis, Compared, First};
use crate::ldap::entry::AttributePart;
use crate::ldap::identity::{Difference, DirectoryIdentity};
use crate::ldap::mark::Mark;
use crate::ldap::plan::{Baseline, BaselineGroup, BaselineUser};
use crate::ldap::safeguard::{Removal, SafeguardInput, WINDOW_HOURS};
use crate::ldap::snapshot::RawRead;
use crate::ldap::window;
use crate::scim::resource::Document;
use crate::store::baseline::{self, PendingRemoval};
use crate::store::{StoreError, runs};

impl SyncRun {
    /// Translates the read, loads the accepted state, and decides; with what a user has approved.
    pub(super) async fn compare(
        &mut self,
        snapshot: RawRead,
        identity: &DirectoryIdentity,
    ) -> Result<(Compared, HashSet<Removal>), Failure> {
        let (users, groups) = snapshot.read.get();
        let read = &mut self.report.read;
        (read.users, read.groups) = (users.entries.len() as u64, groups.entries.len() as u64);
        read.pages = users.pages + groups.pages;
        read.references = (users.references.len() + groups.references.len()) as u64;

        let (at, since) = (self.connection.extent, self.env.clock.now().plus_seconds(-WINDOW_HOURS * 3_600));
        let mut accepted = self.accepted().await?;
        let mut reader = self.env.store.reader().await?;
        let before = runs::server(&mut reader, &at).await?.as_deref().and_then(DirectoryIdentity::parse);
        let privileged: HashSet<_> = baseline::privileged(&mut reader, &at).await?.into_iter().collect();
        let mapped: HashSet<_> = baseline::mapped(&mut reader, &at).await?.into_iter().collect();
        let taken = baseline::taken(&mut reader, &at, since).await?;
        drop(reader);
        for user in &mut accepted.users {
            user.privileged = privileged.contains(&user.id);
        }
        for group in &mut accepted.groups {
            group.mapped = mapped.contains(&group.id);
        }
        let Difference { strange, narrowed } = before.map(|before| identity.differs(&before)).unwrap_or_default();
        let approved = self.approved(&accepted);
        let named = |kind: &'static str| self.approved.iter().filter(move |held| held.kind == kind);
        let fingerprint = identity.fingerprint();
        let basis = Arc::new(Basis {
            settings: self.settings.clone(),
            join: self.join(),
            adds_only: self.connection.mode == DirectoryMode::Additive,
            about: SafeguardInput {
                strange,
                narrowed,
                approved_read: named("read").any(|held| held.stable_id == fingerprint),
                approved: approved.clone(),
                before: window::added_up(taken),
            },
            approved_parts: named("part").map(|held| AttributePart::named(&held.stable_id)).collect(),
        });

        // Translating and comparing a large directory takes seconds of processor time: not on a thread of the runtime.
        let (read, about) = (snapshot.read, basis.clone());
        let first = tokio::task::spawn_blocking(move || First::of(read, accepted, &about)).await;
        let first = first.map_err(|_| Failure::Comparing)?;
        let documents = self.documents(&first.changed()).await?;
        let compared = tokio::task::spawn_blocking(move || first.decide(&documents, &basis)).await;
        Ok((compared.map_err(|_| Failure::Comparing)?, approved))
    }

    /// The documents of those who changed, as they were.
    async fn documents(&self, ids: &[ExternalUserId]) -> Result<HashMap<ExternalUserId, Document>, StoreError> {
        let mut documents = HashMap::with_capacity(ids.len());
        for part in ids.chunks(1_000) {
            let mut reader = self.env.store.reader().await?;
            documents.extend(baseline::documents(&mut reader, &self.connection.extent, part).await?);
        }
        Ok(documents)
    }

    async fn accepted(&self) -> Result<Baseline, StoreError> {
        let (store, at) = (&self.env.store, &self.connection.extent);
        let users = baseline::users(store, at).await?;
        let groups = baseline::groups(store, at).await?;
        let user_at: HashMap<_, u32> = users.iter().map(|user| user.id).zip(0..).collect();
        let group_at: HashMap<_, u32> = groups.iter().map(|group| group.id).zip(0..).collect();
        let members = baseline::members(store, at).await?;
        let members = members.iter().filter_map(|(group, user)| Some((*group_at.get(group)?, *user_at.get(user)?)));
        let nested = baseline::nested(store, at).await?;
        let nested = nested.iter().filter_map(|(outer, inner)| Some((*group_at.get(outer)?, *group_at.get(inner)?)));
        let (members, nested) = (members.collect(), nested.collect());
        let users = users.into_iter().map(|user| BaselineUser {
            id: user.id,
            key: user.stable_id,
            user_name: user.user_name,
            match_key: user.match_key,
            mark: user.content_hash.as_deref().and_then(Mark::read),
            active: user.active,
            privileged: false,
        });
        let groups = groups.into_iter().map(|group| BaselineGroup {
            id: group.id,
            key: group.stable_id,
            name: group.name,
            hash: group.content_hash,
            mapped: false,
        });
        Ok(Baseline { users: users.collect(), groups: groups.collect(), members, nested })
    }

    /// The approved removals as far as what they name is still there.
    fn approved(&self, accepted: &Baseline) -> HashSet<Removal> {
        let users: HashMap<&str, u32> = accepted.users.iter().map(|user| user.key.as_str()).zip(0..).collect();
        let groups: HashMap<&str, u32> = accepted.groups.iter().map(|group| group.key.as_str()).zip(0..).collect();
        let removal = |held: &PendingRemoval| {
            let outer = || groups.get(held.group_stable_id.as_deref()?).copied();
            match held.kind.as_str() {
                "user" => users.get(held.stable_id.as_str()).map(|at| Removal::User(*at)),
                "group" => groups.get(held.stable_id.as_str()).map(|at| Removal::Group(*at)),
                "member" => Some(Removal::Member(outer()?, *users.get(held.stable_id.as_str())?)),
                "nested" => Some(Removal::Nested(outer()?, *groups.get(held.stable_id.as_str())?)),
                "switch_on" => users.get(held.stable_id.as_str()).map(|at| Removal::SwitchOn(*at)),
                "switch_off" => users.get(held.stable_id.as_str()).map(|at| Removal::SwitchOff(*at)),
                _ => None,
            }
        };
        self.approved.iter().filter_map(removal).collect()
    }
}
