//! `/users/{id}`: one user, what directories say of them, and what they may do where, with the reasons.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use uuid::Uuid;

use super::error::PageError;
use super::grant_path::{GrantPath, answer_path, short, why};
use super::layout::{self, Layout, id, ok, parameter, see_other, submitted};
use super::partner_header::{self, PartnerHeader, place};
use crate::access::decide::Question;
use crate::admin;
use crate::admin::suspensions::SuspensionOrder;
use crate::domain::capability::CoreCapability;
use crate::domain::grant::Resource;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::HoldKind;
use crate::store::extent::PartnerExtent;
use crate::store::visible_reasons::{self, Sight, VisibleSuspension};
use crate::store::{
    Reader, catalog, delegated_access, effective, effective_lists, reach, resources, suspensions, user_summaries, users,
};
use crate::web::App;
use crate::web::login::SessionUser;

/// Partners offered in the question.
const MOST_PARTNERS: usize = 300;

#[derive(Template)]
#[template(path = "console/user.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    id: String,
    name: String,
    login: String,
    email: String,
    since: String,
    confirmed: bool,
    /// What an unconfirmed user rests on, in words.
    rests_on: String,
    suspensions: Vec<Suspension>,
    may_change: bool,
    /// Whether anything keeps the user off now.
    off: bool,
    suspended_by_admin: bool,
    primary_group: String,
    labels: Vec<String>,
    connections: Vec<user_summaries::LinkedAccount>,
    access: Option<Vec<GrantPath>>,
    /// How many lines the visitor may not see.
    hidden: usize,
    ask: Option<Ask>,
}

/// A suspension as the visitor may know of it.
pub(super) struct Suspension {
    pub(super) by: String,
    pub(super) cause: String,
    pub(super) since: String,
    /// The day that lies ahead from which it holds; none when it holds already.
    pub(super) ahead: Option<String>,
}

impl Suspension {
    /// As it stands at `now`.
    pub(super) fn of(told: VisibleSuspension, now: Timestamp) -> Self {
        let cause = told.cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let ahead = told.from.filter(|from| *from > now).map(layout::minute);
        Self { by: told.words, cause, since: layout::minute(told.from.unwrap_or(told.since)), ahead }
    }
}

struct Ask {
    capabilities: Vec<Choice>,
    partners: Vec<Choice>,
    answer: Option<Answer>,
}

struct Choice {
    value: String,
    title: String,
    chosen: bool,
}

struct Answer {
    allowed: bool,
    reason: String,
    path: Option<GrantPath>,
}

/// Who looks at whom, and where that user is at home.
struct Look<'a> {
    session_user: &'a SessionUser,
    at: PartnerExtent,
    about: Resource,
    user: UserId,
    now: Timestamp,
}

/// Shows the user.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = layout::session_user(&request, &app).await?;
    let user: UserId = id(&path)?;
    let (capability, partner) = (parameter(&request, "capability"), parameter(&request, "partner"));
    let (frame, now) = (Layout::of(&session_user, &request, "partners"), app.clock.now());
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let about = resources::of_user(reader, user).await?.ok_or(PageError::NotFound)?;
            let at = effective::authorize(reader, session_user.user(), CoreCapability::UserView, about, now).await?;
            let look = Look { session_user: &session_user, at, about, user, now };
            look.page(reader, frame, &capability, &partner).await
        })
        .await;
    match page {
        Ok(page) => Ok(ok(&page)),
        // Whoever holds nothing still has a page of their own.
        Err(PageError::NotFound | PageError::Forbidden(_)) if user == session_user.user() => Ok(see_other("/account")),
        Err(halt) => Err(halt),
    }
}

impl Look<'_> {
    async fn page(
        self,
        reader: &mut Reader,
        frame: Layout,
        capability: &str,
        partner: &str,
    ) -> Result<Page, PageError> {
        let me = self.session_user.user();
        let user = users::get(reader, &self.at, self.user).await?.ok_or(PageError::NotFound)?;
        let found = suspensions::of_user(reader, &self.at, self.user).await?;
        let mut sight = Sight::of(me, self.now);
        let suspensions = visible_reasons::holds(reader, &mut sight, &self.at, self.about.partner, found).await?;
        let connections = user_summaries::connections(reader, &self.at, self.user).await?;
        let groups = effective_lists::groups_of(reader, &self.at, self.user).await?;
        let groups = visible_reasons::groups(reader, &mut sight, self.user, groups).await?;
        let (place_of, labels): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.is_primary);
        let mut labels: Vec<String> = labels.into_iter().map(|group| group.group.name).collect();
        labels.dedup();
        let may_roles =
            me == self.user || partner_header::may(reader, me, CoreCapability::RoleView, self.about, self.now).await?;
        let (access, hidden) = match may_roles {
            true => self.access(reader, &mut sight, &connections).await.map(|(lines, hidden)| (Some(lines), hidden))?,
            false => (None, 0),
        };
        let rests_on = self.rests_on(reader, user.confirmed_at.is_some()).await?;
        Ok(Page {
            frame,
            confirmed: user.confirmed_at.is_some(),
            rests_on,
            at: place(reader, me, &self.at, self.now).await?,
            may_change: me != self.user
                && partner_header::may(reader, me, CoreCapability::UserWrite, self.about, self.now).await?,
            off: suspensions.iter().any(|one| one.from.is_none_or(|from| from <= self.now)),
            suspended_by_admin: suspensions.iter().any(|one| one.connection.is_none()),
            suspensions: suspensions.into_iter().map(|one| Suspension::of(one, self.now)).collect(),
            id: user.id.to_string(),
            name: user.profile.display_name,
            login: user.profile.login_name.unwrap_or_default(),
            email: user.profile.email.unwrap_or_default(),
            since: layout::minute(user.created_at),
            primary_group: place_of.into_iter().next().map(|group| group.group.name).unwrap_or_default(),
            labels,
            ask: self.ask(reader, &connections, capability, partner).await?,
            connections,
            access,
            hidden,
        })
    }

    /// The directories that vouch for somebody whom nobody has confirmed, in words.
    async fn rests_on(&self, reader: &mut Reader, confirmed: bool) -> Result<String, PageError> {
        if confirmed {
            return Ok(String::new());
        }
        let vouchers = delegated_access::vouching(reader, &self.at, self.user).await?;
        let me = self.session_user.user();
        let mut names = Vec::new();
        for one in &vouchers {
            let Some(there) = resources::of_directory(reader, one.directory).await? else { continue };
            if partner_header::may(reader, me, CoreCapability::ConnectionView, there, self.now).await? {
                names.push(one.name.as_str());
            }
        }
        Ok(match (names.is_empty(), vouchers.is_empty()) {
            (false, _) => names.join(" and "),
            (true, false) => "a directory".to_owned(),
            (true, true) => "nobody’s word".to_owned(),
        })
    }

    /// What the user holds, as far as the visitor may see it, and how many lines there are besides.
    async fn access(
        &self,
        reader: &mut Reader,
        sight: &mut Sight,
        connections: &[user_summaries::LinkedAccount],
    ) -> Result<(Vec<GrantPath>, usize), PageError> {
        let grants = effective_lists::grants_of(reader, &self.at, self.user, self.now).await?;
        let (grants, hidden) = visible_reasons::grants(reader, sight, self.user, grants).await?;
        let outs = grants.iter().flat_map(|grant| &grant.scope.excluded_partners);
        let outs: Vec<Uuid> = outs.map(|partner| crate::domain::id::Id::uuid(*partner)).collect();
        let names = visible_reasons::names(reader, sight, &outs).await?;
        Ok((grants.iter().map(|grant| why(grant, connections, &names)).collect(), hidden))
    }

    /// The question, when the visitor may ask about this user, and its answer, when it is asked.
    async fn ask(
        &self,
        reader: &mut Reader,
        connections: &[user_summaries::LinkedAccount],
        capability: &str,
        partner: &str,
    ) -> Result<Option<Ask>, PageError> {
        let me = self.session_user.user();
        if me != self.user && !partner_header::may(reader, me, CoreCapability::AccessAsk, self.about, self.now).await? {
            return Ok(None);
        }
        let regions =
            reach::regions(reader, &self.session_user.signed.extent, CoreCapability::PartnerView, self.now).await?;
        let seen = reach::tree(reader, &regions, "", MOST_PARTNERS).await?;
        let capabilities = catalog::capabilities(reader).await?;
        let chosen = capabilities.iter().find(|one| one.name == capability).map(|one| one.id);
        let named = capability;
        let there = partner.parse().ok();
        let answer = match (chosen, there) {
            (Some(capability), Some(there)) => {
                let resource = partner_header::partner(there);
                effective::authorize(reader, me, CoreCapability::PartnerView, resource, self.now).await?;
                let question = Question { principal: self.user, capability, resource, now: self.now };
                let decision = effective::explain(reader, &question).await?.decision;
                let mut sight = Sight::of(me, self.now);
                let told = visible_reasons::decision(reader, &mut sight, &question, named, decision).await?;
                let path = told.reason.as_ref().and_then(|reason| answer_path(reason, connections));
                let reason = short(&told.sentence);
                // The page says the first word itself, in bold.
                let reason = reason.strip_prefix("Allowed ").or_else(|| reason.strip_prefix("Allowed. "));
                let reason = reason.map_or_else(|| short(&told.sentence), str::to_owned);
                Some(Answer { allowed: told.allowed, reason, path })
            }
            _ => None,
        };
        let there = there.unwrap_or(self.about.partner);
        let capability = |one: catalog::CapabilityRow| Choice {
            chosen: Some(one.id) == chosen,
            title: format!("{} ({})", one.title, one.name),
            value: one.name,
        };
        let partner = |node: crate::store::partners::TreeNode| Choice {
            chosen: node.partner.id == there,
            title: node.partner.name,
            value: node.partner.id.to_string(),
        };
        Ok(Some(Ask {
            capabilities: capabilities.into_iter().map(capability).collect(),
            partners: seen.into_iter().map(partner).collect(),
            answer,
        }))
    }
}

/// What a form of the page does: the last word of its address says which.
pub(super) async fn act(
    request: HttpRequest,
    app: web::Data<App>,
    payload: web::Payload,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let (session_user, form) = submitted(&request, &app, payload).await?;
    let user: UserId = id(&path)?;
    let (store, ctx, me) = (&app.store, session_user.ctx(&app), session_user.user());
    let done = match layout::last(&request) {
        "confirm" => admin::users::confirm(store, &ctx, me, user).await.map(|_| "confirmed")?,
        "unconfirm" => admin::users::unconfirm(store, &ctx, me, user).await.map(|_| "unconfirmed")?,
        "suspend" => {
            let at = day(form.field("day"))?;
            let kind = if at.is_some() { HoldKind::End } else { HoldKind::Partner };
            let order = SuspensionOrder { kind, cause: form.field("reason"), at, ..SuspensionOrder::default() };
            let done = if at.is_some() { "ends" } else { "suspended" };
            admin::users::suspend(store, &ctx, me, user, &order).await.map(|_| done)?
        }
        "reactivate" => admin::users::reactivate(store, &ctx, me, user, None).await.map(|_| "reactivated")?,
        _ => return Err(PageError::NotFound),
    };
    Ok(see_other(&format!("/users/{user}?done={done}")))
}

/// The first moment of a day, in UTC; none when none was chosen.
fn day(text: &str) -> Result<Option<Timestamp>, PageError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let moment = Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", text.trim()));
    moment.map(Some).ok_or_else(|| PageError::Invalid("The day is written as in 2027-01-31.".to_owned()))
}
