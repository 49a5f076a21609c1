//! After a restart: is everything there that the writers were told?

use super::writer::{Known, Pending, Writer};
use crate::http::Client;
use anyhow::Result;
use std::collections::BTreeSet;

/// Compares the server with what the writers know, one sentence a loss, and settles their open
/// questions. Users unchanged since their last check are passed over unless `everything`.
///
/// # Errors
/// When the server does not answer.
pub async fn all(client: &Client, writers: &mut [Writer], everything: bool) -> Result<Vec<String>> {
    let mut lost = Vec::new();
    for writer in writers {
        // The group first: it tells whether an unanswered join came through.
        group(client, writer, &mut lost).await?;
        for user in writer.known.iter_mut().filter(|user| everything || user.touched) {
            one(client, user, &mut lost).await?;
        }
        for name in std::mem::take(&mut writer.unanswered) {
            unanswered(client, &name, &mut lost).await?;
        }
    }
    Ok(lost)
}

async fn one(client: &Client, user: &mut Known, lost: &mut Vec<String>) -> Result<()> {
    let answer = client.get(&format!("/Users/{}", user.id)).await?;
    let there = answer.status == 200;
    let display = answer.body["displayName"].as_str().unwrap_or_default().to_owned();
    let pending = user.pending.take();
    let may_be_gone = !user.alive || matches!(pending, Some(Pending::Delete));
    match (there, user.alive) {
        (false, _) if answer.status != 404 => lost.push(format!("{}: status {}", user.id, answer.status)),
        (true, false) => lost.push(format!("{} was deleted and is back", user.id)),
        (false, true) if !may_be_gone => lost.push(format!("{} ({}) is gone", user.id, user.display)),
        (true, true) if display != user.display => match pending {
            Some(Pending::Rename(wanted)) if wanted == display => user.display = display,
            _ => lost.push(format!("{} is called '{display}', not '{}'", user.id, user.display)),
        },
        _ => {}
    }
    user.alive = there;
    user.touched = false;
    Ok(())
}

async fn unanswered(client: &Client, name: &str, lost: &mut Vec<String>) -> Result<()> {
    let answer = client.get(&format!("/Users?filter=userName%20eq%20%22{name}%22")).await?;
    let found = answer.good("looking for an unanswered creation")?;
    let whole = |user: &serde_json::Value| {
        user["displayName"] == name && user["emails"][0]["value"] == name && user["active"] == true
    };
    match found["Resources"].as_array().map(Vec::as_slice) {
        None | Some([]) => {}
        Some([user]) if whole(user) => {}
        Some(other) => lost.push(format!("{name} is half there or twice: {other:?}")),
    }
    Ok(())
}

async fn group(client: &Client, writer: &mut Writer, lost: &mut Vec<String>) -> Result<()> {
    let Some(id) = &writer.group else {
        return Ok(());
    };
    let answer = client.get(&format!("/Groups/{id}")).await?;
    if answer.status != 200 {
        lost.push(format!("group {id}: status {}", answer.status));
        writer.group = None;
        return Ok(());
    }
    let members = answer.body["members"].as_array().cloned().unwrap_or_default();
    let members: BTreeSet<&str> = members.iter().filter_map(|member| member["value"].as_str()).collect();
    for user in &mut writer.known {
        let there = members.contains(user.id.as_str());
        let open = matches!(user.pending, Some(Pending::Delete | Pending::Join));
        let wanted = user.member && user.alive;
        if there != wanted && !open {
            lost.push(format!("membership of {} is {there}, not {wanted}", user.id));
        }
        user.member = there;
    }
    Ok(())
}
