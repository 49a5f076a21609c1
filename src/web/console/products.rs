//! The products users connect: what each connection is called, and what names the same user at all of them.
use crate::domain::directory::ConnectionKind;

/// A product and the connection it comes through.
#[derive(Clone, Copy)]
pub struct Product {
    /// Which connection.
    pub kind: ConnectionKind,
    /// The profile it is stored under.
    pub profile: &'static str,
    /// Its name for users.
    pub title: &'static str,
    /// The attribute that names the same user at every connection of the directory, unless another is set.
    pub join: &'static str,
}

impl Product {
    /// What a form sends for it.
    pub fn value(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.profile)
    }
}

/// The products of one connection.
pub struct ProductGroup {
    /// What the connection does.
    pub heading: &'static str,
    /// The products.
    pub products: Vec<Product>,
}

const fn scim(profile: &'static str, title: &'static str) -> Product {
    Product { kind: ConnectionKind::Scim, profile, title, join: "externalId" }
}

const fn ldap(profile: &'static str, title: &'static str, join: &'static str) -> Product {
    Product { kind: ConnectionKind::Ldap, profile, title, join }
}

const fn oidc(profile: &'static str, title: &'static str, join: &'static str) -> Product {
    Product { kind: ConnectionKind::Oidc, profile, title, join }
}

/// Every product, in the order to offer them.
const ALL: &[Product] = &[
    scim("entra", "Microsoft Entra ID"),
    scim("entra-flag", "Microsoft Entra ID with aadOptscim062020"),
    scim("okta", "Okta"),
    scim("onelogin", "OneLogin"),
    scim("jumpcloud", "JumpCloud"),
    scim("ping", "PingOne, PingFederate"),
    scim("google", "Google Workspace"),
    scim("sailpoint", "SailPoint"),
    scim("rippling", "Rippling"),
    scim("authentik", "authentik"),
    scim("generic", "Another SCIM client"),
    scim("strict", "A client that keeps to the RFCs"),
    ldap("active_directory", "Active Directory", "objectGUID"),
    ldap("openldap", "OpenLDAP", "entryUUID"),
    ldap("rfc2307", "LDAP with POSIX groups", "entryUUID"),
    ldap("389ds", "389 Directory Server", "nsUniqueId"),
    ldap("freeipa", "FreeIPA", "ipaUniqueID"),
    ldap("samba", "Samba AD", "objectGUID"),
    oidc("entra", "Microsoft Entra ID", "oid"),
    oidc("okta", "Okta", "sub"),
    oidc("google", "Google Workspace", "sub"),
    oidc("generic", "Another OpenID provider", "sub"),
];

/// Every product, by connection.
pub fn all() -> Vec<ProductGroup> {
    let group = |kind, heading| ProductGroup {
        heading,
        products: ALL.iter().filter(|product| product.kind == kind).copied().collect(),
    };
    vec![
        group(ConnectionKind::Scim, "SCIM 2.0: the provider pushes users and groups"),
        group(ConnectionKind::Ldap, "LDAP: Rolecall reads the directory"),
        group(ConnectionKind::Oidc, "OpenID Connect: users sign in"),
    ]
}

/// A product by connection and profile.
pub fn find(kind: ConnectionKind, profile: &str) -> Option<&'static Product> {
    ALL.iter().find(|product| product.kind == kind && product.profile == profile)
}

/// The name of a product for users.
pub fn title(kind: ConnectionKind, profile: &str) -> String {
    find(kind, profile).map_or_else(|| profile.to_owned(), |product| product.title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ldap::profile::LdapProfile;
    use crate::scim::profile::ClientProfile;

    #[test]
    fn every_profile_is_offered_and_nothing_else() {
        for (_, name) in ClientProfile::ALL {
            assert!(find(ConnectionKind::Scim, name).is_some(), "{name}");
        }
        for preset in LdapProfile::ALL {
            let product = find(ConnectionKind::Ldap, preset.name()).unwrap();
            assert_eq!((product.title, product.join), (preset.title(), preset.id()));
        }
        let scim = ALL.iter().filter(|product| product.kind == ConnectionKind::Scim);
        assert_eq!(scim.count(), ClientProfile::ALL.len());
    }
}
