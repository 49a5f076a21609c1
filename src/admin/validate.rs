//! Texts that users type.
use super::error::AdminError;
use crate::domain::bounds::{INDEXED_TEXT_BYTES, TEXT_BYTES, fits, fits_index};

/// Most characters of a name.
pub const NAME_CHARACTERS: usize = 200;

/// A name without the spaces around it: 1 to 200 characters on one line.
pub(super) fn name(field: &str, text: &str) -> Result<String, AdminError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARACTERS || text.chars().any(char::is_control) {
        return Err(AdminError::Invalid(format!(
            "The field `{field}` needs 1 to {NAME_CHARACTERS} characters on one line."
        )));
    }
    if !fits_index(text) {
        let why =
            format!("The field `{field}` is longer than {INDEXED_TEXT_BYTES} bytes as it is compared; shorten it.");
        return Err(AdminError::Invalid(why));
    }
    Ok(text.to_owned())
}

/// Refuses a text that is kept and that no index holds, when it is too long.
pub(super) fn long(field: &str, text: &str) -> Result<(), AdminError> {
    if fits(text) {
        return Ok(());
    }
    Err(AdminError::Invalid(format!("The field `{field}` is longer than {TEXT_BYTES} bytes; shorten it.")))
}

/// Like [`name`]; empty is none.
pub(super) fn optional(field: &str, text: Option<&str>) -> Result<Option<String>, AdminError> {
    text.filter(|text| !text.trim().is_empty()).map(|text| name(field, text)).transpose()
}
