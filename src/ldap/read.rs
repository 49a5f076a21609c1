//! Reading a branch whole, with proof that it is whole.
//!
//! Only a [`Complete`] read can say that somebody is missing, and only this module makes one: every answer
//! arrived, the last result was success and the last page named no further one. That a read found nothing
//! proves nothing; the brake holds it (see `brake`).
use super::ber::Entry;
use super::client::{Client, LdapFailure, Search};
use super::settings::{Branch, References, Settings};

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

    /// A proof for pure code under test, which has no server.
    #[cfg(test)]
    pub(super) fn assume(value: T) -> Self {
        Self(value)
    }
}

/// What a branch said.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Its entries, in the server's order.
    pub entries: Vec<Entry>,
    /// Addresses of parts kept elsewhere; none was followed.
    pub references: Vec<String>,
    /// Pages read.
    pub pages: u64,
}

/// A read that ended well: whole, or with parts of the tree kept on other servers.
pub enum Outcome {
    /// Everything was read.
    Whole(Complete<Reading>),
    /// Parts of the tree are elsewhere: what was read is true, but nothing counts as missing.
    Partial(Reading),
}

/// A server that sends more than this repeats itself.
const MOST_ENTRIES: usize = 5_000_000;

/// Reads people or groups page by page. Any answer that is missing, late, refused or malformed is a failure.
pub async fn branch(
    client: &mut Client,
    settings: &Settings,
    what: &str,
    branch: &Branch,
    filter: &str,
    attributes: &[String],
) -> Result<Outcome, LdapFailure> {
    let mut reading = Reading::default();
    for base in &branch.bases {
        let page_size = i32::try_from(settings.config.page_size).unwrap_or(i32::MAX);
        let search = Search { what, base, scope: branch.scope.into(), filter, attributes, page_size };
        one_base(client, &search, &mut reading).await?;
    }
    let hidden = reading.references.iter().any(|url| !holds_no_people(url));
    if hidden && settings.config.references == References::MayHidePeople {
        return Ok(Outcome::Partial(reading));
    }
    Ok(Outcome::Whole(Complete(reading)))
}

async fn one_base(client: &mut Client, search: &Search<'_>, reading: &mut Reading) -> Result<(), LdapFailure> {
    let mut cookie = Vec::new();
    loop {
        let page = client.page(search, cookie).await?;
        reading.entries.extend(page.entries);
        reading.references.extend(page.references);
        reading.pages += 1;
        if page.cookie.is_empty() {
            return Ok(());
        }
        if reading.entries.len() > MOST_ENTRIES || reading.pages > MOST_ENTRIES as u64 {
            return Err(LdapFailure::Incomplete {
                what: search.what.to_owned(),
                why: "the pages never end".to_owned(),
            });
        }
        cookie = page.cookie;
    }
}

/// Fetches the rest of every member list of which the server sent only a part (`member;range=0-1499`).
pub async fn fill_ranges(client: &mut Client, attribute: &str, entries: &mut [Entry]) -> Result<(), LdapFailure> {
    for entry in entries {
        let Some(mut next) = entry.range_of(attribute) else { continue };
        let mut values = entry.take_ranged(attribute);
        while let Some(from) = next {
            let what = format!("The members of {} from {from}", entry.dn);
            let incomplete = |why: &str| LdapFailure::Incomplete { what: what.clone(), why: why.to_owned() };
            let asked = [format!("{attribute};range={from}-*")];
            let part = client.entry(&what, &entry.dn, &asked).await?;
            let mut part = part.ok_or_else(|| incomplete("the group has disappeared meanwhile"))?;
            next = part.range_of(attribute).ok_or_else(|| incomplete("the server sent no range"))?;
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
/// name service, which hold no people.
fn holds_no_people(url: &str) -> bool {
    let name = url.splitn(4, '/').nth(3).unwrap_or("").to_ascii_lowercase();
    ["cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,", "cn=schema,cn=configuration,"]
        .iter()
        .any(|partition| name.starts_with(partition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_partitions_hold_no_people() {
        assert!(holds_no_people("ldap://a.example/CN=Configuration,DC=a,DC=example"));
        assert!(holds_no_people("ldap://DomainDnsZones.a.example/DC=DomainDnsZones,DC=a,DC=example"));
        assert!(!holds_no_people("ldap://b.a.example/DC=b,DC=a,DC=example"));
        assert!(!holds_no_people("ldap://b.a.example"));
    }
}
