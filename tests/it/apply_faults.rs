//! Everything that is wrong with a declaration is told at once, each with its line.
use std::collections::BTreeSet;
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyContext, ApplyError};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::file::SourcePositions;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::secret::Keyring;
use rolecall::store::extent::OperatorExtent;

use crate::support::database::on_both;

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

/// Each line that ends in `# !` is wrong, and no other.
const WRONG: &str = r##"
[[partner]]
key = "top"
name = "Top"
level = "distributor"

[[partner]]
key = "low"
name = "Low"
parent = "top"
level = "shop" # !

[[partner]]
key = "lost"
name = "Lost"
parent = "nobody" # !
level = "reseller"

[[partner]]
key = "follows"
name = "Only follows"
parent = "low"
level = "reseller"

[[partner]]
key = "ok"
name = "	" # !
parent = "top"
level = "reseller"

[[partner]]
key = "fine"
name = "Fine"
parent = "top"
level = "reseller"

[[partner]] # !
key = "fine"
name = "Fine again"
parent = "top"
level = "reseller"

[[user_group]]
partner = "nowhere" # !
name = "G"

[[user_group]]
partner = "fine"
name = "Placed"
primary = true

[[user_group]]
partner = "fine"
name = "Label"

[[role]]
partner = "fine"
name = "Own"
parent = "Boss" # !
capabilities = []

[[role]]
partner = "fine"
name = "Other"
parent = "Manager"
capabilities = [
  "core.partner.view",
  "core.partner.vew", # !
  "core.nothing", # !
]

[[user]]
partner = "fine"
login_name = "eva"
display_name = "Eva"

[[user]]
partner = "elsewhere" # !
login_name = "bo"
display_name = "Bo"

[[grant]]
role = "Mangler" # !
partner = "fine"
user = "evi" # !
scope = { subtree = "fine" }

[[grant]]
role = "Manager"
partner = "fine"
user = "eva"
scope = { subtree = "fin" } # !

[[grant]]
role = "Manager"
partner = "fine"
user = "eva"
[grant.scope]
user_groups_of = "fine"
user_groups = [
  "Label",
  "Labels", # !
]
exclude = [
  "top",
  "topp", # !
]

[[grant]] # !
role = "Manager"
partner = "fine"
scope = { subtree = "fine" }

[[grant]]
role = "Other"
partner = "low"
user = "nobody at low, which is wrong itself"
scope = { subtree = "follows" }

[[directory]]
partner = "fine"
name = "D"

[[directory.ceiling]]
role = "Managerr" # !
scope = { subtree = "finee" } # !

[[directory.connection]]
kind = "smtp" # !
slug = "one"

[[directory.connection]]
kind = "scim"
slug = "Two" # !

[[directory.connection]]
kind = "scim"
slug = "three"
profile = "entrance" # !

[[directory.connection]]
kind = "scim"
slug = "three-and-a-half"
matching_attribute = "shoeSize" # !

[[directory.rule]]
name = "a"
when = 'shoeSize eq "44"' # !
add_to_group = "Label"

[[directory.rule]]
name = "b"
when = 'memberOf co "x"' # !
add_to_group = "Labell" # !

[[directory.rule]]
name = "c"
when = 'memberOf eq "x"'
primary_group = "Label" # !

[[directory.rule]]
name = "d"
when = 'memberOf eq "x"'
add_to_group = "Placed" # !

[[directory.rule]]
name = "e"
when = 'memberOf eq "x"'
grant_role = "Nothing" # !
scope = { partner = "nowhere" } # !

[[directory.rule]] # !
name = "f"
when = 'memberOf eq "x"'

[[directory.rule]]
name = "g"
when = 'not (memberOf eq "x")' # !
add_to_group = "Label"

[[directory]]
partner = "fine"
name = "M"
mode = "sleepy" # !
"##;

on_both! {
    async fn all_that_is_wrong_is_told_at_once_with_its_line(db: &Database) {
        let declaration = Declaration::parse(WRONG).unwrap();
        let means = ApplyContext::new(&KEYS);
        let by = OperatorExtent::assume();
        let refused = apply::apply(&db.store, &Clock.ctx(Actor::Operator), by, &declaration, &means).await.unwrap_err();
        let ApplyError::Refused(faults) = refused else { panic!("{refused}") };
        let places = SourcePositions::of(WRONG);
        let told: Vec<(usize, String)> = faults.0.iter().map(|fault| (places.line(&fault.at), fault.to_string())).collect();
        let lines: BTreeSet<usize> = told.iter().map(|(line, _)| *line).collect();
        let marked: BTreeSet<usize> =
            (1..).zip(WRONG.lines()).filter(|(_, line)| line.ends_with("# !")).map(|(number, _)| number).collect();
        let missing: Vec<_> = marked.difference(&lines).collect();
        let surplus: Vec<_> = told.iter().filter(|(line, _)| !marked.contains(line)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:?}\nsurplus: {surplus:#?}\n{told:#?}");
        assert_eq!(told.len(), marked.len(), "each once: {told:#?}");
        assert!(told.iter().any(|(_, told)| told.contains("there is no role `Managerr`")), "{told:#?}");
        let kept = rolecall::store::catalog::installed(&mut db.store.reader().await.unwrap()).await.unwrap();
        assert_eq!(kept, None, "nothing of it is kept");
    }
}
