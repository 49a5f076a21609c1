//! What the hostile provider says and does where a test writes it down itself.
use std::time::Duration;

use serde_json::{Map, Value};

/// What a mode `script…` does, whose client has no secret.
#[derive(Clone, Default)]
pub struct Script {
    /// Claims of the ID token, over the usual ones.
    pub claims: Map<String, Value>,
    /// Usual claims that it leaves out.
    pub without: Vec<&'static str>,
    /// What userinfo says beside the subject.
    pub userinfo: Map<String, Value>,
    /// Whether userinfo signs its answer.
    pub signed: bool,
    /// Endpoints that answer late.
    pub slow: Vec<(&'static str, Duration)>,
    /// Endpoints that answer 500.
    pub broken: Vec<&'static str>,
}

impl Script {
    /// An ID token that says this beside the usual.
    pub fn saying(claims: Value) -> Self {
        Self { claims: claims.as_object().unwrap().clone(), ..Self::default() }
    }

    /// The same, without these usual claims.
    pub fn without(mut self, names: &[&'static str]) -> Self {
        self.without.extend(names);
        self
    }

    /// Userinfo says this.
    pub fn at_userinfo(mut self, claims: Value) -> Self {
        self.userinfo = claims.as_object().unwrap().clone();
        self
    }
}
