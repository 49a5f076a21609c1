//! The settings of an OpenID Connect connection.
use serde::{Deserialize, Serialize};
use url::Url;

/// The longest issuer, in bytes: it is part of the key of each subject.
pub const LONGEST_ISSUER: usize = 512;
/// The most further audiences.
pub const MOST_AUDIENCES: usize = 20;
/// The longest of them, in bytes.
pub const LONGEST_AUDIENCE: usize = 512;
/// The widest clock difference an administrator may allow, in seconds.
pub const MOST_SKEW: i64 = 300;

/// The settings of an OpenID Connect connection: its `config`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The issuer, exactly as the provider writes it.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// How the client secret is shown.
    #[serde(default)]
    pub token_endpoint_auth_method: ClientAuthMethod,
    /// The scopes asked for; `openid` is always added.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Whether a sign-in that is linked to nobody creates a user. Off: it waits for the directory to
    /// say who it is.
    #[serde(default)]
    pub jit_provisioning: bool,
    /// The longest time since the user proved who they are, in seconds; absent: not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// The authentication contexts that will do; empty: not asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr_values: Vec<String>,
    /// Who an ID token may be meant for beside us, such as the project of the application; empty: nobody. A token for
    /// several must say in `azp` that it was made for us (OpenID Connect Core 1.0 §3.1.3.7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
    /// How far the clocks may differ, in seconds; at most 300.
    #[serde(default = "usual_skew")]
    pub clock_skew_seconds: u16,
}

/// How the client secret is shown to the token endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// In the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// Not at all: a public client, held by PKCE alone.
    None,
}

fn usual_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

const fn usual_skew() -> u16 {
    60
}

impl OidcSettings {
    /// Reads and checks the `config` of a connection.
    ///
    /// # Errors
    /// A sentence naming the setting that will not do.
    pub fn read(config: &serde_json::Value) -> Result<Self, String> {
        let read = Self::deserialize(config).map_err(|error| error.to_string())?;
        if read.client_id.is_empty() {
            return Err("client_id is empty".to_owned());
        }
        let issuer = Url::parse(&read.issuer).map_err(|_| "issuer is not a URL".to_owned())?;
        if issuer.query().is_some() || issuer.fragment().is_some() || !matches!(issuer.scheme(), "https" | "http") {
            return Err("issuer must be an https URL without query or fragment".to_owned());
        }
        if read.issuer.len() > LONGEST_ISSUER {
            return Err(format!("issuer has at most {LONGEST_ISSUER} bytes"));
        }
        if read.audiences.len() > MOST_AUDIENCES {
            return Err(format!("audiences has at most {MOST_AUDIENCES} entries"));
        }
        if read.audiences.iter().any(|audience| audience.is_empty() || audience.len() > LONGEST_AUDIENCE) {
            return Err(format!("each of audiences has 1 to {LONGEST_AUDIENCE} bytes"));
        }
        if i64::from(read.clock_skew_seconds) > MOST_SKEW {
            return Err(format!("clock_skew_seconds is at most {MOST_SKEW} seconds"));
        }
        Ok(read)
    }

    /// The scopes of a request, separated by spaces.
    pub fn scope(&self) -> String {
        let mut scopes = vec!["openid"];
        scopes.extend(self.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        scopes.join(" ")
    }
}
