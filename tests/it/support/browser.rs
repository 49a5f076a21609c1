//! As much of a browser as signing in needs: cookies by host, and redirects that the test follows one by one.
use std::collections::BTreeMap;

use reqwest::{Client, Method, Response, redirect::Policy};
use url::Url;

/// A browser with its cookies.
pub struct Browser {
    client: Client,
    /// By host and port, then name.
    cookies: BTreeMap<(String, String), String>,
}

/// An answer, read.
pub struct Page {
    pub status: u16,
    pub location: Option<Url>,
    pub set_cookies: Vec<String>,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Browser {
    /// One without cookies.
    pub fn new() -> Self {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder().no_proxy().redirect(Policy::none()).tls_backend_preconfigured(tls);
        Self { client: client.build().unwrap(), cookies: BTreeMap::new() }
    }

    /// The value of a cookie at `base`.
    pub fn cookie(&self, base: &str, name: &str) -> Option<&str> {
        self.cookies.get(&(host(&Url::parse(base).unwrap()), name.to_owned())).map(String::as_str)
    }

    /// Another browser with the same cookies.
    pub fn twin(&self) -> Self {
        Self { client: self.client.clone(), cookies: self.cookies.clone() }
    }

    /// Opens an address.
    pub async fn get(&mut self, url: impl AsRef<str>) -> Page {
        self.send(Method::GET, url.as_ref(), None, &[]).await
    }

    /// Sends a form, as a page of the same server would.
    pub async fn post(&mut self, url: impl AsRef<str>, form: &[(&str, &str)]) -> Page {
        self.send(Method::POST, url.as_ref(), Some(form), &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends anything.
    pub async fn send(
        &mut self,
        method: Method,
        url: &str,
        form: Option<&[(&str, &str)]>,
        headers: &[(&str, &str)],
    ) -> Page {
        let url = Url::parse(url).unwrap();
        let host = host(&url);
        let mut request = self.client.request(method, url.clone());
        let own = self.cookies.iter().filter(|((at, _), _)| *at == host);
        let cookies: Vec<_> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        }
        let response = request.send().await.unwrap();
        self.keep(&host, &response);
        let location = response.headers().get("location").map(|place| url.join(place.to_str().unwrap()).unwrap());
        let headers = response.headers().clone();
        let set_cookies = headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap().to_owned()).collect();
        Page {
            status: response.status().as_u16(),
            location,
            set_cookies,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    fn keep(&mut self, host: &str, response: &Response) {
        for line in response.headers().get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            let key = (host.to_owned(), name.to_owned());
            if rest.contains("Max-Age=0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}
