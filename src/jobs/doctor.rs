//! What is wrong with a store, in sentences: for `rolecall doctor`, here or through the server that runs.
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::health;
use crate::admin::{keys, setup};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::provision::conditions;
use crate::provision::events::{self, BrokenChain};
use crate::secret::Keyring;
use crate::store::connections::{self, Silenced};
use crate::store::effective_lists::{self, CeilingEffect};
use crate::store::extent::OperatorExtent;
use crate::store::{
    self, Reader, Store, delegated_access, entrance, events as lines, invariants, request_log, reserved_groups,
    soundness,
};

/// Connections of suspended partners that are told by name.
const MOST_NAMED: u32 = 20;

/// How long an event may wait for its number, in seconds, before that is told.
const MOST_WAIT: i64 = 60;

/// What a look at a store brought.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DoctorReport {
    /// What is wrong.
    pub findings: Vec<String>,
    /// What is as it should be, and still worth knowing. Empty when something is wrong.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// Looks at everything. `folder` is the data folder; `keyring` is that of the installation, when there is something to open with it.
///
/// # Errors
/// The database does not answer.
pub async fn told(store: &Store, folder: &Path, keyring: Option<&Keyring>) -> anyhow::Result<DoctorReport> {
    let mut findings = examine(store).await?;
    findings.extend(log(folder).await);
    if let Some(keyring) = keyring {
        findings.extend(keys::findings(store, keyring).await?);
    }
    let remarks = if findings.is_empty() { remarks(store).await? } else { Vec::new() };
    Ok(DoctorReport { findings, remarks })
}

/// What is wrong with the file of the request log.
async fn log(folder: &Path) -> Vec<String> {
    match request_log::examine(folder).await {
        Ok(told) => told.into_iter().map(|line| format!("The log of requests (log.db) is damaged: {line}.")).collect(),
        Err(error) => vec![format!("The log of requests (log.db) cannot be read: {error}.")],
    }
}

/// What is as it should be, and still worth knowing: whom nobody has confirmed, and what that keeps from them; which
/// connections take nothing because a partner is suspended.
///
/// # Errors
/// The database does not answer.
pub async fn remarks(store: &Store) -> anyhow::Result<Vec<String>> {
    let mut reader = store.reader().await?;
    let (count, held) = delegated_access::resting(&mut reader, &OperatorExtent::assume()).await?;
    let mut remarks = Vec::new();
    if count > 0 {
        remarks.push(format!(
            "{count} users exist because a directory says so and nobody has confirmed them: what default groups hold \
             reaches them no further than the ceilings of the directories that vouch for them."
        ));
    }
    for one in connections::silenced(&mut reader, &OperatorExtent::assume(), MOST_NAMED).await? {
        let Silenced { partner, directory, slug } = one;
        remarks.push(format!(
            "The connection {slug} of the directory {directory} takes nothing: its partner {partner}, or one above it, is \
             suspended."
        ));
    }
    for one in held {
        let clip = effective_lists::clipped_by(&mut reader, &one.ceiling, one.role.1, &one.scope).await?.0;
        let much = match clip {
            CeilingEffect::None => continue,
            CeilingEffect::Partial => "in part",
            CeilingEffect::Blocked => "not",
        };
        let (users, role, partner, directory) = (one.users, &one.role.0, &one.partner, &one.directory);
        remarks.push(format!(
            "The default group of {partner} holds {role}; it comes {much} to {users} users whom only the directory \
             {directory} says to be there. Confirm them, or raise its ceiling."
        ));
    }
    Ok(remarks)
}

/// Everything that is wrong with a store: how its server is set up, the clock, damage, statements it does not take, no
/// room, events that wait or lie in the future, nobody who can come in, broken laws, a broken chain of events. Empty when
/// nothing is.
///
/// # Errors
/// The database does not answer.
pub async fn examine(store: &Store) -> anyhow::Result<Vec<String>> {
    let mut findings = store.objections().await?;
    findings.extend(health::off(store, Clock).await?);
    let damage = soundness::examine(store, &OperatorExtent::assume()).await?;
    if !damage.is_empty() {
        // Nothing that is read of a damaged database means anything.
        findings.extend(damage.into_iter().map(|told| format!("The database is damaged: {told}.")));
        findings.push("Stop the server and put the newest backup back.".to_owned());
        return Ok(findings);
    }
    if let Err(error) = store.check().await {
        findings.extend(error.to_string().lines().map(str::to_owned));
        findings.push(format!("The schema may be old: `rolecall migrate` brings it to version {}.", store::newest()));
        return Ok(findings);
    }
    let operator = OperatorExtent::assume();
    if let Err(refused) = soundness::try_write(store).await {
        findings.push(format!("The database takes no writes: {refused}."));
    }
    findings.extend(store.room().filter(|room| *room < health::LITTLE_ROOM).map(health::little));
    let mut reader = store.reader().await?;
    findings.extend(log_of_events(&mut reader, &operator).await?);
    if entrance::is_shut(&mut reader, &operator, Clock.now()).await? {
        findings.push(
            "Nobody can come in: no session, no one-time link and no active OpenID connection is left. `rolecall admin \
             recover-owner` makes a link."
                .to_owned(),
        );
    }
    for (count, sentence) in invariants::broken(&mut reader, &operator).await? {
        findings.push(format!("{count} {sentence}."));
    }
    let astray = conditions::astray(&mut reader, &operator).await?;
    if astray > 0 {
        findings
            .push(format!("{astray} users have a condition noted that does not hold for them, or lack one that does."));
    }
    if setup::is_without_owner(&mut reader, &operator).await? {
        findings.push(
            "Nobody holds the catalog's first roles over the whole tree, so nobody can give them: `rolecall admin \
             setup-link` makes a first owner and shows the link."
                .to_owned(),
        );
    }
    for loose in reserved_groups::loose_anywhere(&mut reader, &operator).await? {
        // One that waits for a group which nobody has said yet is as its author wrote it.
        if loose.why != "awaited" {
            findings.push(format!("Rule “{}” of the directory “{}”: {loose}", loose.rule_name, loose.directory_id));
        }
    }
    if let Err(BrokenChain { seq }) = events::verify(&mut reader, &operator).await? {
        findings.push(format!("The log of events is broken at line {seq}: a line was changed, or taken out."));
    }
    Ok(findings)
}

/// What is wrong with the time and the numbering of events.
async fn log_of_events(reader: &mut Reader, operator: &OperatorExtent) -> anyhow::Result<Vec<String>> {
    let (now, mut findings) = (Clock.now(), Vec::new());
    let soon = Timestamp::from_micros(now.micros().saturating_add(health::MOST_OFF));
    let (ahead, line) = lines::after_moment(reader, operator, soon).await?;
    if ahead > 0 {
        let line = line.map(|line| format!(", the first at line {line}")).unwrap_or_default();
        findings.push(format!(
            "{ahead} events lie in the future{line}: the clock was wrong when they were written, or is wrong now."
        ));
    }
    if let Some((_, at)) = lines::oldest_unsealed(reader, operator).await? {
        let waits = now.micros().saturating_sub(at.micros()) / 1_000_000;
        if waits > MOST_WAIT {
            findings.push(format!("Events have waited {waits} s for their number: is a server running?"));
        }
    }
    Ok(findings)
}
