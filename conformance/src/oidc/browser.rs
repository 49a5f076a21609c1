//! The least browser that can sign in: cookies, redirects, forms; no script.

use anyhow::{Context, Result, bail};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use std::collections::BTreeMap;
use std::time::Duration;

/// One person's browser.
pub struct Browser {
    http: reqwest::Client,
    // By host and port, then by name. Paths and lives of cookies do not matter to these tests.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where a click led.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its address.
    pub url: Url,
    /// Its status.
    pub status: u16,
    /// Its text.
    pub body: String,
    next: Option<Url>,
}

/// The first form of a page.
#[derive(Debug, PartialEq)]
struct Form {
    action: String,
    hidden: Vec<(String, String)>,
}

impl Browser {
    /// A browser that has been nowhere.
    ///
    /// # Errors
    /// When no client can be built.
    pub fn new() -> Result<Browser> {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(60));
        Ok(Browser { http: http.build().context("building a browser")?, cookies: BTreeMap::new() })
    }

    /// Opens an address without following where it leads.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn step(&mut self, url: &str) -> Result<Page> {
        let url = Url::parse(url).with_context(|| format!("not an address: {url}"))?;
        let request = self.http.get(url.clone()).header(COOKIE, self.cookies_for(&url));
        let answer = request.send().await.with_context(|| format!("no answer from {url}"))?;
        self.arrive(answer).await
    }

    /// Opens an address and follows redirects.
    ///
    /// # Errors
    /// When nobody answers or the redirects go in circles.
    pub async fn open(&mut self, url: &str) -> Result<Page> {
        let page = self.step(url).await?;
        self.follow(page).await
    }

    /// Fills the first form of a page and sends it, then follows redirects.
    ///
    /// # Errors
    /// When the page has no form or nobody answers.
    pub async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Result<Page> {
        let form = form(&page.body).with_context(|| format!("no form on {}: {}", page.url, page.body))?;
        let url = page.url.join(&form.action).context("the form's action")?;
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut body = Url::parse("http://form/")?;
        body.query_pairs_mut().extend_pairs(hidden.chain(fields.iter().copied()));
        let request = self
            .http
            .post(url.clone())
            .header(COOKIE, self.cookies_for(&url))
            .header("origin", url.origin().ascii_serialization())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.query().unwrap_or_default().to_owned());
        let answer = request.send().await.with_context(|| format!("no answer from {url}"))?;
        let page = self.arrive(answer).await?;
        self.follow(page).await
    }

    async fn follow(&mut self, mut page: Page) -> Result<Page> {
        for _ in 0..20 {
            match page.next.take() {
                Some(next) => page = self.step(next.as_str()).await?,
                None => return Ok(page),
            }
        }
        bail!("redirects go in circles at {}", page.url)
    }

    async fn arrive(&mut self, answer: Response) -> Result<Page> {
        let (url, status) = (answer.url().clone(), answer.status().as_u16());
        let jar = self.cookies.entry(place(&url)).or_default();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str().context("a cookie")?.split(';').next().unwrap_or_default();
            match pair.split_once('=') {
                Some((name, "")) => jar.remove(name),
                Some((name, value)) => jar.insert(name.to_owned(), value.to_owned()),
                None => bail!("not a cookie: {pair}"),
            };
        }
        let next = answer.headers().get(LOCATION).filter(|_| (300..400).contains(&status));
        let next = next.map(|next| Ok::<_, anyhow::Error>(url.join(next.to_str()?)?)).transpose()?;
        Ok(Page { url, status, body: answer.text().await.context("half a page")?, next })
    }

    fn cookies_for(&self, url: &Url) -> String {
        let pairs = self.cookies.get(&place(url)).into_iter().flatten();
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

impl Page {
    /// Where it would lead next, if it is a redirect that was not followed.
    pub fn leads_to(&self) -> Option<&Url> {
        self.next.as_ref()
    }

    /// The first heading's text.
    pub fn heading(&self) -> &str {
        let rest = self.body.split_once("<h1").and_then(|(_, rest)| rest.split_once('>')).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once("</h1>")).map_or("", |(text, _)| text.trim())
    }
}

fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0))
}

fn form(html: &str) -> Option<Form> {
    let (tag, rest) = html.split_once("<form")?.1.split_once('>')?;
    let (inside, _) = rest.split_once("</form>")?;
    let inputs = inside.split("<input").skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag));
    let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
    let hidden = hidden.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())));
    Some(Form { action: attribute(tag, "action").unwrap_or_default(), hidden: hidden.collect() })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!(" {name}=\""))?.1;
    let value = rest.split_once('"')?.0;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&#38;", "&").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_its_hidden_fields() {
        let html = r#"<form method="post" action="/in?a=1&amp;b=2"><input type="hidden" name="csrf" value="x">
            <input name="login"></form>"#;
        let hidden = vec![("csrf".to_owned(), "x".to_owned())];
        assert_eq!(form(html), Some(Form { action: "/in?a=1&b=2".into(), hidden }));
        assert_eq!(form("<p>none</p>"), None);
    }
}
