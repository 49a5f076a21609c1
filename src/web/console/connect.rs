//! How each SCIM product is connected: one text a product in `config/products`, shown on the page of a connection and
//! written to `docs/connect`, so that both say the same.
use std::sync::LazyLock;

use serde::Deserialize;

/// What somebody needs to know who connects a product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guide {
    /// The client profile it belongs to.
    pub(super) profile: String,
    /// The product's name.
    pub(super) title: String,
    /// What it pushes, and how.
    pub(super) about: String,
    /// What to do there, in order.
    pub(super) steps: Vec<String>,
    /// Recorded conversations with this product, which `tests/it/scim_replay.rs` plays against the server.
    pub(super) replays: Vec<String>,
    /// What to paste there.
    pub(super) values: Vec<GuideValue>,
    /// Where this product differs from what one would expect.
    pub(super) traps: Vec<Trap>,
    /// The tests that hold its shapes.
    pub(super) tests: Vec<Tests>,
}

/// One field at the other side.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuideValue {
    /// What it is called there.
    pub(super) name: String,
    /// What belongs into it; in braces what is this connection's own.
    pub(super) value: String,
}

/// Something that catches users out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trap {
    /// In a few words.
    pub(super) title: String,
    /// What happens and what to do.
    pub(super) text: String,
}

/// Tests of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tests {
    /// The file.
    pub(super) path: String,
    /// The functions.
    pub(super) names: Vec<String>,
}

/// The addresses of a connection.
pub(super) struct Addresses {
    base: String,
    token_url: String,
    metadata: String,
}

/// What stands for a token; nothing to copy.
pub(super) const TOKEN: &str = "{token}";

const TEXTS: &[&str] = &[
    include_str!("../../../config/products/entra.toml"),
    include_str!("../../../config/products/entra-flag.toml"),
    include_str!("../../../config/products/okta.toml"),
    include_str!("../../../config/products/onelogin.toml"),
    include_str!("../../../config/products/jumpcloud.toml"),
    include_str!("../../../config/products/ping.toml"),
    include_str!("../../../config/products/google.toml"),
    include_str!("../../../config/products/sailpoint.toml"),
    include_str!("../../../config/products/rippling.toml"),
    include_str!("../../../config/products/authentik.toml"),
    include_str!("../../../config/products/generic.toml"),
    include_str!("../../../config/products/strict.toml"),
];

/// A text that cannot be read is left out; a test reads them all.
static GUIDES: LazyLock<Vec<Guide>> =
    LazyLock::new(|| TEXTS.iter().filter_map(|text| toml::from_str(text).ok()).collect());

/// The guide of a profile.
pub(super) fn guide(profile: &str) -> Option<&'static Guide> {
    GUIDES.iter().find(|guide| guide.profile == profile)
}

impl Addresses {
    /// Those of the connection `slug` of the server at `public`, which ends without a slash.
    pub(super) fn of(public: &str, slug: &str) -> Self {
        Self {
            base: format!("{public}/scim/{slug}/v2"),
            token_url: format!("{public}/oauth/{slug}/token"),
            metadata: format!("{public}/.well-known/oauth-authorization-server/oauth/{slug}"),
        }
    }

    /// A value with this connection's addresses in it.
    pub(super) fn fill(&self, value: &str) -> String {
        value
            .replace("{base}", &self.base)
            .replace("{token_url}", &self.token_url)
            .replace("{metadata}", &self.metadata)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::domain::directory::ConnectionKind;
    use crate::scim::profile::{ClientProfile, Switch, Switches};
    use crate::web::console::products;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
    }

    #[test]
    fn every_profile_has_a_guide_whose_tests_exist() {
        assert_eq!(GUIDES.len(), TEXTS.len(), "a text cannot be read");
        for (_, profile) in ClientProfile::ALL {
            let guide = guide(profile).unwrap_or_else(|| panic!("no guide for {profile}"));
            let product = products::find(ConnectionKind::Scim, profile).unwrap();
            assert_eq!(guide.title, product.title);
            assert!(guide.steps.len() >= 4 && guide.traps.len() >= 3, "{profile} says too little");
            assert!(guide.values.iter().any(|value| value.value.contains("{base}")), "{profile}");
            assert!(guide.values.iter().all(|value| value.value.matches('{').count() <= 1), "{profile}");
            assert!(!guide.tests.is_empty(), "{profile} is not tested");
            for replay in &guide.replays {
                assert!(root().join(replay).is_file(), "{profile}: there is no {replay}");
            }
            for tests in &guide.tests {
                let text = std::fs::read_to_string(root().join(&tests.path)).unwrap();
                for name in &tests.names {
                    assert!(text.contains(&format!("fn {name}(")), "{profile}: there is no {}::{name}", tests.path);
                }
            }
        }
        assert_eq!(GUIDES.len(), ClientProfile::ALL.len());
    }

    fn page(guide: &Guide) -> String {
        let addresses = Addresses::of("https://ROLECALL", "CONNECTION");
        let mut page = format!("# Connect {}\n\n{}\n\n## Values to paste\n\n", guide.title, guide.about);
        page.push_str("| there | value |\n| --- | --- |\n");
        for value in &guide.values {
            if value.value == TOKEN {
                let _ = writeln!(page, "| {} | a token of the connection |", value.name);
            } else {
                let _ = writeln!(page, "| {} | `{}` |", value.name, addresses.fill(&value.value));
            }
        }
        page.push_str(
            "\n`ROLECALL` is the host of your server and `CONNECTION` the name of the connection; its page in \
            the console\nshows the values filled in.\n\n## What to do there\n\n",
        );
        for (number, step) in guide.steps.iter().enumerate() {
            let _ = writeln!(page, "{}. {step}", number + 1);
        }
        page.push_str("\n## What to know\n\n");
        for trap in &guide.traps {
            let _ = writeln!(page, "- **{}.** {}", trap.title, trap.text);
        }
        let _ = write!(page, "\n## Proof\n\nThe profile `{}` is held by these tests:\n\n", guide.profile);
        for replay in &guide.replays {
            let _ =
                writeln!(page, "- `tests/it/scim_replay.rs` plays `{replay}` against the server, on both databases");
        }
        for tests in &guide.tests {
            for name in &tests.names {
                let _ = writeln!(page, "- `{}`: `{name}`", tests.path);
            }
        }
        page
    }

    /// Every switch, with the profiles where it is not as in `strict`.
    fn switches() -> String {
        let mut page =
            "# Switches\n\nA profile is nothing but a setting of these switches. A connection may differ from its \
            profile: `settings = { switches = { require_if_match = true } }` in a declaration for `rolecall apply`, \
            `{\"settings\": {\"switches\": {\"require_if_match\": true}}}` in a PATCH of \
            `/api/v1/connections/CONNECTION`. The page of the connection in the console shows how they stand. Where a \
            switch turned a request into another form, the log of requests names it.\n\n\
            | switch | words | what it does | strict | other profiles |\n| --- | --- | --- | --- | --- |\n"
                .to_owned();
        for &switch in Switch::ALL {
            let strict = ClientProfile::Strict.switches().value(switch);
            let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (profile, name) in ClientProfile::ALL {
                let value = profile.switches().value(switch);
                if value != strict {
                    others.entry(value).or_default().push(name);
                }
            }
            let most = |names: &[&str]| names.len() == ClientProfile::ALL.len() - 1;
            let told = others.iter().map(|(value, names)| match most(names) {
                true => format!("`{value}`: all"),
                false => format!("`{value}`: {}", names.join(", ")),
            });
            let told = told.collect::<Vec<_>>().join("; ");
            let words = Switches::words(switch).join("`, `");
            let _ = writeln!(page, "| `{}` | `{words}` | {} | `{strict}` | {told} |", switch.as_str(), switch.says());
        }
        page
    }

    fn index() -> String {
        let mut index =
            "# Connect a product over SCIM\n\nMake a directory and a SCIM connection in the console first, \
            and a token on its page.\n\n"
                .to_owned();
        for guide in GUIDES.iter() {
            let _ = writeln!(index, "- [{}]({}.md)", guide.title, guide.profile);
        }
        index.push_str("\nHow a connection reads requests is a matter of its [switches](switches.md).\n");
        index
    }

    /// Set `ROLECALL_WRITE_DOCS=1` to write them.
    #[test]
    fn the_pages_in_docs_say_the_same() {
        let folder = root().join("docs/connect");
        let mut pages: Vec<(String, String)> =
            GUIDES.iter().map(|guide| (format!("{}.md", guide.profile), page(guide))).collect();
        pages.push(("README.md".to_owned(), index()));
        pages.push(("switches.md".to_owned(), switches()));
        for (name, text) in &pages {
            let file = folder.join(name);
            if std::env::var_os("ROLECALL_WRITE_DOCS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&file, text).unwrap();
            }
            let written = std::fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(&written, text, "{name} differs; run this test with ROLECALL_WRITE_DOCS=1");
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), pages.len(), "a page of no product");
    }
}
