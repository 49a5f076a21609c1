//! The event feed: sealed lines in order, within the parts of the tree whose log somebody may read.
use super::events::SealedEvent;
use super::extent::PartnerExtent;
use super::{FromRow as _, Reader, StoreError};
use crate::domain::capability::CoreCapability;
use crate::{binds, statements};

statements! {
    // Partners of a level at which nobody may see the log stay out.
    AFTER = format!("SELECT e.seq, e.id, e.at, e.kind, e.partner_id, e.subject, e.actor, e.data, e.hash FROM events e \
        WHERE e.seq > $3 AND EXISTS (SELECT 1 FROM partner_ancestors a JOIN live_partners p ON p.id = a.partner_id \
            JOIN level_capabilities k ON k.level_id = p.level_id AND k.capability_id = {} \
            WHERE a.partner_id = e.partner_id AND a.ancestor_id = $1 AND ($2 OR a.depth = 0)) \
        ORDER BY e.seq LIMIT $4", CoreCapability::AuditView.id().0);
}

/// The lines within any of the extents after number `seq`, in order, each once; at most `limit`.
///
/// # Errors
/// Only those of the store.
pub async fn after(
    reader: &mut Reader,
    regions: &[PartnerExtent],
    seq: i64,
    limit: usize,
) -> Result<Vec<SealedEvent>, StoreError> {
    let mut lines: Vec<SealedEvent> = Vec::new();
    for region in regions {
        let values = binds![region.partner(), region.subtree(), seq, i64::try_from(limit).unwrap_or(i64::MAX)];
        lines.extend(reader.all(&AFTER, values, SealedEvent::from_row).await?);
    }
    lines.sort_by_key(|line| line.seq);
    lines.dedup_by_key(|line| line.seq);
    lines.truncate(limit);
    Ok(lines)
}
