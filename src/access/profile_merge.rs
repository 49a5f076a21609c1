//! A user's own columns, merged from what the directories say.
use crate::domain::id::{DirectoryId, ExternalUserId};
use crate::domain::user::UserProfile;

/// Profile columns as one source has them; what it does not say stays empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Columns {
    /// The name users see.
    pub display_name: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Primary mail address.
    pub email: Option<String>,
    /// The name to sign in with.
    pub login_name: Option<String>,
}

/// What one external user says of the user it is linked to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileSource {
    /// The directory's authority; lower speaks first.
    pub authority: i64,
    /// The directory.
    pub directory: DirectoryId,
    /// Who says so.
    pub by: ExternalUserId,
    /// What it says.
    pub columns: Columns,
}

/// Merges column by column: the administrator's pin, else the first directory that says anything, by
/// (authority, directory, external user). Blank text says nothing. The order of `said` does not matter.
///
/// Without any display name the user is shown by given and family name, mail address or login name.
pub fn merge(pinned: &Columns, said: &[ProfileSource]) -> UserProfile {
    let mut sources: Vec<&ProfileSource> = said.iter().collect();
    sources.sort_by_key(|said| (said.authority, said.directory, said.by));
    let all = || std::iter::once(pinned).chain(sources.iter().map(|said| &said.columns));
    let first = |column: fn(&Columns) -> &Option<String>| all().find_map(|columns| spoken(column(columns)));

    let given_name = first(|columns| &columns.given_name);
    let family_name = first(|columns| &columns.family_name);
    let email = first(|columns| &columns.email);
    let login_name = first(|columns| &columns.login_name);
    let full_name = || {
        let parts: Vec<_> = given_name.iter().chain(&family_name).map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let display_name = first(|columns| &columns.display_name)
        .or_else(full_name)
        .or_else(|| email.clone())
        .or_else(|| login_name.clone())
        .unwrap_or_default();
    UserProfile { display_name, given_name, family_name, email, login_name }
}

fn spoken(text: &Option<String>) -> Option<String> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::id::Id;

    fn said(authority: i64, n: u128, display_name: &str, email: Option<&str>) -> ProfileSource {
        ProfileSource {
            authority,
            directory: DirectoryId::from_uuid(Uuid::from_u128(n)),
            by: ExternalUserId::from_uuid(Uuid::from_u128(n)),
            columns: Columns {
                display_name: Some(display_name.into()),
                email: email.map(Into::into),
                ..Columns::default()
            },
        }
    }

    #[test]
    fn the_pin_comes_first_then_authority_column_by_column() {
        let pin = Columns { given_name: Some("Ada".into()), ..Columns::default() };
        let users = [said(2, 1, "From two", Some("two@example.org")), said(1, 2, "From one", None)];
        let merged = merge(&pin, &users);
        assert_eq!(merged.display_name, "From one");
        assert_eq!(merged.email.as_deref(), Some("two@example.org"));
        assert_eq!(merged.given_name.as_deref(), Some("Ada"));
        let turned: Vec<_> = users.iter().rev().cloned().collect();
        assert_eq!(merge(&pin, &turned), merged);
    }

    #[test]
    fn blank_says_nothing_and_a_name_is_found_somewhere() {
        let merged = merge(&Columns::default(), &[said(1, 1, "  ", Some("ada@example.org"))]);
        assert_eq!(merged.display_name, "ada@example.org");
        let both = Columns { given_name: Some("Ada".into()), family_name: Some("King".into()), ..Columns::default() };
        assert_eq!(merge(&both, &[]).display_name, "Ada King");
    }
}
