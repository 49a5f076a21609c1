//! What leads to the rows of a filter by index: the identifiers that it asks for.
//!
//! A database without statistics would rather walk a whole connection in the order of its ids than look a value up, and
//! an `OR` it walks in any case. So whatever a filter names its rows by is looked up first, and only what was found is
//! filtered, ordered and counted. The filter itself stays as it is: leads may find too much, never too little.
use uuid::Uuid;

use super::clause::{text_equals, value_equals};
use super::{Composer, Of};
use crate::domain::filter::{Filter, FilterOp, FilterValue};
use crate::domain::id::exact;
use crate::store::{SqlValue as Bound, external_emails};

/// What a row is looked up by. The order says which leads to fewer rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum By {
    Id,
    UserName,
    ExternalId,
    DisplayName,
    Address,
    /// Groups that this is a member of.
    Member,
    /// Users who are in this group.
    Group,
}

/// The rows that satisfy a filter are among those that these lead to.
struct Leads(Vec<(By, Bound)>);

impl Leads {
    fn one(by: By, value: impl Into<Bound>) -> Option<Self> {
        Some(Self(vec![(by, value.into())]))
    }

    /// How far they lead: by the widest of them, then by their number.
    fn width(&self) -> (Option<By>, usize) {
        (self.0.iter().map(|(by, _)| *by).max(), self.0.len())
    }
}

/// More values than these are no look-up any more.
const MOST: usize = 200;

/// Whether an index leads to all that satisfy `filter`.
pub(super) fn is_led(of: Of, filter: &Filter) -> bool {
    leads(of, filter).is_some()
}

fn leads(of: Of, filter: &Filter) -> Option<Leads> {
    match filter {
        Filter::And(parts) => parts.iter().filter_map(|part| leads(of, part)).min_by_key(Leads::width),
        Filter::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(leads(of, part)?.0);
                if all.len() > MOST {
                    return None;
                }
            }
            Some(Leads(all))
        }
        Filter::Constant(false) => Some(Leads(Vec::new())),
        Filter::Constant(true) | Filter::Not(_) | Filter::Present(_) => None,
        Filter::Compare { field, op: FilterOp::Eq, value: FilterValue::Text(text) } => {
            let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
            match (of, path.as_slice()) {
                // What is no id is the id of nothing, as nil is.
                (_, ["id"]) => Leads::one(By::Id, exact(text).unwrap_or(Uuid::nil())),
                (_, ["externalId"]) => Leads::one(By::ExternalId, text.as_str()),
                (Of::Users, ["userName"]) => Leads::one(By::UserName, text.as_bytes()),
                (Of::Groups, ["displayName"]) => Leads::one(By::DisplayName, text.as_bytes()),
                _ => None,
            }
        }
        Filter::Compare { .. } => None,
        Filter::Each { list, inner } => match (of, list.path.as_slice()) {
            (Of::Users, [name]) if name == "emails" => {
                let address = text_equals(inner).filter(|address| external_emails::knows(address))?;
                Leads::one(By::Address, address.as_bytes())
            }
            (Of::Users, [name]) if name == "groups" => Leads::one(By::Group, value_equals(inner)?),
            (Of::Groups, [name]) if name == "members" => Leads::one(By::Member, value_equals(inner)?),
            _ => None,
        },
    }
}

impl Composer {
    /// The ids of the rows that `filter` can find, as a SELECT in which each may stand twice; none when no index leads
    /// to them.
    pub(super) fn led(&mut self, filter: Option<&Filter>) -> Option<String> {
        let Leads(mut all) = leads(self.of, filter?)?;
        all.sort_by_key(|(by, _)| *by);
        let mut selects = Vec::new();
        for same in all.chunk_by(|one, other| one.0 == other.0) {
            let Some((by, _)) = same.first() else { continue };
            let values: Vec<String> = same.iter().map(|(_, value)| self.bind(value.clone())).collect();
            selects.extend(self.select(*by, &values.join(", ")));
        }
        if selects.is_empty() {
            let table = self.of.whole();
            selects.push(format!(
                "SELECT id FROM {table} WHERE COALESCE(connection_id = $1, FALSE) AND id = {}",
                self.bind(Uuid::nil())
            ));
        }
        // UNION, so that each stands once.
        let once = selects.len() == 1 && all.first().is_some_and(|(by, _)| *by < By::Address);
        if !once && selects.len() == 1 {
            return selects.pop().map(|one| one.replacen("SELECT", "SELECT DISTINCT", 1));
        }
        Some(selects.join(" UNION "))
    }

    fn select(&self, by: By, values: &str) -> Vec<String> {
        let table = self.of.whole();
        // The index of groups' external ids has only those that are there.
        let there = if self.of == Of::Groups { "NOT is_removed AND " } else { "" };
        let column = |name: &str| {
            vec![format!("SELECT id FROM {table} WHERE connection_id = $1 AND {there}{name} IN ({values})")]
        };
        match by {
            By::Id => {
                vec![format!("SELECT id FROM {table} WHERE COALESCE(connection_id = $1, FALSE) AND id IN ({values})")]
            }
            By::UserName => column("user_name_key"),
            By::ExternalId => column("external_id"),
            By::DisplayName => column("display_name_key"),
            By::Address => external_emails::candidates(values).into(),
            By::Member => vec![
                format!("SELECT external_group_id FROM external_group_members WHERE external_user_id IN ({values})"),
                format!("SELECT parent_id FROM external_subgroups WHERE child_id IN ({values})"),
            ],
            By::Group => vec![format!(
                "SELECT om.external_user_id FROM external_group_ancestors oc CROSS JOIN external_group_members om \
                 WHERE oc.ancestor_id IN ({values}) AND om.external_group_id = oc.external_group_id"
            )],
        }
    }
}
