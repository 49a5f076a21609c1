//! `/directories/{id}`: one directory with its connections, its ceiling and its rules.
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use uuid::Uuid;

use super::directories::{ConnectionCounts, ConnectionListRow, connection, mode_name};
use super::error::PageError;
use super::grant_path::capital;
use super::layout::{Layout, id, ok, see_other, session_user, submitted};
use super::partner_header::{self, PartnerHeader, place};
use super::products::{self, ProductGroup};
use crate::access::explain::ScopeSummary;
use crate::admin;
use crate::domain::capability::CoreCapability;
use crate::domain::directory::DirectoryMode;
use crate::domain::grant::{Scope, ScopeBase};
use crate::domain::id::{DirectoryId, Id as _, RuleId};
use crate::domain::rule::RuleEffect;
use crate::store::reserved_groups::{self, UnboundRule};
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, StoreError, connections, directories, directory_summaries, effective, resources, rules};
use crate::web::App;

/// How long counting the matches may take; then the page does without.
const COUNTING: Duration = Duration::from_millis(400);

#[derive(Template)]
#[template(path = "console/directory.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    id: String,
    name: String,
    mode: &'static str,
    mode_title: &'static str,
    unlinked: i64,
    observed: bool,
    connections: Vec<ConnectionListRow>,
    ceilings: Vec<Ceiling>,
    rules: Vec<Rule>,
    rule_version: i64,
    may_write: bool,
    products: Vec<ProductGroup>,
}

struct Ceiling {
    role: String,
    scope: String,
}

struct Rule {
    id: RuleId,
    name: String,
    when: String,
    verb: &'static str,
    then: String,
    matches: String,
    /// Why groups that it asks for are not there.
    loose: Vec<String>,
}

/// Shows the directory.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let (me, now, directory) = (session_user.user(), app.clock.now(), id::<DirectoryId>(&path)?);
    let frame = Layout::of(&session_user, &request, "partners");
    let mut page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let about = resources::of_directory(reader, directory).await?.ok_or(PageError::NotFound)?;
            let at = effective::authorize(reader, me, CoreCapability::ConnectionView, about, now).await?;
            let found = directories::get(reader, &at, directory).await?;
            let counts = ConnectionCounts::of(reader, &at).await?;
            let written = rules::in_force(reader, &at, directory).await?;
            let rows = directories::ceilings(reader, &at, directory).await?;
            let names = names(reader, &mut Sight::of(me, now), &written, &rows).await?;
            let loose = reserved_groups::loose(reader, &at, directory).await?;
            Ok::<_, PageError>(Page {
                frame,
                connections: connections::of_directory(reader, &at, directory)
                    .await?
                    .iter()
                    .map(|one| counts.row(one))
                    .collect(),
                ceilings: rows
                    .iter()
                    .map(|row| Ceiling { role: names.of(row.role.uuid()), scope: names.scope(&row.scope) })
                    .collect(),
                rules: written.into_iter().map(|rule| names.rule(rule, &loose)).collect(),
                unlinked: directory_summaries::unlinked(reader, &at, directory).await?,
                may_write: partner_header::may(reader, me, CoreCapability::ConnectionWrite, about, now).await?,
                at: place(reader, me, &at, now).await?,
                id: found.id.to_string(),
                observed: found.mode == DirectoryMode::Observe,
                mode: mode_name(found.mode),
                mode_title: mode_title(found.mode),
                rule_version: found.rule_set_version,
                name: found.name,
                products: products::all(),
            })
        })
        .await?;
    let matches = app
        .store
        .snapshot_within(COUNTING, async |reader: &mut Reader| {
            let about = resources::of_directory(reader, directory).await?.ok_or(PageError::NotFound)?;
            let at = effective::authorize(reader, me, CoreCapability::ConnectionView, about, now).await?;
            Ok::<_, PageError>(directory_summaries::matches(reader, &at, directory).await?)
        })
        .await;
    if let Ok(matches) = matches {
        let matches: BTreeMap<RuleId, i64> = matches.into_iter().collect();
        for rule in &mut page.rules {
            rule.matches = matches.get(&rule.id).copied().unwrap_or_default().to_string();
        }
    }
    Ok(ok(&page))
}

/// Adds a connection.
pub(super) async fn add(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let directory: DirectoryId = id(&path)?;
    let connection = connection(&form)?;
    admin::connections::add(&app.store, &session_user.ctx(&app), session_user.user(), directory, &connection).await?;
    Ok(see_other(&format!("/connections/{}?done=connected", connection.slug)))
}

fn mode_title(mode: DirectoryMode) -> &'static str {
    match mode {
        DirectoryMode::Observe => "Shown, and left out of every decision.",
        DirectoryMode::Additive => "What it says adds to what users have; it takes nothing away.",
        DirectoryMode::Authoritative => "What it says counts in full, up to its ceiling.",
        DirectoryMode::Paused => "What it conferred stays as it is; nothing it says is taken.",
    }
}

/// The names of what rules and ceilings speak of.
struct Names(BTreeMap<Uuid, String>);

async fn names(
    reader: &mut Reader,
    sight: &mut Sight,
    written: &[rules::StoredRule],
    ceilings: &[crate::domain::directory::CeilingEntry],
) -> Result<Names, StoreError> {
    let mut ids: Vec<Uuid> = ceilings.iter().map(|row| row.role.uuid()).collect();
    let mut scopes: Vec<&Scope> = ceilings.iter().map(|row| &row.scope).collect();
    for rule in written {
        match &rule.rule.effect {
            RuleEffect::SetPrimaryGroup { user_group: group } | RuleEffect::AddToGroup { user_group: group } => {
                ids.push(group.uuid())
            }
            RuleEffect::GrantRole { role, scope } => {
                ids.push(role.uuid());
                scopes.push(scope);
            }
        }
    }
    for scope in scopes {
        ids.push(scope.partner().uuid());
        ids.extend(scope.excluded_partners.iter().map(|out| out.uuid()));
        ids.extend(scope.excluded_user_groups.iter().map(|out| out.uuid()));
        if let ScopeBase::UserGroups { user_groups: groups, .. } = &scope.base {
            ids.extend(groups.iter().map(|group| group.uuid()));
        }
    }
    Ok(Names(visible_reasons::names(reader, sight, &ids).await?.into_iter().collect()))
}

impl Names {
    fn of(&self, id: Uuid) -> String {
        self.0.get(&id).cloned().unwrap_or_else(|| "something you may not see, or that has gone".to_owned())
    }

    fn listed(&self, ids: impl Iterator<Item = Uuid>) -> String {
        ids.map(|id| self.of(id)).collect::<Vec<_>>().join(", ")
    }

    fn scope(&self, scope: &Scope) -> String {
        let mut plain = scope.clone();
        plain.excluded_partners.clear();
        plain.excluded_user_groups.clear();
        let mut text = match &scope.base {
            ScopeBase::UserGroups { partner, user_groups: groups } => {
                let groups = self.listed(groups.iter().map(|group| group.uuid()));
                format!("{groups} of {}", self.of(partner.uuid()))
            }
            _ => ScopeSummary::of(&plain, self.of(scope.partner().uuid())).to_string(),
        };
        let outs = scope.excluded_partners.iter().map(|out| out.uuid());
        let outs = self.listed(outs.chain(scope.excluded_user_groups.iter().map(|out| out.uuid())));
        if !outs.is_empty() {
            text = format!("{text} except {outs}");
        }
        capital(&text)
    }

    fn rule(&self, written: rules::StoredRule, loose: &[UnboundRule]) -> Rule {
        let (verb, then) = match &written.rule.effect {
            RuleEffect::SetPrimaryGroup { user_group: group } => ("primary group", self.of(group.uuid())),
            RuleEffect::AddToGroup { user_group: group } => ("add to group", self.of(group.uuid())),
            RuleEffect::GrantRole { role, scope } => {
                ("grant role", format!("{} over {}", self.of(role.uuid()), self.scope(scope)))
            }
        };
        let id = written.rule.id;
        let loose = loose.iter().filter(|loose| loose.rule_id == id).map(UnboundRule::to_string).collect();
        Rule { id, name: written.rule.name, when: written.when, verb, then, matches: "…".to_owned(), loose }
    }
}
