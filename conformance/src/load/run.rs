//! One workload against one door: so many requests on so many kept-alive connections.

use super::connection::Connection;
use super::cpu::Meter;
use crate::server::Door;
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Method, path below the base, body.
pub type Request = (&'static str, String, String);

/// A workload.
#[derive(Clone, Copy)]
pub struct Load {
    /// Kept-alive connections, each with one request at a time.
    pub connections: usize,
    /// Requests in all.
    pub requests: usize,
}

/// What one run of it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Requests a second.
    pub rate: f64,
    /// The median wait, in milliseconds.
    pub median: f64,
    /// Processor time of a request, server and database, in milliseconds.
    pub cpu: f64,
    /// Bytes of the last body.
    pub bytes: usize,
}

impl Load {
    /// Sends request number 0, 1, 2, … as `make` has them; every answer must be a success.
    ///
    /// # Errors
    /// When a connection breaks or a request is refused.
    pub async fn run<M>(self, door: &Door, meter: &Meter, make: M) -> Result<Figures>
    where
        M: Fn(usize) -> Request + Send + Sync + 'static,
    {
        let (make, next) = (Arc::new(make), Arc::new(AtomicUsize::new(0)));
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(door).await?);
        }
        let (since, before) = (Instant::now(), meter.seconds());
        let mut tasks = Vec::new();
        for mut connection in connections {
            let (make, next) = (make.clone(), next.clone());
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= self.requests {
                        return Ok::<_, anyhow::Error>((times, connection.body().len()));
                    }
                    let (method, path, body) = make(at);
                    let begun = Instant::now();
                    let status = connection.send(method, &path, &body).await?;
                    times.push(begun.elapsed().as_secs_f64());
                    if !(200..300).contains(&status) {
                        bail!("{method} {path}: {status} {}", String::from_utf8_lossy(connection.body()));
                    }
                }
            }));
        }
        let (mut times, mut bytes) = (Vec::new(), 0);
        for task in tasks {
            let (some, length) = task.await.context("a connection's task")??;
            times.extend(some);
            bytes = bytes.max(length);
        }
        let (took, cpu) = (since.elapsed().as_secs_f64(), meter.seconds() - before);
        let requests = self.requests as f64;
        Ok(Figures { rate: requests / took, median: median(&mut times) * 1e3, cpu: cpu * 1e3 / requests, bytes })
    }
}

/// The middle one; 0 of none.
pub fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}
