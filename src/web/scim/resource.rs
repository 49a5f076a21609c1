//! From what the use cases return to what clients see.
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::request::{ScimRequest, of_store};
use super::response::ScimResponse;
use crate::connection::scim::ScimOptions;
use crate::domain::id::{ExternalUserId, Id};
use crate::domain::time::Timestamp;
use crate::provision::{Execution, Outcome, ProvisionError, ProvisionSource, UnknownMembers};
use crate::scim::error::ScimError;
use crate::scim::etag::Version;
use crate::scim::profile::UnknownMember;
use crate::scim::projection::ResourceView;
use crate::scim::query::Params;
use crate::scim::resource::{Document, render};
use crate::scim::schema::ResourceSchema;
use crate::store::external_groups::{ExternalGroup, GroupOf};
use crate::store::external_users::ExternalUser;

/// Schema of the answer to a dry run.
pub const DRY_RUN_URN: &str = "urn:rolecall:params:scim:api:messages:1.0:DryRun";

/// What is shown of a user that is not in its document.
#[derive(Default)]
pub struct UserReferences {
    /// Its groups, when they are shown.
    pub groups: Option<Vec<GroupOf>>,
    /// The users of the connection that it names.
    pub named: Vec<ExternalUserId>,
}

/// A resource with what its answer needs beside the body.
pub struct RenderedResource {
    /// The resource as this client sees it.
    pub body: Value,
    /// Its version, for the ETag.
    pub version: Version,
    /// Its address.
    pub location: String,
}

impl ScimRequest {
    /// The connection as the use cases know it.
    pub fn source<'a>(&'a self, offer: &'a ScimOptions) -> ProvisionSource<'a> {
        ProvisionSource {
            extent: self.connection.extent,
            schemas: &offer.set,
            matching_attribute: self.connection.matching_attribute.as_deref(),
            unknown_members: match offer.switches.unknown_member {
                UnknownMember::Skip => UnknownMembers::Skip,
                UnknownMember::Reject => UnknownMembers::Reject,
            },
        }
    }

    /// Whether the act is done or only tried.
    pub fn mode(&self) -> Execution {
        if self.dry { Execution::Dry } else { Execution::Real }
    }

    /// The parameters in the address.
    ///
    /// # Errors
    /// 400 `invalidValue` when one is given twice.
    pub fn params(&self) -> Result<Params, ScimError> {
        Params::from_query(self.request.query_string())
    }

    /// A user as this client sees it, with what belongs beside its document. `written` is what the request set, when it was a write.
    pub fn show_user(
        &self,
        view: &ResourceView<'_>,
        kind: ResourceSchema<'_>,
        user: ExternalUser,
        beside: UserReferences,
        written: Option<&Document>,
    ) -> RenderedResource {
        let UserReferences { groups, named } = beside;
        let mut document = user.doc;
        let known = |id: &str| named.iter().any(|user| user.to_string() == id);
        render::link_users(kind, &mut document, &known, &self.base);
        let groups = groups.unwrap_or_default();
        let mut stamp = Stamp::new(user.id, user.created_at, user.changed_at, user.version);
        if !(groups.is_empty() && named.is_empty()) {
            stamp.version = stamp.version.showing(digest(&groups, &named));
        }
        if !groups.is_empty() {
            let show = |group: &GroupOf| {
                render::group(&group.group.to_string(), Some(&group.display_name), group.direct, &self.base)
            };
            document.insert("groups".to_owned(), groups.iter().map(show).collect());
        }
        self.show(view, kind, document, &stamp, written)
    }

    /// A group as this client sees it, without its members.
    pub fn show_group(
        &self,
        view: &ResourceView<'_>,
        kind: ResourceSchema<'_>,
        group: ExternalGroup,
        written: Option<&Document>,
    ) -> RenderedResource {
        let stamp = Stamp::new(group.id, group.created_at, group.changed_at, group.version);
        self.show(view, kind, group.doc, &stamp, written)
    }

    fn show(
        &self,
        view: &ResourceView<'_>,
        kind: ResourceSchema<'_>,
        document: Document,
        stamp: &Stamp,
        written: Option<&Document>,
    ) -> RenderedResource {
        let whole = render::resource(kind, document, stamp.identity(), &self.base);
        RenderedResource {
            body: Value::Object(view.apply(whole, written)),
            version: stamp.version,
            location: render::location(kind, &stamp.id, &self.base),
        }
    }

    /// Answers a write, or says what it would have done.
    pub fn answer<T>(&mut self, status: u16, done: &Outcome<T>, shown: Option<RenderedResource>) -> ScimResponse {
        self.changed(&done.effect.note());
        let (body, version, location) = match shown {
            Some(shown) => (Some(shown.body), Some(shown.version), Some(shown.location)),
            None => (None, None, None),
        };
        if self.dry {
            return ScimResponse::new(
                200,
                json!({
                    "schemas": [DRY_RUN_URN],
                    "status": status.to_string(),
                    "changed": done.changed,
                    "effect": done.effect.whole(),
                    "resource": body,
                }),
            );
        }
        let mut answer = match body.filter(|_| status != 204) {
            Some(body) => ScimResponse::new(status, body),
            None => ScimResponse::empty(),
        };
        if let Some(version) = version {
            answer = answer.with_etag(version.to_string());
        }
        match location {
            Some(location) => answer.with_location(location),
            None => answer,
        }
    }
}

/// Changes when a user's groups do, and when those it names come to be known here or no longer are. It need not be the
/// same in another release: a cache then asks once more.
fn digest(groups: &[GroupOf], named: &[ExternalUserId]) -> u32 {
    let mut hasher = DefaultHasher::new();
    let mut named = named.to_vec();
    named.sort_unstable();
    named.dedup();
    named.hash(&mut hasher);
    for group in groups {
        (group.group.uuid(), &group.display_name, group.direct).hash(&mut hasher);
    }
    let [a, b, c, d, ..] = hasher.finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// What the server knows of a resource.
struct Stamp {
    id: String,
    created: Timestamp,
    changed: Timestamp,
    version: Version,
}

impl Stamp {
    fn new(id: impl Id, created: Timestamp, changed: Timestamp, version: i64) -> Self {
        Self { id: id.uuid().to_string(), created, changed, version: Version::new(u64::try_from(version).unwrap_or(0)) }
    }

    fn identity(&self) -> render::ResourceIdentity<'_> {
        render::ResourceIdentity {
            id: &self.id,
            created: self.created.micros(),
            last_modified: self.changed.micros(),
            version: self.version,
        }
    }
}

/// A refusal of the room in the words of SCIM.
pub fn refused(error: ProvisionError) -> ScimError {
    match error {
        ProvisionError::Store(error) => of_store(&error),
        other => other.into(),
    }
}
