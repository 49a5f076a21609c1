//! What a run tells of what it found.
use std::collections::HashSet;

use super::{Failure, SyncRun};
use crate::ldap::compare::Compared;
use crate::ldap::execute;
use crate::ldap::identity::DirectoryIdentity;
use crate::ldap::report::{PairCounts, named};
use crate::ldap::safeguard::{self, Removal};
use crate::provision::ProvisionError;
use crate::store::{StoreError, baseline};

impl SyncRun {
    /// Notes in the report what was read and decided.
    pub(super) async fn describe(
        &mut self,
        compared: &Compared,
        identity: &DirectoryIdentity,
    ) -> Result<(), StoreError> {
        let Compared { said, accepted, plan, verdict, parts, concerned, whole, .. } = compared;
        let for_review = self.unlinked().await?;
        let report = &mut self.report;
        report.read.whole = *whole;
        report.read.strangers = said.strangers;
        report.asides(said);
        report.hold(verdict, parts, accepted, &identity.fingerprint());
        report.plan(plan, said);
        for removal in safeguard::all(&verdict.apply) {
            let (kind, id, _, title) = named(removal, accepted);
            if matches!(removal, Removal::User(_) | Removal::Group(_)) {
                report.line(kind, "removed", &id, &title);
            }
        }
        let left = |all: usize, some: usize| all.saturating_sub(some) as u64;
        report.users.unchanged = left(said.users.len(), concerned.0);
        report.users.waiting = left(concerned.0, plan.create_users.len() + plan.change_users.len());
        report.users.for_review = for_review;
        report.groups.unchanged = left(said.groups.len(), concerned.1);
        report.groups.waiting = left(concerned.1, plan.create_groups.len() + plan.change_groups.len());
        Ok(())
    }

    pub(super) async fn unlinked(&self) -> Result<u64, StoreError> {
        let mut reader = self.env.store.reader().await?;
        Ok(u64::try_from(baseline::unlinked(&mut reader, &self.connection.extent).await?).unwrap_or_default())
    }

    /// A run in which nobody counts is not done: users were read and none can be taken, or none were read and nobody
    /// was known who could be missing.
    pub(super) fn nobody_counts(&self, compared: &Compared) -> Result<(), Failure> {
        if !compared.said.users.is_empty() || compared.holds() {
            return Ok(());
        }
        let aside = &compared.said.skipped;
        match aside.first() {
            Some(one) => Err(Failure::NobodyTaken { of: self.report.read.users, one: one.why.to_string() }),
            None => Err(Failure::NobodyRead { filter: self.settings.user_filter.clone() }),
        }
    }

    /// The counts of a dry run: what would be.
    pub(super) fn expected(&mut self, compared: &Compared) {
        let Compared { plan, verdict, .. } = compared;
        let report = &mut self.report;
        let blocked: HashSet<u32> =
            execute::blocked(&compared.said, &compared.accepted, plan, &verdict.apply).into_iter().collect();
        for user in blocked.iter().filter_map(|at| compared.said.users.get(*at as usize)) {
            let why = execute::in_words(&ProvisionError::Uniqueness { attribute: "userName" });
            report.refused(user.user_name.clone(), Some(user.key.clone()), why);
        }
        report.users.skipped += blocked.len() as u64;
        report.users.created = plan.create_users.iter().filter(|at| !blocked.contains(at)).count() as u64;
        report.groups.created = plan.create_groups.len() as u64;
        for change in plan.change_users.iter().filter(|change| !blocked.contains(&change.said)) {
            execute::count(&mut report.users, change.kind);
        }
        for change in &plan.change_groups {
            execute::count(&mut report.groups, change.kind);
        }
        report.users.removed = verdict.apply.users.len() as u64;
        report.groups.removed = verdict.apply.groups.len() as u64;
        let pairs = |counts: &mut PairCounts, added: usize, removed: usize| {
            (counts.added, counts.removed) = (added as u64, removed as u64);
        };
        pairs(&mut report.members, plan.add_members.len(), verdict.apply.members.len());
        pairs(&mut report.nested, plan.add_nested.len(), verdict.apply.nested.len());
    }
}
