//! The push: what a provider would send, against the demo's own HTTP endpoint, and what it changed.
use std::fmt::Write as _;

use anyhow::{Context, bail};
use serde_json::{Value as Json, json};

use super::DemoFolders;
use crate::clock::Clock;
use crate::domain::id::UserId;
use crate::store::extent::OperatorExtent;
use crate::store::{Store, effective_lists, partners, users};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const LOGIN: &str = "tove@harbor.example";
const GROUP_NAME: &str = "Backup Operators";

/// Creates a user and a group, adds the member, and tells what follows. On a kept store it finds what is there.
pub(super) async fn play(store: &Store, places: &DemoFolders) -> anyhow::Result<String> {
    let provider = Provider { http: client()?, places };
    let mut told = String::from("Harbor's Entra ID pushes:\n\n");
    let external_user = provider.ensure("Users", "userName", LOGIN, &user(), &mut told).await?;
    let group = provider.ensure("Groups", "displayName", GROUP_NAME, &group(), &mut told).await?;
    let add = json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "members", "value": [{ "value": external_user }] }] });
    let path = format!("Groups/{group}");
    let (status, _) = provider.send(reqwest::Method::PATCH, &path, Some(&add)).await?;
    writeln!(told, "  PATCH  /Groups/{group}  {status}  adds the member")?;

    let by = OperatorExtent::assume();
    let mut reader = store.reader().await?;
    let root = partners::root(&mut reader, &by).await?.context("the store has no root")?;
    let tree = partners::subtree(&mut reader, &by.at(root.id)).await?;
    let home = tree.iter().find(|node| node.partner.external_id.as_deref() == Some("harbor"));
    let home = by.at(home.context("the store has no partner harbor")?.partner.id);
    let user = users::by_login(&mut reader, &home, LOGIN).await?.context("the push made no user")?;
    told.push_str("\nWhat follows from it:\n\n");
    for held in effective_lists::groups_of(&mut reader, &home, user).await? {
        let verb = if held.is_primary { "placed in" } else { "labelled" };
        writeln!(told, "  + {verb} {}: {}", held.group.name, held.membership)?;
    }
    for held in effective_lists::grants_of(&mut reader, &home, user, Clock.now()).await? {
        writeln!(told, "  + {}", held.proof)?;
    }
    drop(reader);

    told.push_str("\nMay Tove recover devices?\n\n");
    for (key, name) in [("lighthouse", "Lighthouse Dental"), ("saltmarsh", "Saltmarsh Primary School")] {
        let there = tree.iter().find(|node| node.partner.external_id.as_deref() == Some(key));
        let there = there.with_context(|| format!("the store has no partner {key}"))?.partner.id;
        let answer = provider.ask(user, "cove.recover.device", &there.to_string()).await?;
        let allowed = answer.get("decision").and_then(Json::as_bool).unwrap_or(false);
        let reason = answer.pointer("/context/reason").and_then(Json::as_str).unwrap_or("no reason given");
        writeln!(told, "  {} at {name}: {reason}", if allowed { "ALLOWED" } else { "REFUSED" })?;
    }
    told.push_str(&format!("\n  See her in the console: {}/users/{user}\n", places.base));
    Ok(told)
}

fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("no HTTP client")
}

fn user() -> Json {
    json!({
        "schemas": [USER, ENTERPRISE],
        "externalId": "8f1c2f0e-2b5f-4a52-9d10-5d6d1f3a7b11",
        "userName": LOGIN,
        "active": true,
        "displayName": "Tove Ek",
        "name": { "givenName": "Tove", "familyName": "Ek", "formatted": "Tove Ek" },
        "title": "Backup engineer",
        "emails": [{ "primary": true, "type": "work", "value": LOGIN }],
        ENTERPRISE: { "department": "IT" },
    })
}

fn group() -> Json {
    json!({
        "schemas": [GROUP],
        "externalId": "2f0f4c9e-5d8e-4f0c-9e54-6f1c4f3d9a11",
        "displayName": GROUP_NAME,
    })
}

/// The provider's side of the conversation.
struct Provider<'a> {
    http: reqwest::Client,
    places: &'a DemoFolders,
}

impl Provider<'_> {
    /// Looks the resource up and creates it when it is not there, as providers do; its id.
    async fn ensure(
        &self,
        kind: &str,
        attribute: &str,
        value: &str,
        body: &Json,
        told: &mut String,
    ) -> anyhow::Result<String> {
        let path = format!("{kind}?filter={attribute}%20eq%20%22{}%22", value.replace(' ', "%20"));
        let (_, found) = self.send(reqwest::Method::GET, &path, None).await?;
        if let Some(id) = found.pointer("/Resources/0/id").and_then(Json::as_str) {
            writeln!(told, "  GET    /{kind}  200  {value} is there already")?;
            return Ok(id.to_owned());
        }
        let (status, made) = self.send(reqwest::Method::POST, kind, Some(body)).await?;
        writeln!(told, "  POST   /{kind}  {status}  {value}")?;
        let id = made.get("id").and_then(Json::as_str);
        Ok(id.with_context(|| format!("POST /{kind} answered without an id"))?.to_owned())
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Json>) -> anyhow::Result<(u16, Json)> {
        let url = format!("{}/{path}", self.places.scim);
        let mut request = self.http.request(method.clone(), &url).bearer_auth(&self.places.scim_token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/scim+json").body(body.to_string());
        }
        self.answer(&format!("{method} /{path}"), request).await
    }

    async fn ask(&self, user: UserId, capability: &str, partner: &str) -> anyhow::Result<Json> {
        let body = json!({
            "subject": { "type": "user", "id": user.to_string() },
            "action": { "name": capability },
            "resource": { "type": "partner", "id": partner },
        });
        let url = format!("{}/access/v1/evaluation", self.places.base);
        let request = self.http.post(&url).bearer_auth(&self.places.api_token);
        let request = request.header("Content-Type", "application/json").body(body.to_string());
        Ok(self.answer("POST /access/v1/evaluation", request).await?.1)
    }

    async fn answer(&self, what: &str, request: reqwest::RequestBuilder) -> anyhow::Result<(u16, Json)> {
        let answer = request.send().await.with_context(|| format!("{what} got no answer"))?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| format!("the answer to {what} broke off"))?;
        if !status.is_success() {
            bail!("{what} was answered with {status}: {text}");
        }
        let json = if text.is_empty() { Json::Null } else { serde_json::from_str(&text).context("not JSON")? };
        Ok((status.as_u16(), json))
    }
}
