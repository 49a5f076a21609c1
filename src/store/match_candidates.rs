//! Everything that creating users rests on, in one question.
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::condition_members::ConditionState;
use super::extent::ConnectionExtent;
use super::totals::{self, Counted};
use super::users;
use super::{FromRow as _, Reader, StoreError};
use crate::domain::id::{ConditionId, ExternalUserId, Id as _, UserId};
use crate::domain::text::fold;
use crate::domain::user::UserProfile;
use crate::{binds, from_row, statements};

/// What a row of the answer tells of.
const NEWCOMER: i64 = 1;
const CONDITION: i64 = 2;
const PLACES: i64 = 3;
const OPEN_TERM: i64 = 4;
const OBSERVED: i64 = 5;
const USERS: i64 = 6;

/// A row of the answer.
struct MatchRow {
    what: i64,
    /// Of a newcomer whom the key names; of a condition its id; of a term the rule it is of.
    id: Option<Uuid>,
    /// Whether the user whom the key names lives, and is taken.
    lives: bool,
    taken: bool,
    /// Whether the user name is.
    name_taken: bool,
    /// Whether an administrator refused the user whom the key names.
    refused: bool,
    /// Whether somebody of the partner has the sign-in name.
    login_taken: bool,
    /// Of a newcomer who is alike; of a term a condition it asks for.
    other: Option<Uuid>,
    /// Of a condition its expression; of a term its number.
    words: Option<String>,
}

from_row!(MatchRow { what, id, lives, taken, name_taken, refused, login_taken, other, words });

/// An administrator has not refused the user whose column follows.
const NOT_REFUSED: &str =
    "NOT EXISTS (SELECT 1 FROM matches r WHERE r.external_user_id = $9 AND r.state = 'refused' AND r.user_id =";

/// The terms of a rule, each with the conditions it asks for.
const TERMS: &str = "JOIN rule_terms t ON t.rule_id = r.id LEFT JOIN rule_criteria c ON c.rule_id = t.rule_id AND c.term = t.term \
    AND c.set_kind = 'condition' AND NOT c.negated";

/// The term `t` asks for a group.
const ASKS_FOR_A_GROUP: &str = "EXISTS (SELECT 1 FROM rule_criteria g WHERE g.rule_id = t.rule_id AND g.term = t.term \
    AND g.set_kind = 'group' AND NOT g.negated)";

statements! {
    // Somebody alike is looked for in two ways and not with an OR, because each has an index, and a partner may have very
    // many users. What holds for whoever arrives at the directory is asked with the first newcomer only: $7.
    MEET: question[Uuid, Uuid, Uuid, Bytes, Bytes, Bytes, Bool, Bytes, Uuid] = format!("SELECT {NEWCOMER} AS what, i.user_id AS id, \
            EXISTS (SELECT 1 FROM live_users p WHERE p.id = i.user_id) AS lives, \
            EXISTS (SELECT 1 FROM external_users u WHERE u.user_id = i.user_id AND COALESCE(u.connection_id = $3, FALSE)) AS taken, \
            EXISTS (SELECT 1 FROM external_users v WHERE v.connection_id = $3 AND v.user_name_key = $8) AS name_taken, \
            EXISTS (SELECT 1 FROM matches r WHERE r.external_user_id = $9 AND r.user_id = i.user_id AND r.state = 'refused') \
                AS refused, \
            EXISTS (SELECT 1 FROM live_users l WHERE l.partner_id = $2 AND l.login_key = $5) AS login_taken, \
            COALESCE((SELECT n.id FROM live_users n WHERE n.partner_id = $2 AND n.login_key = $5 AND {NOT_REFUSED} n.id) \
                    LIMIT 1), \
                (SELECT m.id FROM live_users m WHERE m.partner_id = $2 AND m.email_key = $6 AND {NOT_REFUSED} m.id) \
                    LIMIT 1)) AS other, \
            CAST(NULL AS TEXT) AS words \
            FROM (SELECT 1) newcomer LEFT JOIN match_keys i ON i.directory_id = $1 AND i.match_key = $4 \
        UNION ALL SELECT {CONDITION}, c.id, FALSE, FALSE, FALSE, FALSE, FALSE, NULL, c.expression FROM attribute_conditions c \
            WHERE c.directory_id = $1 AND $7 \
        UNION ALL SELECT {PLACES}, NULL, FALSE, FALSE, FALSE, FALSE, FALSE, NULL, NULL FROM directories h \
            WHERE h.id = $1 AND $7 AND EXISTS ({}) \
        UNION ALL SELECT {OBSERVED}, NULL, FALSE, FALSE, FALSE, FALSE, FALSE, NULL, NULL FROM directories o \
            WHERE o.id = $1 AND $7 AND o.mode = 'observe' \
        UNION ALL SELECT {USERS}, NULL, FALSE, FALSE, FALSE, FALSE, FALSE, NULL, CAST(({}) AS TEXT) \
            FROM (SELECT 1) counted WHERE $7 \
        UNION ALL {} AND $7 AND NOT {ASKS_FOR_A_GROUP}",
        users::placing("1", ""),
        totals::about(Counted::ExternalUsers, "$3"),
        users::placing(&format!("{OPEN_TERM}, r.id, FALSE, FALSE, FALSE, FALSE, FALSE, c.set_id, CAST(t.term AS TEXT)"), TERMS));
}

/// Somebody of whom a connection speaks for the first time.
#[derive(Clone, Copy, Debug)]
pub struct MatchQuery<'a> {
    /// The external user: an administrator may have refused somebody for it.
    pub external: ExternalUserId,
    /// The user name.
    pub user_name: &'a str,
    /// What names the user at every connection of the directory.
    pub match_key: Option<&'a [u8]>,
    /// What is said of the user.
    pub profile: &'a UserProfile,
}

/// What stands where newcomers arrive.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DirectoryRules {
    /// The conditions of the directory; none of them holds for a newcomer yet.
    pub conditions: Vec<ConditionState>,
    /// Whether a rule in force places users.
    pub placing: bool,
    /// About how many users the connection has.
    pub users: i64,
    /// Whether the directory is only observed: nobody is made, linked or asked about.
    pub observed: bool,
    /// The terms of such rules that may match users who are in no group: the conditions each of them asks for.
    pub open_terms: Vec<BTreeSet<ConditionId>>,
}

impl DirectoryRules {
    /// Whether a rule may place somebody who is in no group, and for whom these conditions hold.
    pub fn may_place(&self, holding: &BTreeSet<ConditionId>) -> bool {
        self.open_terms.iter().any(|asked| asked.is_subset(holding))
    }
}

/// Whom a newcomer meets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MatchResult {
    /// Whether another user of the connection has the user name.
    pub name_taken: bool,
    /// Whom the join key names.
    pub named: Option<MatchedUser>,
    /// A living user of the directory's partner with the same sign-in name, or else the same mail address.
    pub lookalike: Option<UserId>,
    /// Whether somebody of the partner has the sign-in name; who is no lookalike was refused.
    pub login_taken: bool,
}

/// The user a join key names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MatchedUser {
    /// The user.
    pub user: UserId,
    /// Whether the user lives. A key may outlive whom it named.
    pub living: bool,
    /// Whether another external user of this connection is linked to that user already.
    pub taken: bool,
    /// Whether an administrator said that it is not that user.
    pub refused: bool,
}

/// What stands where newcomers arrive, and whom each of them meets there. They do not meet each other.
///
/// # Errors
/// Only those of the store.
pub async fn meet(
    reader: &mut Reader,
    at: &ConnectionExtent,
    newcomers: &[MatchQuery<'_>],
) -> Result<(DirectoryRules, Vec<MatchResult>), StoreError> {
    let key = |(place, newcomer): (usize, &MatchQuery<'_>)| {
        let UserProfile { login_name, email, .. } = newcomer.profile;
        let (login, email) = (users::key(login_name), users::key(email));
        let name = fold(newcomer.user_name).into_bytes();
        let at = (at.directory(), at.partner(), at.connection());
        binds![at.0, at.1, at.2, newcomer.match_key, login, email, place == 0, name, newcomer.external]
    };
    let keys: Vec<_> = newcomers.iter().enumerate().map(key).collect();
    let (mut house, mut all) = (DirectoryRules::default(), Vec::with_capacity(keys.len()));
    let mut terms: BTreeMap<(Uuid, Option<String>), BTreeSet<ConditionId>> = BTreeMap::new();
    for rows in reader.of_each(&MEET, &keys).await? {
        let mut met = MatchResult::default();
        for row in &rows {
            let MatchRow { what, id, lives, taken, name_taken, refused, login_taken, other, words } =
                MatchRow::from_row(row)?;
            match (what, id) {
                (NEWCOMER, named) => {
                    let named =
                        named.map(|id| MatchedUser { user: UserId::from_uuid(id), living: lives, taken, refused });
                    met = MatchResult { name_taken, named, lookalike: other.map(UserId::from_uuid), login_taken };
                }
                (CONDITION, Some(id)) => house.conditions.push(ConditionState {
                    condition: ConditionId::from_uuid(id),
                    expression: words.unwrap_or_default(),
                    holds: false,
                }),
                (OPEN_TERM, Some(rule)) => {
                    terms.entry((rule, words)).or_default().extend(other.map(ConditionId::from_uuid));
                }
                (USERS, _) => house.users = words.and_then(|words| words.parse().ok()).unwrap_or_default(),
                (OBSERVED, _) => house.observed = true,
                _ => house.placing = true,
            }
        }
        all.push(met);
    }
    house.open_terms = terms.into_values().collect();
    Ok((house, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_in_no_group_is_placed_where_every_condition_of_a_term_holds() {
        let [one, two] = [1, 2].map(|number| ConditionId::from_uuid(Uuid::from_u128(number)));
        let house = |terms: &[&[ConditionId]]| DirectoryRules {
            open_terms: terms.iter().map(|term| term.iter().copied().collect()).collect(),
            ..DirectoryRules::default()
        };
        let (none, first) = (BTreeSet::new(), BTreeSet::from([one]));
        assert!(!house(&[]).may_place(&first), "no rule places anybody");
        assert!(house(&[&[]]).may_place(&none), "a rule for everybody");
        assert!(house(&[&[one, two], &[one]]).may_place(&first));
        assert!(!house(&[&[one, two], &[two]]).may_place(&first));
    }
}
