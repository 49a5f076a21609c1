//! Reads the directory as the lab's own check: paged, and complete or an error.

use super::{BASE, READER, READER_PASSWORD};
use anyhow::{Context, Result, bail};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConnAsync, Scope, SearchEntry};
use std::collections::BTreeMap;

/// Every entry of a filter: entryUUID to the first value of one attribute, or nothing.
///
/// # Errors
/// When any page is missing.
pub async fn all(address: &str, filter: &str, attribute: &str) -> Result<BTreeMap<String, String>> {
    let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{address}")).await.context("connecting")?;
    ldap3::drive!(connection);
    ldap.simple_bind(READER, READER_PASSWORD).await?.success().context("bind")?;
    let adapters: Vec<Box<dyn Adapter<_, _>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(300))];
    let wanted = vec!["entryUUID", attribute];
    let mut search = ldap.streaming_search_with(adapters, BASE, Scope::Subtree, filter, wanted).await?;
    let mut found = BTreeMap::new();
    while let Some(entry) = search.next().await.context("in the middle of a page")? {
        let entry = SearchEntry::construct(entry);
        let first = |name: &str| entry.attrs.get(name).and_then(|values| values.first()).cloned();
        let Some(id) = first("entryUUID") else { bail!("{} has no entryUUID", entry.dn) };
        found.insert(id, first(attribute).unwrap_or_default());
    }
    search.finish().await.success().context("the end of the search")?;
    ldap.unbind().await.ok();
    Ok(found)
}
