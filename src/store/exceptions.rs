//! What exception of a scope keeps a resource out.
use super::{Reader, Row, StoreError};
use crate::access::explain::{Named, Proof, Support};
use crate::domain::grant::Resource;
use crate::domain::id::{Id as _, PartnerId, UserGroupId};
use crate::{binds, statements};

statements! {
    PARTNER = "SELECT w.partner, p.name FROM (SELECT g.scope FROM role_grant g WHERE g.id = $1 \
            UNION ALL SELECT r.scope FROM mapping_rule r WHERE r.id = $1) held \
        JOIN scope_without_partner w ON w.scope = held.scope \
        JOIN partner_ancestor a ON a.ancestor = w.partner JOIN live_partner p ON p.id = w.partner \
        WHERE a.partner = $2 ORDER BY a.depth LIMIT 1";
    GROUP = "SELECT w.user_group, u.name FROM (SELECT g.scope FROM role_grant g WHERE g.id = $1 \
            UNION ALL SELECT r.scope FROM mapping_rule r WHERE r.id = $1) held \
        JOIN scope_without_group w ON w.scope = held.scope JOIN user_group u ON u.id = w.user_group \
        WHERE u.partner = $2 AND (u.id = $3 \
            OR EXISTS (SELECT 1 FROM live_person p WHERE p.id = $4 AND p.placement = u.id) \
            OR EXISTS (SELECT 1 FROM user_group_member m WHERE m.person = $4 AND m.user_group = u.id)) \
        ORDER BY u.id LIMIT 1";
}

/// An exception of a scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exception {
    /// A partner with all below it.
    Partner(Named<PartnerId>),
    /// A user group.
    Group(Named<UserGroupId>),
}

/// The exception of the scope behind `proof` that the resource falls under; none when another thing is in the way.
///
/// # Errors
/// Only those of the store.
pub async fn hit(reader: &mut Reader, proof: &Proof, resource: &Resource) -> Result<Option<Exception>, StoreError> {
    if !proof.scope.exclusions {
        return Ok(None);
    }
    let held = match &proof.support {
        Support::Manual { grant, .. } => grant.uuid(),
        Support::Rule(line) => line.rule.id.uuid(),
    };
    let partner = |row: &Row| Ok(Exception::Partner(Named::new(row.get(0)?, row.get::<String>(1)?)));
    if let Some(found) = reader.optional(&PARTNER, binds![held, resource.partner], partner).await? {
        return Ok(Some(found));
    }
    let group = |row: &Row| Ok(Exception::Group(Named::new(row.get(0)?, row.get::<String>(1)?)));
    let values = binds![held, resource.partner, resource.group, resource.owner];
    reader.optional(&GROUP, values, group).await
}
