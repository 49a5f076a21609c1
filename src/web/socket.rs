//! The client's side of a connection: who stalls ends their own connection and nobody else's.
//!
//! HTTP/1 stalls where the socket takes nothing more, which the socket itself sees. An HTTP/2 client can keep its socket
//! flowing and still take no answer, by giving it no window: so what is handed over of each answer is noted at the
//! connection, and its next read looks whether any of it stands still.
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_rt::time::{Sleep, sleep};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_limit::ConnectionSlot;

/// The most requests that one HTTP/2 connection may have under way.
pub const MOST_AT_ONCE: usize = 128;

/// What a connection may take its time for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To take some of what is sent.
    pub write: Duration,
    /// To send another request.
    pub rest: Duration,
}

/// One connection, as its socket and the answers on it know it.
pub struct HttpConnection {
    patience: Patience,
    /// Whether it speaks HTTP/2.
    many: Cell<bool>,
    /// What was handed over of each answer and is not known to be taken, with the moment.
    handed: RefCell<BTreeMap<u64, Instant>>,
    next: Cell<u64>,
    under_way: Cell<usize>,
    resting_since: Cell<Instant>,
    /// Its place among those of its address; free again when the connection is gone.
    _place: Option<ConnectionSlot>,
}

impl HttpConnection {
    /// A new connection.
    pub fn new(patience: Patience, place: Option<ConnectionSlot>) -> Rc<Self> {
        Rc::new(Self {
            patience,
            many: Cell::new(false),
            handed: RefCell::default(),
            next: Cell::new(0),
            under_way: Cell::new(0),
            resting_since: Cell::new(Instant::now()),
            _place: place,
        })
    }

    /// From now on it speaks HTTP/2.
    pub fn speaks_http2(&self) {
        self.many.set(true);
    }

    /// A request begins; none when too many are under way.
    pub fn begin(self: &Rc<Self>) -> Option<Stay> {
        let under_way = self.under_way.get() + 1;
        if under_way > MOST_AT_ONCE {
            return None;
        }
        self.under_way.set(under_way);
        let number = self.next.get();
        self.next.set(number + 1);
        Some(Stay { line: Rc::clone(self), number })
    }

    /// When the connection is to be ended unless something happens before; none while all is well.
    fn end(&self) -> Option<Instant> {
        if !self.many.get() {
            return None;
        }
        let stalled = self.handed.borrow().values().min().and_then(|at| at.checked_add(self.patience.write));
        if self.under_way.get() > 0 {
            return stalled;
        }
        self.resting_since.get().checked_add(self.patience.rest)
    }
}

/// A request under way on a connection, until its answer is sent or dropped.
pub struct Stay {
    line: Rc<HttpConnection>,
    number: u64,
}

impl Stay {
    /// Whether its answer must be watched here, because the socket does not show whether it is taken.
    pub fn is_watched(&self) -> bool {
        self.line.many.get()
    }

    /// A part of the answer is handed over.
    pub fn handed(&self) {
        self.line.handed.borrow_mut().insert(self.number, Instant::now());
    }

    /// The next part is asked for: the last one was taken.
    pub fn taken(&self) {
        self.line.handed.borrow_mut().remove(&self.number);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.taken();
        self.line.under_way.set(self.line.under_way.get().saturating_sub(1));
        self.line.resting_since.set(Instant::now());
    }
}

/// A socket that ends with [`ErrorKind::TimedOut`] when its client stalls.
pub struct Socket {
    stream: TcpStream,
    line: Rc<HttpConnection>,
    /// Runs while the socket takes nothing.
    full: Option<Pin<Box<Sleep>>>,
    /// Wakes a read that has nothing to read, to look whether the answers stand still.
    look: Option<Pin<Box<Sleep>>>,
}

impl Socket {
    /// The socket of a connection.
    pub fn new(stream: TcpStream, line: Rc<HttpConnection>) -> Self {
        Self { stream, line, full: None, look: None }
    }

    /// What its answers share.
    pub fn line(&self) -> &Rc<HttpConnection> {
        &self.line
    }

    /// The stream itself.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn written<T>(&mut self, context: &mut Context<'_>, outcome: Poll<Result<T>>) -> Poll<Result<T>> {
        if outcome.is_ready() {
            self.full = None;
            return outcome;
        }
        let patience = self.line.patience.write;
        let full = self.full.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(full.as_mut().poll(context));
        ended("write");
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    /// Nothing is to be read: looks whether the answers stand still, and again when they may.
    fn waits(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        loop {
            let Some(end) = self.line.end() else {
                self.look = None;
                return Poll::Pending;
            };
            if end <= Instant::now() {
                ended(if self.line.under_way.get() > 0 { "answer" } else { "rest" });
                return Poll::Ready(ErrorKind::TimedOut.into());
            }
            let look = self.look.get_or_insert_with(|| Box::pin(sleep(Duration::ZERO)));
            if look.deadline() != end.into() {
                look.as_mut().reset(end.into());
            }
            ready!(look.as_mut().poll(context));
        }
    }
}

/// Counts a connection that the server ends.
pub(super) fn ended(why: &'static str) {
    metrics::counter!("rolecall_http_connections_ended_total", "why" => why).increment(1);
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, into) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => self.waits(context).map(Err),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.written(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl ActixStream for Socket {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_read_ready(&self.stream, context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<Result<Ready>> {
        ActixStream::poll_write_ready(&self.stream, context)
    }
}
