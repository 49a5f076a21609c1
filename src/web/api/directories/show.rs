//! `GET /directories/{id}`.
use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{DirectoryView, view};
use crate::admin::authority;
use crate::domain::capability::CoreCapability;
use crate::domain::id::{DirectoryId, Id as _, RoleId, UserGroupId};
use crate::domain::rule::RuleEffect;
use crate::store::extent::PartnerExtent;
use crate::store::reserved_groups::UnboundRule;
use crate::store::rules::StoredRule;
use crate::store::visible_reasons::{self, Sight};
use crate::store::{Reader, StoreError, connections, directories, reserved_groups, roles, rules, user_groups};
use crate::web::api::connections::{ConnectionView, view as connection_view};
use crate::web::api::model::{Ref, ScopeView};
use crate::web::api::request::{ApiRequest, ApiResult, ok};

/// A directory with all that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DirectoryWhole)]
pub(in crate::web::api) struct DirectoryDetail {
    /// The directory.
    #[serde(flatten)]
    directory: DirectoryView,
    /// What it may confer at most; empty: nothing.
    ceiling: Vec<CeilingView>,
    /// Its mapping rules, in order.
    rules: Vec<RuleView>,
    /// Its connections.
    connections: Vec<ConnectionView>,
}

/// One row of a ceiling: a role, or roles below it, over a scope.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ceiling)]
struct CeilingView {
    /// The role.
    role: Ref,
    /// Over what.
    scope: ScopeView,
}

/// A mapping rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
struct RuleView {
    /// Its id; a changed rule is a new one.
    id: Uuid,
    /// Its place in the order.
    ordinal: i64,
    /// The name.
    name: String,
    /// Whom it matches, as its author wrote it: a SCIM filter in which `memberOf eq "NAME"` asks for an external group.
    when: String,
    /// `set_primary_group`, `add_to_group` or `grant_role`.
    effect: &'static str,
    /// The user group that it places in or adds to.
    user_group: Option<Ref>,
    /// The role that it grants.
    role: Option<Ref>,
    /// Over what it grants.
    scope: Option<ScopeView>,
    /// External groups that it asks for and that are not there, so that it matches nobody by them.
    unresolved_groups: Vec<UnboundRuleView>,
}

/// An external group that a rule asks for and that is not there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LooseGroup)]
struct UnboundRuleView {
    /// Its name, as far as it is known.
    name: Option<String>,
    /// `gone` (the directory said it once; it counts again when it comes back), `awaited` (the directory has not said it
    /// yet) or `several` (more than one group has the name, so none of them is taken).
    reason: String,
    /// The same as a sentence.
    message: String,
}

/// One directory. Needs `core.connection.view` over its partner.
#[utoipa::path(get, path = "/api/v1/directories/{id}", tag = "Directories", operation_id = "getDirectory",
    params(("id" = Uuid, Path, description = "the directory")),
    responses((status = 200, description = "the directory", body = DirectoryDetail)))]
pub(in crate::web::api) async fn show(call: ApiRequest) -> ApiResult {
    let id: DirectoryId = call.id("id")?;
    let whole = call
        .read(async |reader| {
            let at =
                authority::at_directory(reader, call.user(), CoreCapability::ConnectionView, id, call.now()).await?;
            let mut sight = Sight::of(call.user(), call.now());
            Ok(read(reader, &mut sight, &at, id, call.app.public_url.as_str()).await?)
        })
        .await?;
    ok(&whole)
}

async fn read(
    reader: &mut Reader,
    sight: &mut Sight,
    at: &PartnerExtent,
    id: DirectoryId,
    public_url: &str,
) -> Result<DirectoryDetail, StoreError> {
    let directory = directories::get(reader, at, id).await?;
    let roles: HashMap<_, _> = roles::usable(reader, at).await?.into_iter().map(|role| (role.id, role.name)).collect();
    let groups = user_groups::of_partner(reader, at).await?;
    let groups: HashMap<_, _> = groups.into_iter().map(|(group, _)| (group.id, group.name)).collect();
    let mut ceiling = Vec::new();
    for row in directories::ceilings(reader, at, id).await? {
        let scope = visible_reasons::scope_of_directory(reader, sight, row.scope).await?;
        ceiling.push(CeilingView { role: role_ref(&roles, row.role), scope: ScopeView::from(&scope) });
    }
    let mut rules = rules::in_force(reader, at, id).await?;
    for written in &mut rules {
        if let RuleEffect::GrantRole { scope, .. } = &mut written.rule.effect {
            *scope = visible_reasons::scope_of_directory(reader, sight, scope.clone()).await?;
        }
    }
    let loose = reserved_groups::loose(reader, at, id).await?;
    let connections = connections::of_directory(reader, at, id).await?;
    Ok(DirectoryDetail {
        directory: view(directory),
        ceiling,
        rules: rules.into_iter().map(|written| rule_view(written, &roles, &groups, &loose)).collect(),
        connections: connections.into_iter().map(|connection| connection_view(connection, public_url)).collect(),
    })
}

fn role_ref(roles: &HashMap<RoleId, String>, id: RoleId) -> Ref {
    Ref::new(id, roles.get(&id).cloned().unwrap_or_default())
}

fn rule_view(
    written: StoredRule,
    roles: &HashMap<RoleId, String>,
    groups: &HashMap<UserGroupId, String>,
    loose: &[UnboundRule],
) -> RuleView {
    let StoredRule { rule, when, .. } = written;
    let loose = loose.iter().filter(|loose| loose.rule_id == rule.id);
    let loose = loose.map(|loose| UnboundRuleView {
        name: loose.name.clone(),
        reason: loose.why.clone(),
        message: loose.to_string(),
    });
    let mut view = RuleView {
        id: rule.id.uuid(),
        ordinal: rule.ordinal,
        name: rule.name,
        when,
        effect: rule.effect.word(),
        user_group: None,
        role: None,
        scope: None,
        unresolved_groups: loose.collect(),
    };
    match &rule.effect {
        RuleEffect::SetPrimaryGroup { user_group: group } | RuleEffect::AddToGroup { user_group: group } => {
            view.user_group = Some(Ref::new(*group, groups.get(group).cloned().unwrap_or_default()));
        }
        RuleEffect::GrantRole { role, scope } => {
            view.role = Some(role_ref(roles, *role));
            view.scope = Some(ScopeView::from(scope));
        }
    }
    view
}
