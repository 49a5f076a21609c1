//! One-time links.
use rolecall::admin::links;
use rolecall::store::StoreError;
use rolecall::store::one_time_links::OneTimeLinkPurpose;

use crate::app::App;
use crate::support::browser::Browser;
use crate::support::database::on_both;
use crate::support::house::{House, ctx};

async fn link(app: &App, house: &House) -> String {
    let (at, ctx) = (house.at(house.top), ctx());
    let made: Result<_, StoreError> =
        house.store.write(async |tx| links::create(tx, &ctx, &at, house.owner, OneTimeLinkPurpose::SetUp).await).await;
    links::address(app.running.app().public_url.as_str(), &made.unwrap()).to_string()
}

fn token(address: &str) -> String {
    address.split_once("token=").unwrap().1.to_owned()
}

on_both! {
    async fn looking_does_not_use_a_link_up_and_using_it_does(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let address = link(&app, &house).await;
        let post = format!("{}/link", app.base);
        let mut browser = Browser::new();
        for _ in 0..3 {
            let page = browser.get(&address).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains("Set up this installation"));
            assert!(page.set_cookies.is_empty());
        }
        let token = token(&address);
        // A page elsewhere cannot sign anybody in as the owner.
        let form: &[(&str, &str)] = &[("token", &token)];
        let forged = browser.send(reqwest::Method::POST, &post, Some(form), &[("sec-fetch-site", "cross-site")]).await;
        assert_eq!(forged.status, 403);

        let landed = browser.post(&post, &[("token", &token)]).await;
        assert_eq!((landed.status, landed.location.unwrap().path()), (303, "/partners"));
        assert!(browser.get(format!("{}/account", app.base)).await.text.contains("Olga Owner"));

        let mut late = Browser::new();
        assert!(late.get(&address).await.text.contains("one_time_link.unknown"));
        let page = late.post(&post, &[("token", &token)]).await;
        assert_eq!(page.status, 400);
        assert!(page.set_cookies.is_empty());
        assert_eq!((house.events("one_time_link.issued").await, house.events("one_time_link.used").await), (1, 1));
        app.stop().await;
    }

    async fn of_many_uses_at_once_one_counts(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let token = token(&link(&app, &house).await);
        let post = format!("{}/link", app.base);
        let uses = (0..12).map(|_| async {
            Browser::new().post(&post, &[("token", &token)]).await.status
        });
        let ends = futures_util::future::join_all(uses).await;
        assert_eq!(ends.iter().filter(|status| **status == 303).count(), 1, "{ends:?}");
        assert_eq!(ends.iter().filter(|status| **status == 400).count(), 11, "{ends:?}");
        assert_eq!(house.events("session.started").await, 1);
        app.stop().await;
    }

    async fn a_link_ends_and_a_new_one_withdraws_it(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let login = &app.running.app().desk.login;
        let old = token(&link(&app, &house).await);
        let new = token(&link(&app, &house).await);
        let code = async |presented: &str, seconds: i64| {
            let at = rolecall::domain::ctx::Ctx::new(
                ctx().now().plus_seconds(seconds),
                rolecall::domain::ctx::Actor::System,
                std::sync::Arc::new(crate::support::house::Machine),
            );
            login.link(&at, presented).await.map_err(|refusal| refusal.code)
        };
        assert_eq!(code(&old, 0).await, Err("one_time_link.unknown"));
        assert_eq!(code(&new, links::LIFE - 60).await, Ok(OneTimeLinkPurpose::SetUp));
        assert_eq!(code(&new, links::LIFE + 60).await, Err("one_time_link.unknown"));
        assert_eq!(code("rcl_", 0).await, Err("one_time_link.unknown"));
        assert_eq!(code(&new.replace("rcl_", "rca_"), 0).await, Err("one_time_link.unknown"));
        app.stop().await;
    }

    async fn a_suspended_user_cannot_use_a_link_and_keeps_it(db: &Database) {
        let house = House::build(&db.store, "https://login.example.com").await;
        let app = App::start(db).await;
        let address = link(&app, &house).await;
        house.suspend_user(house.owner).await;
        let page = Browser::new().post(format!("{}/link", app.base), &[("token", &token(&address))]).await;
        assert_eq!(page.status, 403);
        assert!(page.text.contains("user.suspended"));
        assert_eq!(Browser::new().get(&address).await.status, 200, "nothing was written");
        app.stop().await;
    }
}
