//! Groups with their members, alone and in lists: read and sent some at a time. What is held is bounded by what is read at
//! once, not by how many members there are.
use std::collections::{HashMap, VecDeque};

use actix_web::HttpRequest;
use actix_web::web::{self, Bytes};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use super::request::{ScimRequest, authenticate, of_store};
use super::response::ScimResponse;
use crate::domain::id::ExternalGroupId;
use crate::scim::error::ScimError;
use crate::scim::projection::ResourceView;
use crate::scim::resource::{MemberKind, render};
use crate::store::extent::ConnectionExtent;
use crate::store::members::{self, ExternalMember, MANY, MemberId};
use crate::store::{Reader, StoreError};
use crate::web::App;
use crate::web::error::{ErrorFormat, HttpError};

/// Members read at once.
const CHUNK: usize = 2_000;

/// Once so many bytes are written, they are sent.
const SENT: usize = 256 * 1024;

/// One resource of an answer.
pub enum ResponseItem {
    /// As it is.
    Whole(Value),
    /// A group, without the members that belong into it.
    Group(Value, ExternalGroupId),
}

impl ScimRequest {
    /// One group with its members as `view` shows them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn send_group(
        &self,
        status: u16,
        bare: Value,
        id: ExternalGroupId,
        view: &ResourceView<'_>,
    ) -> Result<ScimResponse, ScimError> {
        self.send(status, view, Vec::new(), vec![ResponseItem::Group(bare, id)], Vec::new()).await
    }

    /// Resources between `head` and `tail`, with commas between them. What is short is sent at once; the rest while it is
    /// read, and whoever may no longer read gets no more of it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn send(
        &self,
        status: u16,
        groups: &ResourceView<'_>,
        head: Vec<u8>,
        items: Vec<ResponseItem>,
        tail: Vec<u8>,
    ) -> Result<ScimResponse, ScimError> {
        let (app, extent) = (self.app.clone(), self.connection.extent);
        let pen = Pen::new(groups, &self.base);
        let mut walk = Walk { app, extent, pen, queue: VecDeque::new(), open: None, begun: false, text: head, tail };
        walk.fill(items).await.map_err(|error| of_store(&error))?;
        walk.step().await.map_err(|error| of_store(&error))?;
        let first = std::mem::take(&mut walk.text);
        if walk.is_done() {
            return Ok(ScimResponse::text(status, first));
        }
        let later = stream::try_unfold((walk, self.request.clone()), |(mut walk, request)| async move {
            let part = walk.next(&request).await?;
            Ok::<_, actix_web::Error>(part.map(|part| (part, (walk, request))))
        });
        Ok(ScimResponse::stream(status, stream::iter([Ok(Bytes::from(first))]).chain(later)))
    }
}

/// A resource that was not sent yet: its text, for a group with members without the closing brace.
struct Piece {
    text: Vec<u8>,
    group: Option<(ExternalGroupId, usize)>,
}

/// A walk through the members of groups.
struct Walk {
    app: web::Data<App>,
    extent: ConnectionExtent,
    pen: Pen,
    queue: VecDeque<Piece>,
    /// The large group whose members are being sent, and the last of them.
    open: Option<(ExternalGroupId, Option<MemberId>)>,
    /// Whether a resource was sent before.
    begun: bool,
    /// What is to be sent next.
    text: Vec<u8>,
    /// What ends it all; empty once it was written.
    tail: Vec<u8>,
}

impl Walk {
    /// Takes up what is to be sent. How many members a group has is asked for all of them at once.
    async fn fill(&mut self, items: Vec<ResponseItem>) -> Result<(), StoreError> {
        let ids: Vec<ExternalGroupId> = items
            .iter()
            .filter_map(|item| match item {
                ResponseItem::Group(_, id) => Some(*id),
                ResponseItem::Whole(_) => None,
            })
            .collect();
        let sizes: HashMap<ExternalGroupId, usize> = match ids.as_slice() {
            [] => HashMap::new(),
            _ if self.pen.is_blank() => HashMap::new(),
            // Read at once: its size shows when it is read.
            [one] => HashMap::from([(*one, MANY)]),
            _ => members::sizes(&mut self.reader().await?, &self.extent, &ids).await?.into_iter().collect(),
        };
        for item in items {
            let (value, group) = match item {
                ResponseItem::Whole(value) => (value, None),
                ResponseItem::Group(bare, id) => {
                    let size = sizes.get(&id).copied().filter(|size| *size > 0);
                    (bare, size.map(|size| (id, size)))
                }
            };
            let mut text = value.to_string().into_bytes();
            if group.is_some() {
                text.pop();
            }
            self.queue.push_back(Piece { text, group });
        }
        Ok(())
    }

    async fn reader(&self) -> Result<Reader, StoreError> {
        self.app.store.reader().await
    }

    fn is_done(&self) -> bool {
        self.open.is_none() && self.queue.is_empty()
    }

    /// The next part; whoever lost the right to read since the last one gets no more.
    async fn next(&mut self, request: &HttpRequest) -> Result<Option<Bytes>, HttpError> {
        if self.is_done() {
            return Ok(None);
        }
        authenticate(request, &self.app, self.app.clock.now()).await?;
        self.step().await.map_err(|error| HttpError::scim(ErrorFormat::Scim, of_store(&error)))?;
        Ok(Some(Bytes::from(std::mem::take(&mut self.text))))
    }

    /// Writes what is read at once.
    async fn step(&mut self) -> Result<(), StoreError> {
        if self.open.is_none() {
            let batch = self.batch();
            self.write(batch).await?;
        }
        if let Some((group, after)) = self.open.take() {
            self.go_on(group, after).await?;
        }
        if self.is_done() {
            self.text.append(&mut self.tail);
        }
        Ok(())
    }

    /// The next resources whose members are read at once; or one group with more, which is opened.
    fn batch(&mut self) -> Vec<Piece> {
        let (mut batch, mut members, mut bytes) = (Vec::new(), 0, self.text.len());
        while let Some(next) = self.queue.front() {
            let size = next.group.map_or(0, |(_, size)| size);
            let full = members + size > CHUNK || bytes > SENT;
            if !batch.is_empty() && (full || size >= MANY) {
                break;
            }
            let Some(mut piece) = self.queue.pop_front() else { break };
            if let Some((id, _)) = piece.group.filter(|(_, size)| *size >= MANY) {
                self.comma();
                self.text.append(&mut piece.text);
                self.open = Some((id, None));
                break;
            }
            members += size;
            bytes += piece.text.len();
            batch.push(piece);
        }
        batch
    }

    fn comma(&mut self) {
        if self.begun {
            self.text.push(b',');
        }
        self.begun = true;
    }

    async fn write(&mut self, batch: Vec<Piece>) -> Result<(), StoreError> {
        let ids: Vec<ExternalGroupId> = batch.iter().filter_map(|piece| piece.group.map(|(id, _)| id)).collect();
        let mut found: HashMap<ExternalGroupId, Vec<ExternalMember>> = HashMap::new();
        if !ids.is_empty() {
            for (group, member) in members::of_groups(&mut self.reader().await?, &self.extent, &ids).await? {
                found.entry(group).or_default().push(member);
            }
        }
        for mut piece in batch {
            self.comma();
            self.text.append(&mut piece.text);
            let Some((id, _)) = piece.group else { continue };
            let mut list = List::default();
            for member in found.remove(&id).unwrap_or_default() {
                list.add(&mut self.text, &self.pen, member.who, &member.display);
            }
            list.end(&mut self.text);
        }
        Ok(())
    }

    /// More members of a large group.
    async fn go_on(&mut self, group: ExternalGroupId, after: Option<MemberId>) -> Result<(), StoreError> {
        let mut reader = self.reader().await?;
        let (text, pen, mut list) = (&mut self.text, &self.pen, List { begun: after.is_some() });
        let see = |who: MemberId, display: &str| list.add(text, pen, who, display);
        let last = members::each(&mut reader, &self.extent, group, after, CHUNK, see).await?;
        match last {
            Some(last) => self.open = Some((group, Some(last))),
            None => list.end(&mut self.text),
        }
        Ok(())
    }
}

/// A list of members that is being written. A group without any has no list.
#[derive(Default)]
struct List {
    begun: bool,
}

impl List {
    fn add(&mut self, text: &mut Vec<u8>, pen: &Pen, who: MemberId, display: &str) {
        text.extend_from_slice(if self.begun { b"," } else { b",\"members\":[" });
        self.begun = true;
        pen.write(text, who, display);
    }

    fn end(self, text: &mut Vec<u8>) {
        text.extend_from_slice(if self.begun { b"]}" } else { b"}" });
    }
}

/// Writes a member as one client sees it, without building it first.
struct Pen {
    /// What the address of a user, and that of a group, begins with; as JSON without quotes.
    addresses: [String; 2],
    reference: bool,
    display: bool,
    kind: bool,
    value: bool,
}

impl Pen {
    fn new(view: &ResourceView<'_>, base: &str) -> Self {
        let seen = view.member(render::member(MemberKind::User, "", Some(""), base));
        let shows = |name: &str| seen.as_ref().is_some_and(|member| member.get(name).is_some());
        let address = |kind: MemberKind| {
            let quoted = Value::from(format!("{base}{}/", kind.endpoint())).to_string();
            quoted.trim_matches('"').to_owned()
        };
        Self {
            addresses: [address(MemberKind::User), address(MemberKind::Group)],
            reference: shows("$ref"),
            display: shows("display"),
            kind: shows("type"),
            value: shows("value"),
        }
    }

    /// Whether nothing of a member is seen.
    fn is_blank(&self) -> bool {
        !(self.reference || self.display || self.kind || self.value)
    }

    fn write(&self, text: &mut Vec<u8>, who: MemberId, display: &str) {
        let [user, group] = &self.addresses;
        let (kind, address) = match who {
            MemberId::User(_) => (MemberKind::User, user),
            MemberId::Group(_) => (MemberKind::Group, group),
        };
        let mut room = uuid::Uuid::encode_buffer();
        let id = who.uuid().hyphenated().encode_lower(&mut room).as_bytes();
        let mut between = b'{';
        let mut name = |text: &mut Vec<u8>, name: &[u8]| {
            text.push(std::mem::replace(&mut between, b','));
            text.extend_from_slice(name);
        };
        if self.reference {
            name(text, b"\"$ref\":\"");
            text.extend_from_slice(address.as_bytes());
            text.extend_from_slice(id);
            text.push(b'"');
        }
        if self.display {
            name(text, b"\"display\":");
            // A text always has a JSON form, and a vector always takes it.
            let _ = serde_json::to_writer(&mut *text, display);
        }
        if self.kind {
            name(text, b"\"type\":\"");
            text.extend_from_slice(kind.as_str().as_bytes());
            text.push(b'"');
        }
        if self.value {
            name(text, b"\"value\":\"");
            text.extend_from_slice(id);
            text.push(b'"');
        }
        text.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ExternalUserId, Id as _};
    use crate::scim::projection::Projection;
    use crate::scim::schema::SchemaSet;

    #[test]
    fn a_member_is_written_as_it_would_be_built() {
        let (set, base) = (SchemaSet::base(), "https://x.example/scim/\"a\\b/v2");
        let id = uuid::Uuid::from_u128(0x018f_4e6a_7a70_7cc0_8000_0000_0000_00ab);
        let user = (MemberId::User(ExternalUserId::from_uuid(id)), MemberKind::User);
        let group = (MemberId::Group(ExternalGroupId::from_uuid(id)), MemberKind::Group);
        let named = [("", ""), ("members.value", ""), ("members", ""), ("", "members.$ref"), ("", "members.display")];
        for (attributes, excluded) in named {
            let projection = Projection::new(&[attributes], &[excluded]).unwrap();
            let view = projection.view(set.groups());
            let pen = Pen::new(&view, base);
            for (who, kind) in [user, group] {
                let mut text = Vec::new();
                pen.write(&mut text, who, "say \"hi\"\n\u{1}äöü\\");
                let built = render::member(kind, &id.to_string(), Some("say \"hi\"\n\u{1}äöü\\"), base);
                assert_eq!(
                    Some(serde_json::from_slice::<Value>(&text).unwrap()),
                    view.member(built),
                    "{attributes}{excluded}"
                );
            }
        }
        assert!(Pen::new(&Projection::new(&["displayName"], &[]).unwrap().view(set.groups()), base).is_blank());
    }
}
