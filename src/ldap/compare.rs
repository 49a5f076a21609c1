//! From a read and the accepted state to what is to be done and what waits. Pure: it takes seconds of processor time for
//! a large directory and runs apart from requests.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::domain::id::ExternalUserId;
use crate::domain::text::fold;
use crate::scim::resource::Document;
use crate::scim::schema::SchemaSet;

use super::entry::{AttributePart, Before, Mapping};
use super::plan::{Baseline, BaselineUser, MissingRecords, SyncPlan, absences, plan};
use super::read::{BranchRead, ReadEvidence};
use super::reason::PendingReason;
use super::safeguard::{SafeguardDecision, SafeguardInput, safeguard};
use super::translate::{DirectorySnapshot, ExistingKeys, translate};
use super::unseen;
use crate::connection::ldap::ResolvedLdapSettings;

/// What a comparison rests on beside the read and the accepted state.
pub(super) struct Basis {
    pub settings: Arc<ResolvedLdapSettings>,
    /// The attribute that joins users with the directory's other connections.
    pub join: Option<String>,
    /// Nothing is taken away.
    pub adds_only: bool,
    pub about: SafeguardInput,
    /// Attributes whose vanishing a user has approved.
    pub approved_parts: HashSet<AttributePart>,
}

/// What a read says, and what it would change if everything it shows were so.
pub(super) struct First {
    said: ReadEvidence<DirectorySnapshot>,
    accepted: Baseline,
    plan: SyncPlan,
}

/// What a read comes to.
pub(super) struct Compared {
    pub said: DirectorySnapshot,
    /// It is proven that nothing is left out.
    pub whole: bool,
    pub accepted: Baseline,
    /// What is to be done, removals apart.
    pub plan: SyncPlan,
    pub verdict: SafeguardDecision,
    /// Attributes that stay as they were.
    pub parts: Vec<(AttributePart, PendingReason)>,
    /// Of the users and of the groups that were read: for how many something would be done.
    pub concerned: (usize, usize),
    /// Groups that lost users in the last hours and are back.
    pub back: Vec<String>,
}

fn holders(accepted: &Baseline) -> ExistingKeys<'_> {
    let users = || accepted.users.iter().map(|user| (user.key.as_str(), user));
    ExistingKeys {
        before: users().map(|(key, user)| (key, before(user))).collect(),
        logins: users().map(|(key, user)| (fold(&user.user_name), key)).collect(),
        joins: users().filter_map(|(key, user)| Some((user.match_key.as_deref()?, key))).collect(),
    }
}

fn before(user: &BaselineUser) -> Before<'_> {
    Before { active: user.active, match_key: user.match_key.as_deref(), mark: user.mark }
}

impl First {
    /// Translates a read and compares it.
    pub fn of(read: ReadEvidence<(BranchRead, BranchRead)>, accepted: Baseline, basis: &Basis) -> Self {
        let schemas = SchemaSet::base();
        let mapping = Mapping { settings: &basis.settings, schemas: &schemas, join: basis.join.as_deref() };
        let said = read.map(|(users, groups)| translate(users, groups, mapping, &holders(&accepted)));
        let plan = plan(said.get(), &accepted);
        Self { said, accepted, plan }
    }

    /// The known users of whom something else is said than before.
    pub fn changed(&self) -> Vec<ExternalUserId> {
        let known = |at: u32| self.accepted.users.get(at as usize).map(|user| user.id);
        self.plan.change_users.iter().filter_map(|change| known(change.known)).collect()
    }

    /// Decides, with the documents of those who changed as they were.
    pub fn decide(self, documents: &HashMap<ExternalUserId, Document>, basis: &Basis) -> Compared {
        let Self { said, accepted, plan: first } = self;
        let limits = basis.settings.config.safeguard;
        let mut parts = Vec::new();
        let said = said.map(|mut said| {
            let approved = &basis.approved_parts;
            parts = unseen::keep_parts(&mut said, &accepted, &first, documents, limits, approved);
            said
        });
        let next = plan(said.get(), &accepted);
        let missing = match &said {
            ReadEvidence::Whole(said) if !basis.adds_only => absences(said, &accepted),
            _ => MissingRecords::default(),
        };
        let mut verdict = safeguard(said.get(), &accepted, &next, &missing, limits, &basis.about);
        if verdict.whole.is_some() {
            parts.clear();
        }
        let whole = matches!(&said, ReadEvidence::Whole(said) if said.get().doubt.is_none());
        let mut said = match said {
            ReadEvidence::Whole(said) => said.into_inner(),
            ReadEvidence::Partial(said) => said,
        };
        unseen::keep_switches(&mut said, &accepted, verdict.held.iter().map(|(removal, _)| *removal));
        verdict.held.sort_by_key(|(removal, _)| *removal);
        let concerned = (
            first.create_users.len() + first.change_users.len(),
            first.create_groups.len() + first.change_groups.len(),
        );
        let mut compared = Compared { said, whole, accepted, plan: first, verdict, parts, concerned, back: Vec::new() };
        compared.again();
        let new = compared.plan.create_groups.iter().filter_map(|at| compared.said.groups.get(*at as usize));
        let back = new.filter(|group| basis.about.before.mapped.contains_key(&group.key));
        compared.back = back.map(|group| group.key.clone()).collect();
        compared
    }
}

impl Compared {
    /// Works out again what is to be done, after what is said was corrected.
    pub fn again(&mut self) {
        self.plan = match self.verdict.whole {
            Some(_) => SyncPlan::default(),
            None => plan(&self.said, &self.accepted),
        };
    }

    /// Whether anything waits.
    pub fn holds(&self) -> bool {
        self.verdict.whole.is_some() || !self.verdict.held.is_empty() || !self.parts.is_empty()
    }

    /// Whether the next run may be compared with this one: nothing waits because the directory may be another one.
    pub fn settles(&self) -> bool {
        let narrowed = |(_, reason): &(_, PendingReason)| matches!(reason, PendingReason::Narrowed { .. });
        self.verdict.whole.is_none() && !self.verdict.held.iter().any(narrowed)
    }
}
