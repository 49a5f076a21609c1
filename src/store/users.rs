//! Users: our own record of a user, merged from what the directories say.
use std::borrow::Cow;

use super::extent::{ConnectionExtent, OperatorExtent, PartnerExtent};
use super::totals::{self, Counted};
use super::{Dialect, FromRow, Insert, Reader, Row, SqlValue, StoreError, Tx, first};
use crate::domain::id::{ExternalGroupId, PartnerId, UserGroupId, UserId};
use crate::domain::text::fold;
use crate::domain::time::Timestamp;
use crate::domain::user::{User, UserProfile};
use crate::{binds, statements};

/// The columns of a [`User`], of the table called `p`.
pub(super) const COLUMNS: &str = "p.id, p.partner_id, p.display_name, p.given_name, p.family_name, p.email, p.login_name, \
    p.primary_group_id, p.pinned_group_id, p.version, p.created_at, \
    p.confirmed_at";

/// How many they are.
pub(super) const WIDTH: usize = 12;

/// The user is linked to an external user of the connection: what lets a connection touch it at all.
const LINKED: &str =
    "EXISTS (SELECT 1 FROM external_users u WHERE u.user_id = $1 AND COALESCE(u.connection_id = $2, FALSE))";

/// The user is at home in the extent's partner, or below it when the extent reaches below: `$1` and `$2`.
const AT_HOME: &str = "(p.partner_id = $1 OR ($2 AND EXISTS \
    (SELECT 1 FROM partner_ancestors a WHERE a.partner_id = p.partner_id AND a.ancestor_id = $1)))";

/// The users of partner `$1`, and those of it and of all partners below: looked for at their partners, so that those of
/// others cost nothing.
const HERE: &str = "live_users p WHERE p.partner_id = $1";
const BELOW: &str =
    "partner_ancestors a CROSS JOIN live_users p WHERE a.ancestor_id = $1 AND p.partner_id = a.partner_id";

/// Those after the sort key `$2` and the id `$3`, at most `$4`.
const AFTER: &str = "AND p.sort_key >= $2 AND (p.sort_key > $2 OR p.id > $3) ORDER BY p.sort_key, p.id LIMIT $4";

/// Whose name, address or sign-in name contains `$5`.
fn matching(dialect: Dialect) -> String {
    let contains = |text: &str| dialect.contains(text, "$5");
    format!(
        "({} OR {} OR {})",
        contains("p.sort_key"),
        contains("COALESCE(p.email_key, p.sort_key)"),
        contains("COALESCE(p.login_key, p.sort_key)")
    )
}

/// `columns` of the rules `r` in force of directory `$1` that place users, with what is `joined` to them.
pub(super) fn placing(columns: &str, joined: &str) -> String {
    format!(
        "SELECT {columns} FROM mapping_rules r JOIN directories d \
         ON d.id = r.directory_id AND d.rule_set_version = r.rule_set_version {joined} WHERE d.id = $1 AND r.effect = 'set_primary_group'"
    )
}

statements! {
    INSERT: insert[Uuid, Uuid, Text, Text, Text, Text, Bytes, Text, Bytes, Bytes, I64] = "INSERT INTO users (id, partner_id, display_name, given_name, family_name, email, email_key, login_name, \
        login_key, sort_key, primary_group_id, pinned_group_id, state, version, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
        (SELECT id FROM user_groups WHERE partner_id = $2 AND is_default), NULL, 'live', 1, $11, $11)";
    INSERT_CONFIRMED: insert[Uuid, Uuid, Text, Text, Text, Text, Bytes, Text, Bytes, Bytes, I64] = "INSERT INTO users \
        (id, partner_id, display_name, given_name, family_name, email, email_key, login_name, \
        login_key, sort_key, primary_group_id, pinned_group_id, state, version, created_at, updated_at, confirmed_at, confirmed_by) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
        (SELECT id FROM user_groups WHERE partner_id = $2 AND is_default), NULL, 'live', 1, $11, $11, $11, NULL)";
    CONFIRM_AT = format!("UPDATE users SET confirmed_at = $4, confirmed_by = $5, updated_at = $4 \
        WHERE confirmed_at IS NULL AND id IN (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    UNCONFIRM_AT = format!("UPDATE users SET confirmed_at = NULL, confirmed_by = NULL, updated_at = $4 \
        WHERE confirmed_at IS NOT NULL AND id IN (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    LOCK(dialect) = format!(
        "SELECT {COLUMNS} FROM live_users p WHERE p.id = $1 AND {} {}", LINKED.replace("$1", "p.id"),
        dialect.for_no_key_update());
    HOLD: set(dialect) = format!("SELECT id FROM live_users WHERE id IN ($1) ORDER BY id {}", dialect.for_no_key_update());
    SET_PROFILE = format!("UPDATE users SET display_name = $3, given_name = $4, family_name = $5, email = $6, \
        email_key = $7, sort_key = $8, updated_at = $9 WHERE id = $1 AND {LINKED}");
    SET_LOGIN = format!("UPDATE users SET login_name = $3, login_key = $4, updated_at = $5 WHERE id = $1 AND {LINKED}");
    SUSPEND = format!("INSERT INTO user_suspensions (user_id, source, reason, suspended_at) \
        SELECT id, $3, $4, $5 FROM live_users WHERE id = $1 AND {LINKED} ON CONFLICT (user_id, source) DO NOTHING");
    END_SESSIONS = format!("UPDATE users SET version = version + 1, updated_at = $3 WHERE id = $1 AND {LINKED}");
    RESUME = "DELETE FROM user_suspensions WHERE user_id = $1 AND source = $2";
    SUSPENDED_BY = "SELECT source FROM user_suspensions WHERE user_id = $1 ORDER BY source";
    SET_SUSPENDED_GRANTS = format!(
        "UPDATE grants SET suspended_at = $3 WHERE user_id = $1 AND suspended_at IS NULL AND {LINKED}");
    PLACED_BY_RULES = format!("SELECT EXISTS ({})", placing("1", ""));
    PLACED_BY_GROUP = "SELECT EXISTS (SELECT 1 FROM external_group_ancestors c JOIN rule_criteria a ON a.set_id = c.ancestor_id \
        JOIN mapping_rules r ON r.id = a.rule_id JOIN directories d ON d.id = r.directory_id \
        AND d.rule_set_version = r.rule_set_version WHERE c.external_group_id = $1 AND r.effect = 'set_primary_group')";
    PLACE = "UPDATE users SET primary_group_id = $2, updated_at = $3 WHERE id = $1 AND primary_group_id = $4";
    PRIMARY_GROUP(dialect) = format!("SELECT p.primary_group_id FROM live_users p WHERE p.id IN (SELECT p.id FROM live_users p \
        WHERE p.id = $3 AND {AT_HOME}) {}", dialect.for_no_key_update());
    BY_ID = format!("SELECT {COLUMNS} FROM live_users p WHERE p.id = $3 AND {AT_HOME}");
    LIST_HERE = format!("SELECT {COLUMNS} FROM {HERE} {AFTER}");
    LIST_BELOW = format!("SELECT {COLUMNS} FROM {BELOW} {AFTER}");
    LIST_MATCHING_HERE(dialect) = format!("SELECT {COLUMNS} FROM {HERE} AND {} {AFTER}", matching(dialect));
    LIST_MATCHING_BELOW(dialect) = format!("SELECT {COLUMNS} FROM {BELOW} AND {} {AFTER}", matching(dialect));
    UNCONFIRMED_MATCHING(dialect) = format!("SELECT {COLUMNS} FROM {HERE} AND p.confirmed_at IS NULL AND {} {AFTER}", matching(dialect));
    COUNT_HERE = totals::kept(Counted::Users, "$1");
    COUNT_BELOW = totals::at_home_below();
    SAID = format!("SELECT COUNT(*) FROM external_users u JOIN live_users p ON p.id = u.user_id \
        WHERE u.user_id = $3 AND {AT_HOME}");
    HOME_BELOW = "SELECT p.id FROM live_users p JOIN partner_ancestors a ON a.partner_id = p.partner_id \
        WHERE p.id = $1 AND a.ancestor_id = $2";
    BY_LOGIN = "SELECT id FROM live_users WHERE partner_id = $1 AND login_key = $2";
    // By partner, because that is what the index over sign-in names begins with.
    HOMES_OF_LOGIN = "SELECT q.id FROM live_partners q JOIN live_users p ON p.partner_id = q.id \
        WHERE p.login_key = $1 AND NOT EXISTS (SELECT 1 FROM external_users u WHERE u.user_id = p.id) ORDER BY q.id";
    OWN_USERS = format!("SELECT {COLUMNS} FROM live_users p WHERE p.partner_id = $1 \
        AND NOT EXISTS (SELECT 1 FROM external_users u WHERE u.user_id = p.id) ORDER BY p.sort_key, p.id");
    SET_AT = format!("UPDATE users SET display_name = $4, sort_key = $5, email = $6, email_key = $7, \
        login_name = $8, login_key = $9, updated_at = $10 \
        WHERE id IN (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    PLACE_AT = format!("UPDATE users SET primary_group_id = $4, updated_at = $5 WHERE primary_group_id = $6 AND id IN \
        (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
    PIN_AT = format!("UPDATE users SET pinned_group_id = $4, primary_group_id = COALESCE($4, primary_group_id), updated_at = $5 \
        WHERE id IN (SELECT p.id FROM live_users p WHERE p.id = $3 AND {AT_HOME})");
}

impl FromRow for User {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            partner: row.get(1)?,
            profile: UserProfile {
                display_name: row.get(2)?,
                given_name: row.get(3)?,
                family_name: row.get(4)?,
                email: row.get(5)?,
                login_name: row.get(6)?,
            },
            primary_group: row.get(7)?,
            pinned_group: row.get(8)?,
            version: row.get(9)?,
            created_at: row.get(10)?,
            confirmed_at: row.get(11)?,
        })
    }
}

/// What names and addresses are compared by.
pub(super) fn key(text: &Option<String>) -> Option<Vec<u8>> {
    text.as_deref().map(|text| fold(text).into_bytes())
}

/// Writes new users, each of a partner and placed in its default group, and that they came. All who are ever made are
/// written here.
async fn create(
    tx: &mut Tx,
    insert: &'static Insert,
    homes: Vec<(PartnerId, UserId)>,
    rows: Vec<Vec<SqlValue>>,
) -> Result<(), StoreError> {
    tx.later(insert, rows).await?;
    totals::made(tx, &homes).await
}

fn row(partner: PartnerId, id: UserId, profile: &UserProfile, now: Timestamp) -> Vec<SqlValue> {
    binds![
        id,
        partner,
        &profile.display_name,
        &profile.given_name,
        &profile.family_name,
        &profile.email,
        key(&profile.email),
        &profile.login_name,
        key(&profile.login_name),
        fold(&profile.display_name).into_bytes(),
        now
    ]
}

/// Writes new users of the directory's partner, placed in its default group.
///
/// # Errors
/// `StoreError::Check` when the partner has no default group; `StoreError::Unique(constraint::USER_LOGIN_NAME)` when the
/// sign-in name is taken there. At the next statement, as [`Tx::later`] has it.
pub async fn insert(
    tx: &mut Tx,
    at: &ConnectionExtent,
    new: &[(UserId, Cow<'_, UserProfile>, Timestamp)],
) -> Result<(), StoreError> {
    let rows = new.iter().map(|(id, profile, now)| row(at.partner(), *id, profile, *now)).collect();
    let homes = new.iter().map(|(id, ..)| (at.partner(), *id)).collect();
    create(tx, &INSERT, homes, rows).await
}

/// A user the connection is linked to; nobody else changes it until this transaction ends.
///
/// # Errors
/// Only those of the store.
pub async fn lock(tx: &mut Tx, at: &ConnectionExtent, id: UserId) -> Result<Option<User>, StoreError> {
    tx.optional(&LOCK, binds![id, at.connection()], User::from_row).await
}

/// Writes the merged columns, all but the sign-in name.
///
/// # Errors
/// Only those of the store.
pub async fn set_profile(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: UserId,
    profile: &UserProfile,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![
        id,
        at.connection(),
        &profile.display_name,
        &profile.given_name,
        &profile.family_name,
        &profile.email,
        key(&profile.email),
        fold(&profile.display_name).into_bytes(),
        now
    ];
    tx.execute(&SET_PROFILE, values).await.map(drop)
}

/// Writes the sign-in name.
///
/// # Errors
/// `StoreError::Unique(constraint::USER_LOGIN_NAME)` when another user of the partner has it.
pub async fn set_login(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: UserId,
    login_name: &Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![id, at.connection(), login_name, key(login_name), now];
    tx.execute(&SET_LOGIN, values).await.map(drop)
}

/// Switches a linked user off in the name of the connection, and ends the sessions of before; true when it was not
/// yet suspended by it.
///
/// # Errors
/// Only those of the store.
pub async fn suspend(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: UserId,
    cause: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = binds![id, at.connection(), at.source().to_string(), cause, now];
    let suspended = tx.execute(&SUSPEND, values).await? > 0;
    if suspended {
        end_sessions(tx, at, id, now).await?;
    }
    Ok(suspended)
}

/// Lifts the connection's own suspension; true when there was one.
///
/// # Errors
/// Only those of the store.
pub async fn reactivate(tx: &mut Tx, at: &ConnectionExtent, id: UserId) -> Result<bool, StoreError> {
    Ok(tx.execute(&RESUME, binds![id, at.source().to_string()]).await? > 0)
}

/// The sources that suspend a user the connection speaks of.
///
/// # Errors
/// Only those of the store.
pub async fn suspended_by(reader: &mut Reader, _at: &ConnectionExtent, id: UserId) -> Result<Vec<String>, StoreError> {
    reader.all(&SUSPENDED_BY, binds![id], first).await
}

/// Ends the sessions a linked user has now.
///
/// # Errors
/// Only those of the store.
pub async fn end_sessions(tx: &mut Tx, at: &ConnectionExtent, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(&END_SESSIONS, binds![id, at.connection(), now]).await.map(drop)
}

/// Puts the manual grants of a linked user aside until an administrator returns them; how many.
///
/// # Errors
/// Only those of the store.
pub async fn set_suspended_grants(
    tx: &mut Tx,
    at: &ConnectionExtent,
    id: UserId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.execute(&SET_SUSPENDED_GRANTS, binds![id, at.connection(), now]).await
}

/// Whether the connection's directory has a rule in force that places users.
///
/// # Errors
/// Only those of the store.
pub async fn placed_by_rules(reader: &mut Reader, at: &ConnectionExtent) -> Result<bool, StoreError> {
    reader.one(&PLACED_BY_RULES, binds![at.directory()], first).await
}

/// Whether a rule in force that places users asks for `group`, or for one it is nested in.
///
/// # Errors
/// Only those of the store.
pub async fn placed_by_group(
    reader: &mut Reader,
    _at: &ConnectionExtent,
    group: ExternalGroupId,
) -> Result<bool, StoreError> {
    reader.one(&PLACED_BY_GROUP, binds![group], first).await
}

/// Holds users until the transaction ends, so that who else changes what their placement rests on sees it all, or is
/// seen. SQLite has one writer: nothing to hold.
///
/// # Errors
/// Only those of the store.
pub async fn hold(tx: &mut Tx, users: &[UserId]) -> Result<(), StoreError> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(());
    }
    let mut users = users.to_vec();
    users.sort_unstable();
    let nothing = |_: &Row| Ok(());
    tx.all_in(&HOLD, binds![], users, nothing).await.map(drop)
}

/// Stores the derived placement of a user the connection speaks of, who was placed in the first group until now and
/// belongs in the second; true when it changed.
///
/// # Errors
/// Only those of the store.
pub async fn place(
    tx: &mut Tx,
    _at: &ConnectionExtent,
    id: UserId,
    (from, to): (UserGroupId, UserGroupId),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let placed = from != to && tx.execute(&PLACE, binds![id, to, now, from]).await? > 0;
    if placed {
        totals::moved(tx, id, Some(from), Some(to)).await?;
    }
    Ok(placed)
}

/// [`place`] for a user at home in the extent.
///
/// # Errors
/// Only those of the store.
pub async fn place_at(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserId,
    (from, to): (UserGroupId, UserGroupId),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let values = binds![at.partner(), at.subtree(), id, to, now, from];
    let placed = from != to && tx.execute(&PLACE_AT, values).await? > 0;
    if placed {
        totals::moved(tx, id, Some(from), Some(to)).await?;
    }
    Ok(placed)
}

/// Writes new users of whom the operator says that they belong there: each with the partner they are at home in.
///
/// # Errors
/// As [`insert`].
pub async fn insert_confirmed(
    tx: &mut Tx,
    _by: &OperatorExtent,
    new: &[(PartnerId, UserId, UserProfile)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = new.iter().map(|(partner, id, profile)| row(*partner, *id, profile, now)).collect();
    let homes = new.iter().map(|(partner, id, _)| (*partner, *id)).collect();
    create(tx, &INSERT_CONFIRMED, homes, rows).await
}

/// Says that a user within the extent belongs here, in the name of `by`, or of the operator; false when that was said
/// before.
///
/// # Errors
/// Only those of the store.
pub async fn confirm(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserId,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&CONFIRM_AT, binds![at.partner(), at.subtree(), id, now, by]).await? > 0)
}

/// Takes back that a user within the extent belongs here; false when nobody had said so.
///
/// # Errors
/// Only those of the store.
pub async fn unconfirm(tx: &mut Tx, at: &PartnerExtent, id: UserId, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.execute(&UNCONFIRM_AT, binds![at.partner(), at.subtree(), id, now]).await? > 0)
}

/// A living user within the extent.
///
/// # Errors
/// Only those of the store.
pub async fn get(reader: &mut Reader, at: &PartnerExtent, id: UserId) -> Result<Option<User>, StoreError> {
    reader.optional(&BY_ID, binds![at.partner(), at.subtree(), id], User::from_row).await
}

/// The living user of the extent's partner who signs in by this name; case does not count.
///
/// # Errors
/// Only those of the store.
pub async fn by_login(reader: &mut Reader, at: &PartnerExtent, login: &str) -> Result<Option<UserId>, StoreError> {
    reader.optional(&BY_LOGIN, binds![at.partner(), fold(login).into_bytes()], first).await
}

/// The partners at which someone of whom no directory speaks signs in by this name.
///
/// # Errors
/// Only those of the store.
pub async fn homes_of_login(
    reader: &mut Reader,
    _by: &OperatorExtent,
    login: &str,
) -> Result<Vec<PartnerId>, StoreError> {
    reader.all(&HOMES_OF_LOGIN, binds![fold(login).into_bytes()], first).await
}

/// Those at home in the extent's partner, not below it, of whom no directory speaks; by name.
///
/// # Errors
/// Only those of the store.
pub async fn without_source(reader: &mut Reader, at: &PartnerExtent) -> Result<Vec<User>, StoreError> {
    reader.all(&OWN_USERS, binds![at.partner()], User::from_row).await
}

/// Writes name, mail address and sign-in name of a user within the extent.
///
/// # Errors
/// `StoreError::Unique(constraint::USER_LOGIN_NAME)` when another user of the partner signs in by that name.
pub async fn set_at(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserId,
    profile: &UserProfile,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = binds![
        at.partner(),
        at.subtree(),
        id,
        &profile.display_name,
        fold(&profile.display_name).into_bytes(),
        &profile.email,
        key(&profile.email),
        &profile.login_name,
        key(&profile.login_name),
        now
    ];
    tx.execute(&SET_AT, values).await.map(drop)
}

/// A page of the living users within the extent, by name: those after `after` (sort key and id of the last one seen)
/// whose name, address or sign-in name contains `matching`; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn list(
    reader: &mut Reader,
    at: &PartnerExtent,
    after: Option<(&[u8], UserId)>,
    matching: Option<&str>,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    let (key, id) = match after {
        Some((key, id)) => (key.to_vec(), SqlValue::from(id)),
        None => (Vec::new(), SqlValue::Uuid(uuid::Uuid::nil())),
    };
    let mut values = binds![at.partner(), key];
    values.extend([id, limit.into()]);
    let statement = match matching.map(fold).filter(|text| !text.is_empty()) {
        None if at.subtree() => &LIST_BELOW,
        None => &LIST_HERE,
        Some(text) => {
            values.push(text.into_bytes().into());
            if at.subtree() { &LIST_MATCHING_BELOW } else { &LIST_MATCHING_HERE }
        }
    };
    reader.all(statement, values, User::from_row).await
}

/// The users of the extent's partner whom nobody has confirmed and whose name, address or sign-in name contains `text`,
/// by name; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn unconfirmed(
    reader: &mut Reader,
    at: &PartnerExtent,
    text: &str,
    limit: u32,
) -> Result<Vec<User>, StoreError> {
    let values = binds![at.partner(), Vec::<u8>::new(), uuid::Uuid::nil(), limit, fold(text).into_bytes()];
    reader.all(&UNCONFIRMED_MATCHING, values, User::from_row).await
}

/// The key [`list`] orders by.
pub fn sort_key(user: &User) -> Vec<u8> {
    fold(&user.profile.display_name).into_bytes()
}

/// How many living users are within the extent.
///
/// # Errors
/// Only those of the store.
pub async fn count(reader: &mut Reader, at: &PartnerExtent) -> Result<u64, StoreError> {
    let statement = if at.subtree() { &COUNT_BELOW } else { &COUNT_HERE };
    reader.one(statement, binds![at.partner()], first).await
}

/// Pins a user within the extent in an primary group of the home partner, or unpins; the caller places anew after
/// unpinning. False when there is no such user.
///
/// # Errors
/// Only those of the store.
pub async fn pin(
    tx: &mut Tx,
    at: &PartnerExtent,
    id: UserId,
    group: Option<UserGroupId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let here = binds![at.partner(), at.subtree(), id];
    let Some(from) = tx.optional(&PRIMARY_GROUP, here, first::<UserGroupId>).await? else { return Ok(false) };
    tx.execute(&PIN_AT, binds![at.partner(), at.subtree(), id, group, now]).await?;
    if group.is_some_and(|group| group != from) {
        totals::moved(tx, id, Some(from), group).await?;
    }
    Ok(true)
}

/// Whether any directory speaks of the user.
///
/// # Errors
/// Only those of the store.
pub async fn has_source(reader: &mut Reader, at: &PartnerExtent, id: UserId) -> Result<bool, StoreError> {
    Ok(reader.one(&SAID, binds![at.partner(), at.subtree(), id], first::<i64>).await? > 0)
}

/// Whether a user is at home in the extent's partner or below it, however far the extent reaches.
///
/// # Errors
/// Only those of the store.
pub async fn at_home_below(reader: &mut Reader, at: &PartnerExtent, who: UserId) -> Result<bool, StoreError> {
    let found = reader.optional(&HOME_BELOW, binds![who, at.partner()], first::<UserId>).await?;
    Ok(found.is_some())
}
