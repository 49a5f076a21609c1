//! `/directories/{id}/introduction`: what putting an observed directory in force would do, user by user, and doing it.
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error::PageError;
use super::layout::{self, Layout, html, id, link, ok, parameter, see_other, session_user, submitted};
use super::partner_header::{PartnerHeader, place};
use crate::access::explain::ScopeSummary;
use crate::admin::introductions::{self, IntroductionRequest, NotIntroduced};
use crate::domain::capability::CoreCapability;
use crate::domain::directory::DirectoryMode;
use crate::domain::grant::Scope;
use crate::domain::id::{DirectoryId, Id as _};
use crate::provision::introduce::{Introduction, IntroductionEntry, IntroductionOutcome};
use crate::store::effective_items::EffectiveItem;
use crate::store::effective_lists::CeilingEffect;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, directories, effective, resources};
use crate::web::App;
use crate::web::login::SessionUser;

#[derive(Template)]
#[template(path = "console/introduction.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    id: String,
    name: String,
    mode: &'static str,
    modes: Vec<ModeChoice>,
    /// The plan that was to be carried out is another one by now.
    changed: bool,
    hash: String,
    /// `3 people`.
    waiting: String,
    nobody: bool,
    /// How many wait and are not shown.
    more: i64,
    sums: Vec<Sum>,
    lines: Vec<EntryRow>,
}

struct ModeChoice {
    word: &'static str,
    says: &'static str,
    chosen: bool,
}

struct Sum {
    number: usize,
    says: &'static str,
}

struct EntryRow {
    name: String,
    user_name: String,
    slug: String,
    privileged: bool,
    suspended: bool,
    outcome: String,
    gains: Vec<String>,
    losses: Vec<String>,
}

/// Shows it.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let mode = match parameter(&request, "mode") {
        word if word.is_empty() => DirectoryMode::Authoritative,
        word => mode(&word)?,
    };
    let wanted = IntroductionRequest { actor: session_user.user(), directory: id(&path)?, mode };
    let shown = introductions::plan(&app.store, &session_user.ctx(&app), wanted, None).await?;
    Ok(ok(&page(&request, &app, &session_user, wanted.directory, shown, false).await?))
}

/// Puts the directory in force as the page showed it, or shows what it would do now.
pub(super) async fn carry_out(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let directory: DirectoryId = id(&path)?;
    let wanted = IntroductionRequest { actor: session_user.user(), directory, mode: mode(form.field("mode"))? };
    match introductions::carry_out(&app.store, &session_user.ctx(&app), wanted, form.field("plan_hash")).await {
        Ok(_) => Ok(see_other(&link(&format!("/directories/{directory}"), &[("done", "introduced")]))),
        Err(NotIntroduced::Changed(shown)) => {
            let page = page(&request, &app, &session_user, directory, *shown, true).await?;
            Ok(html(StatusCode::CONFLICT, &page))
        }
        Err(NotIntroduced::Refused(why)) => Err(why.into()),
    }
}

fn mode(word: &str) -> Result<DirectoryMode, PageError> {
    DirectoryMode::parse(word).ok_or_else(|| PageError::Invalid("Choose how the directory is to count.".to_owned()))
}

async fn page(
    request: &HttpRequest,
    app: &App,
    session_user: &SessionUser,
    directory: DirectoryId,
    shown: Introduction,
    changed: bool,
) -> Result<Page, PageError> {
    let (me, now) = (session_user.user(), app.clock.now());
    let frame = Layout::of(session_user, request, "partners");
    let counts = shown.counts();
    app.store
        .snapshot(async |reader: &mut Reader| {
            let about = resources::of_directory(reader, directory).await?.ok_or(PageError::NotFound)?;
            let at = effective::authorize(reader, me, CoreCapability::ConnectionView, about, now).await?;
            let found = directories::get(reader, &at, directory).await?;
            let mut sight = Sight::of(me, now);
            let ids: Vec<_> = shown.lines.iter().flat_map(scopes).map(|scope| scope.partner().uuid()).collect();
            let names = visible_reasons::names(reader, &mut sight, &ids).await?;
            let named = |scope: &Scope| {
                let name = names.iter().find(|(id, _)| *id == scope.partner().uuid()).map(|(_, name)| name.clone());
                ScopeSummary::of(scope, name.unwrap_or_else(|| "a part you may not see".to_owned())).to_string()
            };
            let listed = i64::try_from(shown.lines.len()).unwrap_or(i64::MAX);
            let sums = [
                (counts.privileged, "get or lose something that changes what others may do"),
                (counts.created, "are made as users"),
                (counts.matched, "are linked to a user"),
                (counts.match_proposed, "wait for a match"),
                (counts.refused, "go on waiting"),
                (counts.suspended, "are switched off"),
            ];
            Ok::<_, PageError>(Page {
                at: place(reader, me, &at, now).await?,
                id: directory.to_string(),
                name: found.name,
                mode: shown.mode.as_str(),
                modes: choices(shown.mode),
                changed,
                waiting: layout::count(shown.waiting, "user waits", "users wait"),
                nobody: shown.waiting == 0,
                more: shown.waiting.saturating_sub(listed),
                sums: sums
                    .into_iter()
                    .filter(|(number, _)| *number > 0)
                    .map(|(number, says)| Sum { number, says })
                    .collect(),
                lines: shown.lines.iter().map(|one| line(one, &named)).collect(),
                hash: shown.hash,
                frame,
            })
        })
        .await
}

fn choices(chosen: DirectoryMode) -> Vec<ModeChoice> {
    let choice = |mode: DirectoryMode, says| ModeChoice { word: mode.as_str(), says, chosen: mode == chosen };
    vec![
        choice(DirectoryMode::Authoritative, "In force: what it says counts in full, up to its ceiling"),
        choice(DirectoryMode::Additive, "Only adds: it takes nothing away"),
        choice(DirectoryMode::Paused, "Frozen: as it is now, and nothing it says later"),
    ]
}

fn scopes(line: &IntroductionEntry) -> impl Iterator<Item = &Scope> {
    line.gains.iter().chain(&line.losses).filter_map(|item| match item {
        EffectiveItem::Grant { scope, .. } => Some(scope),
        EffectiveItem::Group { .. } => None,
    })
}

fn line(line: &IntroductionEntry, named: &impl Fn(&Scope) -> String) -> EntryRow {
    let items = |items: &[EffectiveItem]| items.iter().map(|item| text(item, named)).collect();
    let outcome = match &line.outcome {
        IntroductionOutcome::Created { .. } => "is made as a user".to_owned(),
        IntroductionOutcome::Matched { user, .. } => format!("is linked to {}", user.name),
        IntroductionOutcome::MatchProposed { candidates } => {
            let names: Vec<&str> = candidates.iter().map(|met| met.name.as_str()).collect();
            format!("waits for a match with {}", names.join(" or "))
        }
        IntroductionOutcome::Refused(why) => format!("goes on waiting: {why}"),
    };
    EntryRow {
        name: line.display_name.clone(),
        user_name: line.user_name.clone(),
        slug: line.slug.clone(),
        privileged: line.is_privileged(),
        suspended: line.outcome.is_suspended(),
        outcome,
        gains: items(&line.gains),
        losses: items(&line.losses),
    }
}

fn text(item: &EffectiveItem, named: &impl Fn(&Scope) -> String) -> String {
    match item {
        EffectiveItem::Group { group } => format!("group {}", group.name),
        EffectiveItem::Grant { role, scope, ceiling_effect, .. } => {
            let part = if *ceiling_effect == CeilingEffect::Partial { ", in part" } else { "" };
            format!("{} over {}{part}", role.name, named(scope))
        }
    }
}
