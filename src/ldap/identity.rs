//! By what a directory is recognised from run to run, and how it is read: what a run finds means something only beside
//! what a run of the same directory, read in the same way, found before.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::client::{Client, LdapFailure};
use super::reason::PendingReason;
use crate::connection::ldap::{Branch, ResolvedLdapSettings, SearchScope};

/// Attributes by which a base is recognised, on every replica alike.
const IDS: [&str; 4] = ["entryUUID", "objectGUID", "nsUniqueId", "ipaUniqueID"];

/// What a directory shows of itself, and how it is read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DirectoryIdentity {
    /// Every base, with its id in hexadecimal when the server shows one.
    bases: BTreeMap<String, Option<String>>,
    /// The attribute of the stable id.
    id: String,
    /// The attribute that lists members.
    member: String,
    users: Part,
    groups: Option<Part>,
}

/// How users, or groups, are looked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Part {
    bases: BTreeSet<String>,
    scope: SearchScope,
    filter: String,
}

impl Part {
    fn of(branch: &Branch, filter: &str) -> Self {
        let bases = branch.bases.iter().map(|base| base.to_lowercase()).collect();
        Self { bases, scope: branch.scope, filter: filter.to_owned() }
    }
}

/// How a directory differs from the one of the runs before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Difference {
    /// It may be another one: nothing of the read can be taken.
    pub strange: Option<PendingReason>,
    /// It is read otherwise: what is missing may only not be looked for.
    pub narrowed: Option<PendingReason>,
}

impl DirectoryIdentity {
    /// Reads it from the server.
    pub(super) async fn read(client: &mut Client, settings: &ResolvedLdapSettings) -> Result<Self, LdapFailure> {
        let names: Vec<String> = IDS.iter().map(|name| (*name).to_owned()).collect();
        let mut identity = Self::unread(settings);
        for (base, id) in &mut identity.bases {
            let entry = client.entry("Reading the base", base, &names).await?;
            let value = entry.and_then(|entry| IDS.iter().find_map(|name| entry.values(name).first().cloned()));
            *id = value.map(|value| value.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        Ok(identity)
    }

    /// What the settings alone say.
    fn unread(settings: &ResolvedLdapSettings) -> Self {
        let config = &settings.config;
        let users = Part::of(&config.users, &settings.user_filter);
        let groups = config.groups.as_ref().map(|branch| Part::of(branch, &settings.group_filter));
        let bases = users.bases.iter().chain(groups.iter().flat_map(|groups| &groups.bases));
        let bases = bases.map(|base| (base.clone(), None)).collect();
        Self { bases, id: settings.id.to_lowercase(), member: settings.member.to_lowercase(), users, groups }
    }

    /// As it is stored.
    pub fn stored(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what was stored; none when it was stored in another form.
    pub fn parse(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// Names exactly this identity, so that an approval is for no other.
    pub fn fingerprint(&self) -> String {
        crate::secret::sha256(&self.stored()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// How this one differs from the one of the runs `before`.
    pub fn differs(&self, before: &Self) -> Difference {
        let shown = |identity: &Self, base: &String| identity.bases.get(base).cloned().flatten();
        let common: Vec<&String> = self.bases.keys().filter(|base| before.bases.contains_key(*base)).collect();
        let other = common.iter().any(|base| {
            let (was, is) = (shown(before, base), shown(self, base));
            was.is_some() && is.is_some() && was != is
        });
        let hidden = common.iter().any(|base| shown(before, base).is_some() && shown(self, base).is_none());
        let (changed, narrowed) = (self.changed(before), self.read_otherwise(before));
        let strange = match changed {
            _ if other => Some(PendingReason::OtherServer),
            Some(what) => Some(PendingReason::ReadChanged { what }),
            None if hidden => Some(PendingReason::ServerHidden),
            None => None,
        };
        Difference { strange, narrowed: narrowed.map(|what| PendingReason::Narrowed { what }) }
    }

    /// Other bases, or another attribute to recognise entries by.
    fn changed(&self, before: &Self) -> Option<String> {
        let mut what = Vec::new();
        let none = BTreeSet::new();
        let bases = |part: Option<&Part>| part.map_or(none.clone(), |part| part.bases.clone());
        let parts = [
            ("users", bases(Some(&before.users)), bases(Some(&self.users))),
            ("groups", bases(before.groups.as_ref()), bases(self.groups.as_ref())),
        ];
        for (title, was, is) in parts {
            what.extend(was.difference(&is).map(|base| format!("{title} are no longer read below \"{base}\"")));
            what.extend(is.difference(&was).map(|base| format!("{title} are read below \"{base}\" too")));
        }
        if self.id != before.id {
            what.push(format!("entries are recognised by {} and no longer by {}", self.id, before.id));
        }
        (!what.is_empty()).then(|| what.join("; "))
    }

    /// The same bases and ids, but another selection.
    fn read_otherwise(&self, before: &Self) -> Option<String> {
        let mut what = Vec::new();
        let parts = [
            ("users", Some(&before.users), Some(&self.users)),
            ("groups", before.groups.as_ref(), self.groups.as_ref()),
        ];
        for (title, was, is) in parts {
            let (Some(was), Some(is)) = (was, is) else { continue };
            if was.filter != is.filter {
                what.push(format!("the filter for {title} is {} and no longer {}", is.filter, was.filter));
            }
            if was.scope != is.scope {
                what.push(format!("how deep {title} are looked for"));
            }
        }
        if self.member != before.member {
            what.push(format!("members are read from {} and no longer from {}", self.member, before.member));
        }
        (!what.is_empty()).then(|| what.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn identity(extra: Value, ids: &[(&str, &str)]) -> DirectoryIdentity {
        let mut config = json!({
            "urls": ["ldap://d.example"], "security": "none",
            "users": {"bases": ["ou=P,dc=x"]}, "groups": {"bases": ["ou=g,dc=x"]},
        });
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let mut identity = DirectoryIdentity::unread(&ResolvedLdapSettings::from_json("openldap", &config).unwrap());
        for (base, id) in ids {
            identity.bases.insert((*base).to_owned(), Some((*id).to_owned()));
        }
        identity
    }

    const SHOWN: &[(&str, &str)] = &[("ou=p,dc=x", "01"), ("ou=g,dc=x", "02")];

    #[test]
    fn each_difference_has_its_cause() {
        let before = identity(json!({}), SHOWN);
        assert_eq!(DirectoryIdentity::parse(&before.stored()), Some(before.clone()));
        assert_eq!(DirectoryIdentity::parse(&[7; 32]), None);
        assert_eq!(before.differs(&before), Difference::default());
        let strange =
            |now: &DirectoryIdentity| now.differs(&before).strange.map(|reason| reason.to_string()).unwrap_or_default();
        let narrowed = |now: &DirectoryIdentity| {
            now.differs(&before).narrowed.map(|reason| reason.to_string()).unwrap_or_default()
        };
        let other = identity(json!({}), &[("ou=p,dc=x", "01"), ("ou=g,dc=x", "ff")]);
        assert_eq!(strange(&other), "the server is not the one of the runs before");
        let hidden = identity(json!({}), &[("ou=p,dc=x", "01")]);
        assert!(strange(&hidden).contains("no longer shows the ids of its bases"));
        assert_eq!(before.differs(&hidden), Difference::default(), "what is shown at last is no change");
        for (settings, part) in [
            (json!({"users": {"bases": ["ou=q,ou=p,dc=x"]}}), "users are no longer read below \"ou=p,dc=x\""),
            (json!({"users": {"bases": ["ou=p,dc=x", "ou=q,dc=x"]}}), "users are read below \"ou=q,dc=x\" too"),
            (json!({"groups": null}), "groups are no longer read below \"ou=g,dc=x\""),
            (json!({"id": "uid"}), "recognised by uid and no longer by entryuuid"),
        ] {
            let now = identity(settings, SHOWN);
            assert!(strange(&now).contains(part), "{part}: {}", strange(&now));
        }
        for (settings, part) in [
            (json!({"users": {"bases": ["ou=p,dc=x"], "filter": "(uid=a)"}}), "the filter for users is (uid=a)"),
            (json!({"groups": {"bases": ["ou=g,dc=x"], "filter": "(cn=a)"}}), "the filter for groups is (cn=a)"),
            (json!({"users": {"bases": ["OU=p,dc=x"], "scope": "one"}}), "how deep users are looked for"),
            (json!({"member": "uniqueMember"}), "members are read from uniquemember"),
        ] {
            let now = identity(settings, SHOWN);
            assert_eq!(strange(&now), "", "{part}");
            assert!(narrowed(&now).contains(part), "{part}: {}", narrowed(&now));
        }
    }
}
