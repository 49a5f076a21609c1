//! How many users and groups a connection has, users a partner, and members a user group, without counting them. Whoever
//! adds or takes away writes how many, as a row of its own: writers never wait for each other's row, and the number is
//! exact at every moment. A job adds rows up ([`fold`]), so that few are ever read.
//!
//! Users are placed in the default group of their partner when they are made, so that group has as many members as the
//! partner has users, and what moves wrote of it besides.
use std::collections::BTreeMap;

use uuid::Uuid;

use super::bulk::Insert;
use super::extent::{ConnectionExtent, OperatorExtent};
use super::statement::Statement;
use super::{Reader, StoreError, Tx, first, tuple};
use crate::domain::id::{Id, PartnerId, UserGroupId, UserId};
use crate::{binds, statements};

statements! {
    ADD: insert[Uuid, Text, Uuid, I64] = add_text(EXTERNAL);
    LONG = long_text(EXTERNAL);
    TAKE = take_text(EXTERNAL);
    ADD_USERS: insert[Uuid, Text, Uuid, I64] = add_text(USER);
    LONG_USERS = long_text(USER);
    TAKE_USERS = take_text(USER);
}

/// A table of numbers, and the column that says whose.
type Table = (&'static str, &'static str);
const EXTERNAL: Table = ("external_totals", "connection_id");
const USER: Table = ("user_totals", "owner_id");

/// What is done to a table.
struct Book {
    add: &'static Insert,
    long: &'static Statement,
    take: &'static Statement,
}

static BOOKS: [Book; 2] =
    [Book { add: &ADD, long: &LONG, take: &TAKE }, Book { add: &ADD_USERS, long: &LONG_USERS, take: &TAKE_USERS }];

fn add_text((table, whose): Table) -> String {
    format!(
        "INSERT INTO {table} ({whose}, kind, id, number) VALUES ($1, $2, $3, $4) \
         ON CONFLICT ({whose}, kind, id) DO UPDATE SET number = {table}.number + excluded.number"
    )
}

fn long_text((table, whose): Table) -> String {
    format!("SELECT {whose}, kind FROM {table} GROUP BY {whose}, kind HAVING COUNT(*) > $1")
}

fn take_text((table, whose): Table) -> String {
    format!("DELETE FROM {table} WHERE {whose} = $1 AND kind = $2 RETURNING number")
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// Users that a connection has told.
    Users,
    /// Groups that a connection has told and that are not gone.
    Groups,
    /// Living users who are at home in a partner.
    AtHome,
    /// What was written of the members of a user group; [`members`] is how many there are.
    Members,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Users | Self::AtHome => "users",
            Self::Groups => "groups",
            Self::Members => "members",
        }
    }

    fn table(self) -> Table {
        match self {
            Self::Users | Self::Groups => EXTERNAL,
            Self::AtHome | Self::Members => USER,
        }
    }
}

/// A SELECT of the number of those of the one in `place`.
pub(super) fn kept(what: What, place: &str) -> String {
    let (table, whose) = what.table();
    format!(
        "SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM {table} t WHERE t.{whose} = {place} AND t.kind = '{}'",
        what.as_str()
    )
}

/// How many members a user group has, of the table called `g`: those placed there, or those an administrator added.
pub(super) fn members() -> String {
    format!(
        "(({}) + CASE WHEN g.is_default THEN ({}) ELSE 0 END)",
        kept(What::Members, "g.id"),
        kept(What::AtHome, "g.partner_id")
    )
}

/// A SELECT of the number of those at home in partner `$1` and in all below.
pub(super) fn at_home_below() -> String {
    "SELECT CAST(COALESCE(SUM(t.number), 0) AS BIGINT) FROM partner_ancestors a CROSS JOIN user_totals t \
     WHERE a.ancestor_id = $1 AND t.owner_id = a.partner_id AND t.kind = 'users'"
        .to_owned()
}

/// A SELECT of about the number of those of the connection in `place`: exact while few rows are beside the sum, and less
/// what came since a job last added them up otherwise. It reads few rows, however many writers there are.
pub(super) fn about(what: What, place: &str) -> String {
    let (table, whose) = what.table();
    format!(
        "SELECT CAST(COALESCE(SUM(f.number), 0) AS BIGINT) FROM (SELECT t.number FROM {table} t \
         WHERE t.{whose} = {place} AND t.kind = '{}' ORDER BY t.id LIMIT 66) f",
        what.as_str()
    )
}

/// A SELECT of the number of those of each connection of partner `$1` that has any.
pub(super) fn of_partner(what: What) -> String {
    format!(
        "SELECT c.id, CAST(SUM(t.number) AS BIGINT) FROM directories d CROSS JOIN connections c CROSS JOIN external_totals t \
         WHERE d.partner_id = $1 AND c.directory_id = d.id AND t.connection_id = c.id AND t.kind = '{}' \
         GROUP BY c.id HAVING SUM(t.number) > 0",
        what.as_str()
    )
}

/// Notes that so many came, or left when it is negative. `one` is one of them, whose row no other transaction writes.
pub(super) async fn add(
    tx: &mut Tx,
    at: &ConnectionExtent,
    what: What,
    one: impl Id,
    number: i64,
) -> Result<(), StoreError> {
    tx.later(&ADD, [binds![at.connection(), what.as_str(), one.uuid(), number]]).await
}

/// Notes that these users were made, each at home in a partner and placed in its default group.
pub(super) async fn made(tx: &mut Tx, users: &[(PartnerId, UserId)]) -> Result<(), StoreError> {
    let mut homes: BTreeMap<PartnerId, (UserId, i64)> = BTreeMap::new();
    for (partner, user) in users {
        homes.entry(*partner).or_insert((*user, 0)).1 += 1;
    }
    let row = |(partner, (one, number))| binds![partner, What::AtHome.as_str(), one, number];
    let rows: Vec<_> = homes.into_iter().map(row).collect();
    tx.later(&ADD_USERS, rows).await
}

/// Notes that a user, whose row this transaction has, came into a group, and left another.
pub(super) async fn moved(
    tx: &mut Tx,
    user: UserId,
    from: Option<UserGroupId>,
    to: Option<UserGroupId>,
) -> Result<(), StoreError> {
    let moves = [(from, -1), (to, 1)].into_iter().filter_map(|(group, number)| Some((group?, number)));
    let rows: Vec<_> = moves.map(|(group, number)| binds![group, What::Members.as_str(), user, number]).collect();
    tx.later(&ADD_USERS, rows).await
}

/// What is written in more than `most` rows: whose it is, and what.
///
/// # Errors
/// Only those of the store.
pub async fn long(reader: &mut Reader, at: &OperatorExtent, most: u32) -> Result<Vec<(Uuid, String)>, StoreError> {
    let mut found = Vec::new();
    for book in &BOOKS {
        found.extend(long_in(reader, at, book, most).await?);
    }
    Ok(found)
}

async fn long_in(
    reader: &mut Reader,
    _at: &OperatorExtent,
    book: &Book,
    most: u32,
) -> Result<Vec<(Uuid, String)>, StoreError> {
    reader.all(book.long, binds![most], tuple).await
}

/// Adds up what is written in more than `most` rows. What comes meanwhile stays beside the sum.
///
/// # Errors
/// Only those of the store.
pub async fn fold(tx: &mut Tx, at: &OperatorExtent, most: u32) -> Result<(), StoreError> {
    for book in &BOOKS {
        for (whose, what) in long_in(tx, at, book, most).await? {
            let taken: Vec<i64> = tx.all(book.take, binds![whose, &what], first).await?;
            let sum: i64 = taken.iter().sum();
            tx.later(book.add, [binds![whose, &what, Uuid::nil(), sum]]).await?;
        }
    }
    Ok(())
}
