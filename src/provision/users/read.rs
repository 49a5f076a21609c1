//! Reading users.
use uuid::Uuid;

use crate::domain::id::{ExternalUserId, Id as _, exact};
use crate::provision::ProvisionSource;
use crate::provision::listing::{ListQuery, ListResult, counted, in_time};
use crate::scim::resource::{Document, render};
use crate::store::external_groups::GroupOf;
use crate::store::external_users::{self, ExternalUser};
use crate::store::{Reader, Store, StoreError, external_groups, members, search};

/// A user, with its groups when they were asked for.
#[derive(Clone, PartialEq, Debug)]
pub struct UserWithGroups {
    /// The user.
    pub user: ExternalUser,
    /// The groups it is in, nested ones too.
    pub groups: Option<Vec<GroupOf>>,
    /// The users of the connection that it names, such as its manager.
    pub named: Vec<ExternalUserId>,
}

/// One user, if the connection has it.
///
/// # Errors
/// Only those of the store.
pub async fn get(
    store: &Store,
    source: &ProvisionSource<'_>,
    id: ExternalUserId,
    with_groups: bool,
) -> Result<Option<UserWithGroups>, StoreError> {
    let Some(user) = external_users::find(store, &source.extent, id).await? else { return Ok(None) };
    view_of(store, source, user, with_groups).await.map(Some)
}

/// A page of the connection's users, with their groups when `with_groups`.
///
/// # Errors
/// Only those of the store.
pub async fn list(
    store: &Store,
    source: &ProvisionSource<'_>,
    wanted: ListQuery<'_>,
    with_groups: bool,
) -> Result<ListResult<UserWithGroups>, StoreError> {
    let at = &source.extent;
    if wanted.sort.is_none()
        && let Some(found) = search::user_named(store, at, wanted.filter, wanted.page).await?
    {
        let mut rows = Vec::new();
        for user in found.rows {
            rows.push(view_of(store, source, user, with_groups).await?);
        }
        return Ok(ListResult { rows, total: found.total, beside: found.beside });
    }
    let (filter, sort, page) = (wanted.filter, wanted.sort, wanted.page);
    if wanted.is_everything() {
        let mut reader = store.reader().await?;
        let found = search::all_users(&mut reader, at, page).await?;
        let rows = views(&mut reader, source, found.rows, with_groups).await?;
        let total = match found.total {
            None => counted(page, rows.len(), found.more),
            told => told,
        };
        let total = match total {
            None if !wanted.counting.is_zero() => Some(search::count_users(&mut reader, at, None).await?),
            known => known,
        };
        return Ok(ListResult { rows, total, beside: found.beside });
    }
    let read = async |reader: &mut Reader| {
        let found = search::users(reader, at, filter, sort, page).await?;
        let beside = (found.beside, found.more);
        Ok::<_, StoreError>((views(reader, source, found.rows, with_groups).await?, beside))
    };
    let (rows, (beside, more)) = if filter.is_some_and(search::leads_to_users) {
        // Few rows, and few trips: what belongs beside them is read a moment later, as for one user.
        store.statement_within(wanted.searching, read).await?
    } else {
        store.snapshot_within(wanted.searching, read).await?
    };
    let total = match counted(page, rows.len(), more) {
        None if !wanted.counting.is_zero() => {
            let count = store.statement_within(wanted.counting, async |reader: &mut Reader| {
                search::count_users(reader, at, filter).await
            });
            in_time(count.await)?
        }
        known => known,
    };
    Ok(ListResult { rows, total, beside })
}

/// [`views`] of one user, each part asked together with others; without a trip when there is nothing beside its document.
async fn view_of(
    store: &Store,
    source: &ProvisionSource<'_>,
    user: ExternalUser,
    with_groups: bool,
) -> Result<UserWithGroups, StoreError> {
    let groups = match with_groups {
        true if user.in_groups => Some(external_groups::of_user(store, &source.extent, user.id).await?),
        true => Some(Vec::new()),
        false => None,
    };
    let named = if names_somebody(source, &user.doc) {
        named(&mut store.reader().await?, source, &[&user.doc]).await?
    } else {
        Vec::new()
    };
    Ok(UserWithGroups { user, groups, named })
}

async fn views(
    reader: &mut Reader,
    source: &ProvisionSource<'_>,
    users: Vec<ExternalUser>,
    with_groups: bool,
) -> Result<Vec<UserWithGroups>, StoreError> {
    let documents: Vec<&Document> = users.iter().map(|user| &user.doc).collect();
    let known = named(reader, source, &documents).await?;
    let named = |user: &ExternalUser| {
        let ids = named_ids(source, &user.doc).map(ExternalUserId::from_uuid);
        ids.filter(|id| known.binary_search(id).is_ok()).collect()
    };
    if !with_groups {
        return Ok(users.into_iter().map(|user| UserWithGroups { named: named(&user), user, groups: None }).collect());
    }
    let ids: Vec<ExternalUserId> = users.iter().filter(|user| user.in_groups).map(|user| user.id).collect();
    let all = external_groups::of_users(reader, &source.extent, &ids).await?;
    // In the order of users.
    let of = |id| {
        let (from, to) = (all.partition_point(|row| row.member < id), all.partition_point(|row| row.member <= id));
        all.get(from..to).unwrap_or_default().to_vec()
    };
    Ok(users.into_iter().map(|user| UserWithGroups { groups: Some(of(user.id)), named: named(&user), user }).collect())
}

/// The users of the connection that documents name, such as managers; in order.
///
/// # Errors
/// Only those of the store.
pub async fn named(
    reader: &mut Reader,
    source: &ProvisionSource<'_>,
    documents: &[&Document],
) -> Result<Vec<ExternalUserId>, StoreError> {
    let mut ids: Vec<Uuid> = documents.iter().flat_map(|document| named_ids(source, document)).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut known = members::known_users(reader, &source.extent, &ids).await?;
    known.sort_unstable();
    Ok(known)
}

/// Whether a document names somebody who may be a user of the connection.
pub fn names_somebody(source: &ProvisionSource<'_>, document: &Document) -> bool {
    named_ids(source, document).next().is_some()
}

fn named_ids<'d>(source: &ProvisionSource<'_>, document: &'d Document) -> impl Iterator<Item = Uuid> + use<'d> {
    let named = render::users_named(source.schemas.users(), document);
    named.into_iter().filter_map(exact)
}
