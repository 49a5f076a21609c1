//! The event log: writing lines beside the change they tell of, sealing them into a chain, and checking the chain.
use ring::digest;
use serde::Serialize;
use uuid::Uuid;

use super::event::Event;
use crate::domain::ctx::Ctx;
use crate::domain::id::{EventId, Id as _, PartnerId};
use crate::domain::time::Timestamp;
use crate::store::events::{self, SealedEvent, UnsealedEvent};
use crate::store::extent::OperatorExtent;
use crate::store::{Reader, Store, StoreError, Tx};

/// The most lines sealed in one transaction; two of the largest statements of the store.
pub const BATCH: u32 = 512;

/// Ids that are held written out at once, about.
const MOST_IDS_HELD: usize = 10_000;

/// What the first line is chained to.
const GENESIS: [u8; 32] = [0; 32];

/// Writes events of `partner` in the transaction of the change they tell of; they keep their order.
///
/// # Errors
/// Only those of the store.
pub async fn append(tx: &mut Tx, ctx: &Ctx, partner: PartnerId, events: &[Event]) -> Result<(), StoreError> {
    each(tx, ctx, events, |event| (partner, event)).await
}

/// Writes events, each of its partner, in the transaction of the changes they tell of; they keep their order.
///
/// # Errors
/// Only those of the store.
pub async fn append_each(tx: &mut Tx, ctx: &Ctx, events: &[(PartnerId, Event)]) -> Result<(), StoreError> {
    each(tx, ctx, events, |(partner, event)| (*partner, event)).await
}

async fn each<T>(tx: &mut Tx, ctx: &Ctx, all: &[T], of: impl Fn(&T) -> (PartnerId, &Event)) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    let first: EventId = ctx.id();
    let actor = events::stored(&ctx.actor());
    let (mut place, mut rest) = (0_u128, all);
    while !rest.is_empty() {
        let (few, later) = rest.split_at(held_at_once(rest.iter().map(|one| of(one).1)));
        let lines =
            (place..).zip(few).map(|(place, one)| (place, of(one))).map(|(place, (partner, event))| UnsealedEvent {
                id: EventId::from_uuid(Uuid::from_u128(first.uuid().as_u128().wrapping_add(place))),
                at: ctx.now(),
                kind: event.kind.as_str().to_owned(),
                partner,
                subject: event.subject,
                actor: actor.clone(),
                data: events::stored(&event.details()),
            });
        events::append(tx, lines.collect()).await?;
        place += few.len() as u128;
        rest = later;
    }
    Ok(())
}

/// How many of the events, from the first on, are written in one go: written out, an id takes 40 bytes.
fn held_at_once<'e>(events: impl Iterator<Item = &'e Event>) -> usize {
    let mut ids = 0;
    let few = events.take_while(|event| {
        let room = ids < MOST_IDS_HELD;
        ids += event.ids_listed();
        room
    });
    few.count()
}

/// Numbers and chains lines that wait, oldest first; how many. One process at a time does it: whoever holds the lease;
/// two at once would only refuse each other. [`BATCH`] of them mean that more may wait.
///
/// # Errors
/// Those of the store; `StoreError::Unique` when another process seals.
pub async fn seal(store: &Store) -> Result<usize, StoreError> {
    store
        .write(async |tx: &mut Tx| {
            let lines = events::unsealed(tx, BATCH).await?;
            if lines.is_empty() {
                return Ok(0);
            }
            let (mut seq, mut hash) = events::last(tx).await?.unwrap_or((0, GENESIS));
            let mut sealed = Vec::with_capacity(lines.len());
            for line in &lines {
                seq += 1;
                hash = chained(hash, seq, line);
                sealed.push((line.id, seq, hash));
            }
            events::seal(tx, &sealed).await?;
            Ok(lines.len())
        })
        .await
}

/// The first line at which the chain is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrokenChain {
    /// The number that was expected there.
    pub seq: i64,
}

/// Recomputes the whole chain; how many lines it has, or where it breaks.
///
/// # Errors
/// Only those of the store.
pub async fn verify(reader: &mut Reader, by: &OperatorExtent) -> Result<Result<i64, BrokenChain>, StoreError> {
    let (mut seq, mut hash) = (0, GENESIS);
    loop {
        let page: Vec<SealedEvent> = events::after(reader, by, seq, BATCH).await?;
        if page.is_empty() {
            return Ok(Ok(seq));
        }
        for sealed in page {
            seq += 1;
            hash = chained(hash, seq, &sealed.line);
            if sealed.seq != seq || sealed.hash != hash {
                return Ok(Err(BrokenChain { seq }));
            }
        }
    }
}

/// SHA-256 over the hash before and the line in its canonical form: JSON with sorted keys.
fn chained(before: [u8; 32], seq: i64, line: &UnsealedEvent) -> [u8; 32] {
    /// The fields in the order of their names.
    #[derive(Serialize)]
    struct Canonical<'l> {
        actor: &'l str,
        at: Timestamp,
        data: &'l str,
        id: EventId,
        kind: &'l str,
        partner: PartnerId,
        seq: i64,
        subject: Option<Uuid>,
    }
    let UnsealedEvent { id, at, kind, partner, subject, actor, data } = line;
    let canonical = Canonical { actor, at: *at, data, id: *id, kind, partner: *partner, seq, subject: *subject };
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&before);
    context.update(events::stored(&canonical).as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_chained_in_its_canonical_form() {
        let (id, partner) = (Uuid::from_u128(7), Uuid::from_u128(8));
        for subject in [None, Some(Uuid::from_u128(9))] {
            let line = UnsealedEvent {
                id: EventId::from_uuid(id),
                at: Timestamp::from_micros(5),
                kind: "user.created".to_owned(),
                partner: PartnerId::from_uuid(partner),
                subject,
                actor: r#"{"kind":"system"}"#.to_owned(),
                data: r#"{"a":"\u00e5"}"#.to_owned(),
            };
            let text = json!({
                "seq": 3, "id": line.id, "at": line.at, "kind": line.kind, "partner": line.partner,
                "subject": line.subject, "actor": line.actor, "data": line.data,
            });
            let whole = [&GENESIS[..], text.to_string().as_bytes()].concat();
            assert_eq!(chained(GENESIS, 3, &line), digest::digest(&digest::SHA256, &whole).as_ref());
        }
    }
}
