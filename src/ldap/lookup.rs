//! Whoever is missing is looked up once more by id before it counts: between two searches, two pages or two servers
//! users move, are renamed, or are not there yet.
use std::collections::{BTreeSet, HashMap, HashSet};

use secrecy::SecretString;

use super::client::{Client, Guard, LdapFailure};
use super::compare::Compared;
use super::decode::LdapEntry;
use super::entry::{id_filter, stable_key};
use super::plan::{BaselineGroup, BaselineUser, ChangeKind};
use super::read::{self, BranchSpec};
use super::reason::PendingReason;
use super::safeguard::Removal;
use crate::connection::ldap::dn::Dn;
use crate::connection::ldap::{Branch, ResolvedLdapSettings, Test};

/// Ids that one search asks for.
const AT_ONCE: usize = 50;

/// Everything that is looked up, by stable id.
#[derive(Default)]
struct Asked {
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// Some who were just read: a server that does not find them by id cannot say that others are missing.
    known_user: Option<String>,
    known_group: Option<String>,
}

/// What the servers answered.
#[derive(Default)]
struct Found {
    /// Names of users, one for each server that knows them.
    users: HashMap<String, Vec<String>>,
    /// Groups with their members, as each server has them.
    groups: HashMap<String, Vec<LdapEntry>>,
    /// Users who are switched off by a sign that may not be read.
    still_off: HashSet<String>,
}

/// Looks up whatever would be removed, and whoever would be switched on only because a sign is not shown, at every
/// server of the connection that answers. What is found is taken out of the removals; how many users and groups.
pub(super) async fn again(
    settings: &ResolvedLdapSettings,
    password: Option<&SecretString>,
    guard: &Guard,
    compared: &mut Compared,
    approved: &HashSet<Removal>,
) -> Result<u64, LdapFailure> {
    let silent = silent(compared, approved);
    let asked = Asked::of(compared, &silent);
    if asked.users.is_empty() && asked.groups.is_empty() {
        return Ok(0);
    }
    let mut found = Found::default();
    let mut unreachable = None;
    let mut answered = false;
    for url in &settings.config.urls {
        let mut one = settings.clone();
        one.config.urls = vec![url.clone()];
        match Client::connect(&one, password, guard).await {
            Ok(mut client) => {
                found.ask(&mut client, &one, &asked, &silent).await?;
                answered = true;
            }
            Err(failure @ LdapFailure::Unreachable(_)) => unreachable = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    match unreachable {
        Some(failure) if !answered => Err(failure),
        _ => Ok(found.correct(settings, compared, &asked)),
    }
}

/// Users who would be switched on only because a sign is not shown.
fn silent(compared: &Compared, approved: &HashSet<Removal>) -> BTreeSet<String> {
    let on =
        compared.plan.change_users.iter().filter(|change| {
            change.kind == ChangeKind::SwitchedOn && !approved.contains(&Removal::SwitchOn(change.known))
        });
    let said = on.filter_map(|change| compared.said.users.get(change.said as usize));
    said.filter(|user| user.silent).map(|user| user.key.clone()).collect()
}

fn user(compared: &Compared, at: u32) -> Option<&BaselineUser> {
    compared.accepted.users.get(at as usize)
}

fn group(compared: &Compared, at: u32) -> Option<&BaselineGroup> {
    compared.accepted.groups.get(at as usize)
}

impl Asked {
    fn of(compared: &Compared, silent: &BTreeSet<String>) -> Self {
        let apply = &compared.verdict.apply;
        let users = apply.users.iter().copied().chain(apply.members.iter().map(|(_, user)| *user));
        let outer = apply.members.iter().chain(&apply.nested).map(|(outer, _)| *outer);
        let inner = apply.nested.iter().map(|(_, inner)| *inner);
        let groups = apply.groups.iter().copied().chain(outer).chain(inner);
        let users = users.filter_map(|at| user(compared, at)).map(|user| user.key.clone());
        let groups = groups.filter_map(|at| group(compared, at)).map(|group| group.key.clone());
        Self {
            users: users.chain(silent.iter().cloned()).collect(),
            groups: groups.collect(),
            known_user: compared.said.users.first().map(|user| user.key.clone()),
            known_group: compared.said.groups.first().map(|group| group.key.clone()),
        }
    }
}

impl Found {
    async fn ask(
        &mut self,
        client: &mut Client,
        settings: &ResolvedLdapSettings,
        asked: &Asked,
        silent: &BTreeSet<String>,
    ) -> Result<(), LdapFailure> {
        let id = std::slice::from_ref(&settings.id);
        let users = &settings.config.users;
        let keys = asked.users.iter().chain(&asked.known_user).cloned().collect();
        for entry in entries(client, settings, (users, &settings.user_filter), (id, None), keys).await? {
            let Some(key) = stable_key(&entry, &settings.id) else { continue };
            if silent.contains(&key) && still_off(client, settings, &entry.dn).await? {
                self.still_off.insert(key.clone());
            }
            self.users.entry(key).or_default().push(entry.dn);
        }
        let Some(groups) = settings.config.groups.as_ref().filter(|_| !asked.groups.is_empty()) else { return Ok(()) };
        let keys = asked.groups.iter().chain(&asked.known_group).cloned().collect();
        let wanted = [settings.id.clone(), settings.member.clone()];
        let long = Some(settings.member.as_str());
        for entry in entries(client, settings, (groups, &settings.group_filter), (&wanted, long), keys).await? {
            if let Some(key) = stable_key(&entry, &settings.id) {
                self.groups.entry(key).or_default().push(entry);
            }
        }
        Ok(())
    }

    /// Takes out of the removals what was found, and what cannot be told; how many users and groups were found.
    fn correct(&self, settings: &ResolvedLdapSettings, compared: &mut Compared, asked: &Asked) -> u64 {
        let mut apply = std::mem::take(&mut compared.verdict.apply);
        let mut unsure: Vec<Removal> = Vec::new();
        let sure_of_users = asked.known_user.as_ref().is_some_and(|key| self.users.contains_key(key));
        let sure_of_groups = asked.known_group.as_ref().is_none_or(|key| self.groups.contains_key(key));
        if !sure_of_users {
            unsure.extend(apply.users.drain(..).map(Removal::User));
        }
        if !sure_of_groups {
            unsure.extend(apply.groups.drain(..).map(Removal::Group));
        }
        if !(sure_of_users && sure_of_groups) {
            unsure.extend(apply.members.drain(..).map(|(group, user)| Removal::Member(group, user)));
            unsure.extend(apply.nested.drain(..).map(|(outer, inner)| Removal::Nested(outer, inner)));
        }
        let mut found = 0;
        let (mut users, mut groups) = (Vec::new(), Vec::new());
        apply.users.retain(|at| {
            let key = user(compared, *at).map(|user| &user.key);
            let there = key.filter(|key| self.users.contains_key(*key));
            users.extend(there.cloned());
            there.is_none()
        });
        apply.groups.retain(|at| {
            let key = group(compared, *at).map(|group| &group.key);
            let there = key.filter(|key| self.groups.contains_key(*key));
            groups.extend(there.cloned());
            there.is_none()
        });
        apply.members.retain(|(outer, inner)| {
            let Some((outer, inner)) = group(compared, *outer).zip(user(compared, *inner)) else { return false };
            let names = match settings.members_by_login() {
                true => Some(vec![inner.user_name.clone()]),
                false => self.users.get(&inner.key).cloned(),
            };
            self.gone(settings, &outer.key, names)
        });
        apply.nested.retain(|(outer, inner)| {
            let Some((outer, inner)) = group(compared, *outer).zip(group(compared, *inner)) else { return false };
            let inner = self.groups.get(&inner.key);
            let names = inner.map(|entries| entries.iter().map(|entry| entry.dn.clone()).collect());
            self.gone(settings, &outer.key, names)
        });
        found += (users.len() + groups.len()) as u64;
        compared.said.present_users.extend(users);
        compared.said.present_groups.extend(groups);
        compared.verdict.apply = apply;
        compared.verdict.held.extend(unsure.into_iter().map(|removal| (removal, PendingReason::NotLookedUp)));
        for user in &mut compared.said.users {
            if self.still_off.contains(&user.key) {
                user.keep_active(false);
            }
        }
        compared.again();
        found
    }

    /// Whether a group that is still there lists none of these names at any server. What has gone meanwhile is for the
    /// next run.
    fn gone(&self, settings: &ResolvedLdapSettings, group: &str, names: Option<Vec<String>>) -> bool {
        let Some((entries, names)) = self.groups.get(group).zip(names) else { return false };
        let by_login = settings.members_by_login();
        let keys: HashSet<Dn> = names.iter().filter_map(|name| Dn::parse(name).ok()).collect();
        let is_one = |member: &str| match by_login {
            true => names.iter().any(|name| name == member.trim()),
            false => names.iter().any(|name| name == member) || Dn::parse(member).is_ok_and(|dn| keys.contains(&dn)),
        };
        !entries.iter().any(|entry| entry.texts(&settings.member).any(is_one))
    }
}

/// The entries of a branch with these ids, as many at a time as one filter takes.
async fn entries(
    client: &mut Client,
    settings: &ResolvedLdapSettings,
    (branch, filter): (&Branch, &str),
    (attributes, long): (&[String], Option<&str>),
    keys: BTreeSet<String>,
) -> Result<Vec<LdapEntry>, LdapFailure> {
    let keys: Vec<String> = keys.into_iter().collect();
    let mut found = Vec::new();
    for part in keys.chunks(AT_ONCE) {
        let ids: String = part.iter().map(|key| id_filter(&settings.id, key)).collect();
        let filter = format!("(&{filter}(|{ids}))");
        let wanted = BranchSpec { what: "Looking up who is missing", branch, filter: &filter, attributes, long };
        found.extend(read::branch(client, settings, wanted).await?.get().entries.iter().cloned());
    }
    Ok(found)
}

/// Whether the server holds a user switched off though the sign is not shown, or does not say.
async fn still_off(client: &mut Client, settings: &ResolvedLdapSettings, dn: &str) -> Result<bool, LdapFailure> {
    for sign in &settings.disabled {
        if let Test::Equals(value) = &sign.test
            && client.holds("Asking whether somebody is switched off", dn, &sign.attribute, value).await? != Some(false)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
