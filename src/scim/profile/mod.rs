//! Client profiles: what real clients send, turned into the strict form.
//!
//! A connection has a [`ClientProfile`]; a profile is nothing but defaults for named
//! [`Switches`]. The translations run before the core and hand it strict
//! requests; each returns what acted, for the provisioning log. They never
//! guess destructively: what is not understood stays as it is, and the core
//! refuses it.

mod body;
mod patch;
mod query;
mod switches;

#[cfg(test)]
mod notation_tests;
#[cfg(test)]
mod switch_tests;
#[cfg(test)]
mod tests;

pub use switches::{ClientProfile, GroupPatchAnswer, MissingMembers, Switch, SwitchProblem, Switches, UnknownMember};

use super::error::Result;
use super::query::Params;
use super::schema::ResourceSchema;
use serde_json::Value;

/// A switch that acted, and where. Never holds a value a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedSwitch {
    /// The switch.
    pub switch: Switch,
    /// The attribute or operation it acted on.
    pub at: String,
}

/// A request in its strict form.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedRequest<T> {
    /// The request.
    pub request: T,
    /// What acted to make it so; empty when it was strict already.
    pub acts: Vec<AppliedSwitch>,
}

/// What a body is sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPurpose {
    /// POST.
    Create,
    /// PUT.
    Replace,
}

impl Switches {
    /// The body of a POST or PUT.
    #[must_use]
    pub fn translate_body(
        &self,
        resource: ResourceSchema<'_>,
        purpose: BodyPurpose,
        body: Value,
    ) -> NormalizedRequest<Value> {
        let mut work = Work::new(self, resource);
        let request = work.body(purpose, body);
        NormalizedRequest { request, acts: work.acts }
    }

    /// The body of a PATCH of the resource with the id `id`.
    ///
    /// # Errors
    /// 400 for shapes the profile refuses although the core takes them, and
    /// for removals by value that do not say what to remove.
    pub fn translate_patch(
        &self,
        resource: ResourceSchema<'_>,
        id: &str,
        body: Value,
    ) -> Result<NormalizedRequest<Value>> {
        let mut work = Work::new(self, resource);
        let request = work.patch(id, body)?;
        Ok(NormalizedRequest { request, acts: work.acts })
    }

    /// What the address of a query may say (G03).
    ///
    /// # Errors
    /// 403 `sensitive` when the connection keeps personal data out of addresses and the filter names some.
    pub fn check_address(&self, params: &Params) -> Result<()> {
        query::check_address(self, params)
    }

    /// The parameters of a query; `resource` is none at the base URL.
    #[must_use]
    pub fn translate_query(&self, resource: Option<ResourceSchema<'_>>, params: Params) -> NormalizedRequest<Params> {
        query::translate(self, resource, params)
    }
}

/// One translation under way.
struct Work<'a> {
    switches: &'a Switches,
    resource: ResourceSchema<'a>,
    acts: Vec<AppliedSwitch>,
}

/// Acts noted in one request at most; a thousand equal ones say no more.
const MAX_ACTS: usize = 100;

impl<'a> Work<'a> {
    fn new(switches: &'a Switches, resource: ResourceSchema<'a>) -> Self {
        Self { switches, resource, acts: Vec::new() }
    }

    fn on(&self, switch: Switch) -> bool {
        self.switches.is_on(switch)
    }

    fn act(&mut self, switch: Switch, at: &str) {
        if self.acts.len() < MAX_ACTS {
            // What follows a bracket holds values.
            let at = at.split('[').next().unwrap_or_default();
            self.acts.push(AppliedSwitch { switch, at: at.to_owned() });
        }
    }
}
