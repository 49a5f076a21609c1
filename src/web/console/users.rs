//! `/partners/{id}/users`: who is at home in a partner.
use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::PageError;
use super::layout::{Layout, count, id, link, ok, parameter, session_user};
use super::partner_header::{self, PartnerHeader, place};
use crate::domain::capability::CoreCapability;
use crate::domain::id::UserId;
use crate::domain::user::User;
use crate::store::{Reader, effective, user_groups, user_summaries, users};
use crate::web::App;

/// Users on a page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "console/users.html")]
struct Page {
    frame: Layout,
    at: PartnerHeader,
    query: String,
    total: String,
    users: Vec<UserListRow>,
    first: Option<String>,
    next: Option<String>,
}

struct UserListRow {
    id: String,
    name: String,
    login: String,
    group: String,
    from: String,
    suspended: bool,
}

/// Shows a page of the list.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let (me, now, asked) = (session_user.user(), app.clock.now(), partner_header::partner(id(&path)?));
    let query = parameter(&request, "q").trim().to_owned();
    let after = read_after(&parameter(&request, "after"));
    let frame = Layout::of(&session_user, &request, "partners");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let at = effective::authorize(reader, me, CoreCapability::UserView, asked, now).await?.alone();
            let start = after.as_ref().map(|(key, id)| (key.as_slice(), *id));
            let matching = Some(query.as_str()).filter(|query| !query.is_empty());
            let mut list = users::list(reader, &at, start, matching, PAGE + 1).await?;
            let more = list.len() > PAGE as usize;
            list.truncate(PAGE as usize);
            let here = format!("/partners/{}/users", at.partner());
            let next =
                list.last().filter(|_| more).map(|last| link(&here, &[("q", &query), ("after", &write_after(last))]));
            let first = after.is_some().then(|| link(&here, &[("q", &query)]));
            let everyone = users::count(reader, &at).await?;
            let groups: BTreeMap<_, _> = user_groups::of_partner(reader, &at)
                .await?
                .into_iter()
                .map(|(group, _)| (group.id, group.name))
                .collect();
            let ids: Vec<UserId> = list.iter().map(|user| user.id).collect();
            let suspended: BTreeSet<UserId> =
                user_summaries::suspended(reader, &at, &ids, now).await?.into_iter().collect();
            let mut said: BTreeMap<UserId, Vec<String>> = BTreeMap::new();
            for (user, directory) in user_summaries::said_by(reader, &at, &ids).await? {
                said.entry(user).or_default().push(directory);
            }
            let row = |user: User| UserListRow {
                group: groups.get(&user.primary_group).cloned().unwrap_or_default(),
                from: said.remove(&user.id).map_or_else(|| "made here".to_owned(), |names| names.join(", ")),
                suspended: suspended.contains(&user.id),
                login: user.profile.login_name.unwrap_or_default(),
                name: user.profile.display_name,
                id: user.id.to_string(),
            };
            let at = place(reader, me, &at, now).await?;
            let everyone = i64::try_from(everyone).unwrap_or(i64::MAX);
            let total = count(everyone, "user", "users");
            Ok::<_, PageError>(Page {
                frame,
                at,
                query,
                total,
                users: list.into_iter().map(row).collect(),
                first,
                next,
            })
        })
        .await?;
    Ok(ok(&page))
}

/// The place of the last user on a page, for the next.
fn write_after(last: &User) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(users::sort_key(last)), last.id)
}

fn read_after(text: &str) -> Option<(Vec<u8>, UserId)> {
    let (key, id) = text.rsplit_once('.')?;
    Some((URL_SAFE_NO_PAD.decode(key).ok()?, id.parse().ok()?))
}
