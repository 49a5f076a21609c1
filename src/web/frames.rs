//! A bound on HTTP/2 frames that carry nothing.
//!
//! An empty DATA frame costs its sender nine bytes and no window (RFC 9113 §6.9), and the library keeps each one until the
//! body of its request is read: without a bound a client fills the memory of the server (RFC 9113 §10.5, RUSTSEC-2026-0258).
//! The frames are counted here, before the library sees them.
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use actix_tls::accept::rustls_0_23::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::{Socket, ended};

/// The most empty DATA frames of a connection, beside one for each request.
pub const MOST_EMPTY_FRAMES: u32 = 128;

/// What a client sends before its first frame (RFC 9113 §3.4).
const PREFACE: u32 = 24;

/// The length of a frame's head.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;

/// Follows the frames of one connection by their heads.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes to pass over before the next head.
    skip: u32,
    head: [u8; HEAD],
    /// How much of the head is here.
    filled: usize,
    /// The padded frame whose first byte, the length of its padding, comes next: the length of its payload.
    padded: Option<u32>,
    /// Empty frames that may still come.
    left: u32,
}

impl Frames {
    /// A connection that has sent nothing yet.
    pub(super) fn new() -> Self {
        Self { skip: PREFACE, head: [0; HEAD], filled: 0, padded: None, left: MOST_EMPTY_FRAMES }
    }

    /// Follows `bytes`; false when too many frames were empty.
    #[must_use]
    pub(super) fn follow(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes.iter();
        loop {
            let over = rest.len().min(self.skip as usize);
            if over > 0 {
                // The length of a frame has 24 bits.
                self.skip -= u32::try_from(over).unwrap_or(self.skip);
                let _passed = rest.nth(over - 1);
            }
            let Some(byte) = rest.next() else { return true };
            if let Some(length) = self.padded.take() {
                self.skip = length.saturating_sub(1);
                if u32::from(*byte) >= self.skip && !self.spend() {
                    return false;
                }
            } else if !self.of_head(*byte) {
                return false;
            }
        }
    }

    fn of_head(&mut self, byte: u8) -> bool {
        if let Some(place) = self.head.get_mut(self.filled) {
            *place = byte;
            self.filled += 1;
        }
        if self.filled < HEAD {
            return true;
        }
        self.filled = 0;
        let [high, middle, low, kind, flags, ..] = self.head;
        self.skip = u32::from_be_bytes([0, high, middle, low]);
        match kind {
            HEADERS => self.left = self.left.saturating_add(1).min(MOST_EMPTY_FRAMES),
            DATA if flags & END_STREAM == 0 && self.skip == 0 => return self.spend(),
            DATA if flags & END_STREAM == 0 && flags & PADDED != 0 => {
                self.padded = Some(self.skip);
                self.skip = 0;
            }
            _ => {}
        }
        true
    }

    fn spend(&mut self) -> bool {
        let enough = self.left > 0;
        self.left = self.left.saturating_sub(1);
        enough
    }
}

/// A connection over TLS, whose frames are counted when it speaks HTTP/2.
pub(super) struct CountedStream {
    io: TlsStream<Socket>,
    frames: Option<Frames>,
}

impl CountedStream {
    /// The connection; `two` when it speaks HTTP/2.
    pub(super) fn new(io: TlsStream<Socket>, two: bool) -> Self {
        Self { io, frames: two.then(Frames::new) }
    }

    /// The socket below.
    pub(super) fn socket(&self) -> &Socket {
        self.io.get_ref().0
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, into))?;
        if let Some(frames) = &mut self.frames
            && !frames.follow(into.filled().get(before..).unwrap_or_default())
        {
            ended("frames");
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidData, "too many empty frames")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl ActixStream for CountedStream {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_read_ready(&self.io, context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_write_ready(&self.io, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Whether a connection that sends `frames` is kept, whatever the parts in which they come.
    fn is_kept(frames: &[Vec<u8>]) -> bool {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frames.concat());
        let kept: Vec<bool> = [1, 2, 7, 9, 10, 4_096, bytes.len()]
            .into_iter()
            .map(|part| {
                let mut follows = Frames::new();
                bytes.chunks(part).all(|part| follows.follow(part))
            })
            .collect();
        assert!(kept.iter().all(|one| *one == kept[0]), "{kept:?}");
        kept[0]
    }

    #[test]
    fn frames_that_carry_nothing_have_an_end() {
        let most = MOST_EMPTY_FRAMES as usize;
        let padded = |padding: u8| frame(DATA, PADDED, &[vec![padding], vec![0; usize::from(padding)]].concat());
        for empty in [frame(DATA, 0, b""), padded(0), padded(1), padded(255), frame(DATA, PADDED, &[9])] {
            assert!(is_kept(&vec![empty.clone(); most]), "{empty:?}");
            assert!(!is_kept(&vec![empty.clone(); most + 1]), "{empty:?}");
            // What carries something between them does not help.
            let mixed = [empty.clone(), frame(DATA, 0, b"data")];
            assert!(!is_kept(&vec![mixed.concat(); most + 1]), "{empty:?}");
        }
    }

    #[test]
    fn what_clients_send_is_taken() {
        let body = |bytes: &[u8]| frame(DATA, 0, bytes);
        let request = [frame(HEADERS, 4, b"\x82"), body(&vec![7; 16_384]), body(b""), frame(DATA, END_STREAM, b"")];
        assert!(is_kept(&vec![request.concat(); 300]));
        let padded = frame(DATA, PADDED, &[2, b'x', 0, 0]);
        assert!(is_kept(&vec![padded; 1_000]));
        // A payload that looks like the head of an empty frame is passed over.
        assert!(is_kept(&vec![body(&frame(DATA, 0, b"").repeat(50)); 100]));
    }
}
