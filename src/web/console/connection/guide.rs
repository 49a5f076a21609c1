//! What to paste at the other side, and how to go about it, product by product.
use super::super::connect::{self, Addresses, TOKEN};
use crate::config::PublicUrl;
use crate::domain::directory::{Connection, ConnectionKind};

/// Something to copy.
pub(super) struct CopyValue {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The values the other side asks for, under the names it has for them.
pub(super) fn values(connection: &Connection, public: &PublicUrl) -> Vec<CopyValue> {
    let base = public.as_str().trim_end_matches('/');
    let slug = &connection.slug;
    let value = |name, value: String| CopyValue { name, value };
    match (connection.kind, connection.profile.as_str()) {
        (ConnectionKind::Scim, profile) => {
            let addresses = Addresses::of(base, slug);
            let given = connect::guide(profile).map(|guide| guide.values.as_slice()).unwrap_or_default();
            let filled = |one: &'static connect::GuideValue| value(&one.name, addresses.fill(&one.value));
            given.iter().filter(|one| one.value != TOKEN).map(filled).collect()
        }
        (ConnectionKind::Oidc, _) => vec![
            value("Redirect URI", format!("{base}/sso/{slug}/callback")),
            value("Address users sign in at", format!("{base}/login/{slug}")),
        ],
        (ConnectionKind::Ldap, _) => Vec::new(),
    }
}

/// How to set the other side up.
pub(super) fn steps(connection: &Connection) -> Vec<String> {
    let steps: &[&str] = match (connection.kind, connection.profile.as_str()) {
        (ConnectionKind::Scim, profile) => {
            return connect::guide(profile).map(|guide| guide.steps.clone()).unwrap_or_default();
        }
        (ConnectionKind::Oidc, "entra") => &[
            "In the Entra admin centre register an application of the platform Web with the redirect URI above.",
            "Make a client secret under Certificates & secrets, and paste it below with the application (client) id.",
            "The issuer is https://login.microsoftonline.com/TENANT-ID/v2.0 with your own tenant id, never “common”.",
            "Open the connection and sign in once at the address above.",
        ],
        (ConnectionKind::Oidc, _) => &[
            "Register a web application at the provider with the redirect URI above, for the authorization code flow.",
            "Paste the issuer, the client id and the client secret below.",
            "Open the connection and sign in once at the address above.",
        ],
        (ConnectionKind::Ldap, "active_directory" | "samba") => &[
            "Make an account that may only read, and note its distinguished name.",
            "Use ldaps:// or StartTLS: a domain controller refuses passwords on an open line, and so do we.",
            "Fill in the settings, press Test, then Dry run: it shows what would come and changes nothing.",
            "Open the connection and synchronise.",
        ],
        (ConnectionKind::Ldap, _) => &[
            "Make an account that may only read users and groups, with no limit on the number of entries it may list.",
            "Fill in the settings, press Test, then Dry run: it shows what would come and changes nothing.",
            "Open the connection and synchronise.",
        ],
    };
    steps.iter().map(|step| (*step).to_owned()).collect()
}
