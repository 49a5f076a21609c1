//! Nothing is declared twice: of two declarations of one thing the last would silently win.
use std::collections::HashSet;

use super::error::Spot;
use super::{ApplyError, Run};
use crate::admin::declaration::Declaration;
use crate::domain::text::fold;

/// Notes what is declared a second time, which is then passed over.
pub(super) fn check(run: &mut Run<'_>, declaration: &Declaration) -> Result<(), ApplyError> {
    let mut seen = HashSet::new();
    let mut once = |run: &mut Run<'_>, spot: Spot, partner: &str, name: &str| {
        let kind = spot.at().split('/').next().unwrap_or_default().to_owned();
        if seen.insert((kind, partner.to_owned(), fold(name))) {
            return Ok(());
        }
        run.twice.insert(spot.at().to_owned());
        run.note::<()>(Err(spot.wrong("the file declares it twice"))).map(drop)
    };
    for (at, decl) in declaration.partners.iter().enumerate() {
        once(run, decl.spot(at), &decl.key, "")?;
    }
    for (at, decl) in declaration.groups.iter().enumerate() {
        once(run, decl.spot(at), &decl.partner, &decl.name)?;
    }
    for (at, decl) in declaration.roles.iter().enumerate() {
        once(run, decl.spot(at), &decl.partner, &decl.name)?;
    }
    for (at, decl) in declaration.users.iter().enumerate() {
        once(run, decl.spot(at), &decl.partner, &decl.login_name)?;
    }
    let mut slugs = HashSet::new();
    for (at, decl) in declaration.directories.iter().enumerate() {
        let spot = decl.spot(at);
        once(run, spot.clone(), &decl.partner, &decl.name)?;
        for (number, connection) in decl.connections.iter().enumerate() {
            if !slugs.insert(connection.slug.as_str()) {
                let spot = connection.spot(&spot, number);
                run.twice.insert(spot.at().to_owned());
                run.note::<()>(Err(spot.wrong("the file declares it twice")))?;
            }
        }
    }
    Ok(())
}
