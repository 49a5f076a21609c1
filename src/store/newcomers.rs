//! Everything that creating a user rests on, in one question.
use uuid::Uuid;

use super::condition_members::Held;
use super::extent::ConnectionExtent;
use super::people::{self, PLACING};
use super::{Reader, StoreError, tuple};
use crate::domain::id::{ConditionId, Id as _, UserId};
use crate::domain::user::Profile;
use crate::{binds, statements};

/// What a row of the answer tells of.
const NAMED: i64 = 1;
const ALIKE: i64 = 2;
const CONDITION: i64 = 3;
const PLACES: i64 = 4;

/// What it tells, of whom or what; two truths, for whom a key names whether the person lives and is taken.
type Line = (i64, Uuid, bool, bool, Option<String>);

/// The rule `r` may match somebody who is in no group: a term of it asks for none.
const WITHOUT_GROUPS: &str = "EXISTS (SELECT 1 FROM rule_term t WHERE t.rule = r.id AND NOT EXISTS \
    (SELECT 1 FROM rule_atom a WHERE a.rule = t.rule AND a.term = t.term AND a.kind = 'group' AND NOT a.negated))";

statements! {
    // Somebody alike: two branches and not an OR, because each has an index, and a partner may have very many people.
    MEET = format!("SELECT {NAMED} AS what, i.person AS id, \
            EXISTS (SELECT 1 FROM live_person p WHERE p.id = i.person) AS one, \
            EXISTS (SELECT 1 FROM external_user u WHERE u.person = i.person AND u.connection = $3) AS two, \
            CAST(NULL AS TEXT) AS expression \
            FROM identity i WHERE i.directory = $1 AND i.join_key = $4 \
        UNION ALL SELECT {ALIKE}, n.id, FALSE, FALSE, NULL \
            FROM (SELECT id FROM live_person WHERE partner = $2 AND login_key = $5 LIMIT 1) n \
        UNION ALL SELECT {ALIKE}, m.id, FALSE, FALSE, NULL \
            FROM (SELECT id FROM live_person WHERE partner = $2 AND email_key = $6 LIMIT 1) m \
        UNION ALL SELECT {CONDITION}, c.id, FALSE, FALSE, c.expression FROM condition c WHERE c.directory = $1 \
        UNION ALL SELECT {PLACES}, h.id, EXISTS ({PLACING} AND {WITHOUT_GROUPS}), FALSE, NULL \
            FROM directory h WHERE h.id = $1 AND EXISTS ({PLACING})");
}

/// What a connection meets when it says a user for the first time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Met {
    /// Whom the join key names.
    pub named: Option<Named>,
    /// A living person of the directory's partner with the same sign-in name, or else the same mail address.
    pub lookalike: Option<UserId>,
    /// The conditions of the directory; none of them holds yet.
    pub conditions: Vec<Held>,
    /// Whether a rule in force places people.
    pub placing: bool,
    /// Whether one may place people who are in no group of any directory.
    pub placing_anybody: bool,
}

/// The person a join key names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named {
    /// The person.
    pub person: UserId,
    /// Whether the person lives. A key may outlive whom it named.
    pub living: bool,
    /// Whether another external user of this connection is linked to that person already.
    pub taken: bool,
}

/// What stands where a user with this join key and profile would arrive.
///
/// # Errors
/// Only those of the store.
pub async fn meet(
    reader: &mut Reader,
    at: &ConnectionExtent,
    join_key: Option<&[u8]>,
    profile: &Profile,
) -> Result<Met, StoreError> {
    let (login, email) = (people::key(&profile.login_name), people::key(&profile.email));
    let values = binds![at.directory(), at.partner(), at.connection(), join_key, login, email];
    let mut met = Met::default();
    for (what, id, one, two, expression) in reader.all(&MEET, values, tuple::<Line>).await? {
        let person = UserId::from_uuid(id);
        match what {
            NAMED => met.named = Some(Named { person, living: one, taken: two }),
            ALIKE => met.lookalike = met.lookalike.or(Some(person)),
            CONDITION => met.conditions.push(Held {
                condition: ConditionId::from_uuid(id),
                expression: expression.unwrap_or_default(),
                holds: false,
            }),
            _ => (met.placing, met.placing_anybody) = (true, one),
        }
    }
    Ok(met)
}
