//! What rules may give to the users of a directory: the roles its ceiling lets through, and what they allow. The levels
//! of partners cut further, at each decision.
use super::extent::ConnectionExtent;
use super::{FromRow as _, Reader, StoreError};
use crate::domain::capability::CapabilityId;
use crate::domain::id::RoleId;
use crate::{binds, from_row, statements};

/// The role of `c` confers its capability: every role above has it too.
const CONFERRED: &str = "NOT EXISTS (SELECT 1 FROM role_ancestors o WHERE o.role_id = c.role_id AND NOT EXISTS \
    (SELECT 1 FROM role_capabilities e WHERE e.role_id = o.ancestor_id AND e.capability_id = c.capability_id))";

statements! {
    // A ceiling row lets through what its role confers, whatever the role of the rule is called: a role passes when each of
    // its capabilities does.
    ROLES = format!("SELECT r.id, r.name FROM roles r JOIN partner_ancestors a ON a.ancestor_id = r.partner_id \
        WHERE a.partner_id = $2 AND (EXISTS \
            (SELECT 1 FROM directory_ceilings k JOIN role_ancestors l ON l.ancestor_id = k.role_id \
            WHERE k.directory_id = $1 AND l.role_id = r.id) \
        OR (EXISTS (SELECT 1 FROM role_capabilities c WHERE c.role_id = r.id AND {CONFERRED}) \
            AND NOT EXISTS (SELECT 1 FROM role_capabilities c WHERE c.role_id = r.id AND {CONFERRED} AND NOT EXISTS \
                (SELECT 1 FROM directory_ceilings k WHERE k.directory_id = $1 AND NOT EXISTS \
                (SELECT 1 FROM role_ancestors up WHERE up.role_id = k.role_id AND NOT EXISTS \
                (SELECT 1 FROM role_capabilities held WHERE held.role_id = up.ancestor_id \
                    AND held.capability_id = c.capability_id)))))) ORDER BY r.id");
    ENTITLEMENTS = "SELECT c.id, c.name, c.title, c.category FROM capabilities c WHERE EXISTS \
        (SELECT 1 FROM directory_ceilings k JOIN roles r ON r.id = k.role_id \
        JOIN partner_ancestors a ON a.ancestor_id = r.partner_id AND a.partner_id = $2 \
        WHERE k.directory_id = $1 AND NOT EXISTS \
        (SELECT 1 FROM role_ancestors up WHERE up.role_id = k.role_id AND NOT EXISTS \
        (SELECT 1 FROM role_capabilities held WHERE held.role_id = up.ancestor_id AND held.capability_id = c.id))) ORDER BY c.id";
}

/// A role that rules of the directory may give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantableRole {
    /// Its identity.
    pub id: RoleId,
    /// The name users see.
    pub name: String,
}

from_row!(GrantableRole { id, name });

/// A capability that those roles confer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantableCapability {
    /// Its number.
    pub id: CapabilityId,
    /// The name in files and requests.
    pub name: String,
    /// What it allows.
    pub title: String,
    /// The heading it is shown under.
    pub category: String,
}

/// The roles that pass the ceiling of the connection's directory and can be used at its partner, by id.
///
/// # Errors
/// Only those of the store.
pub async fn roles(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<GrantableRole>, StoreError> {
    reader.all(&ROLES, binds![at.directory(), at.partner()], GrantableRole::from_row).await
}

/// What those roles confer together, each cut down to the roles above it, by number.
///
/// # Errors
/// Only those of the store.
pub async fn capabilities(reader: &mut Reader, at: &ConnectionExtent) -> Result<Vec<GrantableCapability>, StoreError> {
    let read = |row: &super::Row| {
        Ok(GrantableCapability {
            id: CapabilityId(row.get("id")?),
            name: row.get("name")?,
            title: row.get("title")?,
            category: row.get("category")?,
        })
    };
    reader.all(&ENTITLEMENTS, binds![at.directory(), at.partner()], read).await
}
