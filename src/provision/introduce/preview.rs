//! What putting an observed directory in force would do, user by user: the real acts, tried and taken back.
use std::collections::{BTreeMap, BTreeSet};

use super::{Sources, change_directory, introduced};
use crate::domain::ctx::Ctx;
use crate::domain::directory::{Directory, DirectoryMode};
use crate::domain::id::{DirectoryId, ExternalUserId, Id as _, UserId};
use crate::provision::{Effect, ProvisionError, UserChangeKind};
use crate::secret::sha256;
use crate::store::effective_items::{self, EffectiveItem, EffectiveItemReader};
use crate::store::extent::PartnerExtent;
use crate::store::matches::{self, Waiting};
use crate::store::{Reader, StoreError, Tx, directory_summaries, rules, users};

/// The most users who are shown, and tried, at once.
pub const MOST_SHOWN: usize = 500;

/// What putting a directory in force would do.
#[derive(Clone, PartialEq, Debug)]
pub struct Introduction {
    /// Names exactly what is shown, whoever looks: two that would do the same have the same hash.
    pub hash: String,
    /// In which mode it would be.
    pub mode: DirectoryMode,
    /// How many wait, shown or not.
    pub waiting: i64,
    /// Those who are shown: privileged ones first, then by what becomes of them and by name.
    pub lines: Vec<IntroductionEntry>,
    /// Behind whom the next page begins; none when all were shown.
    pub next: Option<ExternalUserId>,
}

/// What would become of one who waits.
#[derive(Clone, PartialEq, Debug)]
pub struct IntroductionEntry {
    /// The external user.
    pub external: ExternalUserId,
    /// The name of its connection in addresses.
    pub slug: String,
    /// Its unique name.
    pub user_name: String,
    /// The name that people see.
    pub display_name: String,
    /// What would become of it.
    pub outcome: IntroductionOutcome,
    /// What its user would hold that it does not hold now.
    pub gains: Vec<EffectiveItem>,
    /// What its user holds now and would not hold.
    pub losses: Vec<EffectiveItem>,
}

impl IntroductionEntry {
    /// Whether the user would be let into, or out of, something that changes what others may do.
    pub fn is_privileged(&self) -> bool {
        self.gains.iter().chain(&self.losses).any(EffectiveItem::is_privileged)
    }
}

/// What would become of one who waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntroductionOutcome {
    /// A user would be made for it.
    Created {
        /// And switched off at once, as the source says.
        suspended: bool,
    },
    /// It would be linked to a user whom the directory's join names.
    Matched {
        /// That user.
        user: MetUser,
        /// Who would be switched off.
        suspended: bool,
    },
    /// It would wait for a match: an administrator decides whether it is one of these.
    MatchProposed {
        /// Whom it may be, the likeliest first.
        candidates: Vec<MetUser>,
    },
    /// It would go on waiting, because its directory may not do what it says; why.
    Refused(String),
}

impl IntroductionOutcome {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Matched { .. } => "matched",
            Self::MatchProposed { .. } => "match_proposed",
            Self::Refused(_) => "refused",
        }
    }

    /// Whether its user would be switched off.
    pub fn is_suspended(&self) -> bool {
        matches!(self, Self::Created { suspended: true } | Self::Matched { suspended: true, .. })
    }
}

/// A user whom one who waits meets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetUser {
    /// The user; of one who would only be made now, an id that means nothing yet.
    pub user: UserId,
    /// The name that people see.
    pub name: String,
    /// For whom that user would be made, if it is not there yet.
    pub created_for: Option<ExternalUserId>,
}

/// How many of those who are shown would become what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IntroductionCounts {
    /// For whom a user would be made.
    pub created: usize,
    /// Who would be linked to a user.
    pub matched: usize,
    /// Who would wait for a match.
    pub match_proposed: usize,
    /// Who would go on waiting because the directory may not do what it says.
    pub refused: usize,
    /// Whose user would be switched off.
    pub suspended: usize,
    /// Who would hold something that changes what others may do.
    pub privileged: usize,
}

impl Introduction {
    /// How many of those who are shown would become what.
    pub fn counts(&self) -> IntroductionCounts {
        let mut counts = IntroductionCounts::default();
        for line in &self.lines {
            match line.outcome {
                IntroductionOutcome::Created { .. } => counts.created += 1,
                IntroductionOutcome::Matched { .. } => counts.matched += 1,
                IntroductionOutcome::MatchProposed { .. } => counts.match_proposed += 1,
                IntroductionOutcome::Refused(_) => counts.refused += 1,
            }
            counts.suspended += usize::from(line.outcome.is_suspended());
            counts.privileged += usize::from(line.is_privileged());
        }
        counts
    }
}

/// Names what putting a directory in force would do.
fn hash(wanted: &Directory, lines: &[IntroductionEntry]) -> String {
    let met = |met: &MetUser| match met.created_for {
        Some(external) => format!("made for {external}"),
        None => met.user.to_string(),
    };
    let items = |items: &[EffectiveItem]| {
        let mut texts: Vec<String> = items.iter().map(|item| serde_json::to_string(item).unwrap_or_default()).collect();
        texts.sort_unstable();
        texts.join(",")
    };
    let mut parts: Vec<String> = Vec::with_capacity(lines.len());
    for line in lines {
        let whom = match &line.outcome {
            IntroductionOutcome::Matched { user, .. } => met(user),
            IntroductionOutcome::MatchProposed { candidates } => {
                candidates.iter().map(met).collect::<Vec<_>>().join(",")
            }
            IntroductionOutcome::Created { .. } | IntroductionOutcome::Refused(_) => String::new(),
        };
        let (word, suspended) = (line.outcome.word(), line.outcome.is_suspended());
        let (gains, losses) = (items(&line.gains), items(&line.losses));
        parts.push(format!("{} {word} {suspended} {whom} +{gains} -{losses}\n", line.external));
    }
    parts.sort_unstable();
    let text = format!("introduce {} {}\n{}", wanted.id, wanted.mode.as_str(), parts.concat());
    sha256(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What putting a directory of the extent's partner in force, as `wanted` has it, would do with those who wait there: it is
/// done and taken back. At most [`MOST_SHOWN`] of them, in the order in which they came; of more, those first whom a rule
/// may make privileged. A page behind `after` is tried as if nobody of the pages before had come.
///
/// # Errors
/// Those of the store.
pub async fn preview(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    wanted: &Directory,
    after: Option<ExternalUserId>,
) -> Result<Introduction, ProvisionError> {
    let waiting = directory_summaries::unlinked(tx, at, wanted.id).await?;
    let (chosen, next) = choose(tx, at, wanted.id, waiting, after).await?;
    let tried = tx.attempt(true, async |tx: &mut Tx| tried(tx, ctx, at, wanted, &chosen).await).await?;
    let (mut lines, mut known) = (Vec::with_capacity(chosen.len()), EffectiveItemReader::default());
    for (waiting, (outcome, user)) in chosen.into_iter().zip(tried) {
        let (mut gains, mut losses) = (Vec::new(), Vec::new());
        if let Some((user, after)) = user {
            let before = known.of(tx, at, user, ctx.now()).await?;
            gains = after.iter().filter(|item| !before.contains(item)).cloned().collect();
            losses = before.into_iter().filter(|item| !after.contains(item)).collect();
        }
        let display_name = display_name(&waiting);
        let Waiting { id, slug, user_name, .. } = waiting;
        lines.push(IntroductionEntry { external: id, slug, user_name, display_name, outcome, gains, losses });
    }
    lines.sort_by_cached_key(|line| {
        (!line.is_privileged(), line.outcome.word(), line.display_name.to_lowercase(), line.external)
    });
    Ok(Introduction { hash: hash(wanted, &lines), mode: wanted.mode, waiting, lines, next })
}

/// Who is shown, in the order in which they came, and behind whom the next page begins.
async fn choose(
    reader: &mut Reader,
    at: &PartnerExtent,
    directory: DirectoryId,
    waiting: i64,
    after: Option<ExternalUserId>,
) -> Result<(Vec<Waiting>, Option<ExternalUserId>), StoreError> {
    let mut elevated = BTreeSet::new();
    if usize::try_from(waiting).unwrap_or(usize::MAX) > MOST_SHOWN {
        let mut known = EffectiveItemReader::default();
        for written in rules::in_force(reader, at, directory).await? {
            if elevated.len() < MOST_SHOWN && known.elevates(reader, &written.rule.effect).await? {
                let meant = effective_items::meant_by(reader, at, written.rule.id, MOST_SHOWN).await?;
                elevated.extend(meant.into_iter().take(MOST_SHOWN - elevated.len()));
            }
        }
    }
    let first: Vec<ExternalUserId> = elevated.iter().copied().filter(|_| after.is_none()).collect();
    let mut chosen = matches::of_these(reader, at, directory, &first).await?;
    let room = MOST_SHOWN.saturating_sub(chosen.len());
    let mut last = after.unwrap_or(ExternalUserId::from_uuid(uuid::Uuid::nil()));
    let limit = MOST_SHOWN.saturating_add(1);
    let rows = matches::of_directory(reader, at, directory, last, u32::try_from(limit).unwrap_or(u32::MAX)).await?;
    let (mut taken, mut more) = (0, rows.len() == limit);
    for row in rows {
        if !elevated.contains(&row.id) {
            if taken == room {
                more = true;
                break;
            }
            taken += 1;
            last = row.id;
            chosen.push(row);
        } else {
            last = row.id;
        }
    }
    chosen.sort_by_key(|row| row.id);
    Ok((chosen, Some(last).filter(|_| more)))
}

/// What came of each who was tried, and what its user held then.
type Tried = Vec<(IntroductionOutcome, Option<(UserId, Vec<EffectiveItem>)>)>;

/// Does it.
async fn tried(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &PartnerExtent,
    wanted: &Directory,
    chosen: &[Waiting],
) -> Result<Tried, ProvisionError> {
    change_directory(tx, ctx, at, wanted).await?;
    let sources = Sources::of(tx, at, wanted.id).await?;
    let page: Vec<_> = chosen.iter().map(|one| (one.id, one.connection)).collect();
    let came = introduced(tx, ctx, &sources, &page).await?;
    let mut made: BTreeMap<UserId, &Waiting> = BTreeMap::new();
    for (one, came) in chosen.iter().zip(&came) {
        if let Ok(effect) = came {
            made.extend(linked(effect).filter(|(_, new)| *new).map(|(user, _)| (user, one)));
        }
    }
    let left: Vec<ExternalUserId> = chosen
        .iter()
        .zip(&came)
        .filter(|(_, came)| came.as_ref().is_ok_and(|effect| linked(effect).next().is_none()))
        .map(|(one, _)| one.id)
        .collect();
    let left = matches::of_these(tx, at, wanted.id, &left).await?;
    let met = |user: UserId, name: String| MetUser { user, name, created_for: made.get(&user).map(|of| of.id) };
    let (mut outcomes, mut known, mut told) =
        (Vec::with_capacity(chosen.len()), EffectiveItemReader::default(), BTreeSet::new());
    for (one, came) in chosen.iter().zip(came) {
        let effect = match came {
            Ok(effect) => effect,
            Err(why) => {
                outcomes.push((IntroductionOutcome::Refused(why.to_string()), None));
                continue;
            }
        };
        let suspended = effect.users.iter().any(|change| change.change == UserChangeKind::Suspended);
        let (outcome, user) = match linked(&effect).next() {
            Some((user, true)) => (IntroductionOutcome::Created { suspended }, Some(user)),
            Some((user, false)) => {
                let name = match made.get(&user) {
                    Some(of) => display_name(of),
                    None => users::get(tx, at, user).await?.map(|user| user.profile.display_name).unwrap_or_default(),
                };
                (IntroductionOutcome::Matched { user: met(user, name), suspended }, Some(user))
            }
            None => {
                let candidates = left.iter().find(|row| row.id == one.id).map(|row| row.candidates.clone());
                let candidates = candidates.unwrap_or_default().into_iter();
                let candidates = candidates.map(|known| met(known.user, known.display_name)).collect();
                (IntroductionOutcome::MatchProposed { candidates }, None)
            }
        };
        let held = match user.filter(|user| told.insert(*user)) {
            Some(user) => Some((user, known.of(tx, at, user, ctx.now()).await?)),
            None => None,
        };
        outcomes.push((outcome, held));
    }
    Ok(outcomes)
}

/// The user somebody was linked to, and whether that user was made for it.
fn linked(effect: &Effect) -> impl Iterator<Item = (UserId, bool)> {
    effect.users.iter().filter_map(|change| match change.change {
        UserChangeKind::Created => Some((change.user, true)),
        UserChangeKind::Matched => Some((change.user, false)),
        _ => None,
    })
}

/// The name that is said of one who waits, else its unique name.
fn display_name(one: &Waiting) -> String {
    let said = one.doc.get("displayName").and_then(serde_json::Value::as_str).filter(|name| !name.trim().is_empty());
    said.unwrap_or(&one.user_name).to_owned()
}
