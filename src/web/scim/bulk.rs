//! POST /Bulk: many operations in one request (RFC 7644 §3.7).
//!
//! Operations run one after another, as if they had been sent alone, each in a transaction of its own; users who are
//! created one after another, and of whom none rests on another one, are created together. A dry run runs all operations
//! in one transaction that is undone.
use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::request::{ScimRequest, of_store};
use super::resource::{DRY_RUN_URN, refused};
use super::response::ScimResponse;
use crate::connection::scim::ScimOptions;
use crate::domain::ctx::Ctx;
use crate::domain::id::{Id, exact};
use crate::provision::groups::{self, GroupInput, NewExternalGroup};
use crate::provision::users::{self, NewExternalUser, UserInput};
use crate::provision::{Effect, Outcome, ProvisionError, ProvisionSource};
use crate::scim::bulk::{self, BulkExecution, BulkOperation, BulkRequest, Method, PendingOperation, Success};
use crate::scim::error::ScimError;
use crate::scim::etag::{Precondition, Version};
use crate::scim::patch;
use crate::scim::profile::{AppliedSwitch, BodyPurpose, Switch};
use crate::scim::reference;
use crate::scim::resource::{self, Document};
use crate::scim::schema::ResourceSchema;
use crate::scim::schema::discovery::BulkLimits;
use crate::store::{StoreError, Tx};

/// Most operations of a dry run: all of them hold the one writer together.
const MOST_TRIED: usize = 500;
/// How often an operation is begun again because what it rests on was deleted meanwhile.
const MOST_TRIES: usize = 5;
/// At every so many operations it is asked whether the caller may still write.
const BATCH: usize = 20;
/// The most users who are created together.
const TOGETHER: usize = 64;
/// Effects that the log keeps of one request.
const KEPT: usize = 100;

/// `POST /Bulk`.
pub async fn bulk(visit: &mut ScimRequest) -> Result<ScimResponse, ScimError> {
    visit.writing()?;
    let limits = BulkLimits {
        operations: if visit.dry { MOST_TRIED } else { visit.app.config.scim.max_bulk_operations },
        bytes: visit.app.config.server.limits.max_bulk_body_bytes,
    };
    let mut body = visit.json(limits.bytes).await?;
    reference::localise(&mut body, &visit.base);
    let request = bulk::parse(body, limits)?;
    let offer = visit.offer.clone();
    let notes = Notes::default();
    let response = {
        let shown =
            if visit.dry { |effect: &Effect| json!(effect.whole()) } else { |effect: &Effect| json!(effect.note()) };
        let work = Work { ctx: &visit.ctx, source: visit.source(&offer), offer: &offer, notes: &notes, shown };
        if visit.dry { try_all(visit, work, &request).await? } else { run_all(visit, work, request).await }
    };
    let Kept { acts, ignored, effects } = notes.0.into_inner().unwrap_or_default();
    visit.translated(&acts);
    visit.ignored(&ignored);
    visit.changed(&effects.iter().cloned().chain(refusals(&response)).collect::<Vec<_>>());
    if !visit.dry {
        return Ok(ScimResponse::new(200, response));
    }
    let body = json!({"schemas": [DRY_RUN_URN], "status": "200", "effect": effects, "resource": response});
    Ok(ScimResponse::new(200, body))
}

/// The operations that were refused, for the log: which, and why.
fn refusals(response: &Value) -> impl Iterator<Item = Value> {
    let operations = response.get("Operations").and_then(Value::as_array).into_iter().flatten().enumerate();
    let refused = operations.filter_map(|(at, operation)| {
        let why = operation.get("response").filter(|answer| answer.get("detail").is_some())?;
        Some(json!({"operation": at, "refused": why}))
    });
    refused.take(KEPT)
}

/// What is noted while operations run.
#[derive(Default)]
struct Notes(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    acts: Vec<AppliedSwitch>,
    ignored: Vec<String>,
    effects: Vec<Value>,
}

impl Notes {
    fn keep(&self, add: impl FnOnce(&mut Kept)) {
        if let Ok(mut kept) = self.0.lock() {
            add(&mut kept);
        }
    }
}

/// What every operation of a request needs. Cheap to copy.
#[derive(Clone, Copy)]
struct Work<'a> {
    ctx: &'a Ctx,
    source: ProvisionSource<'a>,
    offer: &'a ScimOptions,
    notes: &'a Notes,
    /// How much of an effect is kept.
    shown: fn(&Effect) -> Value,
}

async fn run_all(visit: &ScimRequest, work: Work<'_>, request: BulkRequest) -> Value {
    let mut execution = BulkExecution::new(request);
    let mut shut = Ok(());
    let mut number = 0;
    while let Some(ready) = execution.next_call() {
        let others = execution.beside(&ready, TOGETHER - 1);
        let before = number / BATCH;
        number += 1 + others.len();
        if number / BATCH > before && shut.is_ok() {
            shut = visit.still_writing().await;
        }
        if let Err(error) = &shut {
            for ready in others.iter().chain([&ready]) {
                execution.failed(ready, error.clone());
            }
            continue;
        }
        if !others.is_empty() {
            let all: Vec<PendingOperation> = [vec![ready], others].concat();
            let created = all.iter().map(|ready| work.create_beside_others(visit, ready));
            for (ready, result) in all.iter().zip(join_all(created).await) {
                work.report(&mut execution, ready, result);
            }
            continue;
        }
        // Ids are made from the time of their act, so each operation has its own.
        let ctx = visit.app.ctx(work.ctx.actor());
        let work = Work { ctx: &ctx, ..work };
        let mut tries = 1;
        let result = loop {
            match visit.app.store.write(async |tx: &mut Tx| work.carry_out(tx, &ready).await).await {
                Err(ProvisionError::Raced) if tries < MOST_TRIES => tries += 1,
                result => break result,
            }
        };
        work.report(&mut execution, &ready, result);
    }
    execution.finish(&visit.base)
}

async fn try_all(visit: &ScimRequest, work: Work<'_>, request: &BulkRequest) -> Result<Value, ScimError> {
    let all = async |tx: &mut Tx| -> Result<Value, StoreError> {
        work.notes.keep(|kept| *kept = Kept::default());
        let mut execution = BulkExecution::new(request.clone());
        while let Some(ready) = execution.next_call() {
            let result = tx.attempt(false, async |tx: &mut Tx| work.carry_out(tx, &ready).await).await;
            work.report(&mut execution, &ready, result);
        }
        Ok(execution.finish(&visit.base))
    };
    let undone = visit.app.store.write(async |tx: &mut Tx| tx.attempt(true, all).await).await;
    undone.map_err(|error| of_store(&error))
}

impl Work<'_> {
    fn report(
        &self,
        execution: &mut BulkExecution,
        ready: &PendingOperation,
        result: Result<(Success, Effect), ProvisionError>,
    ) {
        match result {
            Ok((success, effect)) => {
                self.notes.keep(|kept| {
                    if kept.effects.len() < KEPT {
                        kept.effects.push(json!({"operation": ready.entry, "effect": (self.shown)(&effect)}));
                    }
                });
                execution.succeeded(ready, success);
            }
            Err(error) => execution.failed(ready, refused(error)),
        }
    }

    async fn carry_out(&self, tx: &mut Tx, ready: &PendingOperation) -> Result<(Success, Effect), ProvisionError> {
        let call = &ready.call;
        match call.endpoint.as_str() {
            "/Users" => self.user(tx, call, ready.completes).await,
            "/Groups" => self.group(tx, call, ready.completes).await,
            _ => Err(ScimError::plain(404, "There is no such endpoint; use /Users or /Groups.").into()),
        }
    }

    /// Creates a user together with those who arrive at the same moment.
    async fn create_beside_others(
        &self,
        visit: &ScimRequest,
        ready: &PendingOperation,
    ) -> Result<(Success, Effect), ProvisionError> {
        let ctx = visit.app.ctx(self.ctx.actor());
        let new = self.new_user(&ready.call)?;
        let done = visit.app.pending_users.create(&ctx, &self.source, &self.offer.set, new).await?;
        Ok(success(201, done.value.id.to_string(), Some(done.value.version), done))
    }

    fn new_user(&self, call: &BulkOperation) -> Result<NewExternalUser, ProvisionError> {
        let body = self.body(self.offer.set.users(), call, BodyPurpose::Create);
        let accepted = resource::create(self.offer.set.users(), body, self.offer.switches.rules())?;
        self.left_out(accepted.ignored);
        Ok(NewExternalUser { stable_key: None, said: accepted.document.into() })
    }

    async fn user(&self, tx: &mut Tx, call: &BulkOperation, strict: bool) -> Result<(Success, Effect), ProvisionError> {
        let (kind, rules) = (self.offer.set.users(), self.offer.switches.rules());
        if call.method == Method::Post {
            let done = users::create_in(tx, self.ctx, &self.source, self.new_user(call)?).await?;
            let (id, version) = (done.value.id.to_string(), done.value.version);
            return Ok(success(201, id, Some(version), done));
        }
        let id = parse(call)?;
        let condition = self.condition(call)?;
        let done = match call.method {
            Method::Delete => {
                let done = users::delete_in(tx, self.ctx, &self.source, id, condition).await?;
                return Ok(success(204, id.to_string(), None, done));
            }
            Method::Put => {
                let body = self.body(kind, call, BodyPurpose::Replace);
                let change = |before: &Document| {
                    Ok(UserInput::from(resource::replace(kind, before, body.clone(), rules)?.document))
                };
                users::update_in(tx, self.ctx, &self.source, id, condition, &change).await?
            }
            _ => {
                let operations = self.operations(kind, call, strict)?;
                let change =
                    |before: &Document| Ok(UserInput::from(patch::apply(kind, before, &operations, rules)?.document));
                users::update_in(tx, self.ctx, &self.source, id, condition, &change).await?
            }
        };
        Ok(success(200, id.to_string(), Some(done.value.version), done))
    }

    async fn group(
        &self,
        tx: &mut Tx,
        call: &BulkOperation,
        strict: bool,
    ) -> Result<(Success, Effect), ProvisionError> {
        let (kind, rules) = (self.offer.set.groups(), self.offer.switches.rules());
        if call.method == Method::Post {
            let accepted = resource::create(kind, self.body(kind, call, BodyPurpose::Create), rules)?;
            self.left_out(accepted.ignored);
            let members = accepted.members.unwrap_or_default();
            let new = NewExternalGroup { stable_key: None, document: accepted.document, members, row_hash: None };
            let done = groups::create_in(tx, self.ctx, &self.source, &new).await?;
            let (id, version) = (done.value.id.to_string(), done.value.version);
            return Ok(success(201, id, Some(version), done));
        }
        let id = parse(call)?;
        let condition = self.condition(call)?;
        let done = match call.method {
            Method::Delete => {
                let done = groups::delete_in(tx, self.ctx, &self.source, id, condition).await?;
                return Ok(success(204, id.to_string(), None, done));
            }
            Method::Put => {
                let body = self.body(kind, call, BodyPurpose::Replace);
                let missing = self.offer.switches.missing_members;
                let change = |before: &Document| {
                    let accepted = resource::replace(kind, before, body.clone(), rules)?;
                    let members = super::replace::members(accepted.members, missing);
                    Ok(GroupInput { document: accepted.document, members, row_hash: None })
                };
                groups::update_in(tx, self.ctx, &self.source, id, condition, &change).await?
            }
            _ => {
                let operations = self.operations(kind, call, strict)?;
                let change = |before: &Document| {
                    let patched = patch::apply(kind, before, &operations, rules)?;
                    Ok(GroupInput { document: patched.document, members: patched.members, row_hash: None })
                };
                groups::update_in(tx, self.ctx, &self.source, id, condition, &change).await?
            }
        };
        Ok(success(200, id.to_string(), Some(done.value.version), done))
    }

    /// The version an operation names.
    fn condition<'c>(&self, call: &'c BulkOperation) -> Result<Option<&'c Precondition>, ScimError> {
        if call.condition.is_none() && self.offer.switches.is_on(Switch::RequireIfMatch) {
            return Err(ScimError::version_needed());
        }
        Ok(call.condition.as_ref())
    }

    /// The body of a POST or PUT in its strict form.
    fn body(&self, kind: ResourceSchema<'_>, call: &BulkOperation, purpose: BodyPurpose) -> Value {
        let translated = self.offer.switches.translate_body(kind, purpose, call.data.clone());
        self.notes.keep(|kept| kept.acts.extend(translated.acts));
        translated.request
    }

    /// The operations of a PATCH; what completes a circular reference is strict already.
    fn operations(
        &self,
        kind: ResourceSchema<'_>,
        call: &BulkOperation,
        strict: bool,
    ) -> Result<Vec<patch::Operation>, ScimError> {
        if strict {
            return patch::parse(call.data.clone());
        }
        let id = call.id.as_deref().unwrap_or_default();
        let translated = self.offer.switches.translate_patch(kind, id, call.data.clone())?;
        self.notes.keep(|kept| kept.acts.extend(translated.acts));
        patch::parse(translated.request)
    }

    fn left_out(&self, paths: Vec<String>) {
        self.notes.keep(|kept| kept.ignored.extend(paths));
    }
}

fn parse<T: Id>(call: &BulkOperation) -> Result<T, ProvisionError> {
    call.id.as_deref().and_then(exact).map(T::from_uuid).ok_or(ProvisionError::NotFound)
}

fn success<T>(status: u16, id: String, version: Option<i64>, done: Outcome<T>) -> (Success, Effect) {
    let version = version.map(|version| Version::new(u64::try_from(version).unwrap_or(0)).to_string());
    (Success { status, id, version }, done.effect)
}
