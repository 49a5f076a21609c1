//! A client of the API: one user's token.
use reqwest::{Method, RequestBuilder};
use rolecall::domain::id::{PartnerId, UserId};
use serde_json::Value;

use crate::app::{Answer, App};
use crate::support::house::House;

/// A caller of the API.
pub struct Api<'a> {
    app: &'a App,
    pub token: String,
}

impl<'a> Api<'a> {
    /// A caller with a fresh token of a user at `home`.
    pub async fn of(app: &'a App, house: &House, user: UserId, home: PartnerId) -> Self {
        Self { app, token: house.api_token(user, home).await.1 }
    }

    /// A caller with this token.
    pub fn with(app: &'a App, token: &str) -> Self {
        Self { app, token: token.to_owned() }
    }

    /// The owner of the house.
    pub async fn owner(app: &'a App, house: &House) -> Self {
        Self::of(app, house, house.owner, house.top).await
    }

    /// A request to a path below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, &format!("/api/v1{path}")).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        sent(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        sent(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        sent(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        sent(self.request(Method::DELETE, path)).await
    }

    /// Every entry of a list, page by page.
    pub async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let page = self.get(&format!("{path}?limit={limit}{after}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let found = page.body["items"].as_array().unwrap();
            assert!(found.len() <= limit);
            items.extend(found.iter().cloned());
            let Some(next) = page.body["next"].as_str() else { return items };
            after = format!("&after={next}");
        }
    }
}

/// Sends a request and reads the answer.
pub async fn sent(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
    Answer { status, headers, body }
}

/// Fails unless the answer is a problem (RFC 9457) of this status whose detail contains `part`.
#[track_caller]
pub fn problem(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
    assert_eq!(answer.body["status"], status, "{answer:?}");
    assert_eq!(answer.body["type"], "about:blank", "{answer:?}");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains(part), "{part:?} is not in {detail:?}");
}
