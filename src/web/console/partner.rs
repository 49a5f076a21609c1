//! `/partners/{id}`: one partner.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error::PageError;
use super::layout::{Layout, count, id, last, minute, ok, see_other, session_user, submitted};
use super::partner_header::{self, PartnerHeader, place};
use super::tree::PartnerTreeRow;
use super::user::Suspension;
use crate::admin;
use crate::admin::partners::Stopped;
use crate::admin::suspensions::SuspensionOrder;
use crate::domain::capability::CoreCapability;
use crate::domain::id::PartnerId;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, effective, partners, reach, suspensions, user_groups, users};
use crate::web::App;

/// Most partners below that are listed.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "console/partner.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    external_id: Option<String>,
    suspensions: Vec<Suspension>,
    since: String,
    groups: Option<Vec<Group>>,
    children: Vec<PartnerTreeRow>,
    /// Who would be stopped, for a visitor who may switch the partner off.
    stops: Option<Stops>,
    /// Whether the visitor may try to lift what is decided.
    may_reactivate: bool,
}

/// Who would be stopped.
struct Stops {
    /// `12 people in 3 partners, 4 of them signed in`.
    whom: String,
    /// The partners below, as far as the visitor sees them: each with its users.
    below: Vec<(String, String)>,
    /// `2 directories with 3 open connections`.
    directories: String,
    /// Those of them that the visitor sees: each with whose it is and its open connections.
    by_directory: Vec<(String, String)>,
}

struct Group {
    name: String,
    users: u64,
    kind: &'static str,
}

/// Shows the partner.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let (me, now, asked) = (session_user.user(), app.clock.now(), partner_header::partner(id(&path)?));
    let frame = Layout::of(&session_user, &request, "partners");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let at = effective::authorize(reader, me, CoreCapability::PartnerView, asked, now).await?;
            let partner = partners::get(reader, &at).await?;
            let may_groups = partner_header::may(reader, me, CoreCapability::GroupView, asked, now).await?;
            let groups = if may_groups { Some(user_groups::of_partner(reader, &at).await?) } else { None };
            let seen = reach::regions(reader, &session_user.signed.extent, CoreCapability::PartnerView, now).await?;
            let below = reach::below(reader, &seen, partner.id, MOST).await?;
            let mut sight = Sight::of(me, now);
            let found = suspensions::of_partner(reader, &at).await?;
            let suspensions = visible_reasons::holds(reader, &mut sight, &at, partner.id, found).await?;
            let may_suspend = partner_header::may(reader, me, CoreCapability::PartnerSuspend, asked, now).await?;
            let own = users::at_home_below(reader, &at, me).await?;
            let stops = match may_suspend && !own && suspensions.is_empty() {
                true => Some(Stops::of(&admin::partners::stopped(reader, me, partner.id, now).await?, partner.id)),
                false => None,
            };
            Ok::<_, PageError>(Page {
                frame,
                may_reactivate: may_suspend && !suspensions.is_empty(),
                suspensions: suspensions.into_iter().map(|one| Suspension::of(one, now)).collect(),
                stops,
                at: place(reader, me, &at, now).await?,
                since: minute(partner.created_at),
                external_id: partner.external_id,
                groups: groups
                    .map(|groups| groups.into_iter().map(|(group, users)| Group::of(&group, users)).collect()),
                children: below.iter().map(PartnerTreeRow::of).collect(),
            })
        })
        .await?;
    Ok(ok(&page))
}

/// Switches the partner off, or lifts what the visitor may lift: the last word of the address says which.
pub(super) async fn act(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let partner: PartnerId = id(&path)?;
    let (store, ctx, me) = (&app.store, session_user.ctx(&app), session_user.user());
    let done = match last(&request) {
        "suspend" => {
            let notice = Some(form.field("notice")).filter(|notice| !notice.trim().is_empty());
            let order = SuspensionOrder { cause: form.field("reason"), notice, ..SuspensionOrder::default() };
            admin::partners::suspend(store, &ctx, me, partner, &order).await.map(|_| "partner_suspended")?
        }
        "reactivate" => admin::partners::reactivate(store, &ctx, me, partner, None).await.map(|_| "reactivated")?,
        _ => return Err(PageError::NotFound),
    };
    Ok(see_other(&format!("/partners/{partner}?done={done}")))
}

impl Stops {
    fn of(stopped: &Stopped, own: PartnerId) -> Self {
        let counts = stopped.counts;
        let whom = format!(
            "{} in {}, {} of them signed in, with {}",
            count(counts.users, "user", "users"),
            count(counts.partners, "partner", "partners"),
            counts.signed_in,
            count(counts.tokens, "API token", "API tokens"),
        );
        let below = stopped.by_partner.iter().filter(|one| one.partner.id != own);
        let below = below.map(|one| (one.partner.name.clone(), count(one.users, "user", "users")));
        let directories = format!(
            "{}, of {}",
            count(counts.connections, "open connection", "open connections"),
            count(counts.directories, "directory that speaks", "directories that speak"),
        );
        let connections = |open: i64| count(open, "open connection", "open connections");
        let by_directory = stopped.by_directory.iter().map(|one| {
            let whose = format!("{} of {}", one.directory.name, one.partner.name);
            (whose, connections(one.connections))
        });
        Self { whom, below: below.collect(), directories, by_directory: by_directory.collect() }
    }
}

impl Group {
    fn of(group: &crate::domain::group::UserGroup, users: u64) -> Self {
        let kind = match (group.is_default, group.is_primary) {
            (true, _) => "default",
            (false, true) => "primary",
            (false, false) => "additional",
        };
        Self { name: group.name.clone(), users, kind }
    }
}
