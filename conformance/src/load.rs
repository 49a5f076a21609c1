//! `cargo xtask bench scim`: requests over kept-alive connections, with the processor time the
//! server (and its database) spent on each. Figures are printed; only wrong answers fail.

mod connection;
mod cpu;

use crate::args::Args;
use crate::report::Report;
use crate::server::{Door, Server, Start};
use anyhow::{Context, Result};
use connection::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const USERS: usize = 10_000;

/// Creates the users, then reads them one by one, by filter and by page.
///
/// # Errors
/// When the server does not start or a connection breaks.
pub async fn bench_scim(args: &Args, report: &mut Report) -> Result<()> {
    let fsync = cpu::fsync_seconds(&args.folder("fsync")?)?;
    report.note(&format!("raw fsync of this run: {:.2} ms", fsync * 1000.0));
    let server = Server::start(&Start::new(args, "server")?).await?;
    let door = server.ready.scim.clone();
    let meter = cpu::Meter::new(server.pid()?, args.database != "sqlite");
    report
        .note(&format!("{:<22}{:>6}{:>12}{:>12}{:>14}", "request", "conns", "requests/s", "median ms", "cpu ms each"));
    let ids = Arc::new(std::sync::Mutex::new(Vec::new()));
    for (connections, share) in [(1, 500), (4, 1500), (16, 8000)] {
        let done = ids.lock().map(|ids| ids.len()).unwrap_or(0);
        let run = Run { name: "POST /Users", connections, requests: share, door: &door, meter: &meter };
        let kept = ids.clone();
        run.go(report, move |at| create(done + at), move |body| keep_id(&kept, body)).await?;
    }
    let ids: Arc<Vec<String>> = Arc::new(ids.lock().map(|ids| ids.clone()).unwrap_or_default());
    report.equal("every creation was acknowledged", ids.len(), USERS);
    for connections in [1, 16] {
        let known = ids.clone();
        let run = Run { name: "GET /Users/{id}", connections, requests: 5000, door: &door, meter: &meter };
        run.go(report, move |at| get(&format!("/Users/{}", known[at * 7 % known.len()])), |_| ()).await?;
        let run = Run { name: "GET userName eq", connections, requests: 5000, door: &door, meter: &meter };
        run.go(report, |at| get(&format!("/Users?filter=userName%20eq%20%22{}%22", name(at * 7 % USERS))), |_| ())
            .await?;
        let run = Run { name: "GET list of 100", connections, requests: 500, door: &door, meter: &meter };
        run.go(report, |at| get(&format!("/Users?startIndex={}&count=100", 1 + at * 17 % USERS)), |_| ()).await?;
    }
    server.stop().await?;
    Ok(())
}

/// One line of the table.
struct Run<'a> {
    name: &'static str,
    connections: usize,
    requests: usize,
    door: &'a Door,
    meter: &'a cpu::Meter,
}

/// Method, path below the base, body.
type Request = (&'static str, String, String);

impl Run<'_> {
    async fn go<M, K>(self, report: &mut Report, make: M, keep: K) -> Result<()>
    where
        M: Fn(usize) -> Request + Send + Sync + 'static,
        K: Fn(&[u8]) + Send + Sync + 'static,
    {
        let (make, keep) = (Arc::new(make), Arc::new(keep));
        let next = Arc::new(AtomicUsize::new(0));
        let (since, before) = (Instant::now(), self.meter.seconds());
        let mut tasks = Vec::new();
        for _ in 0..self.connections {
            let (make, keep, next, requests) = (make.clone(), keep.clone(), next.clone(), self.requests);
            let mut connection = Connection::open(self.door).await?;
            tasks.push(tokio::spawn(async move {
                let (mut times, mut wrong) = (Vec::new(), 0_usize);
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= requests {
                        return Ok::<_, anyhow::Error>((times, wrong));
                    }
                    let (method, path, body) = make(at);
                    let begun = Instant::now();
                    let status = connection.send(method, &path, &body).await?;
                    times.push(begun.elapsed().as_secs_f64());
                    wrong += usize::from(!(200..300).contains(&status));
                    keep(connection.body());
                }
            }));
        }
        let (mut times, mut wrong) = (Vec::new(), 0);
        for task in tasks {
            let (some, bad) = task.await.context("a connection's task")??;
            times.extend(some);
            wrong += bad;
        }
        let (took, cpu) = (since.elapsed().as_secs_f64(), self.meter.seconds() - before);
        times.sort_by(f64::total_cmp);
        let each = 1000.0 / self.requests as f64;
        report.note(&format!(
            "{:<22}{:>6}{:>12.0}{:>12.2}{:>14.3}",
            self.name,
            self.connections,
            self.requests as f64 / took,
            times.get(times.len() / 2).copied().unwrap_or_default() * 1000.0,
            cpu * each,
        ));
        report.equal(&format!("{} on {} connections: wrong answers", self.name, self.connections), wrong, 0);
        Ok(())
    }
}

fn keep_id(ids: &std::sync::Mutex<Vec<String>>, body: &[u8]) {
    let id = serde_json::from_slice::<serde_json::Value>(body).ok();
    if let (Some(id), Ok(mut ids)) = (id.as_ref().and_then(|body| body["id"].as_str()), ids.lock()) {
        ids.push(id.to_owned());
    }
}

fn name(at: usize) -> String {
    format!("load-{at}@example.com")
}

fn create(at: usize) -> Request {
    let name = name(at);
    let body = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name, "externalId": format!("x-{at}"), "active": true,
        "name": {"givenName": format!("Given{}", at % 700), "familyName": format!("Family{}", at % 1900)},
        "displayName": format!("Given{} Family{}", at % 700, at % 1900),
        "emails": [{"value": name, "type": "work", "primary": true}],
    });
    ("POST", "/Users".into(), body.to_string())
}

fn get(path: &str) -> Request {
    ("GET", path.to_owned(), String::new())
}
