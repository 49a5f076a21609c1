//! Catalogs: the level scheme, capabilities and roles of one product, read from files.
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::capability::{CapabilityId, CoreCapability};
use super::partner::LevelId;

/// First number free for products; those below are `CoreCapability`.
const FIRST_PRODUCT_ID: i64 = 1_000;

/// A validated catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Catalog {
    /// Its name: the folder it stands in.
    pub name: String,
    /// From the top of the tree down.
    pub levels: Vec<Level>,
    /// The core ones and the product's.
    pub capabilities: Vec<Capability>,
    /// Parents before children.
    pub roles: Vec<CatalogRole>,
}

/// One level of the scheme.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Level {
    /// Its number; also its order from the top.
    pub id: LevelId,
    /// The name in files and requests.
    pub name: String,
    /// The name users see.
    pub title: String,
    /// What may ever be done to partners of this level.
    pub ceiling: BTreeSet<CapabilityId>,
}

/// One capability.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capability {
    /// Its number.
    pub id: CapabilityId,
    /// The name in files and requests.
    pub name: String,
    /// What it allows.
    pub title: String,
    /// The heading it is shown under.
    pub category: String,
    /// 0 look, 1 change, 2 change who may do what, 3 act as another or irreversible.
    pub risk: i64,
    /// Whether it works on a suspended partner.
    pub on_suspended: bool,
}

/// One role template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CatalogRole {
    /// The key in files.
    pub key: String,
    /// The name users see.
    pub name: String,
    /// The key of the role it never exceeds.
    pub parent: Option<String>,
    /// What it confers.
    pub capabilities: BTreeSet<CapabilityId>,
}

/// The texts of a catalog's files.
#[derive(Clone, Copy, Debug)]
pub struct CatalogFiles<'a> {
    /// `levels.toml`
    pub levels: &'a str,
    /// `capabilities.toml`
    pub capabilities: &'a str,
    /// `roles.toml`
    pub roles: &'a str,
}

/// Why a catalog does not load. Each says which file and what to change.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CatalogError {
    /// Not TOML of the expected form.
    #[error("{file}: {message}")]
    Form {
        /// The file.
        file: &'static str,
        /// What the reader says, with line and column.
        message: String,
    },
    /// A name that no capability carries.
    #[error("{file}: {place} names the capability `{name}`, which is neither in capabilities.toml nor built in")]
    UnknownCapability {
        /// The file.
        file: &'static str,
        /// Where.
        place: String,
        /// The name.
        name: String,
    },
    /// Two entries of one kind share a number, a name or a key.
    #[error("{file}: `{name}` stands twice")]
    Twice {
        /// The file.
        file: &'static str,
        /// The number, name or key.
        name: String,
    },
    /// A product capability in the range of the built-in ones.
    #[error("capabilities.toml: `{name}` has the number {id}; numbers below 1000 are built in")]
    ReservedNumber {
        /// The capability.
        name: String,
        /// Its number.
        id: i64,
    },
    /// A parent that is not in the file, or a circle of parents.
    #[error("roles.toml: the parent of `{role}` is not a role of this file that stands above it")]
    Parent {
        /// The role.
        role: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelsFile {
    level: Vec<RawLevel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLevel {
    id: i64,
    name: String,
    title: String,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapabilitiesFile {
    capability: Vec<RawCapability>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCapability {
    id: i64,
    name: String,
    title: String,
    category: String,
    risk: i64,
    #[serde(default)]
    on_suspended: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesFile {
    role: Vec<RawRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRole {
    key: String,
    name: String,
    parent: Option<String>,
    capabilities: Vec<String>,
}

impl Catalog {
    /// Reads and validates a catalog.
    ///
    /// # Errors
    /// `CatalogError`, with the file and what to change.
    pub fn parse(name: &str, files: CatalogFiles<'_>) -> Result<Self, CatalogError> {
        let capabilities = capabilities(files.capabilities)?;
        let names = Names::of(&capabilities);
        Ok(Self {
            name: name.to_owned(),
            levels: levels(files.levels, &names)?,
            roles: roles(files.roles, &names)?,
            capabilities,
        })
    }

    /// The level of that name.
    pub fn level(&self, name: &str) -> Option<&Level> {
        self.levels.iter().find(|level| level.name == name)
    }
}

/// Capabilities by name, for looking up what files refer to.
struct Names<'a>(BTreeMap<&'a str, CapabilityId>);

impl<'a> Names<'a> {
    fn of(capabilities: &'a [Capability]) -> Self {
        Self(capabilities.iter().map(|one| (one.name.as_str(), one.id)).collect())
    }

    fn all(&self) -> BTreeSet<CapabilityId> {
        self.0.values().copied().collect()
    }

    /// The numbers behind names; `family.*` stands for all that begin so.
    fn resolve(
        &self,
        file: &'static str,
        place: &str,
        names: &[String],
    ) -> Result<BTreeSet<CapabilityId>, CatalogError> {
        let mut found = BTreeSet::new();
        for name in names {
            let unknown = || CatalogError::UnknownCapability { file, place: place.to_owned(), name: name.clone() };
            match name.strip_suffix('*') {
                Some(family) => {
                    let before = found.len();
                    found.extend(self.0.iter().filter(|(name, _)| name.starts_with(family)).map(|(_, id)| *id));
                    if found.len() == before {
                        return Err(unknown());
                    }
                }
                None => {
                    found.insert(*self.0.get(name.as_str()).ok_or_else(unknown)?);
                }
            }
        }
        Ok(found)
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &'static str, text: &str) -> Result<T, CatalogError> {
    toml::from_str(text).map_err(|error| CatalogError::Form { file, message: error.to_string() })
}

fn capabilities(text: &str) -> Result<Vec<Capability>, CatalogError> {
    let file = "capabilities.toml";
    let core = CoreCapability::ALL.iter().map(|core| Capability {
        id: core.id(),
        name: core.name().to_owned(),
        title: core.title().to_owned(),
        category: "Rolecall".to_owned(),
        risk: core.risk(),
        on_suspended: core.on_suspended(),
    });
    let mut all: Vec<_> = core.collect();
    for raw in read::<CapabilitiesFile>(file, text)?.capability {
        if raw.id < FIRST_PRODUCT_ID {
            return Err(CatalogError::ReservedNumber { name: raw.name, id: raw.id });
        }
        if all.iter().any(|one| one.id.0 == raw.id || one.name == raw.name) {
            return Err(CatalogError::Twice { file, name: raw.name });
        }
        all.push(Capability {
            id: CapabilityId(raw.id),
            name: raw.name,
            title: raw.title,
            category: raw.category,
            risk: raw.risk,
            on_suspended: raw.on_suspended,
        });
    }
    Ok(all)
}

fn levels(text: &str, names: &Names<'_>) -> Result<Vec<Level>, CatalogError> {
    let file = "levels.toml";
    let mut levels: Vec<Level> = Vec::new();
    for raw in read::<LevelsFile>(file, text)?.level {
        if levels.iter().any(|level| level.id.0 == raw.id || level.name == raw.name) {
            return Err(CatalogError::Twice { file, name: raw.name });
        }
        let excluded = names.resolve(file, &raw.name, &raw.exclude)?;
        levels.push(Level {
            id: LevelId(raw.id),
            name: raw.name,
            title: raw.title,
            ceiling: names.all().difference(&excluded).copied().collect(),
        });
    }
    levels.sort_by_key(|level| level.id);
    Ok(levels)
}

fn roles(text: &str, names: &Names<'_>) -> Result<Vec<CatalogRole>, CatalogError> {
    let file = "roles.toml";
    let mut roles: Vec<CatalogRole> = Vec::new();
    for raw in read::<RolesFile>(file, text)?.role {
        if roles.iter().any(|role| role.key == raw.key || role.name == raw.name) {
            return Err(CatalogError::Twice { file, name: raw.key });
        }
        if raw.parent.as_ref().is_some_and(|parent| !roles.iter().any(|role| role.key == *parent)) {
            return Err(CatalogError::Parent { role: raw.key });
        }
        let capabilities = names.resolve(file, &raw.key, &raw.capabilities)?;
        roles.push(CatalogRole { key: raw.key, name: raw.name, parent: raw.parent, capabilities });
    }
    Ok(roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: &str = "[[level]]\nid = 1\nname = \"top\"\ntitle = \"Top\"\nexclude = [\"x.*\"]\n";
    const CAPABILITIES: &str =
        "[[capability]]\nid = 1000\nname = \"x.go\"\ntitle = \"Go\"\ncategory = \"X\"\nrisk = 1\n";
    const ROLES: &str = "[[role]]\nkey = \"all\"\nname = \"All\"\ncapabilities = [\"core.*\", \"x.go\"]\n";

    fn parse(levels: &str, capabilities: &str, roles: &str) -> Result<Catalog, CatalogError> {
        Catalog::parse("test", CatalogFiles { levels, capabilities, roles })
    }

    #[test]
    fn families_and_ceilings_are_resolved() {
        let catalog = parse(LEVELS, CAPABILITIES, ROLES).unwrap();
        assert_eq!(catalog.roles[0].capabilities.len(), CoreCapability::ALL.len() + 1);
        assert!(!catalog.level("top").unwrap().ceiling.contains(&CapabilityId(1000)));
        assert!(catalog.level("top").unwrap().ceiling.contains(&CoreCapability::PartnerView.id()));
    }

    #[test]
    fn mistakes_are_named() {
        let unknown = ROLES.replace("x.go", "x.stop");
        assert!(parse(LEVELS, CAPABILITIES, &unknown).unwrap_err().to_string().contains("`x.stop`"));
        let reserved = CAPABILITIES.replace("1000", "7");
        assert!(matches!(parse(LEVELS, &reserved, ROLES), Err(CatalogError::ReservedNumber { id: 7, .. })));
        let orphan = ROLES.replace("name =", "parent = \"none\"\nname =");
        assert!(matches!(parse(LEVELS, CAPABILITIES, &orphan), Err(CatalogError::Parent { .. })));
        let form = parse("level = 3", CAPABILITIES, ROLES).unwrap_err().to_string();
        assert!(form.starts_with("levels.toml"), "{form}");
    }

    #[test]
    fn core_numbers_are_unique_and_reserved() {
        let ids: BTreeSet<_> = CoreCapability::ALL.iter().map(|core| core.id()).collect();
        assert_eq!(ids.len(), CoreCapability::ALL.len());
        assert!(ids.iter().all(|id| id.0 < FIRST_PRODUCT_ID));
    }
}
