//! `/assets/{name}`: style, script and icon, part of the program.
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use ring::digest;

use super::console::PageError;
use super::routes::RouteSpec;

/// The files by name, each with its media type.
const FILES: &[(&str, &str, &str)] = &[
    ("rolecall.css", "text/css; charset=utf-8", include_str!("assets/rolecall.css")),
    ("rolecall.js", "text/javascript; charset=utf-8", include_str!("assets/rolecall.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// The routes of static files.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec { path: "/assets/{name}", get: Some(|| web::to(file)), ..RouteSpec::NONE },
    // Asked for by browsers beside what is not a page of ours.
    RouteSpec { path: "/favicon.ico", get: Some(|| web::to(icon)), ..RouteSpec::NONE },
];

async fn icon(request: HttpRequest) -> Result<HttpResponse, PageError> {
    served(&request, "icon.svg")
}

async fn file(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, PageError> {
    served(&request, &name)
}

fn served(request: &HttpRequest, name: &str) -> Result<HttpResponse, PageError> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, media_type, text) = found.ok_or(PageError::NotFound)?;
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let tag: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let tag = header::EntityTag::new_weak(tag);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    // The address has no version in it: browsers ask again, and are told that nothing has changed.
    let cache = (header::CACHE_CONTROL, "no-cache");
    if known.is_some_and(|known| known.contains(tag.tag())) {
        return Ok(HttpResponse::NotModified().insert_header(header::ETag(tag)).insert_header(cache).finish());
    }
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, *media_type)).insert_header(cache).insert_header(header::ETag(tag));
    Ok(response.body(*text))
}
