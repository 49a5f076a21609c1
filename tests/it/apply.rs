//! `rolecall apply` and `export`: a declaration is shown, applied, found again, and refused whole.
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use rolecall::admin::apply::{self, ApplyChange, ApplyContext, ApplyError, ApplyPlan};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::export;
use rolecall::clock::Clock;
use rolecall::domain::ctx::Actor;
use rolecall::domain::grant::{Holder, Scope, ScopeBase};
use rolecall::provision::users::{self, NewExternalUser};
use rolecall::provision::{Execution, ProvisionSource, UnknownMembers};
use rolecall::scim::resource::{self, Rules};
use rolecall::scim::schema::SchemaSet;
use rolecall::secret::Keyring;
use rolecall::store::extent::{OperatorExtent, PartnerExtent};
use rolecall::store::{Store, connections, grants, partners, user_groups};

use crate::support::database::{Database, on_both};

const DEMO: &str = include_str!("../../config/demo.toml");

static KEYS: LazyLock<Keyring> =
    LazyLock::new(|| Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap());

fn means() -> ApplyContext<'static> {
    ApplyContext::new(&KEYS)
}

/// What is done, and what the store has besides.
async fn planned(store: &Store, text: &str, means: &ApplyContext<'_>) -> Result<ApplyPlan, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    apply::apply(store, &Clock.ctx(Actor::Operator), OperatorExtent::assume(), &declaration, means).await
}

async fn apply(store: &Store, text: &str) -> Result<Vec<ApplyChange>, ApplyError> {
    planned(store, text, &means()).await.map(|plan| plan.changes)
}

/// What is done, line by line.
async fn lines(store: &Store, text: &str) -> Vec<String> {
    apply(store, text).await.unwrap().iter().map(ApplyChange::to_string).collect()
}

/// What the store has besides, line by line.
async fn beside(store: &Store, text: &str) -> Vec<String> {
    planned(store, text, &means()).await.unwrap().beside.into_iter().map(|one| one.what).collect()
}

async fn refused(store: &Store, text: &str) -> String {
    apply(store, text).await.unwrap_err().to_string()
}

async fn rehearse(store: &Store, text: &str) -> Result<Vec<ApplyChange>, ApplyError> {
    let declaration = Declaration::parse(text).unwrap();
    let ctx = Clock.ctx(Actor::Operator);
    let plan = apply::rehearse(store, &ctx, OperatorExtent::assume(), &declaration, &means()).await?;
    Ok(plan.changes)
}

/// A part of the demo's declaration, written differently. What is replaced is there exactly once.
fn with(old: &str, new: &str) -> String {
    assert_eq!(DEMO.matches(old).count(), 1, "{old}");
    DEMO.replace(old, new)
}

/// The demo's declaration without the table that begins with a heading and this line.
fn without(line: &str) -> String {
    let mut tables: Vec<&str> = DEMO.split("\n\n").collect();
    let before = tables.len();
    tables.retain(|table| table.lines().nth(1) != Some(line));
    assert_eq!(tables.len() + 1, before, "{line}");
    tables.join("\n\n")
}

async fn extent(store: &Store, key: &str) -> PartnerExtent {
    let by = OperatorExtent::assume();
    let mut reader = store.reader().await.unwrap();
    let root = partners::root(&mut reader, &by).await.unwrap().unwrap();
    let tree = partners::subtree(&mut reader, &by.at(root.id)).await.unwrap();
    by.at(tree.iter().find(|node| node.partner.external_id.as_deref() == Some(key)).unwrap().partner.id)
}

/// Someone comes in through the demo's SCIM connection.
async fn push(store: &Store, login: &str) -> PartnerExtent {
    let at = extent(store, "harbor").await;
    let connection =
        connections::by_slug(&mut store.reader().await.unwrap(), &at, "harbor-entra").await.unwrap().unwrap();
    let schemas = SchemaSet::base();
    let source = ProvisionSource {
        extent: connection.extent,
        schemas: &schemas,
        matching_attribute: Some("externalId"),
        unknown_members: UnknownMembers::Skip,
    };
    let body = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": login,
        "displayName": "Tove",
        "title": "Trainee",
    });
    let document = resource::create(schemas.users(), body, Rules::STRICT).unwrap().document;
    let new = NewExternalUser { stable_key: None, said: document.into() };
    users::create(store, &Clock.ctx(Actor::System), &source, new, Execution::Real).await.unwrap();
    at
}

/// The scopes of all grants of a role that a user or group of harbor holds.
async fn scopes(store: &Store, at: &PartnerExtent, holder: Holder) -> Vec<Scope> {
    let held = grants::of_holder(&mut store.reader().await.unwrap(), at, holder).await.unwrap();
    held.into_iter().map(|grant| grant.scope).collect()
}

/// `rolecall apply` on this store, with an input that is closed.
async fn command(db: &Database, text: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    db.store.close().await;
    let folder = db.folder();
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("world.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
    command.arg("apply").arg(&file).args(arguments).env_remove("ROLECALL_CONFIG");
    command.env("ROLECALL_STORE_DATABASE_URL", &db.url).env("ROLECALL_STORE_DATA_DIR", &folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), said(&output.stdout), said(&output.stderr))
}

async fn exported(store: &Store) -> Declaration {
    export::whole(store, &OperatorExtent::assume()).await.unwrap()
}

async fn partners(store: &Store) -> i64 {
    partners::count(&mut store.reader().await.unwrap(), &OperatorExtent::assume()).await.unwrap()
}

on_both! {
    async fn what_is_shown_is_what_is_done(db: &Database) {
        let shown = rehearse(&db.store, DEMO).await.unwrap();
        assert_eq!(partners(&db.store).await, 0, "a rehearsal changes nothing");
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), shown);
        assert_eq!(partners(&db.store).await, 9);
        assert!(shown.iter().any(|change| change.to_string().starts_with("+ partner lighthouse “Lighthouse Dental”")));
    }

    async fn applying_again_changes_nothing(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(apply(&db.store, DEMO).await.unwrap(), []);
    }

    async fn an_export_is_the_same_declaration(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let first = exported(&db.store).await;
        let text = toml::to_string(&first).unwrap();
        assert_eq!(apply(&db.store, &text).await.unwrap(), [], "{text}");
        let elsewhere = Database::sqlite().await;
        apply(&elsewhere.store, &text).await.unwrap();
        assert_eq!(exported(&elsewhere.store).await, first);
        elsewhere.remove().await;
    }

    async fn a_changed_rule_set_is_one_change(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let changed = DEMO.replace(r#"title co "Trainee""#, r#"title co "Intern""#);
        let shown = apply(&db.store, &changed).await.unwrap();
        assert!(shown.iter().all(|change| change.what.starts_with("rule ")), "{shown:?}");
        assert_eq!(apply(&db.store, &changed).await.unwrap(), []);
    }

    async fn a_new_rule_set_places_those_who_are_here_already(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let at = push(&db.store, "tove@harbor.example").await;
        let place = async || {
            let mut reader = db.store.reader().await.unwrap();
            let id = rolecall::store::users::by_login(&mut reader, &at, "tove@harbor.example").await.unwrap().unwrap();
            let user = rolecall::store::users::get(&mut reader, &at, id).await.unwrap().unwrap();
            user_groups::get(&mut reader, &at, user.primary_group).await.unwrap().unwrap().name
        };
        assert_eq!(place().await, "Everyone");
        let everyone_who_trains = DEMO.replace(
            r#"when = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "IT"'"#,
            r#"when = 'title eq "trainee"'"#,
        );
        apply(&db.store, &everyone_who_trains).await.unwrap();
        assert_eq!(place().await, "Technicians");
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(place().await, "Everyone");
    }

    async fn a_wrong_declaration_is_refused_whole(db: &Database) {
        for (broken, named) in [
            (DEMO.replace("role = \"Operator\"", "role = \"Opperator\""), "Opperator"),
            (DEMO.replace("memberOf eq \"engineers\"", "memberOf co \"engineers\""), "memberOf eq"),
            (DEMO.replace("title co", "shoeSize co"), "shoeSize"),
            (DEMO.replace("level = \"reseller\"", "level = \"shop\""), "shop"),
            (DEMO.replace("primary_group = \"Technicians\"", "primary_group = \"On call\""), "not a primary group"),
            (DEMO.replace("slug = \"harbor-entra\"", "slug = \"harbor_entra\""), "a-z"),
            (with("parent = \"meridian\"\nlevel = \"reseller\"\n\n[[partner]]\nkey = \"fjordnet\"", "parent = \"nobody\"\nlevel = \"reseller\"\n\n[[partner]]\nkey = \"fjordnet\""), "there is no partner `nobody`"),
            (with("slug = \"harbor-entra\"\nprofile = \"entra\"", "slug = \"harbor-entra\"\nprofile = \"entrance\""), "entrance"),
            (with("client_id = ", "clientid = "), "client"),
            (with("key = \"quayside\"", "key = \"lighthouse\""), "partner lighthouse: the file declares it twice"),
            (with("key = \"quayside\"", "key = \"quay\\tside\""), "on one line"),
        ] {
            let error = apply(&db.store, &broken).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(partners(&db.store).await, 0, "nothing of it is kept");
        }
    }

    async fn a_partner_is_not_moved_silently(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let quayside = |parent: &str| with("name = \"Quayside Logistics\"\nparent = \"harbor\"", &format!("name = \"Quayside Logistics\"\n{parent}"));
        for (parent, why) in [
            ("parent = \"harbour\"", "there is no partner `harbour`"),
            ("parent = \"fjordnet\"", "stands below harbor and cannot be moved"),
            ("parent = \"quayside\"", "stands below harbor and cannot be moved"),
            ("", "stands below harbor and cannot be moved"),
        ] {
            let error = refused(&db.store, &quayside(parent)).await;
            assert!(error.contains(why), "{error}");
        }
        let cycle = with("name = \"Meridian Distribution\"", "name = \"Meridian Distribution\"\nparent = \"harbor\"");
        assert!(refused(&db.store, &cycle).await.contains("root"));
        let department = with("key = \"quayside\"", "key = \"quayside\"\ndepartment = true");
        assert!(refused(&db.store, &department).await.contains("department"));
    }

    async fn users_of_no_directory_are_changed(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let renamed = DEMO.replace("name = \"Henrik Hall\"\nemail = \"henrik@", "name = \"Henrik Holm\"\nemail = \"holm@");
        let [line] = &lines(&db.store, &renamed).await[..] else { panic!("one change") };
        assert!(line.starts_with("~ user henrik@harbor.example of harbor: name “Henrik Hall” → “Henrik Holm”"), "{line}");
        assert!(line.contains("email “henrik@harbor.example” → “holm@harbor.example”"), "{line}");
        assert_eq!(apply(&db.store, &renamed).await.unwrap(), []);
        let at = extent(&db.store, "harbor").await;
        let mut reader = db.store.reader().await.unwrap();
        let id = rolecall::store::users::by_login(&mut reader, &at, "henrik@harbor.example").await.unwrap().unwrap();
        let profile = rolecall::store::users::get(&mut reader, &at, id).await.unwrap().unwrap().profile;
        assert_eq!((profile.display_name.as_str(), profile.email.as_deref()), ("Henrik Holm", Some("holm@harbor.example")));
    }

    async fn users_of_a_directory_are_not(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        push(&db.store, "tove@harbor.example").await;
        let tove = |name: &str| {
            format!("{DEMO}\n[[user]]\npartner = \"harbor\"\nlogin_name = \"tove@harbor.example\"\ndisplay_name = \"{name}\"\n")
        };
        assert_eq!(apply(&db.store, &tove("Tove")).await.unwrap(), []);
        let error = refused(&db.store, &tove("Tove the Great")).await;
        assert!(error.contains("a directory says who this is") && error.contains("“Tove the Great”"), "{error}");
    }

    async fn a_user_is_not_doubled_by_another_partner(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let moved = DEMO
            .replace("partner = \"lighthouse\"\nlogin", "partner = \"quayside\"\nlogin")
            .replace("partner = \"lighthouse\"\nuser", "partner = \"quayside\"\nuser");
        let error = refused(&db.store, &moved).await;
        assert!(error.contains("at home in lighthouse"), "{error}");
        let second = "[[user]]\npartner = \"quayside\"\nlogin_name = \"lena@lighthouse.example\"\ndisplay_name = \"Another Lena\"\n";
        assert_eq!(apply(&db.store, &format!("{DEMO}\n{second}")).await.unwrap().len(), 1, "two users, both declared");
    }

    async fn among_many_newcomers_a_namesake_is_found(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let user = |login: &str| format!("[[user]]\npartner = \"quayside\"\nlogin_name = \"{login}\"\ndisplay_name = \"N\"\n");
        let many: String = (0..40).map(|number| user(&format!("n{number}"))).collect();
        let error = refused(&db.store, &format!("{many}{}", user("lena@lighthouse.example"))).await;
        assert!(error.contains("at home in lighthouse") && error.lines().count() == 1, "{error}");
        assert_eq!(apply(&db.store, &many).await.unwrap().len(), 40);
        assert_eq!(apply(&db.store, &many).await.unwrap(), []);
    }

    async fn the_reason_of_a_grant_is_changed(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let other = with("\"Runs Harbor\"", "\"Owns Harbor\"");
        let line = "~ grant of SuperUser to henrik@harbor.example of harbor over subtree of harbor: \
                    reason “Runs Harbor” → “Owns Harbor”";
        assert_eq!(lines(&db.store, &other).await, [line]);
        assert_eq!(apply(&db.store, &other).await.unwrap(), []);
    }

    async fn a_narrowed_grant_does_not_leave_the_wide_one(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let wide = "scope = { subtree = \"harbor\" }\nreason = \"Runs Harbor\"";
        let narrow = with(wide, "scope = { partner = \"harbor\" }\nreason = \"Runs Harbor\"");
        let line = "~ grant of SuperUser to henrik@harbor.example of harbor: subtree of harbor → harbor alone";
        assert_eq!(lines(&db.store, &narrow).await, [line]);
        let at = extent(&db.store, "harbor").await;
        let henrik = rolecall::store::users::by_login(&mut db.store.reader().await.unwrap(), &at, "henrik@harbor.example").await;
        let henrik = Holder::User(henrik.unwrap().unwrap());
        let alone = Scope::of(ScopeBase::Partner { partner: at.partner() });
        assert_eq!(scopes(&db.store, &at, henrik).await, std::slice::from_ref(&alone));
        assert_eq!(apply(&db.store, &narrow).await.unwrap(), []);
        assert_eq!(beside(&db.store, &narrow).await, [""; 0]);
    }

    async fn what_is_not_in_the_file_is_told(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        assert_eq!(beside(&db.store, DEMO).await, [""; 0]);
        let grant = "grant of Supporter to group Technicians of harbor over subtree of harbor without saltmarsh";
        assert_eq!(beside(&db.store, &without("role = \"Supporter\"")).await, [grant]);
        assert_eq!(beside(&db.store, &without("key = \"northern-hydro\"")).await, ["partner northern-hydro “Northern Hydro” below fjordnet"]);
        let small = "[[partner]]\nkey = \"harbor\"\nname = \"Harbor IT Services\"\nparent = \"meridian\"\nlevel = \"reseller\"\n";
        let plan = planned(&db.store, small, &means()).await.unwrap();
        assert_eq!(plan.changes, []);
        let told: Vec<_> = plan.beside.iter().map(|one| (one.kind.as_ref(), one.what.as_str())).collect();
        for expected in [
            ("connections", "connection harbor-entra of directory Harbor Entra ID of harbor"),
            ("directories", "directory Harbor Entra ID of harbor, with 3 rules"),
            ("grants", grant),
            ("partners", "partner quayside “Quayside Logistics” below harbor"),
            ("users", "user henrik@harbor.example of harbor"),
            ("user groups", "group On call of harbor"),
        ] {
            assert!(told.contains(&expected), "{expected:?} in {told:?}");
        }
        assert!(told.iter().all(|(_, what)| !what.contains("Fjordnet OpenLDAP")), "{told:?}");
    }

    async fn pruning_takes_back_undeclared_grants_but_not_the_last_owner(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let prune = ApplyContext { prune: true, ..means() };
        let fewer = without("role = \"Supporter\"");
        let plan = planned(&db.store, &fewer, &prune).await.unwrap();
        let shown: Vec<_> = plan.changes.iter().map(ApplyChange::to_string).collect();
        let line = "- grant of Supporter to group Technicians of harbor over subtree of harbor without saltmarsh";
        assert_eq!((shown, plan.beside), (vec![line.to_owned()], vec![]));
        assert_eq!(planned(&db.store, &fewer, &prune).await.unwrap(), ApplyPlan::default());
        let unowned = without("role = \"Security Officer\"");
        let error = planned(&db.store, &unowned, &prune).await.unwrap_err().to_string();
        assert!(error.contains("nobody would hold Security Officer over the whole tree"), "{error}");
        let owner = "role = \"Security Officer\"\npartner = \"meridian\"\nuser = \"olga@meridian.example\"\nscope = { ";
        let narrowed = with(&format!("{owner}subtree"), &format!("{owner}partner"));
        assert!(refused(&db.store, &narrowed).await.contains("nobody would hold Security Officer"));
    }

    async fn ceilings_and_rules_are_shown_with_what_they_do(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let ceiling = "role = \"Operator\"\nscope = { subtree = \"harbor\" }\n";
        let narrow = with(ceiling, "role = \"Operator\"\nscope = { subtree = \"harbor\", exclude = [\"quayside\"] }\n");
        let narrow = narrow.replace("memberOf eq \"Backup Operators\"'\ngrant", "memberOf eq \"Backup Team\"'\ngrant");
        let of = "directory Harbor Entra ID of harbor";
        let rule = format!("rule “Backup operators run Harbor's customers” of {of}");
        assert_eq!(lines(&db.store, &narrow).await, [
            format!("~ ceiling of {of}: Operator over subtree of harbor → subtree of harbor without quayside"),
            format!("~ {rule}: when memberOf eq \"Backup Operators\" → when memberOf eq \"Backup Team\""),
        ]);
        let wider = narrow.replace("scope = { subtree = \"harbor\", exclude = [\"saltmarsh\"] }\n\n[[directory.rule]]", "scope = { subtree = \"harbor\" }\n\n[[directory.rule]]");
        assert_eq!(lines(&db.store, &wider).await, [format!(
            "~ {rule}: grant role Operator over subtree of harbor without saltmarsh → \
             grant role Operator over subtree of harbor (clipped by the ceiling)"
        )]);
        let outside = wider.replace("scope = { subtree = \"harbor\" }\n\n[[directory.rule]]", "scope = { subtree = \"fjordnet\" }\n\n[[directory.rule]]");
        let shown = lines(&db.store, &outside).await.concat();
        assert!(shown.contains("(outside the ceiling: confers nothing)"), "{shown}");
    }

    async fn a_rule_that_goes_is_named(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let gone = without("name = \"Operators who are not trainees are on call\"");
        let line = "- rule “Operators who are not trainees are on call” of directory Harbor Entra ID of harbor: \
                    when memberOf eq \"Backup Operators\" and not (title co \"Trainee\"): add to group On call";
        assert_eq!(lines(&db.store, &gone).await, [line]);
        assert_eq!(apply(&db.store, &gone).await.unwrap(), []);
    }

    async fn a_connection_shows_its_settings_and_never_its_secret(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let other = with("client_id = \"rolecall\"", "client_id = \"rolecall-2\"");
        let mut secret = means();
        secret.connections.insert("harbor-sso".to_owned(), "first".to_owned().into());
        let shown = planned(&db.store, &other, &secret).await.unwrap().changes;
        let line = "~ connection harbor-sso of directory Harbor Entra ID of harbor: \
                    client_id \"rolecall\" → \"rolecall-2\", secret changed";
        assert_eq!(shown.iter().map(ApplyChange::to_string).collect::<Vec<_>>(), [line]);
        assert_eq!(planned(&db.store, &other, &secret).await.unwrap().changes, [], "the same secret is no change");
        secret.connections.insert("harbor-entra".to_owned(), "x".to_owned().into());
        let error = planned(&db.store, &other, &secret).await.unwrap_err().to_string();
        assert!(error.contains("A SCIM connection has no `secret`"), "{error}");
    }

    async fn what_was_agreed_to_is_what_is_done(db: &Database) {
        apply(&db.store, DEMO).await.unwrap();
        let by = OperatorExtent::assume();
        let ctx = Clock.ctx(Actor::Operator);
        let wanted = Declaration::parse(&with("\"Runs Harbor\"", "\"Owns Harbor\"")).unwrap();
        let shown = apply::rehearse(&db.store, &ctx, by, &wanted, &means()).await.unwrap();
        apply(&db.store, &with("\"Runs Harbor\"", "\"Sold Harbor\"")).await.unwrap();
        let error = apply::apply_shown(&db.store, &ctx, by, (&wanted, &shown), &means()).await.unwrap_err();
        assert!(error.to_string().contains("the store has changed meanwhile"), "{error}");
        let shown = apply::rehearse(&db.store, &ctx, by, &wanted, &means()).await.unwrap();
        assert_eq!(apply::apply_shown(&db.store, &ctx, by, (&wanted, &shown), &means()).await.unwrap(), shown);
    }

    async fn a_wrong_condition_is_one_sentence(db: &Database) {
        let error = anyhow::Error::from(apply(&db.store, &with("title co", "shoeSize co")).await.unwrap_err());
        let said = format!("{error:#}");
        assert!(said.starts_with("rule “Operators who are not trainees are on call” of directory Harbor"), "{said}");
        assert_eq!(said.matches("shoeSize").count(), 2, "the condition and what is wrong with it: {said}");
        assert!(!said.contains("invalidFilter") && !said.contains("400"), "{said}");
    }

    async fn the_command_does_not_answer_itself(db: &Database) {
        let (code, shown, said) = command(db, DEMO, &[]).await;
        assert_eq!(code, Some(3), "{shown}{said}");
        assert!(shown.contains("+ partner lighthouse") && said.contains("--yes"), "{shown}{said}");
        let (code, shown, said) = command(db, DEMO, &["--yes"]).await;
        assert_eq!(code, Some(0), "{shown}{said}");
        let (_, shown, _) = command(db, DEMO, &[]).await;
        assert!(shown.starts_with("Nothing to do: the store says what "), "{shown}");
        let (code, shown, _) = command(db, &without("role = \"Supporter\""), &[]).await;
        assert_eq!(code, Some(0));
        assert!(shown.starts_with("Nothing to do: what ") && shown.contains("The store has more"), "{shown}");
        assert!(shown.contains("\n  grant of Supporter to group Technicians of harbor over"), "{shown}");
    }
}

#[test]
fn unknown_keys_are_named_with_their_line() {
    let error =
        Declaration::parse("[[partner]]\nkey = \"a\"\nname = \"A\"\nlevel = \"x\"\ncolour = \"red\"\n").unwrap_err();
    assert!(error.to_string().contains("colour") && error.to_string().contains("line 5"), "{error}");
}
