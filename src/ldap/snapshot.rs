//! One read of a directory: its users, its groups, and which server it was.
use std::sync::Arc;

use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::scim::schema::SchemaSet;

use super::client::{Client, Guard, LdapFailure};
use super::entry::Mapping;
use super::identity::DirectoryIdentity;
use super::read::{self, BranchRead, BranchSpec, ReadEvidence};
use super::translate::{ExistingKeys, translate};
use crate::connection::ldap::ResolvedLdapSettings;

/// What a directory holds at one moment, as read.
#[derive(Clone, Debug)]
pub struct RawRead {
    /// The address that answered.
    pub url: String,
    /// What makes this server's data recognisable, and how it was read.
    pub identity: DirectoryIdentity,
    /// Users and groups.
    pub read: ReadEvidence<(BranchRead, BranchRead)>,
}

/// Reads everything within the time limit. Runs in a task of its own: whatever the protocol crate does with a
/// malformed answer ends that task and not the process.
pub async fn snapshot(
    settings: Arc<ResolvedLdapSettings>,
    password: Option<SecretString>,
    join: Option<String>,
    guard: Guard,
) -> Result<RawRead, LdapFailure> {
    let limit = settings.config.timeouts.read();
    let mut task =
        Ends(tokio::spawn(async move { everything(&settings, password.as_ref(), join.as_deref(), &guard).await }));
    match timeout(limit, &mut task.0).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(LdapFailure::Incomplete {
            what: "Reading the directory".to_owned(),
            why: "the server sent something that is not LDAP".to_owned(),
        }),
        Err(_) => Err(LdapFailure::TimedOut { what: "Reading the directory".to_owned(), seconds: limit.as_secs() }),
    }
}

/// Ends its task when it is dropped: nobody waits for a read that was given up.
struct Ends<T>(JoinHandle<T>);

impl<T> Drop for Ends<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn everything(
    settings: &ResolvedLdapSettings,
    password: Option<&SecretString>,
    join: Option<&str>,
    guard: &Guard,
) -> Result<RawRead, LdapFailure> {
    let mut client = Client::connect(settings, password, guard).await?;
    let identity = DirectoryIdentity::read(&mut client, settings).await?;
    let users = settings.user_attributes(join);
    let users = BranchSpec {
        what: "Reading users",
        branch: &settings.config.users,
        filter: &settings.user_filter,
        attributes: &users,
        long: None,
    };
    let users = read::branch(&mut client, settings, users).await?;
    let groups = match &settings.config.groups {
        None => ReadEvidence::nothing(),
        Some(branch) => {
            let attributes = settings.group_attributes();
            let groups = BranchSpec {
                what: "Reading groups",
                branch,
                filter: &settings.group_filter,
                attributes: &attributes,
                long: Some(&settings.member),
            };
            read::branch(&mut client, settings, groups).await?
        }
    };
    Ok(RawRead { url: client.url.clone(), identity, read: users.and(groups) })
}

/// One step of a connection test.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct TestStep {
    /// What was tried, as a short title.
    pub title: String,
    /// Whether it worked.
    pub passed: bool,
    /// What came of it, as a sentence.
    pub says: String,
}

/// Tries a connection step by step, for whoever sets it up. Reads one page of users and one of groups, changes
/// nothing, and stops at the first step that fails.
pub async fn test_connection(
    settings: Arc<ResolvedLdapSettings>,
    password: Option<SecretString>,
    guard: Guard,
) -> Vec<TestStep> {
    let mut task = Ends(tokio::spawn(async move {
        let mut steps = Vec::new();
        if let Err(failure) = tried(&settings, password.as_ref(), &guard, &mut steps).await {
            let title = match failure {
                LdapFailure::Unreachable(_) | LdapFailure::Certificates(_) => "Reach the server",
                LdapFailure::Bind { .. } | LdapFailure::NoPassword => "Sign in",
                _ => "Read",
            };
            steps.push(TestStep { title: title.to_owned(), passed: false, says: failure.to_string() });
        }
        steps
    }));
    let limit = std::time::Duration::from_secs(60);
    let failed = |says: &str| vec![TestStep { title: "Read".to_owned(), passed: false, says: says.to_owned() }];
    match timeout(limit, &mut task.0).await {
        Ok(Ok(steps)) => steps,
        Ok(Err(_)) => failed("The server sent something that is not LDAP."),
        Err(_) => failed("The server did not answer within 60 s."),
    }
}

async fn tried(
    settings: &ResolvedLdapSettings,
    password: Option<&SecretString>,
    guard: &Guard,
    steps: &mut Vec<TestStep>,
) -> Result<(), LdapFailure> {
    let mut client = Client::connect(settings, password, guard).await?;
    let mut passed = |title: &str, says: String| steps.push(TestStep { title: title.to_owned(), passed: true, says });
    passed("Reach the server", format!("{} answers{}.", client.url, settings.security.says()));
    passed(
        "Sign in",
        match &settings.config.bind_dn {
            Some(dn) => format!("The server accepts \"{dn}\"."),
            None => "Nobody signs in: the server answers anybody.".to_owned(),
        },
    );
    let schemas = SchemaSet::base();
    let mapping = Mapping { settings, schemas: &schemas, join: None };
    let parts = [
        ("users", Some(&settings.config.users), &settings.user_filter, settings.user_attributes(None)),
        ("groups", settings.config.groups.as_ref(), &settings.group_filter, settings.group_attributes()),
    ];
    for (what, branch, filter, attributes) in parts {
        let Some(branch) = branch else { continue };
        let mut seen = BranchRead::default();
        for base in &branch.bases {
            let reading = format!("Reading {what} below \"{base}\"");
            let page = client.first_page(&reading, base, branch.scope.into(), filter, &attributes).await?;
            let more = if page.cookie.is_empty() { "" } else { " and there are more" };
            let says = match page.entries.len() {
                0 => format!("Nothing below \"{base}\" matches {filter}, or this name may not see it."),
                number => format!("{number} {what} on the first page below \"{base}\"{more}."),
            };
            seen.entries.extend(page.entries);
            steps.push(TestStep { title: format!("Read {what}"), passed: true, says });
        }
        let (passed, says) = judged(what, &seen, mapping);
        if let Some(last) = steps.last_mut() {
            last.passed = passed;
            last.says = format!("{} {says}", last.says);
        }
    }
    Ok(())
}

/// Whether a run would take what was seen: as runs do, entry by entry.
fn judged(what: &str, seen: &BranchRead, mapping: Mapping<'_>) -> (bool, String) {
    let of = seen.entries.len();
    if of == 0 {
        return (false, format!("There are no {what}, so a run would take none."));
    }
    let nothing = BranchRead::default();
    let seen = seen.clone();
    let (users, groups) = if what == "users" { (seen, nothing) } else { (nothing, seen) };
    let said = translate(users, groups, mapping, &ExistingKeys::default());
    let taken = said.users.len() + said.groups.len();
    let why = said.skipped.first().map(|aside| format!(" \"{}\": {}.", aside.dn, aside.why)).unwrap_or_default();
    let says = match &said.doubt {
        _ if taken == of => format!("All {of} of the first {what} would be taken."),
        _ if taken == 0 => format!("None of the first {of} {what} would be taken.{why}"),
        Some(doubt) => format!(
            "Nobody could ever count as gone, because {doubt}. {taken} of the first {of} {what} would be taken."
        ),
        None => format!("{taken} of the first {of} {what} would be taken; the others would be set aside.{why}"),
    };
    (taken > 0 && said.doubt.is_none(), says)
}
