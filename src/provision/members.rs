//! Changes of a group's members, as sets. The group's row is held, so version and rows stay in step; nothing here reads
//! a member that the request does not speak of, except to replace them all.
use std::collections::HashSet;

use serde_json::json;
use uuid::Uuid;

use super::event::{Event, Kind, listing};
use super::{Effect, ProvisionError, ProvisionSource, UnknownMembers};
use crate::domain::filter::Filter;
use crate::domain::id::{ExternalGroupId, ExternalUserId, Id as _, exact};
use crate::scim::error::{ScimError, ScimType};
use crate::scim::patch::{MemberOp, MemberSelector};
use crate::scim::resource::{MemberKind, MemberRef};
use crate::store::members::MemberId;
use crate::store::{Tx, external_users, members, nesting};

/// The most unknown ids an error or an effect names.
const MOST_NAMED: usize = 100;

/// How many members are looked at in one go when a filter selects them.
const PAGE: usize = 1_000;

/// The members a request names, sorted out and in order.
#[derive(Debug, Default)]
struct Named {
    users: Vec<ExternalUserId>,
    groups: Vec<ExternalGroupId>,
    /// What the connection does not know; each once.
    unknown: Vec<String>,
}

impl Named {
    /// Whether a whole list may be taken by what is known of it. A list that is mostly, or wholly, unknown was made for
    /// another place or another time: whoever it leaves out was not meant to go.
    fn states_a_list(&self) -> bool {
        self.unknown.len() <= self.users.len() + self.groups.len()
    }
}

/// The change of one group, while it is carried out.
pub(super) struct MemberChanges<'c> {
    pub source: &'c ProvisionSource<'c>,
    pub group: ExternalGroupId,
    users_in: Vec<ExternalUserId>,
    users_out: Vec<ExternalUserId>,
    groups_in: Vec<ExternalGroupId>,
    groups_out: Vec<ExternalGroupId>,
    unknown: Vec<String>,
    /// Who was to leave and is nobody the connection knows.
    never_known: Vec<String>,
    nesting_held: bool,
}

impl<'c> MemberChanges<'c> {
    pub fn new(source: &'c ProvisionSource<'c>, group: ExternalGroupId) -> Self {
        Self {
            source,
            group,
            users_in: Vec::new(),
            users_out: Vec::new(),
            groups_in: Vec::new(),
            groups_out: Vec::new(),
            unknown: Vec::new(),
            never_known: Vec::new(),
            nesting_held: false,
        }
    }

    /// Whether anybody was taken out.
    pub fn removes(&self) -> bool {
        !self.users_out.is_empty() || !self.groups_out.is_empty()
    }

    /// Carries out one operation.
    pub async fn apply(&mut self, tx: &mut Tx, op: &MemberOp) -> Result<(), ProvisionError> {
        match op {
            MemberOp::Add(refs) => self.add(tx, refs).await,
            MemberOp::Remove(MemberSelector::Ids(ids)) => {
                let (known, others): (Vec<_>, Vec<_>) =
                    ids.iter().map(|text| exact(text).ok_or(text)).partition(Result::is_ok);
                self.never_known.extend(others.into_iter().filter_map(Result::err).cloned());
                let ids: Vec<Uuid> = known.into_iter().flatten().collect();
                self.remove(tx, &ids).await?;
                self.note_never_known(tx, &ids).await
            }
            MemberOp::Remove(MemberSelector::Matching(filter)) => {
                let ids = self.matching(tx, filter).await?;
                self.remove(tx, &ids).await
            }
            MemberOp::ReplaceAll(refs) => self.replace(tx, refs).await,
            MemberOp::Clear => {
                let users = members::clear(tx, &self.source.extent, self.group).await?;
                self.users_out.extend(users);
                let groups = nesting::children(tx, &self.source.extent, self.group).await?;
                self.unnest(tx, &groups).await
            }
        }
    }

    /// Brings in those of the named that are not members.
    pub async fn add(&mut self, tx: &mut Tx, refs: &[MemberRef]) -> Result<(), ProvisionError> {
        // Most requests add users the connection knows and the group does not have: one statement then says it all.
        // What a request says a member is counts only where it is held to it.
        let lenient = self.source.unknown_members == UnknownMembers::Skip;
        let ids: Vec<ExternalUserId> = refs
            .iter()
            .filter(|member| lenient || member.kind != Some(MemberKind::Group))
            .filter_map(MemberRef::id)
            .map(ExternalUserId::from_uuid)
            .collect();
        let added = members::add(tx, &self.source.extent, self.group, &ids).await?;
        let complete = added.len() == refs.len();
        self.users_in.extend(added);
        if complete {
            return Ok(());
        }
        let Named { groups, unknown, .. } = self.sort_out(tx, refs).await?;
        self.unknown.extend(unknown);
        self.nest(tx, &groups).await
    }

    async fn remove(&mut self, tx: &mut Tx, ids: &[Uuid]) -> Result<(), ProvisionError> {
        let users: Vec<ExternalUserId> = ids.iter().copied().map(ExternalUserId::from_uuid).collect();
        let gone = members::remove(tx, &self.source.extent, self.group, &users).await?;
        let rest = gone.len() < ids.len();
        self.users_out.extend(gone);
        if rest {
            let groups: Vec<ExternalGroupId> = ids.iter().copied().map(ExternalGroupId::from_uuid).collect();
            self.unnest(tx, &groups).await?;
        }
        Ok(())
    }

    /// Notes whom of those who were to leave the connection does not know at all. That they are no members is what was
    /// wanted; but whoever looks for a mistake wants to see them.
    async fn note_never_known(&mut self, tx: &mut Tx, ids: &[Uuid]) -> Result<(), ProvisionError> {
        let left = self.users_out.iter().map(|id| id.uuid()).chain(self.groups_out.iter().map(|id| id.uuid()));
        let left: HashSet<Uuid> = left.collect();
        let rest: Vec<Uuid> = ids.iter().filter(|id| !left.contains(id)).copied().collect();
        if rest.is_empty() {
            return Ok(());
        }
        let users = members::known_users(tx, &self.source.extent, &rest).await?;
        let users: HashSet<Uuid> = users.iter().map(|id| id.uuid()).collect();
        let rest: Vec<Uuid> = rest.into_iter().filter(|id| !users.contains(id)).collect();
        let groups = members::known_groups(tx, &self.source.extent, &rest).await?;
        let groups: HashSet<Uuid> = groups.iter().map(|id| id.uuid()).collect();
        self.never_known.extend(rest.iter().filter(|id| !groups.contains(id)).map(Uuid::to_string));
        Ok(())
    }

    /// Takes those out that are not named and brings those in that are missing. Refused, whatever the source says of
    /// unknown members, when more are unknown than known: then it would mostly take away.
    async fn replace(&mut self, tx: &mut Tx, refs: &[MemberRef]) -> Result<(), ProvisionError> {
        let (at, group) = (&self.source.extent, self.group);
        let mut named = self.sort_out(tx, refs).await?;
        if !named.states_a_list() {
            named.unknown.truncate(MOST_NAMED);
            return Err(ProvisionError::UnknownMembers { ids: named.unknown });
        }
        self.unknown.append(&mut named.unknown);
        let before = members::all(tx, at, group).await?;
        let out = without(&before, &named.users);
        let missing = without(&named.users, &before);
        drop(before);
        self.users_out.extend(members::remove(tx, at, group, &out).await?);
        self.users_in.extend(members::add(tx, at, group, &missing).await?);

        let before = nesting::children(tx, at, group).await?;
        self.unnest(tx, &without(&before, &named.groups)).await?;
        self.nest(tx, &without(&named.groups, &before)).await
    }

    async fn nest(&mut self, tx: &mut Tx, groups: &[ExternalGroupId]) -> Result<(), ProvisionError> {
        if groups.is_empty() {
            return Ok(());
        }
        self.hold_nesting(tx).await?;
        self.groups_in.extend(nesting::add(tx, &self.source.extent, self.group, groups).await?);
        Ok(())
    }

    async fn unnest(&mut self, tx: &mut Tx, groups: &[ExternalGroupId]) -> Result<(), ProvisionError> {
        if groups.is_empty() {
            return Ok(());
        }
        self.hold_nesting(tx).await?;
        self.groups_out.extend(nesting::remove(tx, &self.source.extent, self.group, groups).await?);
        Ok(())
    }

    async fn hold_nesting(&mut self, tx: &mut Tx) -> Result<(), ProvisionError> {
        if !self.nesting_held {
            nesting::lock(tx, &self.source.extent).await?;
            self.nesting_held = true;
        }
        Ok(())
    }

    /// Which of the named are users, which are groups, and which are unknown. The last are refused when the source says
    /// so, and then so is what is named as the other of the two; otherwise the id alone counts. The group itself is no
    /// member a group can have: its users are in it already.
    async fn sort_out(&mut self, tx: &mut Tx, refs: &[MemberRef]) -> Result<Named, ProvisionError> {
        let at = &self.source.extent;
        let ids: Vec<Uuid> = refs.iter().filter_map(MemberRef::id).collect();
        let mut users = members::known_users(tx, at, &ids).await?;
        users.sort_unstable();
        let is_user = |id: &Uuid| users.binary_search(&ExternalUserId::from_uuid(*id)).is_ok();
        let rest: Vec<Uuid> = ids.into_iter().filter(|id| !is_user(id)).collect();
        let mut groups = members::known_groups(tx, at, &rest).await?;
        groups.sort_unstable();
        let kind = |member: &MemberRef| match member.id()? {
            id if is_user(&id) => Some(MemberKind::User),
            id => groups.binary_search(&ExternalGroupId::from_uuid(id)).is_ok().then_some(MemberKind::Group),
        };
        let mut unknown: Vec<String> =
            refs.iter().filter(|member| kind(member).is_none()).map(MemberRef::value).collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() && self.source.unknown_members == UnknownMembers::Reject {
            unknown.truncate(MOST_NAMED);
            return Err(ProvisionError::UnknownMembers { ids: unknown });
        }
        if self.source.unknown_members == UnknownMembers::Reject
            && let Some(wrong) = refs.iter().find(|member| member.kind.is_some() && member.kind != kind(member))
        {
            let text = format!("The member {} is not what its \"type\" or \"$ref\" says it is.", wrong.value());
            return Err(ScimError::new(ScimType::InvalidValue, text).into());
        }
        if let Ok(at) = groups.binary_search(&self.group) {
            if self.source.unknown_members == UnknownMembers::Reject {
                let text = "A group cannot be a member of itself.";
                return Err(ScimError::new(ScimType::InvalidValue, text).into());
            }
            groups.remove(at);
            unknown.push(self.group.to_string());
        }
        Ok(Named { users, groups, unknown })
    }

    /// The members that satisfy a filter over `value`, `type` and `display`.
    async fn matching(&self, tx: &mut Tx, filter: &Filter) -> Result<Vec<Uuid>, ProvisionError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = members::page(tx, &self.source.extent, self.group, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.who);
            for member in page {
                let kind = match member.who {
                    MemberId::User(_) => "user",
                    MemberId::Group(_) => "group",
                };
                let display = crate::domain::text::fold(&member.display);
                let keys = json!({"value": member.who.uuid().to_string(), "type": kind, "display": display});
                if filter.matches(&keys) {
                    found.push(member.who.uuid());
                }
            }
        }
    }

    /// Whether any row changed.
    pub fn any(&self) -> bool {
        !(self.users_in.is_empty()
            && self.users_out.is_empty()
            && self.groups_in.is_empty()
            && self.groups_out.is_empty())
    }

    /// Writes down what changed in the end: who came and left again in one request did neither.
    pub async fn report(mut self, tx: &mut Tx, effect: &mut Effect) -> Result<(), ProvisionError> {
        settle(&mut self.users_in, &mut self.users_out);
        settle(&mut self.groups_in, &mut self.groups_out);
        let at = &self.source.extent;
        effect.members_added += self.users_in.len() + self.groups_in.len();
        effect.members_removed += self.users_out.len() + self.groups_out.len();
        effect.events.extend(listing(Kind::ExternalGroupMemberAdded, self.group, "members", &self.users_in));
        effect.events.extend(listing(Kind::ExternalGroupMemberAdded, self.group, "groups", &self.groups_in));
        effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, self.group, "members", &self.users_out));
        effect.events.extend(listing(Kind::ExternalGroupMemberRemoved, self.group, "groups", &self.groups_out));
        self.unknown.sort_unstable();
        self.unknown.dedup();
        if !self.unknown.is_empty() {
            effect.event(Event::of(Kind::ExternalGroupMemberUnresolved, self.group).count("count", self.unknown.len()));
        }
        self.unknown.append(&mut self.never_known);
        self.unknown.truncate(MOST_NAMED);
        effect.unknown_members.append(&mut self.unknown);
        for users in [&self.users_in, &self.users_out] {
            effect.touch(external_users::users_among(tx, at, users).await?);
        }
        for groups in [&self.groups_in, &self.groups_out] {
            for group in groups {
                effect.touch(nesting::users_inside(tx, at, *group).await?);
            }
        }
        Ok(())
    }
}

/// Sorts both, and takes out of both what is in both.
fn settle<T: Ord + Copy>(came: &mut Vec<T>, left: &mut Vec<T>) {
    for ids in [&mut *came, &mut *left] {
        ids.sort_unstable();
        ids.dedup();
    }
    if !left.is_empty() && !came.is_empty() {
        let stayed = without(came, left);
        *left = without(left, came);
        *came = stayed;
    }
}

/// Those of `these` that are not among `those`; both are in order.
fn without<T: Ord + Copy>(these: &[T], those: &[T]) -> Vec<T> {
    these.iter().filter(|id| those.binary_search(id).is_err()).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_and_left_did_neither() {
        let settled = |mut came: Vec<u8>, mut left: Vec<u8>| {
            settle(&mut came, &mut left);
            (came, left)
        };
        assert_eq!(settled(vec![3, 1, 2, 1], vec![2, 4, 4]), (vec![1, 3], vec![4]));
        assert_eq!(settled(vec![2, 1, 2], vec![]), (vec![1, 2], vec![]));
        assert_eq!(settled(vec![], vec![2, 1, 2]), (vec![], vec![1, 2]));
    }
}
