//! Nothing is declared twice: of two declarations of one thing the last would silently win.
use std::collections::BTreeSet;

use super::ApplyError;
use crate::admin::declaration::Declaration;
use crate::domain::text::fold;

pub(super) fn check(declaration: &Declaration) -> Result<(), ApplyError> {
    let mut seen = BTreeSet::new();
    let mut once = |place: String, partner: &str, name: &str, kind: &'static str| {
        if seen.insert((kind, partner.to_owned(), fold(name))) {
            Ok(())
        } else {
            Err(ApplyError::wrong(place, "the file declares it twice"))
        }
    };
    for decl in &declaration.partners {
        once(format!("partner {}", decl.key), &decl.key, "", "partner")?;
    }
    for decl in &declaration.groups {
        once(format!("group {} of {}", decl.name, decl.partner), &decl.partner, &decl.name, "group")?;
    }
    for decl in &declaration.roles {
        once(format!("role {} of {}", decl.name, decl.partner), &decl.partner, &decl.name, "role")?;
    }
    for decl in &declaration.users {
        once(format!("user {} of {}", decl.login, decl.partner), &decl.partner, &decl.login, "user")?;
    }
    for decl in &declaration.directories {
        once(format!("directory {} of {}", decl.name, decl.partner), &decl.partner, &decl.name, "directory")?;
        for door in &decl.connections {
            once(format!("connection {}", door.slug), "", &door.slug, "connection")?;
        }
    }
    Ok(())
}
