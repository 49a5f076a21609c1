//! Groups too large to hold: their members are read and sent page by page, in flat memory.
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{self, Bytes};
use futures_util::stream;
use serde_json::Value;

use super::answer::Answer;
use super::door::{Visit, authenticate, of_store};
use super::offer::Offer;
use super::resource::show_members;
use crate::domain::id::ExternalGroupId;
use crate::provision::{Source, UnknownMembers, groups};
use crate::scim::error::ScimError;
use crate::scim::projection::Projection;
use crate::scim::resource::Document;
use crate::store::extent::ConnectionExtent;
use crate::store::members::{Member, Who};
use crate::web::App;
use crate::web::problem::{Face, Refusal};

/// Members read at once.
pub const PAGE: usize = 1_000;

impl Visit {
    /// The first members of a group, at most [`PAGE`].
    pub async fn first_members(&self, offer: &Offer, id: ExternalGroupId) -> Result<Vec<Member>, ScimError> {
        self.members_after(offer, id, None, PAGE).await
    }

    /// Whether a group has more than `most` members.
    pub async fn has_more_members(&self, offer: &Offer, id: ExternalGroupId, most: usize) -> Result<bool, ScimError> {
        Ok(self.members_after(offer, id, None, most + 1).await?.len() > most)
    }

    async fn members_after(
        &self,
        offer: &Offer,
        id: ExternalGroupId,
        after: Option<Who>,
        most: usize,
    ) -> Result<Vec<Member>, ScimError> {
        let mut reader = self.app.store.reader().await.map_err(|error| of_store(&error))?;
        let page = groups::members_page(&mut reader, &self.source(offer), id, after, most).await;
        page.map_err(|error| of_store(&error))
    }

    /// A group whose members are sent as they are read. `bare` is the group without them, `first` the page already read.
    ///
    /// # Errors
    /// 400 when the projection in the address is malformed.
    pub fn stream_group(&self, bare: &Value, id: ExternalGroupId, first: Vec<Member>) -> Result<Answer, ScimError> {
        let projection = self.params()?.projection()?;
        let mut head = bare.to_string();
        head.pop();
        head.push_str(",\"members\":[");
        let state = Walk {
            app: self.app.clone(),
            request: self.request.clone(),
            base: self.base.clone(),
            offer: self.offer.clone(),
            extent: self.door.extent,
            projection,
            group: id,
            next: Step::First { head, members: first },
        };
        let parts = stream::try_unfold(state, |mut walk| async move {
            let part = walk.step().await?;
            Ok::<_, actix_web::Error>(part.map(|part| (part, walk)))
        });
        Ok(Answer::stream(200, parts))
    }
}

/// A walk through the members of one group.
struct Walk {
    app: web::Data<App>,
    /// Proves at every page that the caller may still read.
    request: HttpRequest,
    base: String,
    offer: Arc<Offer>,
    extent: ConnectionExtent,
    projection: Projection,
    group: ExternalGroupId,
    next: Step,
}

enum Step {
    First { head: String, members: Vec<Member> },
    After(Who),
    Done,
}

impl Walk {
    async fn step(&mut self) -> Result<Option<Bytes>, Refusal> {
        let (mut text, members, first) = match std::mem::replace(&mut self.next, Step::Done) {
            Step::Done => return Ok(None),
            Step::First { head, members } => (head, members, true),
            Step::After(last) => (String::new(), self.read(last).await?, false),
        };
        self.write(&mut text, &members, first);
        match members.last() {
            Some(last) if members.len() == PAGE => self.next = Step::After(last.who),
            _ => text.push_str("]}"),
        }
        Ok(Some(Bytes::from(text)))
    }

    /// The next page; whoever lost the right to read since the last one gets no more.
    async fn read(&self, last: Who) -> Result<Vec<Member>, Refusal> {
        authenticate(&self.request, &self.app, self.app.clock.now()).await?;
        let source = Source {
            extent: self.extent,
            schemas: &self.offer.set,
            join_attribute: None,
            unknown_members: UnknownMembers::Skip,
        };
        let failed = |error| Refusal::scim(Face::Scim, of_store(&error));
        let mut reader = self.app.store.reader().await.map_err(failed)?;
        groups::members_page(&mut reader, &source, self.group, Some(last), PAGE).await.map_err(failed)
    }

    fn write(&self, text: &mut String, members: &[Member], first: bool) {
        let view = self.projection.view(self.offer.set.groups());
        let mut document = Document::new();
        document.insert("members".to_owned(), show_members(members, &self.base));
        let shown = view.apply(document, None);
        let list = shown.get("members").and_then(Value::as_array);
        for (index, member) in list.into_iter().flatten().enumerate() {
            if !first || index > 0 {
                text.push(',');
            }
            text.push_str(&member.to_string());
        }
    }
}
