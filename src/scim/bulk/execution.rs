//! Running a bulk request, step by step.

use super::dependencies::{ExecutionStep, steps};
use super::{BulkItem, BulkOperation, BulkRequest, Method, references};
use crate::scim::error::{ScimError, invalid_value};
use crate::scim::message::{BULK_RESPONSE_URN, PATCH_URN};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// A bulk request being run.
#[derive(Debug)]
pub struct BulkExecution {
    entries: Vec<BulkItem>,
    steps: std::vec::IntoIter<ExecutionStep>,
    /// Ids of what was made, by bulkId.
    ids: HashMap<String, String>,
    /// What was left out of an entry, to be added later.
    aside: HashMap<usize, Map<String, Value>>,
    outcomes: Vec<Option<Outcome>>,
    errors: usize,
    fail_on_errors: Option<usize>,
}

/// A call to carry out now.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingOperation {
    /// Which entry it belongs to; to be given back with the outcome.
    pub entry: usize,
    /// The call; it is in the client's own dialect unless `completes`.
    pub call: BulkOperation,
    /// Whether it adds to a resource of this request what a circular reference
    /// made wait. Strict PATCH, not for translation.
    pub completes: bool,
}

/// What a successful call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// Its HTTP status.
    pub status: u16,
    /// Id of the resource.
    pub id: String,
    /// Its version afterwards; none when it is gone.
    pub version: Option<String>,
}

#[derive(Debug)]
struct Outcome {
    result: Result<Success, ScimError>,
    /// Id of the resource, when it is known.
    id: Option<String>,
}

impl BulkExecution {
    /// Works out the order (R04, R05, R07).
    #[must_use]
    pub fn new(request: BulkRequest) -> Self {
        let BulkRequest { entries, fail_on_errors } = request;
        let found: Vec<Vec<String>> =
            entries.iter().map(|entry| entry.call.as_ref().map(references::of).unwrap_or_default()).collect();
        let makers: HashMap<&str, usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.method == Some(Method::Post) && entry.call.is_ok())
            .filter_map(|(at, entry)| Some((entry.bulk_id.as_deref()?, at)))
            .collect();
        let steps = steps(&found, &makers);
        Self {
            outcomes: entries.iter().map(|_| None).collect(),
            steps: steps.into_iter(),
            ids: HashMap::new(),
            aside: HashMap::new(),
            errors: 0,
            fail_on_errors,
            entries,
        }
    }

    /// The next call; none when all is done or enough has failed (R02).
    /// Entries that cannot run are answered on the way.
    /// Every call must be reported before the next is asked for, but for those that [`Self::beside`] gives.
    pub fn next_call(&mut self) -> Option<PendingOperation> {
        loop {
            if self.fail_on_errors.is_some_and(|most| self.errors >= most) {
                return None;
            }
            let ready = match self.steps.next()? {
                ExecutionStep::Run { entry, without } => self.run(entry, &without),
                ExecutionStep::Complete { entry } => self.complete(entry),
            };
            match ready {
                Ok(Some(ready)) => return Some(ready),
                Ok(None) => {}
                Err((entry, error)) => self.refuse(entry, None, error),
            }
        }
    }

    /// Calls that come right after `first` and, like it, make a user and rest on nothing else of this request: they may be
    /// carried out beside it. None when an error may end the request, for then what comes behind it must not have run.
    pub fn beside(&mut self, first: &PendingOperation, most: usize) -> Vec<PendingOperation> {
        let mut found = Vec::new();
        if self.fail_on_errors.is_some() || !makes_user_alone(&first.call) {
            return found;
        }
        while found.len() < most
            && let Some(ExecutionStep::Run { entry, without }) = self.steps.as_slice().first()
            && without.is_empty()
            && let Some(Ok(call)) = self.entries.get(*entry).map(|entry| entry.call.as_ref())
            && makes_user_alone(call)
        {
            found.extend(self.next_call());
        }
        found
    }

    fn run(&mut self, entry: usize, without: &[String]) -> Result<Option<PendingOperation>, (usize, ScimError)> {
        let Some(found) = self.entries.get_mut(entry) else {
            return Ok(None);
        };
        let taken = std::mem::replace(&mut found.call, Err(ScimError::plain(500, "The operation ran already.")));
        let mut call = taken.map_err(|error| (entry, error))?;
        if !without.is_empty() {
            self.aside.insert(entry, references::skipped(&mut call.data, without));
        }
        let ids = &self.ids;
        let resolved = references::resolve(&mut call, &|name| ids.get(name).cloned());
        resolved.map_err(|name| (entry, self.unresolved(&name)))?;
        Ok(Some(PendingOperation { entry, call, completes: false }))
    }

    fn complete(&mut self, entry: usize) -> Result<Option<PendingOperation>, (usize, ScimError)> {
        let made = self.outcomes.get(entry).and_then(Option::as_ref).and_then(|o| o.result.as_ref().ok());
        let (Some(made), Some(aside)) = (made, self.aside.remove(&entry)) else {
            return Ok(None);
        };
        let endpoint = self.entries.get(entry).map(|e| e.endpoint.clone()).unwrap_or_default();
        let mut call = BulkOperation {
            method: Method::Patch,
            endpoint,
            id: Some(made.id.clone()),
            condition: None,
            data: json!({"schemas": [PATCH_URN], "Operations": [{"op": "add", "value": aside}]}),
        };
        let ids = &self.ids;
        let resolved = references::resolve(&mut call, &|name| ids.get(name).cloned());
        resolved.map_err(|name| (entry, self.unresolved(&name)))?;
        Ok(Some(PendingOperation { entry, call, completes: true }))
    }

    /// A reference to something that failed, or was never asked for.
    fn unresolved(&self, name: &str) -> ScimError {
        let shown: String = name.chars().take(60).collect();
        match self.entries.iter().any(|entry| entry.bulk_id.as_deref() == Some(name)) {
            true => ScimError::plain(409, format!("The operation with the bulkId \"{shown}\" did not succeed.")),
            false => invalid_value(format!("No POST operation has the bulkId \"{shown}\".")),
        }
    }

    /// Reports that a call succeeded.
    pub fn succeeded(&mut self, ready: &PendingOperation, success: Success) {
        let Some(entry) = self.entries.get_mut(ready.entry) else {
            return;
        };
        let mut success = success;
        if entry.method == Some(Method::Post) {
            if let Some(bulk_id) = &entry.bulk_id {
                self.ids.insert(bulk_id.clone(), success.id.clone());
            }
            if ready.completes {
                success.status = 201;
            }
        }
        self.record(ready.entry, Some(success.id.clone()), Ok(success));
    }

    /// Reports that a call failed.
    pub fn failed(&mut self, ready: &PendingOperation, error: ScimError) {
        self.refuse(ready.entry, ready.call.id.clone(), error);
    }

    fn refuse(&mut self, entry: usize, id: Option<String>, error: ScimError) {
        self.errors += 1;
        self.record(entry, id, Err(error));
    }

    fn record(&mut self, entry: usize, id: Option<String>, result: Result<Success, ScimError>) {
        if let Some(slot) = self.outcomes.get_mut(entry) {
            *slot = Some(Outcome { result, id });
        }
    }

    /// The BulkResponse (R03): every entry that was processed, in the order of
    /// the request. `base` is the base URL, without trailing slash.
    #[must_use]
    pub fn finish(self, base: &str) -> Value {
        let operations: Vec<Value> = self
            .entries
            .iter()
            .zip(self.outcomes)
            .filter_map(|(entry, outcome)| Some(render(entry, outcome?, base)))
            .collect();
        json!({"schemas": [BULK_RESPONSE_URN], "Operations": operations})
    }
}

/// Whether a call makes a user without naming anything that this request makes.
fn makes_user_alone(call: &BulkOperation) -> bool {
    call.method == Method::Post && call.endpoint == "/Users" && references::of(call).is_empty()
}

fn render(entry: &BulkItem, outcome: Outcome, base: &str) -> Value {
    let mut map = Map::new();
    let method = entry.method.map_or(entry.word.as_str(), |method| method.as_str());
    map.insert("method".into(), method.into());
    map.extend(entry.bulk_id.as_ref().map(|id| ("bulkId".to_owned(), id.as_str().into())));
    let named = || entry.target.clone().filter(|id| !id.starts_with("bulkId:"));
    // What could not be made has no address (RFC 7644 §3.7).
    let made = entry.method != Some(Method::Post) || outcome.result.is_ok();
    let location = outcome.id.or_else(named).filter(|_| made).map(|id| format!("{base}{}/{id}", entry.endpoint));
    map.extend(location.map(|url| ("location".to_owned(), url.into())));
    match outcome.result {
        Ok(success) => {
            map.extend(success.version.map(|version| ("version".to_owned(), version.into())));
            map.insert("status".into(), success.status.to_string().into());
        }
        Err(error) => {
            map.insert("status".into(), error.status.to_string().into());
            map.insert("response".into(), error.to_json());
        }
    }
    Value::Object(map)
}
