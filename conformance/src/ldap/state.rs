//! What the server holds of a directory, read over its administration interface and compared with
//! the oracle.

use super::tree::{Oracle, OracleGroup, OracleUser};
use crate::http::Client;
use crate::report::Report;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Users and groups of one connection, by stable id.
#[derive(Debug, PartialEq)]
pub struct State {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug, PartialEq)]
struct User {
    login: String,
    given: String,
    family: String,
    display: String,
    mails: Vec<String>,
    active: bool,
}

#[derive(Debug, PartialEq)]
struct Group {
    name: String,
    users: BTreeSet<String>,
    groups: BTreeSet<String>,
    effective: BTreeSet<String>,
}

impl State {
    /// Reads all of it, page by page.
    ///
    /// # Errors
    /// When the interface refuses or answers in another shape.
    pub async fn read(api: &Client, slug: &str) -> Result<State> {
        let users = pages(api, &format!("/connections/{slug}/external-users")).await?;
        let users = users.iter().map(|item| Ok((text(item, "stable_id")?, User::of(item)?))).collect::<Result<_>>()?;
        let mut groups = BTreeMap::new();
        for item in pages(api, &format!("/connections/{slug}/external-groups")).await? {
            let id = text(&item, "stable_id")?;
            let path = format!("/connections/{slug}/external-groups/{id}");
            let members = pages(api, &format!("{path}/members")).await?;
            let effective = pages(api, &format!("{path}/effective-members")).await?;
            let group = Group {
                name: text(&item, "name")?,
                users: ids(members.iter().filter(|member| member["type"] == "user"))?,
                groups: ids(members.iter().filter(|member| member["type"] == "group"))?,
                effective: ids(effective.iter())?,
            };
            groups.insert(id, group);
        }
        Ok(State { users, groups })
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// One case a kind of fact.
    pub fn compare(&self, report: &mut Report, when: &str, oracle: &Oracle) {
        let wanted: BTreeSet<&String> = oracle.users.iter().map(|user| &user.id).collect();
        let got: BTreeSet<&String> = self.users.keys().collect();
        sets(report, &format!("{when}: the same users"), &got, &wanted);
        let wanted: BTreeSet<&String> = oracle.groups.iter().map(|group| &group.id).collect();
        let got: BTreeSet<&String> = self.groups.keys().collect();
        sets(report, &format!("{when}: the same groups"), &got, &wanted);
        let pairs: Vec<(&User, &OracleUser)> =
            oracle.users.iter().filter_map(|user| Some((self.users.get(&user.id)?, user))).collect();
        let mut each = |what: &str, differs: &dyn Fn(&User, &OracleUser) -> bool| {
            let odd = pairs.iter().filter(|(got, wanted)| differs(got, wanted));
            let odd: Vec<String> = odd.map(|(got, wanted)| format!("{got:?}, wanted {wanted:?}")).collect();
            none(report, &format!("{when}: {what} of every user"), &odd);
        };
        each("login", &|got, wanted| got.login != wanted.login);
        each("names", &|got, wanted| {
            (&got.given, &got.family, &got.display) != (&wanted.given, &wanted.family, &wanted.display)
        });
        each("mails", &|got, wanted| got.mails != wanted.mails);
        each("state", &|got, wanted| got.active == wanted.disabled);
        let pairs: Vec<(&Group, &OracleGroup)> =
            oracle.groups.iter().filter_map(|group| Some((self.groups.get(&group.id)?, group))).collect();
        let mut each = |what: &str, differs: &dyn Fn(&Group, &OracleGroup) -> bool| {
            let odd = pairs.iter().filter(|(got, wanted)| differs(got, wanted));
            let odd: Vec<String> = odd.map(|(got, wanted)| difference(got, wanted)).collect();
            none(report, &format!("{when}: {what} of every group"), &odd);
        };
        each("name", &|got, wanted| got.name != wanted.name);
        each("direct members", &|got, wanted| (&got.users, &got.groups) != (&wanted.users, &wanted.groups));
        each("members through nesting", &|got, wanted| got.effective != wanted.effective);
    }
}

impl User {
    fn of(item: &Value) -> Result<User> {
        let document = &item["document"];
        let optional = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mails = document["emails"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut mails: Vec<String> = mails.iter().map(|mail| optional(&mail["value"])).collect();
        mails.sort();
        Ok(User {
            login: text(item, "user_name")?,
            given: optional(&document["name"]["givenName"]),
            family: optional(&document["name"]["familyName"]),
            display: optional(&document["displayName"]),
            mails,
            active: item["active"].as_bool().context("no active")?,
        })
    }
}

async fn pages(api: &Client, path: &str) -> Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut after = String::new();
    loop {
        let mut page = api.get(&format!("{path}?limit=500{after}")).await?.good(path)?;
        match page["items"].take() {
            Value::Array(some) => items.extend(some),
            other => bail!("{path}: no items but {other}"),
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(items),
        }
    }
}

fn text(item: &Value, key: &str) -> Result<String> {
    item[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {item}"))
}

fn ids<'v>(items: impl Iterator<Item = &'v Value>) -> Result<BTreeSet<String>> {
    items.map(|item| text(item, "stable_id")).collect()
}

fn sets(report: &mut Report, case: &str, got: &BTreeSet<&String>, wanted: &BTreeSet<&String>) {
    let told = || format!("{} of {}, {} too many", got.len(), wanted.len(), got.difference(wanted).count());
    report.check(case, got == wanted, told);
}

fn none(report: &mut Report, case: &str, odd: &[String]) {
    report.check(case, odd.is_empty(), || format!("{} differ; first: {}", odd.len(), odd[0]));
}

fn difference(got: &Group, wanted: &OracleGroup) -> String {
    let parts = |got: &BTreeSet<String>, wanted: &BTreeSet<String>| {
        format!("-{} +{}", wanted.difference(got).count(), got.difference(wanted).count())
    };
    format!(
        "{:?} ({:?}): named {:?}, users {}, groups {}, through nesting {}",
        wanted.name,
        wanted.odd,
        got.name,
        parts(&got.users, &wanted.users),
        parts(&got.groups, &wanted.groups),
        parts(&got.effective, &wanted.effective)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldap::tree::Tree;

    fn as_expected(oracle: &Oracle) -> State {
        let user = |user: &OracleUser| User {
            login: user.login.clone(),
            given: user.given.clone(),
            family: user.family.clone(),
            display: user.display.clone(),
            mails: user.mails.clone(),
            active: !user.disabled,
        };
        let group = |group: &OracleGroup| Group {
            name: group.name.clone(),
            users: group.users.clone(),
            groups: group.groups.clone(),
            effective: group.effective.clone(),
        };
        State {
            users: oracle.users.iter().map(|one| (one.id.clone(), user(one))).collect(),
            groups: oracle.groups.iter().map(|one| (one.id.clone(), group(one))).collect(),
        }
    }

    #[test]
    fn every_kind_of_difference_is_seen() {
        let oracle = Tree::draw(1, 300, 60).oracle();
        let passes = |change: &dyn Fn(&mut State)| {
            let mut state = as_expected(&oracle);
            change(&mut state);
            let mut report = Report::new("a test");
            state.compare(&mut report, "now", &oracle);
            report.close()
        };
        assert!(passes(&|_| {}));
        let user = &oracle.users[7].id;
        let group = &oracle.groups.iter().find(|group| !group.effective.is_empty()).unwrap().id;
        assert!(!passes(&|state| drop(state.users.remove(user))));
        assert!(!passes(&|state| state.users.get_mut(user).unwrap().login.push('x')));
        assert!(!passes(&|state| state.users.get_mut(user).unwrap().given.push('x')));
        assert!(!passes(&|state| state.users.get_mut(user).unwrap().mails.clear()));
        assert!(!passes(&|state| state.users.get_mut(user).unwrap().active ^= true));
        assert!(!passes(&|state| drop(state.groups.remove(group))));
        assert!(!passes(&|state| state.groups.get_mut(group).unwrap().name.push('x')));
        assert!(!passes(&|state| drop(state.groups.get_mut(group).unwrap().effective.pop_first())));
        assert!(!passes(&|state| state.groups.get_mut(group).unwrap().groups.extend(["x".to_owned()])));
    }
}
