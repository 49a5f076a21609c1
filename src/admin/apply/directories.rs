//! Directories, with what belongs to them.
use std::fmt;

use super::error::Spot;
use super::{ApplyError, Run, ceilings, connections, rules};
use crate::admin::declaration::DirectoryDecl;
use crate::admin::record;
use crate::domain::directory::{Directory, DirectoryMode};
use crate::domain::id::DirectoryId;
use crate::provision::event::{Event, Kind};
use crate::provision::introduce::{self, IntroductionEntry, IntroductionOutcome};
use crate::store::effective_items::EffectiveItem;
use crate::store::effective_lists::CeilingEffect;
use crate::store::extent::PartnerExtent;
use crate::store::{Tx, directories};

pub(super) async fn all(tx: &mut Tx, run: &mut Run<'_>, decls: &[DirectoryDecl]) -> Result<(), ApplyError> {
    for (number, decl) in decls.iter().enumerate() {
        let spot = decl.spot(number);
        if run.twice.contains(spot.at()) {
            continue;
        }
        let done = whole(tx, run, &spot, decl).await;
        run.note(done)?;
    }
    Ok(())
}

async fn whole(tx: &mut Tx, run: &mut Run<'_>, spot: &Spot, decl: &DirectoryDecl) -> Result<(), ApplyError> {
    let at = run.partner(tx, &spot.part("partner"), &decl.partner).await?;
    let id = directory(tx, run, spot, &at, decl).await?;
    let most = ceilings::set(tx, run, spot, &at, id, decl).await;
    let most = run.note(most)?;
    for (number, connection) in decl.connections.iter().enumerate() {
        let place = connection.spot(spot, number);
        if !run.twice.contains(place.at()) {
            let done = connections::one(tx, run, &place, &at, id, connection).await;
            run.note(done)?;
        }
    }
    let set = rules::RuleSet { place: spot, at: &at, directory: id, ceilings: &most.unwrap_or_default() };
    rules::all(tx, run, &set, &decl.rules).await?;
    if run.loose.observed.contains_key(&id) {
        introductions(tx, run, spot, &at, id).await?;
    }
    Ok(())
}

/// Says what becomes of each who waited while the directory was only observed.
async fn introductions(
    tx: &mut Tx,
    run: &mut Run<'_>,
    spot: &Spot,
    at: &PartnerExtent,
    id: DirectoryId,
) -> Result<(), ApplyError> {
    let directory = directories::get(tx, at, id).await?;
    let shown = introduce::preview(tx, run.ctx, at, &directory, None).await?;
    for line in &shown.lines {
        run.plan.changed(format!("{spot}: {}", IntroductionText(line)));
    }
    let shown_lines = i64::try_from(shown.lines.len()).unwrap_or(i64::MAX);
    if shown.next.is_some() {
        let more = shown.waiting.saturating_sub(shown_lines);
        let most = introduce::MOST_SHOWN;
        run.plan.changed(format!("{spot}: {more} more who wait, beyond the {most} that are shown"));
    }
    Ok(())
}

/// A line of an introduction as a sentence.
struct IntroductionText<'a>(&'a IntroductionEntry);

impl fmt::Display for IntroductionText<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IntroductionEntry { user_name, outcome, gains, losses, .. } = self.0;
        if self.0.is_privileged() {
            write!(out, "privileged: ")?;
        }
        match outcome {
            IntroductionOutcome::Created { suspended: false } => write!(out, "a user is made for {user_name}")?,
            IntroductionOutcome::Created { suspended: true } => {
                write!(out, "a user is made for {user_name}, switched off")?
            }
            IntroductionOutcome::Matched { user, suspended } => {
                let off = if *suspended { ", who is switched off" } else { "" };
                write!(out, "{user_name} is linked to the user {}{off}", user.name)?;
            }
            IntroductionOutcome::MatchProposed { candidates } => {
                let names: Vec<&str> = candidates.iter().map(|known| known.name.as_str()).collect();
                write!(out, "{user_name} waits for a match with {}", names.join(" or "))?;
            }
            IntroductionOutcome::Refused(why) => write!(out, "{user_name} goes on waiting ({why})")?,
        }
        for (word, items) in [("gains", gains), ("loses", losses)] {
            let items: Vec<String> = items.iter().map(item).collect();
            if !items.is_empty() {
                write!(out, "; {word} {}", items.join(", "))?;
            }
        }
        Ok(())
    }
}

fn item(item: &EffectiveItem) -> String {
    match item {
        EffectiveItem::Group { group } => format!("group {}", group.name),
        EffectiveItem::Grant { role, ceiling_effect: CeilingEffect::Partial, .. } => {
            format!("role {} in part", role.name)
        }
        EffectiveItem::Grant { role, .. } => format!("role {}", role.name),
    }
}

async fn directory(
    tx: &mut Tx,
    run: &mut Run<'_>,
    place: &Spot,
    at: &PartnerExtent,
    decl: &DirectoryDecl,
) -> Result<DirectoryId, ApplyError> {
    let mode = DirectoryMode::parse(&decl.mode).ok_or_else(|| place.part("mode").unknown("mode", &decl.mode))?;
    let name = super::name(place, "name", &decl.name)?;
    let known = match run.known.directory(at.partner(), &name) {
        Some(known) => Some(known.clone()),
        None => directories::by_name(tx, at, &name).await?,
    };
    let Some(known) = known else {
        let new = Directory {
            id: run.ctx.id(),
            partner: at.partner(),
            name,
            mode,
            rule_set_version: 0,
            priority: decl.priority,
            version: 1,
        };
        directories::insert(tx, at, &new, run.ctx.now()).await?;
        record(tx, run.ctx, at.partner(), Event::of(Kind::DirectoryCreated, new.id)).await?;
        run.plan.created(format!("{place}, {}", mode.as_str()));
        return Ok(new.id);
    };
    let wanted = Directory { name, mode, priority: decl.priority, ..known.clone() };
    if wanted != known {
        let (into, out) = (mode == DirectoryMode::Observe, known.mode == DirectoryMode::Observe);
        if into && !out && directories::speaks(tx, at, known.id).await? {
            let why = "users are linked to this directory, and whoever leaves it would stay in unseen: use `paused`";
            return Err(place.part("mode").wrong(why));
        }
        introduce::change_directory(tx, run.ctx, at, &wanted).await?;
        run.loose.places.insert(known.id, *at);
        if out && !into {
            run.loose.observed.insert(known.id, *at);
        }
        run.plan.changed(format!("{place}: {}", differences(&known, &wanted).join(", ")));
    }
    Ok(known.id)
}

fn differences(known: &Directory, wanted: &Directory) -> Vec<String> {
    let mut differs = Vec::new();
    if known.name != wanted.name {
        differs.push(format!("name “{}” → “{}”", known.name, wanted.name));
    }
    if known.mode != wanted.mode {
        differs.push(format!("mode {} → {}", known.mode.as_str(), wanted.mode.as_str()));
    }
    if known.priority != wanted.priority {
        differs.push(format!("authority {} → {}", known.priority, wanted.priority));
    }
    differs
}
