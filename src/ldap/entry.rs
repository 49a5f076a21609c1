//! From a directory entry to a user or a group as the directory says it, in the form every connection uses:
//! a SCIM document (RFC 7643), so that the same conditions and pages work on it.
use serde_json::{Map, Value, json};

use crate::provision::fit;
use crate::provision::match_key::MatchKey;
use crate::scim::resource::{self, Document, Rules};
use crate::scim::schema::SchemaSet;
use crate::secret::sha256;

use super::decode::LdapEntry;
use super::mark::{Mark, Marker};
use crate::connection::ldap::{MappedAttribute, ResolvedLdapSettings, Test};

/// A user as the directory says it.
#[derive(Clone, PartialEq, Debug)]
pub struct LdapUser {
    /// The stable id, as text.
    pub key: String,
    /// The login name.
    pub user_name: String,
    /// By which the user is found at the directory's other connections.
    pub match_key: Option<MatchKey>,
    /// False when the entry says the user is switched off, or shows nothing and it was so before.
    pub active: bool,
    /// `active` follows only from an attribute that the entry does not show, and that may as well be unreadable.
    pub silent: bool,
    /// The SCIM document, canonical; none when it is known to be the accepted one.
    pub doc: Option<Document>,
    /// By which a later run knows whether anything changed.
    pub mark: Mark,
}

/// A group as the directory says it.
#[derive(Clone, PartialEq, Debug)]
pub struct LdapGroup {
    /// The stable id, as text.
    pub key: String,
    /// Its name.
    pub name: String,
    /// The SCIM document, canonical, without members.
    pub doc: Document,
    /// Equal hashes mean nothing but members changed.
    pub hash: [u8; 32],
}

/// Why an entry was set aside; the run goes on without it, and it does not count as missing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SkipReason {
    /// Without a stable id nothing can be recognised again.
    #[error("it has no {0} that can be read")]
    NoId(String),
    /// A user without a login name.
    #[error("it has no login name ({0})")]
    NoLogin(String),
    /// A group without a name.
    #[error("it has no name ({0})")]
    NoName(String),
    /// Every user of this product shows whether it is switched off, and this one, who is new, does not.
    #[error("whether it is switched off cannot be read ({0})")]
    NoSwitch(String),
    /// Two entries with one id.
    #[error("another entry has the same stable id")]
    SameId,
    /// Two users with one login.
    #[error("another entry has the login name \"{0}\" too")]
    SameLogin(String),
    /// Two users with one value of the attribute that joins the connections of the directory.
    #[error("another entry has the same {0}, by which users are joined")]
    SameMatchingAttribute(String),
    /// The store's own refusal.
    #[error("{0}")]
    Refused(String),
}

/// The longest stable id, in bytes.
const LONGEST_ID: usize = 200;

/// The stable id of an entry: `objectGUID` in its usual text form, any other attribute as it stands, in
/// small letters. Two values name nobody, and neither does one that is too long or no text.
pub fn stable_key(entry: &LdapEntry, attribute: &str) -> Option<String> {
    let [value] = entry.values(attribute) else { return None };
    if is_guid(attribute) {
        let bytes: [u8; 16] = value.as_slice().try_into().ok()?;
        return Some(uuid::Uuid::from_bytes_le(bytes).to_string());
    }
    let key = std::str::from_utf8(value).ok()?.trim().to_ascii_lowercase();
    let readable = !key.is_empty() && key.len() <= LONGEST_ID && !key.chars().any(char::is_control);
    readable.then_some(key)
}

/// A filter (RFC 4515) that finds entries by their stable id.
pub(super) fn id_filter(attribute: &str, key: &str) -> String {
    let bytes = match uuid::Uuid::parse_str(key) {
        Ok(id) if is_guid(attribute) => id.to_bytes_le().to_vec(),
        _ => key.as_bytes().to_vec(),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let value: String =
        bytes
            .iter()
            .map(|byte| {
                if !is_guid(attribute) && plain(*byte) {
                    char::from(*byte).to_string()
                } else {
                    format!("\\{byte:02x}")
                }
            })
            .collect();
    format!("({attribute}={value})")
}

fn is_guid(attribute: &str) -> bool {
    attribute.eq_ignore_ascii_case("objectGUID")
}

/// How entries become documents.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    /// The directory's settings.
    pub settings: &'a ResolvedLdapSettings,
    /// What a document may hold.
    pub schemas: &'a SchemaSet,
    /// The attribute that joins users with the directory's other connections.
    pub join: Option<&'a str>,
}

/// What is known of a user already: it stays where the entry shows nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Before<'a> {
    /// Not switched off.
    pub active: bool,
    /// The join key.
    pub match_key: Option<&'a [u8]>,
    /// Of what was said last.
    pub mark: Option<Mark>,
}

/// Reads a user. What the entry does not show is as it was before.
pub(super) fn user<'b>(
    entry: &LdapEntry,
    mapping: Mapping<'_>,
    marker: &Marker,
    before: &dyn Fn(&str) -> Option<Before<'b>>,
) -> Result<LdapUser, SkipReason> {
    let settings = mapping.settings;
    let key = stable_key(entry, &settings.id).ok_or_else(|| SkipReason::NoId(settings.id.clone()))?;
    let logins = settings.names(MappedAttribute::UserName);
    let user_name = logins.iter().find_map(|name| entry.text(name)).map(str::trim);
    let user_name = user_name.ok_or_else(|| SkipReason::NoLogin(logins.join(", ")))?.to_owned();
    let before = before(&key);
    let (active, silent) = match (switch(entry, settings), &before) {
        (Switch::Shown(on), _) => (on, false),
        (Switch::Silent(on), _) => (on, true),
        (Switch::Unknown(_), Some(before)) => (before.active, false),
        (Switch::Unknown(attribute), None) => return Err(SkipReason::NoSwitch(attribute.to_owned())),
    };
    let match_key = mapping.join.and_then(|attribute| {
        let kept = || Some(MatchKey::kept(attribute, before?.match_key?.to_vec()));
        match_key(entry, settings, attribute, &key, &user_name).or_else(kept)
    });
    let known = before.and_then(|before| before.mark);
    let shown = marker.entry(entry, active, match_key.as_ref().map(MatchKey::bytes));
    if let Some(mark) = known.filter(|mark| mark.is_of(&shown)) {
        return Ok(LdapUser { key, user_name, match_key, active, silent, doc: None, mark });
    }
    let body = user_doc(entry, settings, &key, &user_name, active);
    let doc = accepted(resource::create(mapping.schemas.users(), body, Rules::LENIENT))?;
    fit::user(&doc, None, match_key.as_ref()).map_err(|error| SkipReason::Refused(error.to_string()))?;
    let mark = Mark::of_entry(hash(&doc, match_key.as_ref().map(MatchKey::bytes)), shown);
    let doc = Some(doc).filter(|_| known.is_none_or(|known| !known.same(&mark)));
    Ok(LdapUser { key, user_name, match_key, active, silent, doc, mark })
}

impl LdapUser {
    /// Keeps the user switched on or off as before, whatever the entry says.
    pub(super) fn keep_active(&mut self, active: bool) {
        self.active = active;
        self.correct(|doc| drop(doc.insert("active".to_owned(), active.into())));
    }

    /// Keeps a part of the document as it was in `before`.
    pub(super) fn keep(&mut self, part: &AttributePart, before: &Document) {
        self.correct(|doc| part.copy(before, doc));
    }

    /// Corrects the document, which then is not what the entry alone makes. One that is the accepted one needs none.
    fn correct(&mut self, how: impl FnOnce(&mut Document)) {
        if let Some(doc) = &mut self.doc {
            how(doc);
            self.mark = Mark::of(hash(doc, self.match_key.as_ref().map(MatchKey::bytes)));
        }
    }
}

/// Reads a group without its members.
pub fn group(entry: &LdapEntry, mapping: Mapping<'_>) -> Result<LdapGroup, SkipReason> {
    let settings = mapping.settings;
    let key = stable_key(entry, &settings.id).ok_or_else(|| SkipReason::NoId(settings.id.clone()))?;
    let names = settings.names(MappedAttribute::GroupName);
    let name = names.iter().find_map(|name| entry.text(name));
    let name = name.ok_or_else(|| SkipReason::NoName(names.join(", ")))?.to_owned();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "externalId": key,
    });
    let doc = accepted(resource::create(mapping.schemas.groups(), body, Rules::LENIENT))?;
    fit::group(&doc, None).map_err(|error| SkipReason::Refused(error.to_string()))?;
    let hash = hash(&doc, None);
    Ok(LdapGroup { key, name, doc, hash })
}

fn accepted(result: Result<resource::Accepted, crate::scim::error::ScimError>) -> Result<Document, SkipReason> {
    result.map(|accepted| accepted.document).map_err(|error| SkipReason::Refused(error.to_string()))
}

fn user_doc(entry: &LdapEntry, settings: &ResolvedLdapSettings, key: &str, user_name: &str, active: bool) -> Value {
    const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    let first = |field| settings.names(field).iter().find_map(|name| entry.text(name));
    let all = |field| {
        let mut values: Vec<&str> = settings.names(field).iter().flat_map(|name| entry.texts(name)).collect();
        let mut seen = std::collections::HashSet::new();
        values.retain(|value| seen.insert(*value));
        values
    };
    let texts = |fields: &[(MappedAttribute, &str)]| -> Map<String, Value> {
        fields.iter().filter_map(|(field, name)| Some(((*name).to_owned(), first(*field)?.into()))).collect()
    };
    let mut doc = texts(&[
        (MappedAttribute::DisplayName, "displayName"),
        (MappedAttribute::Title, "title"),
        (MappedAttribute::PreferredLanguage, "preferredLanguage"),
    ]);
    doc.insert("userName".into(), user_name.into());
    doc.insert("externalId".into(), key.into());
    doc.insert("active".into(), active.into());
    let mut name = texts(&[
        (MappedAttribute::GivenName, "givenName"),
        (MappedAttribute::FamilyName, "familyName"),
        (MappedAttribute::FormattedName, "formatted"),
    ]);
    if !name.contains_key("formatted")
        && let (Some(given), Some(family)) = (first(MappedAttribute::GivenName), first(MappedAttribute::FamilyName))
    {
        name.insert("formatted".into(), format!("{} {}", given.trim(), family.trim()).into());
    }
    if !name.is_empty() {
        doc.insert("name".into(), name.into());
    }
    let mails = all(MappedAttribute::Email);
    if !mails.is_empty() {
        let mails = mails.iter().enumerate().map(|(at, mail)| match at {
            0 => json!({"value": mail, "type": "work", "primary": true}),
            _ => json!({"value": mail, "type": "other"}),
        });
        doc.insert("emails".into(), mails.collect());
    }
    let phones = all(MappedAttribute::Phone);
    if !phones.is_empty() {
        doc.insert("phoneNumbers".into(), phones.iter().map(|phone| json!({"value": phone, "type": "work"})).collect());
    }
    let enterprise = texts(&[
        (MappedAttribute::EmployeeNumber, "employeeNumber"),
        (MappedAttribute::Department, "department"),
        (MappedAttribute::Division, "division"),
        (MappedAttribute::Organization, "organization"),
        (MappedAttribute::CostCenter, "costCenter"),
    ]);
    let mut schemas = vec![CORE];
    if !enterprise.is_empty() {
        schemas.push(ENTERPRISE);
        doc.insert(ENTERPRISE.into(), enterprise.into());
    }
    doc.insert("schemas".into(), schemas.into());
    Value::Object(doc)
}

/// What an entry shows of whether its user is switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Switch<'s> {
    /// It says so, or says the contrary with every sign.
    Shown(bool),
    /// It does not show a sign that others show, and by that is on or off; or it may not be read.
    Silent(bool),
    /// It does not show this sign, which the product shows of everybody.
    Unknown(&'s str),
}

fn switch<'s>(entry: &LdapEntry, settings: &'s ResolvedLdapSettings) -> Switch<'s> {
    let mut found = Switch::Shown(true);
    for sign in &settings.disabled {
        let value = entry.text(&sign.attribute).map(str::trim);
        let shown = !entry.values(&sign.attribute).is_empty();
        let off = match &sign.test {
            Test::Equals(text) => value.map(|value| value.eq_ignore_ascii_case(text)),
            Test::Bits(bits) => value.and_then(|value| value.parse::<i64>().ok()).map(|value| value & bits != 0),
            Test::Present(present) => shown.then_some(*present),
        };
        let always = settings.always.iter().any(|name| name.eq_ignore_ascii_case(&sign.attribute));
        found = match (off, found) {
            (Some(true), _) => return Switch::Shown(false),
            (Some(false), found) => found,
            (None, Switch::Unknown(other)) => Switch::Unknown(other),
            // A value that cannot be understood says as little as none.
            (None, _) if always || shown => Switch::Unknown(&sign.attribute),
            (None, _) if sign.test == Test::Present(false) => Switch::Silent(false),
            (None, Switch::Silent(on)) => Switch::Silent(on),
            (None, Switch::Shown(_)) => Switch::Silent(true),
        };
    }
    found
}

/// A part of a user's document that an attribute of the directory fills and that may decide over rights.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttributePart(String);

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl AttributePart {
    /// The part of this name, as [`AttributePart::name`] gives it.
    pub fn named(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// Its name: an attribute of SCIM.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The parts that `before` has and `now` lacks.
    pub(super) fn vanished(before: &Document, now: &Document) -> Vec<Self> {
        let mut gone = Vec::new();
        for (name, value) in before.iter().filter(|(name, _)| *name != "schemas" && *name != "active") {
            match (value.as_object(), now.get(name)) {
                (Some(inner), there) => {
                    let there = there.and_then(Value::as_object);
                    let lost = inner.keys().filter(|key| there.is_none_or(|there| !there.contains_key(*key)));
                    gone.extend(lost.map(|key| Self(format!("{name}:{key}"))));
                }
                (None, None) => gone.push(Self(name.clone())),
                (None, Some(_)) => {}
            }
        }
        gone
    }

    fn copy(&self, from: &Document, to: &mut Document) {
        let Some((outer, inner)) = self.0.rsplit_once(':') else {
            to.extend(from.get(&self.0).map(|value| (self.0.clone(), value.clone())));
            return;
        };
        let Some(value) = from.get(outer).and_then(|object| object.get(inner)) else { return };
        let object = to.entry(outer).or_insert_with(|| Value::Object(Map::new()));
        if let Some(object) = object.as_object_mut() {
            object.insert(inner.to_owned(), value.clone());
        }
        if outer == ENTERPRISE
            && let Some(schemas) = to.get_mut("schemas").and_then(Value::as_array_mut)
            && !schemas.iter().any(|urn| urn == ENTERPRISE)
        {
            schemas.push(ENTERPRISE.into());
        }
    }
}

/// The join key: the stable id in its text form, the login as it is taken, or any other attribute as it stands.
fn match_key(
    entry: &LdapEntry,
    settings: &ResolvedLdapSettings,
    attribute: &str,
    key: &str,
    login: &str,
) -> Option<MatchKey> {
    let named = |name: &str| attribute.eq_ignore_ascii_case(name);
    let value = if named(&settings.id) || named("externalId") {
        key
    } else if named("userName") {
        login
    } else {
        entry.text(attribute)?.trim()
    };
    Some(MatchKey::new(attribute, value))
}

fn hash(doc: &Document, match_key: Option<&[u8]>) -> [u8; 32] {
    let mut bytes = serde_json::to_vec(doc).unwrap_or_default();
    if let Some(key) = match_key {
        bytes.push(0);
        bytes.extend_from_slice(key);
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(extra: Value) -> ResolvedLdapSettings {
        settings_for("openldap", extra)
    }

    fn settings_for(profile: &str, extra: Value) -> ResolvedLdapSettings {
        let mut config = json!({
            "urls": ["ldap://d.example"], "security": "none",
            "users": {"bases": ["dc=x"]}, "groups": {"bases": ["dc=x"]},
        });
        let (Some(config_map), Value::Object(extra)) = (config.as_object_mut(), extra) else { panic!("objects") };
        config_map.extend(extra);
        ResolvedLdapSettings::from_json(profile, &config).unwrap()
    }

    fn entry(attributes: &[(&str, &[&str])]) -> LdapEntry {
        let values = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect();
        LdapEntry::new("cn=x,dc=x", attributes.iter().map(|(name, list)| ((*name).to_owned(), values(list))).collect())
    }

    fn read(entry: &LdapEntry, settings: &ResolvedLdapSettings, join: Option<&str>) -> Result<LdapUser, SkipReason> {
        let schemas = SchemaSet::base();
        let mapping = Mapping { settings, schemas: &schemas, join };
        user(entry, mapping, &Marker::new(mapping), &|_| None)
    }

    const ADA: &[(&str, &[&str])] = &[
        ("entryUUID", &["6F1A3B2C-0000-4000-8000-00000000000A"]),
        ("uid", &[" ada "]),
        ("givenName", &["Ada"]),
        ("sn", &["Lovelace"]),
        ("cn", &["Ada Lovelace"]),
        ("mail", &["ada@example.com", "ada@example.com", "countess@example.com"]),
        ("departmentNumber", &["Engines"]),
    ];

    #[test]
    fn a_user_becomes_a_scim_document() {
        let ada = read(&entry(ADA), &settings(json!({})), Some("entryUUID")).unwrap();
        assert_eq!(ada.key, "6f1a3b2c-0000-4000-8000-00000000000a");
        assert_eq!(ada.match_key.as_ref().map(MatchKey::bytes), Some(ada.key.as_bytes()));
        assert_eq!(ada.user_name, "ada");
        assert!(ada.active);
        let doc = ada.doc.unwrap();
        assert_eq!(doc["name"]["formatted"], "Ada Lovelace");
        assert_eq!(doc["displayName"], "Ada Lovelace");
        assert_eq!(doc["emails"].as_array().unwrap().len(), 2);
        assert_eq!(doc["emails"][0], json!({"value": "ada@example.com", "type": "work", "primary": true}));
        let enterprise = &doc["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
        assert_eq!(enterprise["department"], "Engines");
    }

    #[test]
    fn the_hash_follows_what_is_said_and_not_where_the_entry_stands() {
        let settings = settings(json!({}));
        let hash = |entry: &LdapEntry| read(entry, &settings, None).unwrap().mark;
        let mut moved = entry(ADA);
        moved.dn = "cn=elsewhere,dc=x".into();
        assert_eq!(hash(&entry(ADA)), hash(&moved));
        let mut renamed = ADA.to_vec();
        renamed[1] = ("uid", &["countess"]);
        assert_ne!(hash(&entry(ADA)), hash(&entry(&renamed)));
    }

    #[test]
    fn who_is_as_before_is_not_translated() {
        let own = settings(json!({}));
        let schemas = SchemaSet::base();
        let again = |of: &LdapEntry, settings: &ResolvedLdapSettings, before: Before<'_>| {
            let mapping = Mapping { settings, schemas: &schemas, join: Some("employeeNumber") };
            user(of, mapping, &Marker::new(mapping), &|_| Some(before)).unwrap()
        };
        let first = again(&entry(ADA), &own, Before { active: true, match_key: Some(b"7"), mark: None });
        assert!(first.doc.is_some());
        let before = Before { active: true, match_key: Some(b"7"), mark: Some(first.mark) };
        let same = again(&entry(ADA), &own, before);
        assert_eq!(same, LdapUser { doc: None, ..first.clone() });

        // Another writing of the same: looked at, and found to say the same.
        let mut other = ADA.to_vec();
        other[5] = ("mail", &["ada@example.com", "countess@example.com", "ada@example.com"]);
        let same = again(&entry(&other), &own, before);
        assert_eq!(same.doc, None);
        assert!(same.mark.same(&first.mark) && same.mark != first.mark);

        // Whatever the document rests on is looked at.
        other[5] = ("mail", &["countess@example.com"]);
        assert!(again(&entry(&other), &own, before).doc.is_some());
        let otherwise = settings(json!({"attributes": {"department": ["businessCategory"]}}));
        assert!(again(&entry(ADA), &otherwise, before).doc.is_some());
        let mut joined = ADA.to_vec();
        joined.push(("employeeNumber", &["8"]));
        assert!(again(&entry(&joined), &own, before).doc.is_some());
        let off = settings(json!({"disabled": [{"attribute": "cn", "equals": "Ada Lovelace"}]}));
        assert!(!again(&entry(ADA), &off, before).doc.unwrap()["active"].as_bool().unwrap());

        // What was corrected is no more what the entry makes, and is looked at again.
        let mut kept = first.clone();
        kept.keep_active(false);
        assert!(again(&entry(ADA), &own, Before { active: false, mark: Some(kept.mark), ..before }).doc.is_some());
    }

    #[test]
    fn entries_without_id_or_login_are_skipped() {
        let settings = settings(json!({}));
        let without = |name: &str| entry(&ADA.iter().copied().filter(|(n, _)| *n != name).collect::<Vec<_>>());
        assert_eq!(read(&without("entryUUID"), &settings, None), Err(SkipReason::NoId("entryUUID".into())));
        assert_eq!(read(&without("uid"), &settings, None), Err(SkipReason::NoLogin("uid".into())));
        assert_eq!(
            group(&without("cn"), Mapping { settings: &settings, schemas: &SchemaSet::base(), join: None }),
            Err(SkipReason::NoName("cn".into()))
        );
    }

    #[test]
    fn an_object_guid_has_its_usual_text_form_also_when_it_is_valid_utf8() {
        let settings = settings_for("active_directory", json!({}));
        let guid = LdapEntry::new("cn=a", vec![("objectGUID".into(), vec![b"3210547698badcfe".to_vec()])]);
        assert_eq!(stable_key(&guid, &settings.id).unwrap(), "30313233-3435-3637-3938-626164636665");
        let short = LdapEntry::new("cn=a", vec![("objectGUID".into(), vec![b"3210547698badcf".to_vec()])]);
        assert_eq!(stable_key(&short, &settings.id), None);
    }

    #[test]
    fn switched_off_in_each_way_and_not_by_a_temporary_lock() {
        for (preset, attribute, value, active) in [
            ("openldap", "pwdAccountLockedTime", "000001010000Z", false),
            ("openldap", "pwdAccountLockedTime", "20261121101500Z", true),
            ("389ds", "nsAccountLock", "true", false),
            ("389ds", "nsAccountLock", "FALSE", true),
            ("active_directory", "userAccountControl", "514", false),
            ("active_directory", "userAccountControl", "66048", true),
        ] {
            let mut settings = settings_for(preset, json!({}));
            settings.id = "entryUUID".into();
            settings.attributes.insert(MappedAttribute::UserName, vec!["uid".into()]);
            let mut attributes = ADA.to_vec();
            let values = [value];
            attributes.push((attribute, &values));
            let ada = read(&entry(&attributes), &settings, None).unwrap();
            assert_eq!((ada.active, &ada.doc.unwrap()["active"]), (active, &json!(active)), "{preset} {value}");
        }
    }

    #[test]
    fn users_join_by_id_by_login_or_by_any_attribute() {
        let settings = settings(json!({}));
        let mut attributes = ADA.to_vec();
        attributes[5] = ("mail", &["Ada@Example.COM"]);
        attributes.push(("employeeNumber", &["aB7"]));
        let entry = entry(&attributes);
        let key = |attribute| read(&entry, &settings, Some(attribute)).unwrap().match_key;
        let bytes = |attribute| key(attribute).unwrap().bytes().to_vec();
        assert_eq!(bytes("mail"), b"ada@example.com");
        assert_eq!(bytes("employeeNumber"), b"aB7");
        assert_eq!(bytes("userName"), b"ada");
        assert_eq!(bytes("ENTRYUUID"), read(&entry, &settings, None).unwrap().key.as_bytes());
        assert_eq!(key("homeDirectory"), None);
    }
}
