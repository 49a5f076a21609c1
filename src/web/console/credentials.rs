//! Bearer tokens in lists, of connections and of users.
use super::layout::minute;
use crate::domain::time::Timestamp;
use crate::store::tokens::TokenRecord;

/// A token in a list.
pub(super) struct TokenRow {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) prefix: String,
    pub(super) made: String,
    pub(super) used: String,
    pub(super) ends: Option<String>,
    pub(super) live: bool,
}

/// The tokens, the newest first, those that have ended last.
pub(super) fn token_rows(oldest_first: Vec<TokenRecord>, now: Timestamp) -> Vec<TokenRow> {
    let row = |token: TokenRecord| TokenRow {
        live: token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end),
        id: token.id.to_string(),
        made: minute(token.created_at),
        used: token.last_used_at.map_or_else(|| "not used yet".to_owned(), |at| format!("last used {}", minute(at))),
        ends: token.expires_at.map(minute),
        name: token.name,
        prefix: token.prefix,
    };
    let mut rows: Vec<TokenRow> = oldest_first.into_iter().rev().map(row).collect();
    rows.sort_by_key(|row| !row.live);
    rows
}
