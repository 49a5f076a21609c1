//! What to paste at the other side, and how to go about it, product by product.
use crate::config::PublicUrl;
use crate::domain::directory::{Connection, ConnectionKind};

/// Something to copy.
pub(super) struct Value {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The values the other side asks for, under the names it has for them.
pub(super) fn values(connection: &Connection, public: &PublicUrl) -> Vec<Value> {
    let base = public.as_str().trim_end_matches('/');
    let slug = &connection.slug;
    let value = |name, value: String| Value { name, value };
    match (connection.kind, connection.profile.as_str()) {
        (ConnectionKind::Scim, profile) => {
            let name = match profile {
                "entra" | "entra-flag" => "Tenant URL",
                "okta" => "SCIM connector base URL",
                _ => "SCIM base URL",
            };
            let flag = if profile == "entra-flag" { "?aadOptscim062020" } else { "" };
            vec![value(name, format!("{base}/scim/{slug}/v2{flag}"))]
        }
        (ConnectionKind::Oidc, _) => vec![
            value("Redirect URI", format!("{base}/sso/{slug}/callback")),
            value("Address people sign in at", format!("{base}/login/{slug}")),
        ],
        (ConnectionKind::Ldap, _) => Vec::new(),
    }
}

/// How to set the other side up.
pub(super) fn steps(connection: &Connection) -> Vec<String> {
    let steps: &[&str] = match (connection.kind, connection.profile.as_str()) {
        (ConnectionKind::Scim, "entra" | "entra-flag") => &[
            "In the Entra admin centre open Enterprise applications, create your own application and open Provisioning.",
            "Choose Automatic, paste the Tenant URL, and a token of the list below as Secret Token. Press Test Connection: the request appears in the log below.",
            "Under Mappings let externalId take objectId, not mailNickname: it is how the same person is recognised at sign-in.",
            "Assign users and groups to the application. Entra pushes direct members only; nested groups must be assigned themselves.",
            "Start provisioning. Entra works in cycles of about 40 minutes; use Provision on demand to try one person now.",
        ],
        (ConnectionKind::Scim, "okta") => &[
            "In the Okta admin console add the application SCIM 2.0 Test App (OAuth Bearer Token), or turn on SCIM in your own.",
            "Paste the base URL, and a token of the list below as the bearer token; the unique identifier is userName.",
            "Turn on Create Users, Update User Attributes and Deactivate Users.",
            "Push groups on the tab Push Groups: assigning a group only pushes its people.",
        ],
        (ConnectionKind::Scim, "google") => &[
            "In the Google Admin console open the application and its Autoprovisioning.",
            "Paste the base URL, and a token of the list below as the access token.",
            "Google pushes people only, not groups: let rules use attributes such as department.",
        ],
        (ConnectionKind::Scim, _) => &[
            "Paste the base URL at the provider, and a token of the list below as the bearer token.",
            "Map an identifier that never changes to externalId: it is how the same person is recognised at other doors.",
            "Assign people and groups, and push. Every request appears in the log below.",
        ],
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
            "Make an account that may only read people and groups, with no limit on the number of entries it may list.",
            "Fill in the settings, press Test, then Dry run: it shows what would come and changes nothing.",
            "Open the connection and synchronise.",
        ],
    };
    steps.iter().map(|step| (*step).to_owned()).collect()
}
