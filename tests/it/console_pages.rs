//! What each page of the console shows, and to whom.
use crate::support::browser::Browser;
use crate::support::console::Console;
use crate::support::database::on_both;

const HENRIK: (&str, &str) = ("harbor", "henrik@harbor.example");
const LENA: (&str, &str) = ("lighthouse", "lena@lighthouse.example");
const OLGA: (&str, &str) = ("meridian", "olga@meridian.example");

fn assert_shows(text: &str, all: &[&str]) {
    for one in all {
        assert!(text.contains(one), "{one} is not in {text}");
    }
}

fn assert_hides(text: &str, all: &[&str]) {
    for one in all {
        assert!(!text.contains(one), "{one} is in {text}");
    }
}

on_both! {
    async fn a_user_makes_tokens_of_their_own_and_ends_only_those(db: &Database) {
        let console = Console::open(db).await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let here = "/account/tokens";
        assert_eq!(henrik.submit(here, here, &[("name", " "), ("days", "30")]).await.status, 422);
        assert_eq!(henrik.submit(here, here, &[("name", "reports"), ("days", "soon")]).await.status, 422);
        assert_eq!(henrik.submit(here, here, &[("name", "reports"), ("days", "30")]).await.status, 303);
        let page = henrik.get(here).await.text;
        let token = format!("rca_{}", page.split_once("data-copy=\"rca_").unwrap().1.split('"').next().unwrap());
        assert_hides(&henrik.get(here).await.text, &[&token]);
        assert_shows(&henrik.get(here).await.text, &["reports", "not used yet", ", ends "]);
        let path = format!("/api/v1/users/{}", henrik.id);
        let call = async || {
            console.app.request(reqwest::Method::GET, &path).bearer_auth(&token).send().await.unwrap().status().as_u16()
        };
        assert_eq!(call().await, 200);

        let end = page.split_once("action=\"/account/tokens/").unwrap().1.split('"').next().unwrap();
        let end = format!("{here}/{end}");
        let mut lena = console.sign_in(LENA.0, LENA.1).await;
        assert_hides(&lena.get(here).await.text, &["reports"]);
        assert_eq!(lena.submit(here, &end, &[]).await.status, 404, "not hers");
        assert_eq!(call().await, 200);
        assert_eq!(henrik.submit(here, &end, &[]).await.status, 303);
        assert_eq!(call().await, 401, "from the next request on");
        let mut activity = String::new();
        for _ in 0..100 {
            activity = henrik.get("/activity").await.text;
            if activity.contains("API token ended") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_shows(&activity, &["API token made", "API token ended"]);
        console.app.stop().await;
    }

    async fn the_tree_is_what_one_may_see(db: &Database) {
        let console = Console::open(db).await;
        let mut olga = console.sign_in(OLGA.0, OLGA.1).await;
        let all = olga.get("/partners").await;
        assert_eq!(all.status, 200);
        assert_shows(&all.text, &["Meridian Distribution", "Harbor IT Services", "Tromsø Clinic", "9 partners"]);
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let his = henrik.get("/partners").await.text;
        assert_shows(&his, &["Harbor IT Services", "Saltmarsh Primary School", "4 partners"]);
        assert_hides(&his, &["Meridian", "Fjordnet"]);
        let mut lena = console.sign_in(LENA.0, LENA.1).await;
        let hers = lena.get("/partners").await.text;
        assert_shows(&hers, &["Lighthouse Dental", "1 partner "]);
        assert_hides(&hers, &["Harbor"]);
        let found = olga.get("/partners?q=TROMS").await.text;
        assert_shows(&found, &["Tromsø Clinic", "1 found"]);
        assert_hides(&found, &["Bergen"]);
        assert_shows(&olga.get("/partners?q=nowhere").await.text, &["No partner is called"]);
        console.app.stop().await;
    }

    async fn without_a_session_every_page_leads_to_the_sign_in_and_back(db: &Database) {
        let console = Console::open(db).await;
        let harbor = console.partner("harbor").await.partner();
        for path in ["/partners", "/activity", &format!("/partners/{harbor}/users?q=a"), "/connections/harbor-entra"] {
            let answer = Browser::new().get(format!("{}{path}", console.app.base)).await;
            assert_eq!(answer.status, 303, "{path}");
            let there = answer.location.unwrap();
            assert_eq!(there.path(), "/login");
            assert_eq!(there.query_pairs().find(|(key, _)| key == "to").unwrap().1, path);
        }
        console.app.stop().await;
    }

    async fn the_pages_of_another_partner_do_not_exist(db: &Database) {
        let console = Console::open(db).await;
        let mut lena = console.sign_in(LENA.0, LENA.1).await;
        let harbor = console.partner("harbor").await.partner();
        let henrik = console.user(HENRIK.0, HENRIK.1).await;
        let reader = &mut console.store.reader().await.unwrap();
        let at = console.partner("harbor").await;
        let directory = rolecall::store::directories::of_partner(reader, &at).await.unwrap().remove(0).id;
        let nobody = "0192f0c0-0000-7000-8000-000000000000";
        let same = [
            (format!("/partners/{harbor}"), format!("/partners/{nobody}")),
            (format!("/partners/{harbor}/users"), format!("/partners/{nobody}/users")),
            (format!("/partners/{harbor}/directories"), format!("/partners/{nobody}/directories")),
            (format!("/users/{henrik}"), format!("/users/{nobody}")),
            (format!("/directories/{directory}"), format!("/directories/{nobody}")),
            (format!("/directories/{directory}/introduction"), format!("/directories/{nobody}/introduction")),
            ("/partners/x".to_owned(), format!("/partners/{nobody}")),
        ];
        for (theirs, none) in same {
            let (theirs, none) = (lena.get(&theirs).await, lena.get(&none).await);
            assert_eq!((theirs.status, &theirs.text), (404, &none.text));
            assert!(theirs.text.contains("There is nothing here"));
        }
        let mine = format!("/users/{}", lena.id);
        for act in ["suspend", "reactivate", "confirm", "unconfirm"] {
            let to = format!("/users/{henrik}/{act}");
            let answer = lena.submit(&mine, &to, &[("reason", "spite")]).await;
            assert_eq!(answer.status, 404, "{to}");
        }
        for act in ["suspend", "reactivate"] {
            let to = format!("/partners/{harbor}/{act}");
            let answer = lena.submit(&mine, &to, &[("reason", "spite")]).await;
            assert_eq!(answer.status, 404, "{to}");
        }
        let to = format!("/directories/{directory}/introduction");
        assert_eq!(lena.submit(&mine, &to, &[("mode", "authoritative"), ("plan", "none")]).await.status, 404);
        let log = lena.get("/activity").await.text;
        assert_hides(&log, &["Harbor", "Meridian", "Henrik"]);
        console.app.stop().await;
    }

    async fn a_user_shows_why_she_holds_what_she_holds(db: &Database) {
        let console = Console::open(db).await;
        let ada = console.push("ada@harbor.example", "Backup Operators").await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let harbor = console.partner("harbor").await.partner();
        let list = henrik.get(&format!("/partners/{harbor}/users")).await.text;
        assert_shows(&list, &["Ada Berg", "Henrik Hall", "Technicians", "Harbor Entra ID", "2 users"]);
        let found = henrik.get(&format!("/partners/{harbor}/users?q=ADA")).await.text;
        assert_shows(&found, &["Ada Berg"]);
        assert_hides(&found, &["href=\"/users/0000", "made here"]);

        let page = henrik.get(&format!("/users/{ada}")).await.text;
        assert_shows(&page, &["Backup Operators", "Backup operators run Harbor&#39;s customers", "Operator"]);
        assert_shows(&page, &["except Saltmarsh Primary School", "On call", "department eq &#34;IT&#34;"]);
        let ask = |partner| format!("/users/{ada}?capability=core.partner.view&partner={partner}");
        let quayside = console.partner("quayside").await.partner();
        assert_shows(&henrik.get(&ask(quayside)).await.text, &["<strong>Allowed</strong> by the role "]);
        let school = console.partner("saltmarsh").await.partner();
        assert_shows(&henrik.get(&ask(school)).await.text, &["Refused.", "does not reach"]);
        let clinic = console.partner("tromso-clinic").await.partner();
        assert_eq!(henrik.get(&ask(clinic)).await.status, 404, "he may not see the clinic at all");
        console.app.stop().await;
    }

    async fn switching_a_user_off_ends_the_session_and_is_logged(db: &Database) {
        let console = Console::open(db).await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let mut lena = console.sign_in(LENA.0, LENA.1).await;
        let page = format!("/users/{}", lena.id);
        assert_eq!(lena.get("/partners").await.status, 200);
        let without = henrik.submit(&page, &format!("{page}/suspend"), &[("reason", " ")]).await;
        assert_eq!(without.status, 422);
        let done = henrik.submit(&page, &format!("{page}/suspend"), &[("reason", "left the practice")]).await;
        assert_eq!((done.status, done.location.unwrap().path()), (303, page.as_str()));
        assert_eq!(lena.get("/partners").await.status, 303, "her next request is refused");
        assert_shows(&henrik.get(&page).await.text, &["suspended", "left the practice", "Switch on again"]);
        let back = henrik.submit(&page, &format!("{page}/reactivate"), &[]).await;
        assert_eq!(back.status, 303);
        assert_hides(&henrik.get(&page).await.text, &["left the practice"]);
        assert_eq!(lena.get("/partners").await.status, 303, "the session of before stays ended");
        // Nobody changes who holds more, or themselves.
        let olga = console.user(OLGA.0, OLGA.1).await;
        let up = henrik.submit(&page, &format!("/users/{olga}/suspend"), &[("reason", "coup")]).await;
        assert_eq!(up.status, 404);
        let own = format!("/users/{}", henrik.id);
        assert_eq!(henrik.submit(&page, &format!("{own}/suspend"), &[("reason", "tired")]).await.status, 422);
        console.app.stop().await;
    }

    async fn a_form_from_elsewhere_does_nothing(db: &Database) {
        let console = Console::open(db).await;
        let mut henrik = console.sign_in(HENRIK.0, HENRIK.1).await;
        let lena = console.user(LENA.0, LENA.1).await;
        let to = format!("{}/users/{lena}/suspend", console.app.base);
        let fields: &[(&str, &str)] = &[("reason", "forged"), ("csrf", "no")];
        assert_eq!(henrik.browser.post(&to, fields).await.status, 403);
        let elsewhere = &[("sec-fetch-site", "cross-site")];
        let forged = henrik.browser.send(reqwest::Method::POST, &to, Some(fields), elsewhere).await;
        assert_eq!(forged.status, 403);
        assert_hides(&henrik.get(&format!("/users/{lena}")).await.text, &["forged"]);
        console.app.stop().await;
    }
}
