//! One line to a directory server. Every step has a time limit, no reference is followed, and nothing
//! a server sends can end the process.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ldap3::controls::{Control, MakeCritical, PagedResults, RawControl};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, StdStream};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::bounds::{BOUNDS, Bounds};
use super::decode::{self, LdapEntry, Malformed, SearchMessage};
use super::stream::{self, Ending, LdapStream, tls_config};
use crate::connection::ldap::ResolvedLdapSettings;

/// Why a directory could not be read, as a sentence for whoever set it up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LdapFailure {
    /// No server answered at any of the addresses.
    #[error("No directory server could be reached. {0}")]
    Unreachable(String),
    /// The authority's certificates cannot be used.
    #[error("The certificates of the connection cannot be used: {0}.")]
    Certificates(String),
    /// The name or the password is wrong.
    #[error("The server refused to sign in as \"{dn}\": {why}.")]
    Bind {
        /// The name.
        dn: String,
        /// What the server said.
        why: String,
    },
    /// A name is set, but no password.
    #[error("A bind name is set, but no password; a server would take that for nobody.")]
    NoPassword,
    /// The server did not do what was asked.
    #[error("{what} failed: {why}.")]
    Refused {
        /// What was asked.
        what: String,
        /// What the server said.
        why: String,
    },
    /// A read ended before its end.
    #[error("{what} is incomplete: {why}. Nothing was changed.")]
    Incomplete {
        /// What was read.
        what: String,
        /// How it is known.
        why: String,
    },
    /// No answer in time.
    #[error("{what}: no answer within {seconds} s.")]
    TimedOut {
        /// What was asked.
        what: String,
        /// The limit.
        seconds: u64,
    },
    /// The line broke.
    #[error("{what}: the connection was lost ({why}).")]
    Lost {
        /// What was going on.
        what: String,
        /// What the line said.
        why: String,
    },
}

impl LdapFailure {
    /// A malformed answer while `what` went on.
    pub(super) fn malformed(what: &str) -> impl FnOnce(Malformed) -> Self {
        move |error| Self::Incomplete { what: what.to_owned(), why: error.to_string() }
    }
}

/// Which addresses a directory may be read from: whoever sets up a connection must not reach the server's own
/// neighbourhood unless its operator allows it.
#[derive(Clone)]
pub struct Guard(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Guard {
    /// Addresses that `permits` permits.
    pub fn new(permits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(permits))
    }

    /// Whether this address may be read from.
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

/// A connected and bound client.
pub struct Client {
    ldap: Ldap,
    driver: JoinHandle<Result<(), LdapError>>,
    line: LdapStream,
    answer: Duration,
    pub(super) bounds: Bounds,
    /// The address that answered.
    pub url: String,
}

/// One page of a search.
pub(super) struct SearchPage {
    pub entries: Vec<LdapEntry>,
    pub references: Vec<String>,
    /// Where the next page begins; empty after the last.
    pub cookie: Vec<u8>,
}

impl Client {
    /// Connects to the first address that answers, and binds. A refused name or password is final: it is
    /// not tried at the next address, so that a wrong password locks nothing out twice.
    pub async fn connect(
        settings: &ResolvedLdapSettings,
        password: Option<&SecretString>,
        guard: &Guard,
    ) -> Result<Self, LdapFailure> {
        Self::connect_within(BOUNDS, settings, password, guard).await
    }

    /// [`Client::connect`] with bounds other than those of every read.
    pub async fn connect_within(
        bounds: Bounds,
        settings: &ResolvedLdapSettings,
        password: Option<&SecretString>,
        guard: &Guard,
    ) -> Result<Self, LdapFailure> {
        let tls = tls_config(settings)?;
        let mut reasons = Vec::new();
        for url in &settings.config.urls {
            match open(settings, &tls, guard, bounds, url).await {
                Ok(mut client) => {
                    client.bind(settings, password).await?;
                    return Ok(client);
                }
                Err(why) => reasons.push(format!("{url}: {why}.")),
            }
        }
        Err(LdapFailure::Unreachable(reasons.join(" ")))
    }

    async fn bind(
        &mut self,
        settings: &ResolvedLdapSettings,
        password: Option<&SecretString>,
    ) -> Result<(), LdapFailure> {
        let Some(dn) = &settings.config.bind_dn else { return Ok(()) };
        let password = password.map(ExposeSecret::expose_secret).filter(|text| !text.is_empty());
        let password = password.ok_or(LdapFailure::NoPassword)?;
        let answer = self.ldap.with_timeout(self.answer).simple_bind(dn, password).await;
        let result = match answer {
            Ok(result) => result,
            Err(error) => return Err(self.failure("Signing in at the server", error).await),
        };
        if result.rc != 0 {
            return Err(LdapFailure::Bind { dn: dn.clone(), why: said(&result) });
        }
        Ok(())
    }

    /// Reads one page. Anything short of a page that ended well is a failure: the crate underneath ends a
    /// truncated page like a whole one, and keeps the result of the page before after an error, so the result
    /// is taken only from a stream that was read to its end.
    pub(super) async fn page(&mut self, search: &Search<'_>, cookie: Vec<u8>) -> Result<SearchPage, LdapFailure> {
        let what = search.what;
        let incomplete = |why: String| LdapFailure::Incomplete { what: what.to_owned(), why };
        let (most, bounds) = (usize::try_from(search.page_size).unwrap_or(0), self.bounds);
        let control = PagedResults { size: search.page_size, cookie };
        let control: RawControl = control.critical().into();
        let stream = self
            .ldap
            .with_timeout(self.answer)
            .with_controls(vec![control])
            .streaming_search(search.base, search.scope, search.filter, search.attributes)
            .await;
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => return Err(self.failure(what, error).await),
        };
        let mut page = SearchPage { entries: Vec::new(), references: Vec::new(), cookie: Vec::new() };
        loop {
            match stream.next().await {
                Ok(Some(message)) => match decode::decode(message).map_err(LdapFailure::malformed(what))? {
                    SearchMessage::Entry(_) if page.entries.len() >= most => {
                        return Err(incomplete(format!("the server sent more than the {most} entries of a page")));
                    }
                    SearchMessage::Entry(entry) => page.entries.push(entry),
                    SearchMessage::Reference(urls) if page.references.len() + urls.len() > bounds.references => {
                        let most = bounds.references;
                        return Err(incomplete(format!("the server sent more than {most} references to others")));
                    }
                    SearchMessage::Reference(urls) => page.references.extend(urls),
                    SearchMessage::Other => {}
                },
                Ok(None) => break,
                Err(error) => return Err(self.failure(what, error).await),
            }
        }
        let result = stream.finish().await;
        if result.rc != 0 {
            let why = said(&result);
            return Err(match result.rc {
                3 | 4 | 11 | 51 | 52 | 80 => incomplete(why),
                _ => LdapFailure::Refused { what: what.to_owned(), why },
            });
        }
        page.cookie = answered_cookie(&result)
            .ok_or_else(|| incomplete("the server does not say whether there is another page".to_owned()))?;
        if page.cookie.len() > bounds.cookie_bytes {
            let most = bounds.cookie_bytes;
            return Err(incomplete(format!("the server marks the next page with more than {most} bytes")));
        }
        Ok(page)
    }

    /// The first few entries of a search, for a look.
    pub(super) async fn first_page(
        &mut self,
        what: &str,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[String],
    ) -> Result<SearchPage, LdapFailure> {
        self.page(&Search { what, base, scope, filter, attributes, page_size: 100 }, Vec::new()).await
    }

    /// Reads one entry by its name; `None` when there is none that this name may see.
    pub(super) async fn entry(
        &mut self,
        what: &str,
        dn: &str,
        attributes: &[String],
    ) -> Result<Option<LdapEntry>, LdapFailure> {
        let stream =
            self.ldap.with_timeout(self.answer).streaming_search(dn, Scope::Base, "(objectClass=*)", attributes).await;
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => return Err(self.failure(what, error).await),
        };
        let mut found = None;
        loop {
            match stream.next().await {
                Ok(Some(message)) => {
                    if let SearchMessage::Entry(entry) =
                        decode::decode(message).map_err(LdapFailure::malformed(what))?
                    {
                        if found.is_some() {
                            let why = "the server sent several entries for one name".to_owned();
                            return Err(LdapFailure::Incomplete { what: what.to_owned(), why });
                        }
                        found = Some(entry);
                    }
                }
                Ok(None) => break,
                Err(error) => return Err(self.failure(what, error).await),
            }
        }
        let result = stream.finish().await;
        const NO_SUCH_OBJECT: u32 = 32;
        match result.rc {
            0 => Ok(found),
            NO_SUCH_OBJECT => Ok(None),
            _ => Err(LdapFailure::Refused { what: what.to_owned(), why: said(&result) }),
        }
    }

    /// Whether an entry holds a value of an attribute that may not be shown; `None` when the server does not say.
    pub(super) async fn holds(
        &mut self,
        what: &str,
        dn: &str,
        attribute: &str,
        value: &str,
    ) -> Result<Option<bool>, LdapFailure> {
        const COMPARE_FALSE: u32 = 5;
        const COMPARE_TRUE: u32 = 6;
        const NO_SUCH_ATTRIBUTE: u32 = 16;
        const UNDEFINED_TYPE: u32 = 17;
        let answer = self.ldap.with_timeout(self.answer).compare(dn, attribute, value).await;
        let result = match answer {
            Ok(result) => result.0,
            Err(error) => return Err(self.failure(what, error).await),
        };
        Ok(match result.rc {
            COMPARE_TRUE => Some(true),
            COMPARE_FALSE | NO_SUCH_ATTRIBUTE | UNDEFINED_TYPE => Some(false),
            _ => None,
        })
    }

    /// The reason behind an error, which only the line knows.
    async fn failure(&mut self, what: &str, error: LdapError) -> LdapFailure {
        let what = what.to_owned();
        match error {
            LdapError::Timeout { .. } => LdapFailure::TimedOut { what, seconds: self.answer.as_secs() },
            LdapError::FilterParsing => {
                LdapFailure::Refused { what, why: "the filter is not a search filter".to_owned() }
            }
            LdapError::LdapResult { result } => LdapFailure::Refused { what, why: said(&result) },
            _ => match timeout(Duration::from_millis(500), self.line.ended()).await {
                Ok(Some(Ending::Breach(breach))) => LdapFailure::Incomplete { what, why: breach.to_string() },
                Ok(Some(Ending::Theirs(why))) => LdapFailure::Lost { what, why },
                // The crate underneath gave up what it was sent.
                Ok(Some(Ending::Ours)) => LdapFailure::malformed(&what)(Malformed),
                Ok(None) | Err(_) => LdapFailure::Lost { what, why: "it ended without a word".to_owned() },
            },
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What one search asks.
pub(super) struct Search<'a> {
    /// What it reads, for sentences.
    pub what: &'a str,
    pub base: &'a str,
    pub scope: Scope,
    pub filter: &'a str,
    pub attributes: &'a [String],
    pub page_size: i32,
}

async fn open(
    settings: &ResolvedLdapSettings,
    tls: &Arc<rustls::ClientConfig>,
    guard: &Guard,
    bounds: Bounds,
    url: &str,
) -> Result<Client, String> {
    let limit = settings.config.timeouts.connect();
    let opening = async {
        let (line, socket) = stream::open(settings, tls, guard, bounds.wire, url).await?;
        let connection = LdapConnSettings::new().set_std_stream(StdStream::Unix(socket));
        let (connection, ldap) =
            LdapConnAsync::with_settings(connection, "ldapi:///").await.map_err(|e| e.to_string())?;
        Ok::<_, String>((line, connection, ldap))
    };
    let opened = timeout(limit, opening).await;
    let (line, connection, ldap) = opened.map_err(|_| format!("no answer within {} s", limit.as_secs()))??;
    let driver = tokio::spawn(connection.drive());
    Ok(Client { ldap, driver, line, answer: settings.config.timeouts.answer(), bounds, url: url.to_owned() })
}

/// The paging cookie of a result; `None` when the server sent no readable paging control.
fn answered_cookie(result: &LdapResult) -> Option<Vec<u8>> {
    const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
    let Control(_, raw) = result.ctrls.iter().find(|Control(_, raw)| raw.ctype == PAGED_RESULTS)?;
    decode::paging_cookie(raw.val.as_deref()?).ok()
}

fn said(result: &LdapResult) -> String {
    code_in_words(result.rc, &result.text)
}

/// A result in words: what its code means, and what the server added.
pub(super) fn code_in_words(code: u32, text: &str) -> String {
    let meaning = match code {
        3 => "the server's time limit was exceeded",
        4 => "the server's size limit was exceeded",
        8 | 13 => "the server demands a protected line",
        10 => "the server refers to another one",
        11 => "the server's administrative limit was exceeded",
        12 => "the server cannot page its answers",
        32 => "there is no such entry, or it may not be seen",
        34 => "the name is not a distinguished name",
        48 | 7 => "the server does not allow this way to sign in",
        49 => "the name or the password is wrong",
        50 => "this name may not do that",
        51 => "the server is busy",
        52 => "the server is unavailable",
        53 => "the server is unwilling",
        _ => "the server answered an error",
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.trim().is_empty() {
        format!("{meaning} (code {code})")
    } else {
        format!("{meaning} (code {code}: {})", text.trim())
    }
}
