//! Bytes that are no text are refused, in whatever parameter, path or form: read leniently, they would name somebody else
//! or nobody, and a client that finds nobody creates one.
use reqwest::Method;
use rolecall::web::routes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{App, header};
use crate::support::database::on_both;
use crate::support::world::World;

const NO_TEXT: [&str; 6] = ["%FF", "%C3", "%C3%28", "%ED%A0%80", "%C0%80", "%00"];

/// The status of a request that is sent byte by byte, so that no client puts it right.
async fn status(app: &App, head: &[u8]) -> u16 {
    let mut socket = tokio::net::TcpStream::connect(app.running.address()).await.unwrap();
    socket.write_all(head).await.unwrap();
    let mut answer = Vec::new();
    let _ended = socket.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status in {text:?}"))
}

on_both! {
    async fn bytes_that_are_no_text_are_refused_everywhere(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        let user = scim.user("ida").await.id();
        for bytes in NO_TEXT {
            for path in ["/Users", "/Groups", "", &format!("/Users/{user}"), "/Schemas"] {
                for parameter in ["filter=userName+eq+%22@%22", "filter=@", "sortBy=@", "attributes=@", "excludedAttributes=@", "count=@", "startIndex=@", "cursor=@", "@=1", "other=@"] {
                    let answer = scim.get(&format!("{path}?{}", parameter.replace('@', bytes))).await;
                    answer.refused(400, "");
                }
            }
            for path in [format!("/Users/{bytes}"), format!("/Users/{user}{bytes}"), format!("/Schemas/{bytes}"), format!("/{bytes}")] {
                for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                    scim.send(scim.request(method, &path)).await.refused(400, "");
                }
            }
            // Every route, in whichever form its connection refuses.
            for entry in routes::all() {
                let path: String = entry.path.split('/').skip(1).map(|part| format!("/{}", if part.starts_with('{') { "x" } else { part })).collect();
                for method in entry.methods() {
                    let method: Method = method.parse().unwrap();
                    let answer = app.request(method.clone(), &format!("{path}?q={bytes}")).send().await.unwrap();
                    assert_eq!(answer.status(), 400, "{method} {path}");
                    assert!(!header(&answer, "x-request-id").is_empty() && header(&answer, "x-content-type-options") == "nosniff");
                }
            }
            let form = app.request(Method::POST, "/oauth/x/token").header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(form.body(format!("grant_type=client_credentials&client_id={bytes}")).send().await.unwrap().status(), 400);
            let form = app.request(Method::POST, "/login").header("content-type", "application/x-www-form-urlencoded").header("sec-fetch-site", "same-origin");
            assert_eq!(form.body(format!("address={bytes}")).send().await.unwrap().status(), 400);
        }
        // Text of every kind is text.
        for found in ["%C3%A4", "%F0%9F%91%8B", "%E2%82%AC", "100%25"] {
            assert_eq!(scim.get(&format!("/Users?filter=userName+eq+%22{found}%22")).await.body["totalResults"], 0, "{found}");
        }
        assert_eq!(scim.get("/Users?filter=userName+eq+%22ida%22").await.body["totalResults"], 1);
        // Without any escape.
        let slug = world.connections[0].connection();
        let raw = [format!("GET /scim/{slug}/v2/Users?a=").as_bytes(), &[0xff], b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"].concat();
        assert_eq!(status(&app, &raw).await, 400);
        app.stop().await;
    }
}
