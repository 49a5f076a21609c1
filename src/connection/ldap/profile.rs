//! What is usual in each directory product.
use std::collections::BTreeMap;

use super::{DisabledWhen, MappedAttribute, Test};

/// A directory product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LdapProfile {
    /// OpenLDAP and others with `inetOrgUser` and `groupOfNames` (RFC 2307bis).
    OpenLdap,
    /// POSIX groups that list logins (RFC 2307).
    Rfc2307,
    /// 389 Directory Server and Red Hat Directory Server.
    Ds389,
    /// FreeIPA and Red Hat Identity Management.
    FreeIpa,
    /// Microsoft Active Directory.
    ActiveDirectory,
    /// Samba as a domain controller.
    Samba,
}

impl LdapProfile {
    /// Every product, in the order to offer them.
    pub const ALL: [Self; 6] =
        [Self::ActiveDirectory, Self::OpenLdap, Self::Rfc2307, Self::Ds389, Self::FreeIpa, Self::Samba];

    /// Its name as a connection's profile.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenLdap => "openldap",
            Self::Rfc2307 => "rfc2307",
            Self::Ds389 => "389ds",
            Self::FreeIpa => "freeipa",
            Self::ActiveDirectory => "active_directory",
            Self::Samba => "samba",
        }
    }

    /// Reads a connection's profile.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its name for users.
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenLdap => "OpenLDAP",
            Self::Rfc2307 => "LDAP with POSIX groups",
            Self::Ds389 => "389 Directory Server",
            Self::FreeIpa => "FreeIPA",
            Self::ActiveDirectory => "Active Directory",
            Self::Samba => "Samba AD",
        }
    }

    fn is_ad(self) -> bool {
        matches!(self, Self::ActiveDirectory | Self::Samba)
    }

    /// The attribute that never changes.
    pub fn id(self) -> &'static str {
        match self {
            Self::OpenLdap | Self::Rfc2307 => "entryUUID",
            Self::Ds389 => "nsUniqueId",
            Self::FreeIpa => "ipaUniqueID",
            Self::ActiveDirectory | Self::Samba => "objectGUID",
        }
    }

    /// The attribute that lists members.
    pub fn member(self) -> &'static str {
        match self {
            Self::Rfc2307 => "memberUid",
            _ => "member",
        }
    }

    /// Which entries are users.
    pub fn user_filter(self) -> &'static str {
        match self {
            Self::Rfc2307 => "(objectClass=posixAccount)",
            Self::FreeIpa => "(&(objectClass=posixAccount)(objectClass=person))",
            // sAMAccountType of a normal account: neither computers nor trusts.
            Self::ActiveDirectory | Self::Samba => "(sAMAccountType=805306368)",
            Self::OpenLdap | Self::Ds389 => "(objectClass=inetOrgPerson)",
        }
    }

    /// Which entries are groups.
    pub fn group_filter(self) -> &'static str {
        match self {
            Self::Rfc2307 => "(objectClass=posixGroup)",
            Self::FreeIpa => "(objectClass=ipaUserGroup)",
            Self::ActiveDirectory | Self::Samba => "(objectClass=group)",
            Self::OpenLdap | Self::Ds389 => "(objectClass=groupOfNames)",
        }
    }

    /// When a user is switched off.
    pub fn disabled(self) -> Vec<DisabledWhen> {
        let sign = |attribute: &str, test| vec![DisabledWhen { attribute: attribute.to_owned(), test }];
        match self {
            // The value of a lock without end. Other values are a lock after wrong passwords, which anybody
            // can bring about and which ends by itself.
            Self::OpenLdap | Self::Rfc2307 => sign("pwdAccountLockedTime", Test::Equals("000001010000Z".to_owned())),
            Self::Ds389 | Self::FreeIpa => sign("nsAccountLock", Test::Equals("TRUE".to_owned())),
            Self::ActiveDirectory | Self::Samba => sign("userAccountControl", Test::Bits(2)),
        }
    }

    /// Attributes that it shows of every user.
    pub fn always(self) -> &'static [&'static str] {
        if self.is_ad() { &["userAccountControl"] } else { &[] }
    }

    /// For each of our attributes, the directory's.
    pub fn attributes(self) -> BTreeMap<MappedAttribute, Vec<String>> {
        let login: &[&str] = if self.is_ad() { &["userPrincipalName", "sAMAccountName"] } else { &["uid"] };
        let table: &[(MappedAttribute, &[&str])] = &[
            (MappedAttribute::UserName, login),
            (MappedAttribute::GivenName, &["givenName"]),
            (MappedAttribute::FamilyName, &["sn"]),
            (MappedAttribute::DisplayName, &["displayName", "cn"]),
            (MappedAttribute::Email, &["mail"]),
            (MappedAttribute::Title, &["title"]),
            (MappedAttribute::Phone, &["telephoneNumber"]),
            (MappedAttribute::PreferredLanguage, &["preferredLanguage"]),
            (
                MappedAttribute::EmployeeNumber,
                if self.is_ad() { &["employeeID", "employeeNumber"] } else { &["employeeNumber"] },
            ),
            (MappedAttribute::Department, if self.is_ad() { &["department"] } else { &["departmentNumber"] }),
            (MappedAttribute::Division, if self.is_ad() { &["division"] } else { &[] }),
            (MappedAttribute::Organization, if self.is_ad() { &["company"] } else { &["o"] }),
            (MappedAttribute::GroupName, &["cn"]),
        ];
        table.iter().map(|(field, names)| (*field, names.iter().map(|name| (*name).to_owned()).collect())).collect()
    }
}
