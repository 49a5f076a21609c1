//! The least HTTP/1.1 client that can measure a server: one connection, no pool, no decoding.

use crate::server::Door;
use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    host: String,
    prefix: String,
    token: String,
    kind: &'static str,
    buffer: Vec<u8>,
    body: std::ops::Range<usize>,
}

impl Connection {
    /// Connects to a door on plain HTTP.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(door: &Door) -> Result<Connection> {
        let rest = door.base.strip_prefix("http://").context("only plain http")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let stream = TcpStream::connect(host).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let prefix = format!("/{}", path.trim_end_matches('/'));
        Ok(Connection {
            stream,
            host: host.into(),
            prefix,
            token: door.token.clone(),
            kind: "application/scim+json",
            buffer: Vec::new(),
            body: 0..0,
        })
    }

    /// To a door that takes plain JSON, beside the one it was opened to.
    pub fn plain(self, prefix: &str) -> Connection {
        Connection { prefix: prefix.to_owned(), kind: "application/json", ..self }
    }

    /// Sends one request and reads the whole answer; its status.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not one of known length.
    pub async fn send(&mut self, method: &str, path: &str, body: &str) -> Result<u16> {
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n\
             content-type: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.prefix,
            self.host,
            self.token,
            self.kind,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("a head that is no text")?.to_ascii_lowercase();
        let status = text.get(9..12).and_then(|digits| digits.parse().ok()).context("no status")?;
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = match length {
            Some(length) => length.trim().parse().context("content-length")?,
            None if status == 204 => 0,
            None if text.contains("transfer-encoding: chunked") => return self.chunks(head).await.map(|()| status),
            None => bail!("an answer of unknown length: {text}"),
        };
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        self.body = head..head + length;
        Ok(status)
    }

    /// Reads a body that is sent while it is made, and puts its parts together.
    async fn chunks(&mut self, head: usize) -> Result<()> {
        let (mut at, mut whole) = (head, Vec::new());
        loop {
            let line = loop {
                let rest = self.buffer.get(at..).unwrap_or_default();
                if let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
                    break at + end;
                }
                self.more().await?;
            };
            let size = std::str::from_utf8(&self.buffer[at..line]).context("the size of a part")?;
            let size = usize::from_str_radix(size.trim(), 16).context("the size of a part")?;
            let (from, to) = (line + 2, line + 2 + size);
            while self.buffer.len() < to + 2 {
                self.more().await?;
            }
            if size == 0 {
                break;
            }
            whole.extend_from_slice(&self.buffer[from..to]);
            at = to + 2;
        }
        self.body = 0..whole.len();
        self.buffer = whole;
        Ok(())
    }

    /// The body of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    async fn more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
