//! The body of an answer, handed over in parts, so that a client who takes none of them is noticed.
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use super::socket::Stay;

/// The most that is handed over at once, in bytes: whoever takes less in the time a stall may last is too slow.
const PART: usize = 16 << 10;

/// A body on its way to a client.
pub struct Paced<B> {
    inner: Pin<Box<B>>,
    /// What was read of the body and not handed over yet.
    rest: Bytes,
    /// The request it answers; ends with the body.
    stay: Option<Stay>,
}

impl<B> Paced<B> {
    /// The body of the answer to a request that came over a connection of ours.
    pub fn new(inner: B, stay: Option<Stay>) -> Self {
        Self { inner: Box::pin(inner), rest: Bytes::new(), stay }
    }
}

impl<B: MessageBody> MessageBody for Paced<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        let watched = this.stay.as_ref().filter(|stay| stay.is_watched());
        if let Some(stay) = watched {
            stay.taken();
        }
        if this.rest.is_empty() {
            match ready!(this.inner.as_mut().poll_next(context)) {
                Some(Ok(part)) => this.rest = part,
                end => return Poll::Ready(end),
            }
        }
        let part = match watched {
            Some(stay) => {
                stay.handed();
                this.rest.split_to(this.rest.len().min(PART))
            }
            None => std::mem::take(&mut this.rest),
        };
        Poll::Ready(Some(Ok(part)))
    }
}
