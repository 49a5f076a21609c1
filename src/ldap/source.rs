//! One read of a directory: its people, its groups, and which server it was.
use std::sync::Arc;

use ring::digest;
use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client::{Client, Guard, LdapFailure};
use super::read::{self, Evidence, Reading, Wanted};
use super::settings::{Field, Settings};

/// What a directory holds at one moment, as read.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The address that answered.
    pub url: String,
    /// What makes this server's data recognisable; `None` when it shows no ids of its bases.
    pub identity: Option<[u8; 32]>,
    /// People and groups.
    pub read: Evidence<(Reading, Reading)>,
}

/// Reads everything within the time limit. Runs in a task of its own: whatever the protocol crate does with a
/// malformed answer ends that task and not the process.
pub async fn snapshot(
    settings: Arc<Settings>,
    password: Option<SecretString>,
    join: Option<String>,
    guard: Guard,
) -> Result<Snapshot, LdapFailure> {
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
    settings: &Settings,
    password: Option<&SecretString>,
    join: Option<&str>,
    guard: &Guard,
) -> Result<Snapshot, LdapFailure> {
    let mut client = Client::connect(settings, password, guard).await?;
    let identity = identity(&mut client, settings).await?;
    let people = settings.user_attributes(join);
    let people = Wanted {
        what: "Reading people",
        branch: &settings.config.users,
        filter: &settings.user_filter,
        attributes: &people,
        long: None,
    };
    let people = read::branch(&mut client, settings, people).await?;
    let groups = match &settings.config.groups {
        None => Evidence::nothing(),
        Some(branch) => {
            let attributes = settings.group_attributes();
            let groups = Wanted {
                what: "Reading groups",
                branch,
                filter: &settings.group_filter,
                attributes: &attributes,
                long: Some(&settings.member),
            };
            read::branch(&mut client, settings, groups).await?
        }
    };
    Ok(Snapshot { url: client.url.clone(), identity, read: people.and(groups) })
}

/// The ids of the bases: the same on every replica, different in another directory.
async fn identity(client: &mut Client, settings: &Settings) -> Result<Option<[u8; 32]>, LdapFailure> {
    let ids: Vec<String> =
        [&settings.id, "entryUUID", "nsUniqueId", "objectGUID"].iter().map(|name| (*name).to_owned()).collect();
    let branches = [Some(&settings.config.users), settings.config.groups.as_ref()];
    let mut found = Vec::new();
    for base in branches.into_iter().flatten().flat_map(|branch| &branch.bases) {
        let entry = client.entry("Reading the base", base, &ids).await?;
        let id = entry.and_then(|entry| ids.iter().find_map(|name| entry.values(name).first().cloned()));
        found.extend(id);
    }
    if found.is_empty() {
        return Ok(None);
    }
    found.sort_unstable();
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, &found.join(&0)).as_ref());
    Ok(Some(hash))
}

/// One step of a connection test.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Step {
    /// What was tried, as a short title.
    pub title: String,
    /// Whether it worked.
    pub passed: bool,
    /// What came of it, as a sentence.
    pub says: String,
}

/// Tries a connection step by step, for whoever sets it up. Reads one page of people and one of groups, changes
/// nothing, and stops at the first step that fails.
pub async fn test_connection(settings: Arc<Settings>, password: Option<SecretString>, guard: Guard) -> Vec<Step> {
    let mut task = Ends(tokio::spawn(async move {
        let mut steps = Vec::new();
        if let Err(failure) = tried(&settings, password.as_ref(), &guard, &mut steps).await {
            let title = match failure {
                LdapFailure::Unreachable(_) | LdapFailure::Certificates(_) => "Reach the server",
                LdapFailure::Bind { .. } | LdapFailure::NoPassword => "Sign in",
                _ => "Read",
            };
            steps.push(Step { title: title.to_owned(), passed: false, says: failure.to_string() });
        }
        steps
    }));
    let limit = std::time::Duration::from_secs(60);
    let failed = |says: &str| vec![Step { title: "Read".to_owned(), passed: false, says: says.to_owned() }];
    match timeout(limit, &mut task.0).await {
        Ok(Ok(steps)) => steps,
        Ok(Err(_)) => failed("The server sent something that is not LDAP."),
        Err(_) => failed("The server did not answer within 60 s."),
    }
}

async fn tried(
    settings: &Settings,
    password: Option<&SecretString>,
    guard: &Guard,
    steps: &mut Vec<Step>,
) -> Result<(), LdapFailure> {
    let mut passed = |title: &str, says: String| steps.push(Step { title: title.to_owned(), passed: true, says });
    let mut client = Client::connect(settings, password, guard).await?;
    passed("Reach the server", format!("{} answers{}.", client.url, settings.security.says()));
    passed(
        "Sign in",
        match &settings.config.bind_dn {
            Some(dn) => format!("The server accepts \"{dn}\"."),
            None => "Nobody signs in: the server answers anybody.".to_owned(),
        },
    );
    let branches = [
        ("people", Some(&settings.config.users), &settings.user_filter, settings.user_attributes(None)),
        ("groups", settings.config.groups.as_ref(), &settings.group_filter, settings.group_attributes()),
    ];
    for (what, branch, filter, attributes) in branches {
        for base in branch.iter().flat_map(|branch| &branch.bases) {
            let scope = branch.map_or(ldap3::Scope::Subtree, |branch| branch.scope.into());
            let reading = format!("Reading {what} below \"{base}\"");
            let page = client.first_page(&reading, base, scope, filter, &attributes).await?;
            let more = if page.cookie.is_empty() { "" } else { " and there are more" };
            let missing = |name: &str| page.entries.iter().filter(|entry| entry.values(name).is_empty()).count();
            let logins = settings.names(Field::UserName);
            let nameless = page.entries.iter().filter(|entry| logins.iter().all(|name| entry.text(name).is_none()));
            let title = format!("Read {what}");
            let mut says = format!("{} {what} on the first page below \"{base}\"{more}.", page.entries.len());
            if page.entries.is_empty() {
                says = format!("Nothing below \"{base}\" matches {filter}, or this name may not see it.");
            } else if missing(&settings.id) > 0 {
                says = format!(
                    "{says} {} of them show no {}; they could not be recognised again.",
                    missing(&settings.id),
                    settings.id
                );
            } else if what == "people" && nameless.clone().count() > 0 {
                says = format!(
                    "{says} {} of them have no login name ({}) and would be set aside.",
                    nameless.count(),
                    logins.join(", ")
                );
            }
            passed(&title, says);
        }
    }
    Ok(())
}
