//! Directories and connections in the console: made, opened, given tokens and settings, and by whom.
use crate::support::console::{Console, Someone};
use crate::support::database::on_both;

const HENRIK: (&str, &str) = ("harbor", "henrik@harbor.example");
const LENA: (&str, &str) = ("lighthouse", "lena@lighthouse.example");
const OLGA: (&str, &str) = ("meridian", "olga@meridian.example");

async fn shown(someone: &mut Someone, path: &str) -> String {
    let page = someone.get(path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.text);
    page.text
}

on_both! {
    async fn a_new_directory_is_pushed_to_with_a_token_shown_once(db: &Database) {
        let console = Console::open(db).await;
        let mut olga = console.sign_in(OLGA.0, OLGA.1).await;
        let quayside = console.partner("quayside").await.partner();
        let list = format!("/partners/{quayside}/directories");
        assert!(shown(&mut olga, &list).await.contains("has no directory yet"));
        let form = [("name", "Our Okta"), ("product", "scim:okta"), ("slug", "quayside-okta")];
        let made = olga.submit(&list, &list, &form).await;
        assert_eq!((made.status, made.location.unwrap().path()), (303, "/connections/quayside-okta"));
        let here = "/connections/quayside-okta";
        let page = shown(&mut olga, here).await;
        assert!(page.contains(&format!("{}/scim/quayside-okta/v2", console.app.base)), "{page}");
        assert!(page.contains("resource_types_enabled") && page.contains("<code>/Roles</code> and <code>/Entitlements</code> show what rules may give"), "{page}");
        assert!(page.contains("No request yet.") && page.contains("None yet: without one nobody can push."));

        let done = olga.submit(here, &format!("{here}/tokens"), &[("name", "Okta")]).await;
        assert_eq!(done.status, 303);
        assert!(done.set_cookies.iter().all(|cookie| !cookie.contains("rcs_")), "the token travels sealed");
        let page = shown(&mut olga, here).await;
        let token = format!("rcs_{}", page.split_once("<code>rcs_").unwrap().1.split('<').next().unwrap());
        assert_eq!(token.len(), 47);
        assert!(!shown(&mut olga, here).await.contains(&token), "it is shown once");

        let scim = format!("{}/scim/quayside-okta/v2", console.app.base);
        let push = console.app.client.get(format!("{scim}/Users?count=0")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(push.status(), 200);
        let directory = page.split_once("/directories/").unwrap().1;
        let directory = directory.split('"').next().unwrap();
        let page = shown(&mut olga, &format!("/directories/{directory}")).await;
        assert!(page.contains("It confers no role at all."), "a new directory has an empty ceiling");

        let page = shown(&mut olga, here).await;
        let revoke = page.split_once(&format!("action=\"{here}/tokens/")).unwrap().1.split('"').next().unwrap();
        let ended = olga.submit(here, &format!("{here}/tokens/{revoke}"), &[]).await;
        assert_eq!(ended.status, 303);
        let push = console.app.client.get(format!("{scim}/Users")).bearer_auth(&token).send().await.unwrap();
        assert_eq!(push.status(), 401, "the next request is refused");

        let again = olga.submit(&list, &list, &form).await;
        assert_eq!(again.status, 422);
        assert!(again.text.contains("has a directory of that name already"));
        let taken = [("name", "Half made"), ("product", "scim:okta"), ("slug", "harbor-entra")];
        assert!(olga.submit(&list, &list, &taken).await.text.contains("is taken"));
        let bad = [("name", "Half made"), ("product", "scim:okta"), ("slug", "Über uns")];
        assert_eq!(olga.submit(&list, &list, &bad).await.status, 422);
        assert!(!shown(&mut olga, &list).await.contains("Half made"), "nothing half made stays");
        console.app.stop().await;
    }

    async fn the_log_shows_what_was_pushed(db: &Database) {
        let console = Console::open(db).await;
        console.push("ada@harbor.example", "Backup Operators").await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let here = "/connections/harbor-entra";
        let mut page = shown(&mut henrik, here).await;
        for _ in 0..50 {
            if page.contains("POST /Groups") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            page = shown(&mut henrik, here).await;
        }
        let at = |what| page.find(what).unwrap_or_else(|| panic!("no {what}: {page}"));
        assert!(at("POST /Groups") < at("POST /Users"), "newest first");
        assert!(page.contains("User created") && page.contains("Group gained members"), "{page}");
        let found = shown(&mut henrik, &format!("{here}?q=backup+operators")).await;
        assert!(found.contains("POST /Groups") && !found.contains("POST /Users"));
        assert!(shown(&mut henrik, &format!("{here}?q=nothing")).await.contains("No request contains"));
        console.app.stop().await;
    }

    async fn a_log_that_is_off_is_said_to_be_off(db: &Database) {
        let console = Console::open_with(db, |config| config.retention.request_log_days = 0).await;
        console.push("ada@harbor.example", "Backup Operators").await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let page = shown(&mut henrik, "/connections/harbor-entra").await;
        assert!(page.contains("The log of requests is switched off.") && !page.contains("POST /Users"), "{page}");
        console.app.stop().await;
    }

    async fn settings_are_checked_and_secrets_never_come_out(db: &Database) {
        let console = Console::open(db).await;
        let mut olga = console.sign_in(OLGA.0, OLGA.1).await;
        let here = "/connections/fjordnet-ldap";
        let save = format!("{here}/settings");
        let form = |urls: &'static str, secret: &'static str| {
            [("urls", urls), ("bind_dn", "cn=reader,dc=fjordnet,dc=example"), ("secret", secret),
             ("users", "ou=people,dc=fjordnet,dc=example"), ("groups", "ou=groups,dc=fjordnet,dc=example"), ("every_minutes", "30")]
        };
        let bad = olga.submit(here, &save, &form("gopher://hole", "pw")).await;
        assert_eq!(bad.status, 422, "{}", bad.text);
        let good = olga.submit(here, &save, &form("ldaps://127.0.0.1:1", "v3ry-s3cret")).await;
        assert_eq!(good.status, 303, "{}", good.text);
        let page = shown(&mut olga, here).await;
        assert!(page.contains("ldaps://127.0.0.1:1") && page.contains("One is stored"));
        assert!(!page.contains("v3ry-s3cret"));
        let elsewhere = olga.submit(here, &save, &form("ldaps://attacker.example:636", "")).await;
        assert_eq!(elsewhere.status, 422, "the stored secret is not sent to another server");
        assert_eq!(olga.submit(here, &save, &form("ldaps://127.0.0.1:1", "")).await.status, 303);

        let tried = olga.submit(here, &format!("{here}/test"), &[]).await;
        assert_eq!(tried.status, 200);
        assert!(tried.text.contains("Reach the server") && tried.text.contains("fails"), "{}", tried.text);
        let paused = olga.submit(here, &format!("{here}/sync-runs"), &[]).await;
        assert_eq!(paused.status, 422);
        assert!(paused.text.contains("is paused"));
        // Whoever looks at the connection later sees it too.
        let page = shown(&mut olga, here).await;
        assert!(page.contains("It did not begin") && page.contains("is paused"), "{page}");
        let refused = page.split_once(&format!("{here}/sync-runs/")).unwrap().1.split('"').next().unwrap().to_owned();
        assert!(shown(&mut olga, &format!("{here}/sync-runs/{refused}")).await.contains("It did not begin"));
        let dry = olga.submit(here, &format!("{here}/sync-runs"), &[("dry", "yes")]).await;
        assert_eq!(dry.status, 303, "{}", dry.text);
        let page = shown(&mut olga, here).await;
        assert!(page.contains("dry run"), "{page}");
        let run = page.split_once(&format!("{here}/sync-runs/")).unwrap().1.split('"').next().unwrap().to_owned();
        assert_ne!(run, refused, "the newest is first");
        let mut report = String::new();
        for _ in 0..100 {
            report = shown(&mut olga, &format!("{here}/sync-runs/{run}")).await;
            if report.contains("failed") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(report.contains("failed"), "{report}");
        console.app.stop().await;
    }

    async fn connections_of_another_partner_do_not_exist(db: &Database) {
        let console = Console::open(db).await;
        let mut lena = console.sign_in(LENA.0, LENA.1).await;
        let mine = format!("/users/{}", lena.id);
        let id = "0192f0c0-0000-7000-8000-000000000000";
        for slug in ["harbor-entra", "fjordnet-ldap", "harbor-sso"] {
            let (theirs, none) = (format!("/connections/{slug}"), "/connections/no-such");
            for path in ["".to_owned(), "/undo".to_owned(), format!("/sync-runs/{id}")] {
                let (theirs, none) = (lena.get(&format!("{theirs}{path}")).await, lena.get(&format!("{none}{path}")).await);
                assert_eq!((theirs.status, &theirs.text), (404, &none.text));
            }
            let acts = ["state", "settings", "tokens", "clients", "test", "sync", &format!("tokens/{id}/revoke"),
                &format!("clients/{id}/revoke"),
                &format!("removal-alerts/{id}/dismiss"), "undo",
                &format!("runs/{id}/approve")].map(str::to_owned);
            for act in acts {
                let form = [("state", "paused"), ("name", "mine"), ("urls", "ldaps://a"), ("dry", "yes"),
                    ("from", "2026-01-01T00:00:00"), ("to", "2026-01-02T00:00:00"), ("plan", "x")];
                let answer = lena.submit(&mine, &format!("{theirs}/{act}"), &form).await;
                assert_eq!(answer.status, 404, "{slug}/{act}: {}", answer.text);
                let nothing = lena.submit(&mine, &format!("{none}/{act}"), &form).await;
                assert_eq!(answer.text, nothing.text);
            }
        }
        console.app.stop().await;
    }

    async fn whoever_holds_less_than_the_ceiling_may_not_touch_the_connection(db: &Database) {
        let console = Console::open(db).await;
        // Henrik is SuperUser of Harbor: he covers what its directory may confer. The same connection under a ceiling
        // he does not hold is out of his reach.
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let here = "/connections/harbor-entra";
        assert_eq!(henrik.submit(here, &format!("{here}/tokens"), &[("name", "his")]).await.status, 303);
        let mut declared = include_str!("../../config/demo.toml").to_owned();
        let ceiling = "role = \"Operator\"\nscope = { subtree = \"harbor\" }";
        assert!(declared.contains(ceiling));
        declared = declared.replacen(ceiling, &format!("{ceiling}\n\n[[directory.ceiling]]\nrole = \"Security Officer\"\nscope = {{ subtree = \"meridian\" }}"), 1);
        console.apply(&declared).await;
        for (act, form) in [("tokens", ("name", "his")), ("state", ("state", "paused"))] {
            let answer = henrik.submit(here, &format!("{here}/{act}"), &[form]).await;
            assert_eq!(answer.status, 403, "{act}");
            assert!(answer.text.contains("could not give yourself"));
        }
        console.app.stop().await;
    }

    async fn whoever_holds_less_than_someone_behind_the_connection_may_not_touch_it(db: &Database) {
        let console = Console::open(db).await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let here = "/connections/harbor-entra";
        let mut touched = async || {
            let answer = henrik.submit(here, &format!("{here}/tokens"), &[("name", "his")]).await;
            (answer.status, answer.text.contains("speaks for someone who may do more than you"))
        };
        let declared = include_str!("../../config/demo.toml");
        let grant = |holder: &str, scope: &str| {
            format!(
                "{declared}\n[[grant]]\nrole = \"Administrator\"\npartner = \"harbor\"\n{holder}\n\
                 scope = {{ partner = \"{scope}\" }}\nreason = \"Lent out\"\n"
            )
        };
        console.push("ida@harbor.example", "Backup Operators").await;
        assert_eq!(touched().await, (303, false));
        console.apply(&grant("user = \"ida@harbor.example\"", "quayside")).await;
        assert_eq!(touched().await, (303, false), "what he holds himself");
        console.apply(&grant("user_group = \"Technicians\"", "fjordnet")).await;
        assert_eq!(touched().await, (303, false), "a rule of this directory places her there: its ceiling holds");
        console.apply(&grant("user = \"ida@harbor.example\"", "fjordnet")).await;
        assert_eq!(touched().await, (403, true));
        console.apply(&grant("user_group = \"Everyone\"", "fjordnet")).await;
        assert_eq!(touched().await, (303, false), "now he holds it too, as one of everyone");
        console.app.stop().await;
    }
}
