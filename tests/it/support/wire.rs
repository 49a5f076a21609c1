//! A wire to a server that can be cut in silence: whoever is at either end hears nothing any more.
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A listener that passes everything on, both ways, unless it is silent.
pub struct Wire {
    address: SocketAddr,
    silent: watch::Sender<bool>,
}

impl Wire {
    /// A wire to the server of a database address.
    pub async fn to(url: &str) -> Self {
        let there = host(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, state) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (there, state) = (there.clone(), state.clone());
                tokio::spawn(async move {
                    heard(&mut state.clone()).await;
                    let Ok(far) = TcpStream::connect(there).await else { return };
                    let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
                    tokio::join!(pass(from_near, to_far, state.clone()), pass(from_far, to_near, state));
                });
            }
        });
        Self { address, silent }
    }

    /// The same address over this wire.
    pub fn url(&self, url: &str) -> String {
        url.replacen(host(url), &self.address.to_string(), 1)
    }

    /// Nothing goes through any more, or everything again.
    pub fn silence(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("//").unwrap().1.split('/').next().unwrap();
    rest.rsplit('@').next().unwrap()
}

async fn heard(state: &mut watch::Receiver<bool>) {
    let _gone = state.wait_for(|silent| !*silent).await.is_err();
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        heard(&mut state).await;
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    heard(&mut state).await;
    let _closing = to.shutdown().await;
}
