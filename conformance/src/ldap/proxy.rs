//! A wire between the server under test and slapd that can be cut or held.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to the answers of each connection made from now on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cut {
    /// They pass.
    Never,
    /// The connection ends after so many bytes.
    After(usize),
    /// Nothing more comes after so many bytes, and the connection stays open.
    Stall(usize),
}

/// A listening wire. Dropping it ends it.
pub struct Proxy {
    /// `host:port` to connect to.
    pub address: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    upstream: std::sync::Mutex<String>,
    cut_after: AtomicUsize,
    stall_after: AtomicUsize,
    passed: AtomicU64,
}

impl Proxy {
    /// Listens on a free port and passes everything on.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(upstream: &str) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the wire's port")?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::new(Shared::default());
        let wire = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let wire = wire.clone();
                tokio::spawn(async move {
                    // A broken end is what this is for.
                    let _ = pass(client, &wire).await;
                });
            }
        });
        let proxy = Proxy { address, shared, task };
        proxy.set(Cut::Never);
        proxy.lead_to(upstream);
        Ok(proxy)
    }

    /// Changes where connections made from now on lead.
    pub fn lead_to(&self, upstream: &str) {
        if let Ok(mut at) = self.shared.upstream.lock() {
            upstream.clone_into(&mut at);
        }
    }

    /// Changes what happens to connections made from now on.
    pub fn set(&self, cut: Cut) {
        let (cut_after, stall_after) = match cut {
            Cut::Never => (usize::MAX, usize::MAX),
            Cut::After(bytes) => (bytes, usize::MAX),
            Cut::Stall(bytes) => (usize::MAX, bytes),
        };
        self.shared.cut_after.store(cut_after, Ordering::SeqCst);
        self.shared.stall_after.store(stall_after, Ordering::SeqCst);
    }

    /// Bytes of answers passed so far, over all connections.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, wire: &Shared) -> Result<()> {
    let cut_after = wire.cut_after.load(Ordering::SeqCst);
    let stall_after = wire.stall_after.load(Ordering::SeqCst);
    let upstream = wire.upstream.lock().map(|upstream| upstream.clone()).unwrap_or_default();
    let server = TcpStream::connect(upstream).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 16 * 1024];
    let mut left = cut_after.min(stall_after);
    while left > 0 {
        let most = left.min(buffer.len());
        let count = from_server.read(&mut buffer[..most]).await?;
        if count == 0 {
            break;
        }
        to_client.write_all(&buffer[..count]).await?;
        wire.passed.fetch_add(count as u64, Ordering::SeqCst);
        left -= count;
    }
    if left == 0 && stall_after < cut_after {
        // Held open until the other side gives up.
        let _ = requests.await;
    } else {
        requests.abort();
    }
    Ok(())
}
