//! `/partners/{id}`: one partner.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::halt::Halt;
use super::page::{Frame, id, minute, ok, visitor};
use super::person::Suspension;
use super::place::{self, Place, place};
use super::tree::Node;
use crate::domain::capability::Core;
use crate::store::told::{self, Sight};
use crate::store::{Reader, effective, holds, partners, user_groups, visible};
use crate::web::App;

/// Most partners below that are listed.
const MOST: usize = 200;

#[derive(Template)]
#[template(path = "console/partner.html")]
struct Page {
    frame: Frame,
    at: Place,
    external_id: Option<String>,
    suspensions: Vec<Suspension>,
    since: String,
    groups: Option<Vec<Group>>,
    children: Vec<Node>,
}

struct Group {
    name: String,
    people: u64,
    kind: &'static str,
}

/// Shows the partner.
pub(super) async fn show(
    request: HttpRequest,
    app: web::Data<App>,
    path: web::Path<String>,
) -> Result<HttpResponse, Halt> {
    let visitor = visitor(&request, &app).await?;
    let (me, now, asked) = (visitor.person(), app.clock.now(), place::partner(id(&path)?));
    let frame = Frame::of(&visitor, &request, "partners");
    let page = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let at = effective::authorize(reader, me, Core::PartnerView, asked, now).await?;
            let partner = partners::get(reader, &at).await?;
            let may_groups = place::may(reader, me, Core::GroupView, asked, now).await?;
            let groups = if may_groups { Some(user_groups::of_partner(reader, &at).await?) } else { None };
            let seen = visible::regions(reader, &visitor.signed.extent, Core::PartnerView, now).await?;
            let below = visible::below(reader, &seen, partner.id, MOST).await?;
            let mut sight = Sight::of(me, now);
            let found = holds::of_partner(reader, &at).await?;
            let suspensions = told::holds(reader, &mut sight, &at, partner.id, found).await?;
            Ok::<_, Halt>(Page {
                frame,
                suspensions: suspensions.into_iter().map(Suspension::from).collect(),
                at: place(reader, me, &at, now).await?,
                since: minute(partner.created_at),
                external_id: partner.external_id,
                groups: groups
                    .map(|groups| groups.into_iter().map(|(group, people)| Group::of(&group, people)).collect()),
                children: below.iter().map(Node::of).collect(),
            })
        })
        .await?;
    Ok(ok(&page))
}

impl Group {
    fn of(group: &crate::domain::group::UserGroup, people: u64) -> Self {
        let kind = match (group.is_default, group.exclusive) {
            (true, _) => "default",
            (false, true) => "place",
            (false, false) => "label",
        };
        Self { name: group.name.clone(), people, kind }
    }
}
