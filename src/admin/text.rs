//! Texts that people type.
use super::refused::Refused;

/// Most characters of a name.
const MOST: usize = 200;

/// A name without the spaces around it: 1 to 200 characters on one line.
pub(super) fn name(field: &str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MOST || text.chars().any(char::is_control) {
        return Err(Refused::Invalid(format!("The field `{field}` needs 1 to {MOST} characters on one line.")));
    }
    Ok(text.to_owned())
}

/// Like [`name`]; empty is none.
pub(super) fn optional(field: &str, text: Option<&str>) -> Result<Option<String>, Refused> {
    text.filter(|text| !text.trim().is_empty()).map(|text| name(field, text)).transpose()
}
