//! Signing in to the console through a certified provider as somebody whom SCIM provisioned, and
//! what becomes of the session when SCIM takes the person away, at this server or at another one
//! on the same database.

mod browser;
mod provider;

use crate::args::Args;
use crate::http::Client;
use crate::report::Report;
use crate::server::{Server, Start};
use crate::setup;
use anyhow::{Context, Result};
use browser::{Browser, Page};
use provider::{Account, CLIENT_ID, CLIENT_SECRET, Provider};
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// The demo's sign-in connection. Its join says: the claim `oid` is what SCIM calls `externalId`.
const SLUG: &str = "harbor-sso";

/// Everything about one sign-in door.
///
/// # Errors
/// When the server or the provider cannot be started.
pub async fn run(args: &Args, report: &mut Report) -> Result<()> {
    let start = Start::new(args, "server")?;
    let server = Server::start(&start).await?;
    let origin = Url::parse(&server.ready.console)?.origin().ascii_serialization();
    let redirect = format!("{origin}/sso/{SLUG}/callback");
    let provider = Provider::start(&args.node(), &args.folder("provider")?, &[redirect], &accounts()).await?;
    let settings = json!({"issuer": provider.issuer, "client_id": CLIENT_ID, "scopes": ["openid", "profile", "email"]});
    setup::open(&server, SLUG, settings, CLIENT_SECRET).await?;
    let scim = Client::scim(&server.ready.scim)?;
    let lab = Lab { origin, console: server.ready.console.clone() };

    let ada = lab.provision(&scim, "ada", "oid-ada").await?;
    lab.a_provisioned_person_signs_in(report, &scim, &scim, &ada).await?;
    lab.strangers_stay_outside(report).await?;
    lab.a_borrowed_answer_is_refused(report).await?;
    if args.database != "sqlite" {
        // The same folder: the nodes of one installation share its key.
        let other = Server::start(&start).await?;
        let there = Client::scim(&other.ready.scim)?;
        let bob = lab.provision(&there, "bob", "oid-bob").await?;
        report.note("the same again, with the deactivation at a second server on the database");
        lab.a_provisioned_person_signs_in(report, &scim, &there, &bob).await?;
        other.stop().await?;
    }
    lab.a_dead_provider_is_told(report, provider).await?;
    server.stop().await?;
    Ok(())
}

fn accounts() -> [Account; 3] {
    let account = |login, sub, oid: &str| {
        let email = format!("{login}@harbor.example");
        Account { login, sub, claims: json!({"oid": oid, "email": email, "preferred_username": email, "name": login}) }
    };
    [
        account("ada", "subject-1", "oid-ada"),
        account("bob", "subject-2", "oid-bob"),
        // Signs in with the address of another: only the declared join may link.
        Account { claims: json!({"oid": "oid-eve", "email": "ada@harbor.example"}), ..account("eve", "subject-3", "") },
    ]
}

struct Lab {
    origin: String,
    console: String,
}

impl Lab {
    async fn provision(&self, scim: &Client, login: &str, external_id: &str) -> Result<String> {
        let name = format!("{login}@harbor.example");
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name, "externalId": external_id, "displayName": login, "active": true,
            "emails": [{"value": name, "type": "work", "primary": true}],
        });
        let user = scim.post("/Users", &user).await?.good("provisioning a user")?;
        user["id"].as_str().map(str::to_owned).context("a user without id")
    }

    /// To the provider, through its form, and back.
    async fn sign_in(&self, browser: &mut Browser, login: &str) -> Result<Page> {
        let form = browser.open(&format!("{}/login/{SLUG}", self.origin)).await?;
        if !form.body.contains("Lab sign-in") {
            return Ok(form);
        }
        browser.submit(&form, &[("login", login)]).await
    }

    async fn is_inside(&self, browser: &mut Browser) -> Result<bool> {
        let mut stranger = Browser::new()?;
        let outside = stranger.open(&self.console).await?;
        let page = browser.open(&self.console).await?;
        Ok(page.status == 200 && page.heading() != outside.heading())
    }

    async fn a_provisioned_person_signs_in(
        &self,
        report: &mut Report,
        here: &Client,
        there: &Client,
        user: &str,
    ) -> Result<()> {
        let who = here.get(&format!("/Users/{user}")).await?.good("reading the user")?;
        let login = who["displayName"].as_str().unwrap_or_default().to_owned();
        let mut browser = Browser::new()?;
        let page = self.sign_in(&mut browser, &login).await?;
        let told = || format!("{} {} {}", page.status, page.url, page.heading());
        report.check(&format!("{login} signs in and lands on a page of the console"), page.status == 200, told);
        report.check(&format!("{login}: it is the provisioned person"), page.body.contains(&login), || {
            page.body.chars().take(400).collect()
        });
        let inside = self.is_inside(&mut browser).await?;
        report.check(&format!("{login}: the session holds"), inside, || "the next request is outside".into());

        set_active(there, user, false).await?;
        let inside = self.is_inside(&mut browser).await?;
        report.check(&format!("{login}: deactivated over SCIM: the very next request is outside"), !inside, || {
            "still inside".into()
        });
        let mut again = Browser::new()?;
        let refused = self.sign_in(&mut again, &login).await?;
        let told = || format!("{} {}", refused.status, refused.heading());
        report.check(&format!("{login}: signing in again is refused"), (400..500).contains(&refused.status), told);
        report.check(&format!("{login}: the refusal opens no session"), !self.is_inside(&mut again).await?, || {
            "inside".into()
        });

        set_active(there, user, true).await?;
        let inside = self.is_inside(&mut browser).await?;
        report.check(&format!("{login}: activated again: the old session stays ended"), !inside, || {
            "it came back".into()
        });
        let page = self.sign_in(&mut again, &login).await?;
        report.equal(&format!("{login}: activated again: a new sign-in works"), page.status, 200);
        there.send(Method::DELETE, &format!("/Users/{user}"), None).await?.good("deleting the user")?;
        let inside = self.is_inside(&mut again).await?;
        report.check(&format!("{login}: deleted over SCIM: the very next request is outside"), !inside, || {
            "still inside".into()
        });
        Ok(())
    }

    async fn strangers_stay_outside(&self, report: &mut Report) -> Result<()> {
        for (login, why) in [("eve", "has another's address but no declared identifier"), ("nobody", "has no account")]
        {
            let mut browser = Browser::new()?;
            let page = self.sign_in(&mut browser, login).await?;
            let told = || format!("{} {}", page.status, page.heading());
            report.check(&format!("{login}, who {why}, is refused"), (400..500).contains(&page.status), told);
            let inside = self.is_inside(&mut browser).await?;
            report.check(&format!("{login} has no session"), !inside, || "inside".into());
        }
        Ok(())
    }

    /// The answer to one browser's attempt does not sign in another browser, nor twice.
    async fn a_borrowed_answer_is_refused(&self, report: &mut Report) -> Result<()> {
        let mut thief = Browser::new()?;
        for (case, address) in [
            ("an answer nobody asked for", "code=x&state=y".to_owned()),
            ("an answer without state", "code=x".to_owned()),
            ("an error nobody asked for", "error=access_denied&state=y".to_owned()),
        ] {
            let page = thief.open(&format!("{}/sso/{SLUG}/callback?{address}", self.origin)).await?;
            let told = || format!("{} {}", page.status, page.heading());
            report.check(&format!("{case} is refused"), (400..500).contains(&page.status), told);
        }
        let borrowed = self.answer_to(&mut Browser::new()?).await?;
        let page = thief.open(&borrowed).await?;
        let told = || format!("{} {}", page.status, page.heading());
        report.check("an answer to another browser is refused", (400..500).contains(&page.status), told);
        report.check("none of them opens a session", !self.is_inside(&mut thief).await?, || "inside".into());
        Ok(())
    }

    /// Begins an attempt in a browser; the address of a well-formed answer to it.
    async fn answer_to(&self, browser: &mut Browser) -> Result<String> {
        let begun = browser.step(&format!("{}/login/{SLUG}", self.origin)).await?;
        let state = begun.leads_to().and_then(|url| url.query_pairs().find(|(name, _)| name == "state"));
        let (_, state) = state.context("no state on the way to the provider")?;
        Ok(format!("{}/sso/{SLUG}/callback?code=x&state={state}", self.origin))
    }

    /// It dies between the way there and the way back.
    async fn a_dead_provider_is_told(&self, report: &mut Report, provider: Provider) -> Result<()> {
        let mut browser = Browser::new()?;
        let answer = self.answer_to(&mut browser).await?;
        provider.stop().await?;
        let page = browser.open(&answer).await?;
        let told = || format!("{} {}", page.status, page.heading());
        report.check("a dead provider is told on a page", page.status >= 400 && !page.heading().is_empty(), told);
        let alive = browser.open(&self.console).await?;
        report.check("the server goes on", alive.status < 500, || alive.status.to_string());
        Ok(())
    }
}

async fn set_active(scim: &Client, user: &str, active: bool) -> Result<Value> {
    let operation = json!({"op": "replace", "path": "active", "value": active});
    let schema = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    let patch = json!({"schemas": [schema], "Operations": [operation]});
    scim.send(Method::PATCH, &format!("/Users/{user}"), Some(&patch)).await?.good("setting active")
}
