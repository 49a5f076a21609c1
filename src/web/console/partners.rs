//! `/partners`: the tree of everything the visitor may see.
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error::PageError;
use super::layout::{Layout, ok, parameter, see_other, session_user};
use super::tree::{PartnerTreeRow, TreeStep, steps};
use crate::domain::capability::CoreCapability;
use crate::store::{Reader, reach};
use crate::web::App;

/// Most partners on the page; a search finds the others.
const MOST: usize = 500;

#[derive(Template)]
#[template(path = "console/partners.html")]
struct Page {
    frame: Layout,
    query: String,
    steps: Vec<TreeStep>,
    found: Vec<PartnerTreeRow>,
    total: usize,
    more: bool,
}

/// `/`: there.
pub(super) async fn home() -> HttpResponse {
    see_other("/partners")
}

/// Shows the tree, or what a search finds in it.
pub(super) async fn show(request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse, PageError> {
    let session_user = session_user(&request, &app).await?;
    let query = parameter(&request, "q");
    let now = app.clock.now();
    let nodes = app
        .store
        .snapshot(async |reader: &mut Reader| {
            let regions = reach::regions(reader, &session_user.signed.extent, CoreCapability::PartnerView, now).await?;
            reach::tree(reader, &regions, &query, MOST + 1).await
        })
        .await?;
    let more = nodes.len() > MOST;
    let nodes = nodes.get(..MOST.min(nodes.len())).unwrap_or_default();
    let searching = !query.trim().is_empty();
    Ok(ok(&Page {
        frame: Layout::of(&session_user, &request, "partners"),
        steps: if searching { Vec::new() } else { steps(nodes) },
        found: if searching { nodes.iter().map(PartnerTreeRow::of).collect() } else { Vec::new() },
        total: nodes.len(),
        more,
        query,
    }))
}
