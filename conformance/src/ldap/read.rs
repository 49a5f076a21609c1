//! Reads the directory as the lab's own check: paged, and complete or an error.

use super::{BASE, READER, READER_PASSWORD};
use anyhow::{Context, Result, bail};
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every entry of a filter: entryUUID to the first value of one attribute, or nothing. With an
/// authority the line is TLS from the first byte, and only its certificates are believed.
///
/// # Errors
/// When any page is missing.
pub async fn all(
    address: &str,
    authority: Option<&str>,
    filter: &str,
    attribute: &str,
) -> Result<BTreeMap<String, String>> {
    let (scheme, settings) = match authority {
        None => ("ldap", LdapConnSettings::new()),
        Some(pem) => ("ldaps", LdapConnSettings::new().set_config(trusting(pem)?)),
    };
    let line = LdapConnAsync::with_settings(settings, &format!("{scheme}://{address}")).await;
    let (connection, mut ldap) = line.context("connecting")?;
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

/// Reads people and groups with their members, as a synchronisation would, and keeps nothing; how many entries.
///
/// # Errors
/// When any page is missing.
pub async fn whole(address: &str) -> Result<usize> {
    let (connection, mut ldap) = LdapConnAsync::new(&format!("ldap://{address}")).await.context("connecting")?;
    ldap3::drive!(connection);
    ldap.simple_bind(READER, READER_PASSWORD).await?.success().context("bind")?;
    let mut count = 0;
    for (folder, class, wanted) in [
        ("people", "inetOrgPerson", &["entryUUID", "uid", "givenName", "sn", "cn", "displayName", "mail"][..]),
        ("groups", "groupOfNames", &["entryUUID", "cn", "member"][..]),
    ] {
        let (base, filter) = (format!("ou={folder},{BASE}"), format!("(objectClass={class})"));
        let adapters: Vec<Box<dyn Adapter<_, _>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(1_000))];
        let mut search = ldap.streaming_search_with(adapters, &base, Scope::Subtree, &filter, wanted.to_vec()).await?;
        while let Some(entry) = search.next().await.context("in the middle of a page")? {
            count += usize::from(!SearchEntry::construct(entry).dn.is_empty());
        }
        search.finish().await.success().context("the end of the search")?;
    }
    ldap.unbind().await.ok();
    Ok(count)
}

fn trusting(pem: &str) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).context("the authority's certificate")?)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}
