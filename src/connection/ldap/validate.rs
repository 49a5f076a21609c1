//! What can be wrong with the settings of a connection. Whatever is long is refused before it is read.
use url::Url;

use super::bounds;
use super::dn::{Dn, DnError};
use super::{Branch, MappedAttribute, ResolvedLdapSettings, SafeguardLimits, Test, Timeouts, TlsMode};

/// Everything that is wrong with settings, a sentence each.
pub(super) fn faults(settings: &ResolvedLdapSettings) -> Vec<String> {
    let mut faults = Vec::new();
    let config = &settings.config;
    if let Some(ca) = config.ca.as_ref().filter(|ca| ca.len() > bounds::CERTIFICATES_BYTES) {
        let (long, most) = (ca.len(), bounds::CERTIFICATES_BYTES);
        faults.push(format!("The certificates have {long} bytes; at most {most} are taken."));
    }
    let lists = [
        ("server addresses", config.urls.len()),
        ("bases for users", config.users.bases.len()),
        ("bases for groups", config.groups.as_ref().map_or(0, |groups| groups.bases.len())),
        ("signs that a user is switched off", settings.disabled.len()),
        ("names for one attribute", settings.attributes.values().map(Vec::len).max().unwrap_or(0)),
    ];
    let most = bounds::LIST;
    for (what, count) in lists.into_iter().filter(|(_, count)| *count > most) {
        faults.push(format!("There are {count} {what}; at most {most} are taken."));
    }
    // What is too long is not looked at any further.
    if !faults.is_empty() {
        return faults;
    }
    if config.urls.is_empty() {
        faults.push("No server address is given.".to_owned());
    }
    faults.extend(config.urls.iter().filter_map(|url| url_fault(url, settings.security)));
    if settings.security == TlsMode::None && config.ca.is_some() {
        faults.push("Certificates are given, but the line is not protected.".to_owned());
    }
    if let Some(dn) = &config.bind_dn {
        faults.extend(dn_fault("bind name", dn));
    }
    faults.extend(branch_faults("users", &config.users, &settings.user_filter));
    if let Some(groups) = &config.groups {
        faults.extend(branch_faults("groups", groups, &settings.group_filter));
    }
    for name in settings.user_attributes(None).iter().chain(&settings.group_attributes()) {
        if !is_attribute(name) {
            faults.push(format!("\"{name}\" is not an attribute name."));
        }
    }
    for (field, title) in [(MappedAttribute::UserName, "login name"), (MappedAttribute::GroupName, "group name")] {
        if settings.names(field).is_empty() {
            faults.push(format!("No attribute is named for the {title}."));
        }
    }
    if !(10..=10_000).contains(&config.page_size) {
        faults.push(format!("The page size is {}; it must be from 10 to 10,000.", config.page_size));
    }
    let Timeouts { connect, answer, read } = config.timeouts;
    if !(1..=300).contains(&connect) || !(1..=3_600).contains(&answer) || !(1..=86_400).contains(&read) {
        faults.push("Time limits are 1 to 300 s to connect, 1 to 3,600 s an answer, 1 to 86,400 s a read.".to_owned());
    }
    let compared = settings.disabled.iter().filter_map(|sign| match &sign.test {
        Test::Equals(text) => Some(text.len()),
        Test::Bits(_) | Test::Present(_) => None,
    });
    if compared.max() > Some(bounds::TEXT_BYTES) {
        faults.push(format!("An attribute is compared to a text of at most {} bytes.", bounds::TEXT_BYTES));
    }
    let SafeguardLimits { at_least, users_percent, members_percent } = config.safeguard;
    if !(1..=1_000).contains(&at_least) || users_percent > 50 || members_percent > 50 {
        faults.push("The safeguard takes at least 1 to 1,000 removals and at most 50 per cent.".to_owned());
    }
    if config.every_minutes.is_some_and(|minutes| !(5..=10_080).contains(&minutes)) {
        faults.push("Runs are 5 minutes to a week (10,080 minutes) apart.".to_owned());
    }
    faults
}

fn url_fault(text: &str, security: TlsMode) -> Option<String> {
    let scheme = if security == TlsMode::Ldaps { "ldaps" } else { "ldap" };
    if text.len() > bounds::ADDRESS_BYTES {
        return Some(format!("An address has at most {} bytes.", bounds::ADDRESS_BYTES));
    }
    let Ok(url) = Url::parse(text) else {
        return Some(format!("\"{text}\" is not an address; write {scheme}://host:port."));
    };
    if url.scheme() != scheme {
        return Some(format!("\"{text}\" must begin with {scheme}:// for this protection of the line."));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Some(format!("\"{text}\" names no host."));
    }
    let bare = url.path().trim_matches('/').is_empty() && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        return Some(format!("\"{text}\" must be only {scheme}://host:port; the rest has fields of its own."));
    }
    None
}

fn dn_fault(what: &str, dn: &str) -> Option<String> {
    let error = Dn::parse(dn).err()?;
    if error == DnError::Long {
        return Some(format!("The {what} is not a distinguished name: {error}."));
    }
    Some(format!("The {what} \"{dn}\" is not a distinguished name: {error}."))
}

fn branch_faults(what: &str, branch: &Branch, filter: &str) -> Vec<String> {
    let mut faults: Vec<String> =
        branch.bases.iter().filter_map(|base| dn_fault(&format!("base for {what}"), base)).collect();
    if branch.bases.is_empty() {
        faults.push(format!("No base for {what} is given."));
    }
    let bases: Vec<Dn> = branch.bases.iter().filter_map(|base| Dn::parse(base).ok()).collect();
    let overlap = bases
        .iter()
        .enumerate()
        .any(|(at, base)| bases.iter().enumerate().any(|(other_at, other)| at != other_at && base.is_within(other)));
    if overlap {
        faults.push(format!("One base for {what} lies in another: its entries would be read twice."));
    }
    faults.extend(filter_fault(what, filter));
    faults
}

/// What is wrong with a search filter. The crate that reads it calls itself for every term inside another, so its
/// length and depth are looked at before; parentheses of values are escaped (RFC 4515 §3).
fn filter_fault(what: &str, filter: &str) -> Option<String> {
    if filter.len() > bounds::FILTER_BYTES {
        return Some(format!("The filter for {what} is longer than {} bytes.", bounds::FILTER_BYTES));
    }
    let mut depth = 0_usize;
    for byte in filter.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > bounds::FILTER_DEPTH {
            let most = bounds::FILTER_DEPTH;
            return Some(format!("The filter for {what} has more than {most} terms inside each other."));
        }
    }
    let wrong = ldap3::parse_filter(filter).is_err();
    wrong.then(|| format!("The filter for {what} \"{filter}\" is not a search filter."))
}

/// Attribute descriptions without options (RFC 4512 §2.5).
pub(super) fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 128
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn base() -> serde_json::Value {
        json!({
            "urls": ["ldap://directory.example:389"],
            "users": {"bases": ["ou=people,dc=example"]},
            "groups": {"bases": ["ou=groups,dc=example"]},
        })
    }

    /// At the bound, one beyond it and far beyond it, on a small stack.
    #[test]
    fn every_text_has_a_bound() {
        let nested = |levels: usize, term: &str| format!("{}(uid=a){}", term.repeat(levels), ")".repeat(levels));
        let names = |count: usize| (0..count).map(|n| format!("ou=o{n},dc=x")).collect::<Vec<_>>();
        let long_dn = |bytes: usize| format!("ou={}", "a".repeat(bytes - 3));
        let filter = |levels: usize, term: &str| json!(nested(levels - 1, term));
        let (depth, bytes) = (bounds::FILTER_DEPTH, bounds::FILTER_BYTES);
        let mut cases: Vec<(&str, serde_json::Value, bool)> = vec![
            ("/users/filter", json!(format!("(uid={})", "a".repeat(bytes - 6))), true),
            ("/users/filter", json!(format!("(uid={})", "a".repeat(bytes - 5))), false),
            ("/users/filter", json!("(".repeat(1_000_000)), false),
            ("/users/filter", json!("(".repeat(bytes)), false),
            ("/users/bases", json!([long_dn(bounds::DN_BYTES)]), true),
            ("/users/bases", json!([long_dn(bounds::DN_BYTES + 1)]), false),
            ("/users/bases", json!([long_dn(5_000_000)]), false),
            ("/users/bases", json!(names(bounds::LIST)), true),
            ("/users/bases", json!(names(bounds::LIST + 1)), false),
            ("/groups/bases", json!(names(20_000)), false),
            ("/bind_dn", json!(long_dn(bounds::DN_BYTES + 1)), false),
            ("/urls", json!([format!("ldap://{}", "h".repeat(bounds::ADDRESS_BYTES))]), false),
            ("/urls", json!(vec!["ldap://h"; bounds::LIST + 1]), false),
            ("/ca", json!("-".repeat(bounds::CERTIFICATES_BYTES)), true),
            ("/ca", json!("-".repeat(bounds::CERTIFICATES_BYTES + 1)), false),
            ("/attributes", json!({"user_name": vec!["uid"; bounds::LIST + 1]}), false),
            ("/disabled", json!(vec![json!({"attribute": "a", "equals": "b"}); bounds::LIST + 1]), false),
            ("/disabled", json!([{"attribute": "a", "equals": "b".repeat(bounds::TEXT_BYTES + 1)}]), false),
        ];
        for term in ["(!", "(&", "(|", "(!(&(|"] {
            cases.push(("/groups/filter", filter(17_000, term), false));
            if term.len() == 2 {
                cases.push(("/users/filter", filter(depth, term), true));
                cases.push(("/users/filter", filter(depth + 1, term), false));
            }
        }
        let all = move || {
            for (pointer, value, right) in cases {
                let mut config = base();
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                config.pointer_mut(parent).unwrap()[key] = value;
                let began = std::time::Instant::now();
                let read = ResolvedLdapSettings::from_json("openldap", &config);
                assert_eq!(read.is_ok(), right, "{pointer} {:.200}", format!("{read:?}"));
                let sentence = read.err().map_or(0, |wrong| wrong.to_string().len());
                assert!(sentence < 20_000, "{pointer} is repeated at length");
                assert!(began.elapsed().as_secs() < 2, "{pointer} took {:?}", began.elapsed());
            }
        };
        std::thread::Builder::new().stack_size(256 * 1024).spawn(all).unwrap().join().unwrap();
    }
}
