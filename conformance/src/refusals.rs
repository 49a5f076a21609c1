//! Bad input at every door: each is refused clearly in the door's own form, changes nothing, and
//! the server goes on.

use crate::args::Args;
use crate::http::Client;
use crate::report::Report;
use crate::server::{Door, Server, Start};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Words that a refusal never says: they are ours, not the caller's.
const INTERNALS: &[&str] =
    &["sqlx", "panicked", ".rs:", "SELECT ", "serde", "actix", "RUST_BACKTRACE", "no such column"];

/// A request as it goes over the wire, and the statuses that answer it well.
struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    wanted: &'static [u16],
}

/// All doors.
///
/// # Errors
/// When the server does not start, or is gone afterwards.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let server = Server::start(&Start::new(args, "server")?).await?;
    let (scim, api) = (server.ready.scim.clone(), server.ready.api.clone());
    let reader = Client::scim(&scim)?;
    let user = reader.post("/Users", &user("refusals@example.com")).await?.good("a user to be rude about")?;
    let before = everything(&reader).await?;
    for case in scim_cases(&scim, &api) {
        ask(report, &scim, "SCIM", &case).await?;
    }
    for case in api_cases(&scim, &api) {
        ask(report, &api, "API", &case).await?;
    }
    broken_lines(report, &scim).await?;
    let after = everything(&reader).await?;
    report.check("nothing has changed", before == after, || format!("{before} became {after}"));
    let path = format!("/Users/{}", user["id"].as_str().unwrap_or_default());
    report.equal("the server goes on", reader.get(&path).await?.status, 200);
    let status = server.stop().await?;
    report.check("it stops when asked", status.success(), || status.to_string());
    Ok(())
}

fn user(name: &str) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name})
}

async fn everything(scim: &Client) -> Result<Value> {
    let users = scim.get("/Users?count=1000").await?.good("listing users")?;
    let groups = scim.get("/Groups?count=1000").await?.good("listing groups")?;
    Ok(json!([users["Resources"], groups["Resources"]]))
}

fn scim_cases(scim: &Door, api: &Door) -> Vec<Case> {
    let good = bearer(&scim.token);
    let send = |name, method, path, body: &[u8], wanted| Case {
        name,
        method,
        path,
        headers: vec![good.clone(), ("content-type", "application/scim+json".into())],
        body: body.to_vec(),
        wanted,
    };
    let read = |name, path, wanted| send(name, "GET", path, b"", wanted);
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let patch = |operation: Value| {
        let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
        json!({"schemas": [schema], "Operations": [operation]}).to_string().into_bytes()
    };
    let op = |name, operation, wanted| send(name, "PATCH", "/Users/none", &patch(operation), wanted);
    vec![
        Case { headers: vec![], ..read("no token", "/Users", &[401]) },
        Case { headers: vec![bearer("wrong")], ..read("a wrong token", "/Users", &[401]) },
        Case { headers: vec![bearer(&api.token)], ..read("a token of another door", "/Users", &[401, 403]) },
        Case { headers: vec![("authorization", "Basic eDp5".into())], ..read("another scheme", "/Users", &[401]) },
        send("half a document", "POST", "/Users", b"{\"userName\":", &[400]),
        send("no document", "POST", "/Users", b"", &[400]),
        send("a list for a document", "POST", "/Users", b"[]", &[400]),
        send("a document of nothing", "POST", "/Users", b"{}", &[400]),
        send("bytes that are no text", "POST", "/Users", b"{\"userName\":\"\xff\xfe\"}", &[400]),
        send(
            "a number for a name",
            "POST",
            "/Users",
            b"{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":5}",
            &[400],
        ),
        send("an unknown schema", "POST", "/Users", b"{\"schemas\":[\"urn:nobody\"],\"userName\":\"x\"}", &[400]),
        send("nesting without end", "POST", "/Users", &deep, &[400, 413]),
        send("a document of 20 MB", "POST", "/Users", &vec![b' '; 20 << 20], &[413]),
        Case {
            headers: vec![good.clone(), ("content-type", "text/plain".into())],
            ..send("a document of another kind", "POST", "/Users", b"{}", &[400, 415])
        },
        read("an unknown path", "/Nothing", &[404]),
        read("an unknown user", "/Users/none", &[404]),
        read("an id of odd letters", "/Users/%00%F0%9F%92%A9..%2f", &[400, 404]),
        send("a method it does not have", "PUT", "/Users", b"{}", &[404, 405]),
        send("a change of discovery", "POST", "/Schemas", b"{}", &[404, 405]),
        read("a filter that is none", "/Users?filter=userName%20eq", &[400]),
        read("a filter on nothing", "/Users?filter=nothing%20eq%20%22x%22", &[400]),
        read("a filter that stays open", "/Users?filter=((((userName%20eq%20%22x%22", &[400]),
        read("a page that is none", "/Users?count=many", &[400]),
        op("a change of unknown kind", json!({"op": "explode", "path": "userName"}), &[400, 404]),
        op("a change of a bad path", json!({"op": "replace", "path": "emails[", "value": "x"}), &[400, 404]),
    ]
}

fn api_cases(scim: &Door, api: &Door) -> Vec<Case> {
    let send = |name, method, path, token: &str, body: &[u8], wanted| Case {
        name,
        method,
        path,
        headers: vec![bearer(token), ("content-type", "application/json".into())],
        body: body.to_vec(),
        wanted,
    };
    vec![
        Case { headers: vec![], ..send("no token", "GET", "/partners", "", b"", &[401]) },
        send("a wrong token", "GET", "/partners", "wrong", b"", &[401]),
        send("a token of another door", "GET", "/partners", &scim.token, b"", &[401, 403]),
        send("half a document", "POST", "/partners", &api.token, b"{", &[400, 422]),
        send("a list for a document", "POST", "/partners", &api.token, b"[1]", &[400, 422]),
        send("a document of nothing", "POST", "/partners", &api.token, b"{}", &[400, 422]),
        send("an unknown path", "GET", "/nothing", &api.token, b"", &[404]),
        send("a method it does not have", "DELETE", "/partners", &api.token, b"", &[404, 405]),
        send("a document of 20 MB", "POST", "/partners", &api.token, &vec![b' '; 20 << 20], &[413]),
    ]
}

fn bearer(token: &str) -> (&'static str, String) {
    ("authorization", format!("Bearer {token}"))
}

async fn ask(report: &mut Report, door: &Door, at: &str, case: &Case) -> Result<()> {
    let name = format!("{at}: {}", case.name);
    let (host, prefix) = place(door)?;
    let mut head = format!("{} {prefix}{} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", case.method, case.path);
    for (key, value) in &case.headers {
        head.push_str(&format!("{key}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", case.body.len()));
    let answer = match talk(&host, &[head.as_bytes(), &case.body]).await {
        Ok(answer) => answer,
        Err(error) => {
            report.fail(&name, &format!("no answer: {error:#}"));
            return Ok(());
        }
    };
    let (status, kind, body) = parts(&answer);
    let document: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    let form = match at {
        "SCIM" => kind.contains("scim+json") && document["status"].as_str() == Some(&status.to_string()),
        _ => kind.contains("problem+json") && document["status"] == status,
    };
    let sentence = document["detail"].as_str().is_some_and(|detail| detail.len() > 10);
    let inside = INTERNALS.iter().find(|word| body.contains(**word));
    let told = || format!("{status} {kind} {}", body.chars().take(300).collect::<String>());
    let good = case.wanted.contains(&status) && form && sentence && inside.is_none();
    report.check(&name, good, told);
    Ok(())
}

/// Lines that are hardly HTTP: any answer below 500 or none is fine.
async fn broken_lines(report: &mut Report, door: &Door) -> Result<()> {
    let (host, prefix) = place(door)?;
    let long = format!("GET {prefix}/Users?filter={} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    let heads = format!("GET {prefix}/Users HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(5_000));
    let lies =
        format!("POST {prefix}/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 50\r\n\r\nhello");
    for (name, bytes) in [
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("a line without end", vec![b'G'; 300_000]),
        ("a very long address", long.into_bytes()),
        ("five thousand headers", heads.into_bytes()),
        ("two lengths", lies.into_bytes()),
        ("half a request", format!("POST {prefix}/Users HTTP/1.1\r\nhost: x\r\ncontent-le").into_bytes()),
    ] {
        let answer = talk(&host, &[&bytes]).await.unwrap_or_default();
        let (status, _, _) = parts(&answer);
        report.check(&format!("line: {name}"), status < 500, || status.to_string());
    }
    Ok(())
}

fn place(door: &Door) -> Result<(String, String)> {
    let rest = door.base.strip_prefix("http://").context("only plain http")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((host.to_owned(), format!("/{}", path.trim_end_matches('/'))))
}

/// Sends, closes its half, reads to the end. A server may refuse before it has read everything.
async fn talk(host: &str, pieces: &[&[u8]]) -> Result<String> {
    let mut line = TcpStream::connect(host).await.context("connecting")?;
    let (mut from, mut to) = line.split();
    let sending = async {
        for piece in pieces {
            if to.write_all(piece).await.is_err() {
                break;
            }
        }
        // Half a request ends here; without this the server would wait for the rest.
        let _ = to.shutdown().await;
    };
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..count]);
        }
    };
    timeout(Duration::from_secs(30), async { tokio::join!(sending, reading) }).await.context("it took over 30 s")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Status, content type, body; zero when there was no answer.
fn parts(answer: &str) -> (u16, String, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let kind = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type:").map(str::to_owned));
    (status, kind.unwrap_or_default(), body)
}
