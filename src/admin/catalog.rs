//! The catalogs that ship in the program.
use crate::domain::catalog::{Catalog, CatalogError, CatalogFiles};

/// The shipped catalogs by name.
const SHIPPED: &[(&str, CatalogFiles<'static>)] = &[(
    "cove",
    CatalogFiles {
        levels: include_str!("../../config/catalogs/cove/levels.toml"),
        capabilities: include_str!("../../config/catalogs/cove/capabilities.toml"),
        roles: include_str!("../../config/catalogs/cove/roles.toml"),
    },
)];

/// The names of the shipped catalogs.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// A shipped catalog by name; `None` when there is none of that name.
///
/// # Errors
/// `CatalogError` when its files contradict each other; a test keeps that from shipping.
pub fn shipped(name: &str) -> Option<Result<Catalog, CatalogError>> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(name, files)| Catalog::parse(name, *files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_catalog_loads() {
        for name in names() {
            let catalog = shipped(name).unwrap().unwrap();
            assert!(!catalog.roles.is_empty() && !catalog.levels.is_empty(), "{name}");
        }
    }
}
