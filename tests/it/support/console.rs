//! The demo world behind the real server, and users signed in to its console.

use rolecall::admin::apply::{self, ApplyContext};
use rolecall::admin::declaration::Declaration;
use rolecall::admin::links;
use rolecall::config::Config;
use rolecall::domain::id::UserId;
use rolecall::secret::Keyring;
use rolecall::store::extent::{OperatorExtent, PartnerExtent};
use rolecall::store::one_time_links::OneTimeLinkPurpose;
use rolecall::store::{Store, StoreError, Tx, connections, declared, tokens, users};
use serde_json::{Value, json};

use crate::app::App;
use crate::support::browser::{Browser, Page};
use crate::support::database::Database;
use crate::support::house::ctx;

/// A server on the demo world.
pub struct Console {
    pub app: App,
    pub store: Store,
}

/// Somebody in front of a browser.
pub struct Someone {
    pub browser: Browser,
    pub id: UserId,
    base: String,
}

impl Console {
    /// Declares the demo world and starts a server on it.
    pub async fn open(db: &Database) -> Self {
        Self::open_with(db, |_| ()).await
    }

    /// The same, with settings that a test may change.
    pub async fn open_with(db: &Database, change: impl FnOnce(&mut Config)) -> Self {
        declare(&db.store, include_str!("../../../config/demo.toml")).await;
        Self { app: App::start_with(db, change).await, store: db.store.clone() }
    }

    /// Applies another declaration.
    pub async fn apply(&self, text: &str) {
        declare(&self.store, text).await;
    }

    /// The operator's view of the partner with this external id.
    pub async fn partner(&self, key: &str) -> PartnerExtent {
        let by = OperatorExtent::assume();
        let found = declared::by_key(&mut self.store.reader().await.unwrap(), &by, &[key]).await;
        by.at(found.unwrap().pop().unwrap().id)
    }

    /// The user who signs in by this name at the partner.
    pub async fn user(&self, partner: &str, login: &str) -> UserId {
        let at = self.partner(partner).await;
        users::by_login(&mut self.store.reader().await.unwrap(), &at, login).await.unwrap().unwrap()
    }

    /// Signs a user in by a one-time link.
    pub async fn sign_in(&self, partner: &str, login: &str) -> Someone {
        let (id, at, ctx) = (self.user(partner, login).await, self.partner(partner).await, ctx());
        let made: Result<_, StoreError> = self
            .store
            .write(async |tx: &mut Tx| links::create(tx, &ctx, &at, id, OneTimeLinkPurpose::SetUp).await)
            .await;
        let mut browser = Browser::new();
        let base = self.app.base.clone();
        let landed = browser.post(format!("{base}/link"), &[("token", made.unwrap().reveal())]).await;
        assert_eq!(landed.status, 303, "{}", landed.text);
        Someone { browser, id, base }
    }

    /// Pushes a user of the department IT through Harbor's SCIM connection, in this group, and returns our id of her.
    pub async fn push(&self, login: &str, group: &str) -> UserId {
        let (at, ctx) = (self.partner("harbor").await, ctx());
        let token: Result<_, StoreError> = self
            .store
            .write(async |tx: &mut Tx| {
                let connection = connections::by_slug(tx, &at, "harbor-entra").await?.unwrap();
                Ok(tokens::create(tx, &at, &ctx, connection.connection.id, "test", None).await?.1.reveal().to_owned())
            })
            .await;
        let token = token.unwrap();
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": login, "externalId": login, "displayName": "Ada Berg",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "IT"},
        });
        let user = self.scim(&token, "Users", &user).await;
        let members = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": group, "members": [{"value": user["id"]}],
        });
        self.scim(&token, "Groups", &members).await;
        self.user("harbor", login).await
    }

    async fn scim(&self, token: &str, kind: &str, body: &Value) -> Value {
        let path = format!("/scim/harbor-entra/v2/{kind}");
        let answer = self.app.request(reqwest::Method::POST, &path).bearer_auth(token).json(body).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }
}

async fn declare(store: &Store, text: &str) {
    let keyring = Keyring::parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "the test").unwrap();
    let means = ApplyContext::new(&keyring);
    let declaration = Declaration::parse(text).unwrap();
    apply::apply(store, &ctx(), OperatorExtent::assume(), &declaration, &means).await.unwrap();
}

impl Someone {
    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Page {
        self.browser.get(format!("{}{path}", self.base)).await
    }

    /// Sends a form of the page at `from`, with what that page put into it against forgery.
    pub async fn submit(&mut self, from: &str, to: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get(from).await;
        assert_eq!(page.status, 200, "{from}");
        let csrf = page.text.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let mut form = vec![("csrf", csrf.as_str())];
        form.extend_from_slice(fields);
        self.browser.post(format!("{}{to}", self.base), &form).await
    }
}
