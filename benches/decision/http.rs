//! Requests per second of a decision over HTTP, beside those of a handler that does one `SELECT 1` on the same store.
//!
//! Server and client share the machine and its processors: the ratio says more than the figures. The client is a bare
//! one (a few connections that each wait for their answer), so that it costs little beside the server.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, HttpServer, error, web};
use anyhow::{Context, Result, ensure};
use rolecall::access::decide::Question;
use rolecall::clock::Clock;
use rolecall::config::Config;
use rolecall::domain::ctx::Actor;
use rolecall::store::extent::OperatorExtent;
use rolecall::store::{Store, Tx, api_tokens, first};
use rolecall::web::server;
use rolecall::{binds, statements};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::{World, product_capability};

statements! {
    NOTHING = "SELECT 1";
}

/// Connections that ask at once, and workers of each server.
const CONNECTIONS: usize = 8;
const WORKERS: usize = 2;

/// Turns each of the two is measured, one after the other, so that both meet the same machine.
const TURNS: u32 = 4;

/// Prints, for each kind of question, the requests per second of both and their ratio.
pub async fn compare(
    store: &Store,
    url: &str,
    world: &World,
    kinds: &[(&str, Vec<Question>)],
    time: Duration,
) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rolecall-bench-{}", std::process::id()));
    let mut config = Config::default();
    config.server.listen.set_port(0);
    config.server.workers = WORKERS;
    config.store.data_dir = folder.clone();
    config.store.database_url = url.starts_with("postgres").then(|| url.to_owned().into());
    let running = server::start(config, store.clone(), Clock).await?;
    let (plain, plain_address) = plain(store)?;
    let token = token(store, world).await?;
    let nothing: Arc<[Vec<u8>]> = [b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n".to_vec()].into();
    println!("{:<40} {:>10} {:>10} {:>7}", "requests/s over HTTP", "SELECT 1", "decision", "ratio");
    for (name, questions) in kinds {
        let asked: Arc<[Vec<u8>]> = questions.iter().map(|question| request(question, &token)).collect();
        if asked.is_empty() {
            continue;
        }
        let (mut one, mut other) = (0.0, 0.0);
        for _ in 0..TURNS {
            one += rate(plain_address, &nothing, time / TURNS).await?;
            other += rate(running.address(), &asked, time / TURNS).await?;
        }
        let turns = f64::from(TURNS);
        println!("{name:<40} {:>10.0} {:>10.0} {:>6.0}%", one / turns, other / turns, 100.0 * other / one);
    }
    plain.stop(true).await;
    running.stop().await;
    std::fs::remove_dir_all(&folder).context("removing the passing folder")
}

/// The handler to compare with.
fn plain(store: &Store) -> Result<(actix_web::dev::ServerHandle, SocketAddr)> {
    let state = web::Data::new(store.clone());
    let server = HttpServer::new(move || actix_web::App::new().app_data(state.clone()).route("/", web::get().to(one)));
    let server = server.workers(WORKERS).disable_signals().bind(("127.0.0.1", 0))?;
    let address = *server.addrs().first().context("no address")?;
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok((handle, address))
}

async fn one(store: web::Data<Store>) -> actix_web::Result<HttpResponse> {
    let mut reader = store.reader().await.map_err(error::ErrorInternalServerError)?;
    let one = reader.one(&NOTHING, binds![], first::<i64>).await.map_err(error::ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(json!({"one": one})))
}

async fn token(store: &Store, world: &World) -> Result<String> {
    let top = *world.partners.first().context("no partner")?;
    let (at, ctx) = (OperatorExtent::assume().at(top), Clock.ctx(Actor::Operator));
    let make = async |tx: &mut Tx| api_tokens::create(tx, &at, &ctx, world.asker, "bench", None).await;
    let (_, token) = store.write(make).await?;
    Ok(token.reveal().to_owned())
}

fn request(question: &Question, token: &str) -> Vec<u8> {
    let body = json!({
        "subject": {"type": "user", "id": question.principal.to_string()},
        "action": {"name": product_capability(question.capability.0)},
        "resource": {"type": "partner", "id": question.resource.partner.to_string()},
    });
    let body = body.to_string();
    format!(
        "POST /access/v1/evaluation HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Answers per second to requests taken in turn.
async fn rate(address: SocketAddr, requests: &Arc<[Vec<u8>]>, time: Duration) -> Result<f64> {
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (requests, next) = (Arc::clone(requests), Arc::clone(&next));
        clients.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut heard = Vec::with_capacity(8 * 1024);
            while begun.elapsed() < time {
                let at = next.fetch_add(1, Ordering::Relaxed) % requests.len();
                stream.write_all(requests.get(at).map_or(&[][..], Vec::as_slice)).await?;
                answer(&mut stream, &mut heard).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(f64::from(u32::try_from(next.load(Ordering::Relaxed))?) / begun.elapsed().as_secs_f64())
}

/// Reads one whole answer, which must be a 200.
async fn answer(stream: &mut TcpStream, heard: &mut Vec<u8>) -> Result<()> {
    heard.clear();
    loop {
        ensure!(stream.read_buf(heard).await? > 0, "the server hung up");
        let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(heard.get(..end).unwrap_or_default()).to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "{}", String::from_utf8_lossy(heard));
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer without its length")?.trim().parse()?;
        if heard.len() >= end + 4 + length {
            return Ok(());
        }
    }
}
