//! Reading a branch whole, with proof that it is whole.
//!
//! Only a [`Complete`] read can say that somebody is missing, and only this module makes one: every answer
//! arrived, the last result was success and the last page named no further one. That a read found nothing
//! proves nothing; the safeguard holds it (see `safeguard`).
use std::collections::HashSet;

use super::client::{Client, LdapFailure, Search};
use super::decode::{AttributeNames, LdapEntry};
use crate::connection::ldap::{Branch, ReferralPolicy, ResolvedLdapSettings};

/// A read that is proven to be whole.
#[derive(Clone, Debug)]
pub struct Complete<T>(T);

impl<T> Complete<T> {
    /// What was read.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// What was read, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The same proof for what is worked out from it alone.
    pub fn map<U>(self, work: impl FnOnce(T) -> U) -> Complete<U> {
        Complete(work(self.0))
    }

    /// A proof for pure code under test, which has no server.
    #[cfg(test)]
    pub(super) fn assume(value: T) -> Self {
        Self(value)
    }
}

/// What a branch said.
#[derive(Clone, Debug, Default)]
pub struct BranchRead {
    /// Its entries, in the server's order.
    pub entries: Vec<LdapEntry>,
    /// Addresses of parts kept elsewhere; none was followed.
    pub references: Vec<String>,
    /// Pages read.
    pub pages: u64,
}

/// A read that ended well: whole, or with parts of the tree kept on other servers.
#[derive(Clone, Debug)]
pub enum ReadEvidence<T> {
    /// Everything was read.
    Whole(Complete<T>),
    /// Parts of the tree are elsewhere: what was read is true, but nothing counts as missing.
    Partial(T),
}

impl<T> ReadEvidence<T> {
    /// What was read.
    pub fn get(&self) -> &T {
        match self {
            Self::Whole(complete) => complete.get(),
            Self::Partial(value) => value,
        }
    }

    /// The same evidence for what is worked out from it alone.
    pub fn map<U>(self, work: impl FnOnce(T) -> U) -> ReadEvidence<U> {
        match self {
            Self::Whole(complete) => ReadEvidence::Whole(complete.map(work)),
            Self::Partial(value) => ReadEvidence::Partial(work(value)),
        }
    }

    /// Whole only if both are.
    pub fn and<U>(self, other: ReadEvidence<U>) -> ReadEvidence<(T, U)> {
        match (self, other) {
            (Self::Whole(a), ReadEvidence::Whole(b)) => ReadEvidence::Whole(Complete((a.0, b.0))),
            (
                Self::Whole(Complete(a)) | Self::Partial(a),
                ReadEvidence::Whole(Complete(b)) | ReadEvidence::Partial(b),
            ) => ReadEvidence::Partial((a, b)),
        }
    }

    /// Nothing was to be read, and that is all there is.
    pub(super) fn nothing() -> Self
    where
        T: Default,
    {
        Self::Whole(Complete(T::default()))
    }
}

/// A branch to read.
#[derive(Clone, Copy, Debug)]
pub struct BranchSpec<'a> {
    /// What it holds, for sentences.
    pub what: &'a str,
    /// Where.
    pub branch: &'a Branch,
    /// Which entries.
    pub filter: &'a str,
    /// Which attributes.
    pub attributes: &'a [String],
    /// The attribute of which servers send long lists in parts.
    pub long: Option<&'a str>,
}

/// Reads users or groups page by page. Any answer that is missing, late, refused or malformed is a failure.
pub async fn branch(
    client: &mut Client,
    settings: &ResolvedLdapSettings,
    wanted: BranchSpec<'_>,
) -> Result<ReadEvidence<BranchRead>, LdapFailure> {
    let BranchSpec { what, branch, filter, attributes, long } = wanted;
    let mut reading = BranchRead::default();
    for base in &branch.bases {
        let page_size = i32::try_from(settings.config.page_size).unwrap_or(i32::MAX);
        let search = Search { what, base, scope: branch.scope.into(), filter, attributes, page_size };
        one_base(client, &search, &mut reading).await?;
    }
    if let Some(attribute) = long {
        fill_ranges(client, attribute, &mut reading.entries).await?;
    }
    let hidden = reading.references.iter().any(|url| !holds_no_users(url));
    if hidden && settings.config.references == ReferralPolicy::MayHideUsers {
        return Ok(ReadEvidence::Partial(reading));
    }
    Ok(ReadEvidence::Whole(Complete(reading)))
}

async fn one_base(client: &mut Client, search: &Search<'_>, reading: &mut BranchRead) -> Result<(), LdapFailure> {
    let incomplete = |why: String| LdapFailure::Incomplete { what: search.what.to_owned(), why };
    let bounds = client.bounds;
    let (mut cookie, mut names) = (Vec::new(), AttributeNames::default());
    // What each page began with. A cookie may stand for the place in a search that moves on, so it may come again; a
    // page may not.
    let mut begun = HashSet::new();
    loop {
        let mut page = client.page(search, cookie).await?;
        page.entries.iter_mut().for_each(|entry| entry.settle(&mut names));
        if let Some(first) = page.entries.first()
            && !begun.insert(first.dn.clone())
        {
            return Err(incomplete("the server repeats a page".to_owned()));
        }
        reading.entries.extend(page.entries);
        reading.references.extend(page.references);
        reading.pages += 1;
        if reading.entries.len() > bounds.entries {
            return Err(incomplete(format!("the server sent more than {} entries", bounds.entries)));
        }
        if reading.references.len() > bounds.references {
            let most = bounds.references;
            return Err(incomplete(format!("the server sent more than {most} references to others")));
        }
        if page.cookie.is_empty() {
            return Ok(());
        }
        if reading.pages >= bounds.pages {
            return Err(incomplete(format!("the server sent more than {} pages", bounds.pages)));
        }
        cookie = page.cookie;
    }
}

/// Fetches the rest of every member list of which the server sent only a part (`member;range=0-1499`).
async fn fill_ranges(client: &mut Client, attribute: &str, entries: &mut [LdapEntry]) -> Result<(), LdapFailure> {
    let bounds = client.bounds;
    for entry in entries {
        if !entry.has_range(attribute) {
            continue;
        }
        let mut next = entry.range_from(attribute, 0).ok_or_else(|| LdapFailure::Incomplete {
            what: format!("The members of {}", entry.dn),
            why: "the server sent a range that cannot be read".to_owned(),
        })?;
        let mut values = entry.take_ranged(attribute);
        let mut parts = 0;
        while let Some(from) = next {
            let what = format!("The members of {} from {from}", entry.dn);
            let incomplete = |why: &str| LdapFailure::Incomplete { what: what.clone(), why: why.to_owned() };
            parts += 1;
            if parts > bounds.parts || values.len() > bounds.values {
                let (parts, values) = (bounds.parts, bounds.values);
                return Err(incomplete(&format!("a list may have {values} values in {parts} parts at most")));
            }
            let asked = [format!("{attribute};range={from}-*")];
            let part = client.entry(&what, &entry.dn, &asked).await?;
            let mut part = part.ok_or_else(|| incomplete("the group has disappeared meanwhile"))?;
            let range = part.range_from(attribute, from);
            next = range.ok_or_else(|| incomplete("the server did not send the range that begins there"))?;
            if next.is_some_and(|next| next <= from) {
                return Err(incomplete("the server repeats a range"));
            }
            values.append(&mut part.take_ranged(attribute));
        }
        entry.put(attribute, values);
    }
    Ok(())
}

/// References that every domain controller sends at the root of a domain: partitions for configuration and
/// name service, which hold no users.
fn holds_no_users(url: &str) -> bool {
    let name = url.splitn(4, '/').nth(3).unwrap_or("").to_ascii_lowercase();
    ["cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,", "cn=schema,cn=configuration,"]
        .iter()
        .any(|partition| name.starts_with(partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_partitions_hold_no_users() {
        assert!(holds_no_users("ldap://a.example/CN=Configuration,DC=a,DC=example"));
        assert!(holds_no_users("ldap://DomainDnsZones.a.example/DC=DomainDnsZones,DC=a,DC=example"));
        assert!(!holds_no_users("ldap://b.a.example/DC=b,DC=a,DC=example"));
        assert!(!holds_no_users("ldap://b.a.example"));
    }
}
