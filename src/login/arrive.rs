//! From proven claims to a person: what the provider says of the subject is written like any other word of the
//! directory, and the directory's declared join decides whose it is. Never a name or address by itself.
use serde_json::{Map, Value as Json, json};

use super::Login;
use super::claims::Claims;
use super::house::OpenDoor;
use super::refusal::{Kind, Refusal};
use super::session;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::directory::Mode;
use crate::provision::join::JoinKey;
use crate::provision::users::{self, Join, NewUser, Said};
use crate::provision::{ProvisionError, Source, UnknownMembers};
use crate::scim::schema::SchemaSet;
use crate::secret::Token;
use crate::store::{Tx, identities, sessions};

/// How often a first sign-in is tried again when another one of the same subject came between.
const MOST_TRIES: usize = 3;

/// What a transaction came to. Both commit: a subject that waits for review is written down.
enum Outcome {
    Started(Token),
    Waits,
}

impl Login {
    /// Lets the person behind `claims` in.
    ///
    /// # Errors
    /// [`Kind::NotLinked`] when the join names nobody, [`Kind::Suspended`].
    pub(super) async fn admit(&self, ctx: &Ctx, open: &OpenDoor, claims: &Claims) -> Result<Token, Refusal> {
        let ctx = ctx.acting_as(Actor::Connection { connection: open.door.connection.id, run: None });
        let arrival = Arrival::of(open, claims, &self.schemas)?;
        let mut tries = 1;
        loop {
            match self.store.write(async |tx| arrival.enter(tx, &ctx).await).await {
                Ok(Outcome::Started(token)) => return Ok(token),
                Ok(Outcome::Waits) => {
                    let detail = format!("{}: waits for an administrator's review", arrival.stable_key);
                    return Err(Refusal::new(Kind::NotLinked, "person.review", detail));
                }
                Err(Fault::Again) if tries < MOST_TRIES => tries += 1,
                Err(Fault::Again) => return Err(Refusal::new(Kind::Down, "person.raced", "tried three times")),
                Err(Fault::Refused(refusal)) => return Err(refusal),
            }
        }
    }
}

/// Why a transaction did nothing.
enum Fault {
    Again,
    Refused(Refusal),
}

impl<T: Into<Refusal>> From<T> for Fault {
    fn from(error: T) -> Self {
        Self::Refused(error.into())
    }
}

fn fault(error: ProvisionError) -> Fault {
    match error {
        ProvisionError::Raced | ProvisionError::Uniqueness { attribute: "id" } => Fault::Again,
        ProvisionError::Store(error) => error.into(),
        error => Refusal::new(Kind::NotLinked, "person.refused", error.to_string()).into(),
    }
}

/// Somebody at the door, with everything that is said of them.
struct Arrival<'a> {
    open: &'a OpenDoor,
    source: Source<'a>,
    stable_key: String,
    key: Option<JoinKey>,
    document: Map<String, Json>,
    subject: &'a str,
}

impl<'a> Arrival<'a> {
    fn of(open: &'a OpenDoor, claims: &'a Claims, schemas: &'a SchemaSet) -> Result<Self, Refusal> {
        let subject = claims.text("sub").unwrap_or_default();
        let attribute = open.join_claim();
        let key = match claims.get(attribute) {
            Some(Json::String(value)) if !value.is_empty() => Some(JoinKey::new(attribute, value)),
            None => None,
            Some(_) => {
                let detail = format!("the claim {attribute:?}, which names the person, is not a text");
                return Err(Refusal::setup("join.claim", detail));
            }
        };
        let source = Source {
            extent: open.door.extent,
            schemas,
            join_attribute: Some(attribute),
            unknown_members: UnknownMembers::Skip,
        };
        let document = document(claims, subject);
        // A space never stands in an issuer, so no two pairs make the same key.
        Ok(Self { open, source, stable_key: format!("{} {subject}", open.config.issuer), key, document, subject })
    }

    async fn enter(&self, tx: &mut Tx, ctx: &Ctx) -> Result<Outcome, Fault> {
        let at = &self.source.extent;
        match sessions::arrived(tx, at, &self.stable_key).await? {
            _ if self.open.door.mode == Mode::Paused => {}
            Some((external, Some(_))) => self.say_again(tx, ctx, external).await?,
            Some((external, None)) if self.names_somebody(tx).await? => self.say_again(tx, ctx, external).await?,
            Some((_, None)) => return Ok(Outcome::Waits),
            None if self.names_somebody(tx).await? => self.say_first(tx, ctx).await?,
            None => {}
        }
        match sessions::arrived(tx, at, &self.stable_key).await? {
            Some((_, Some(of))) => Ok(Outcome::Started(session::start(tx, ctx, &of, Some(at.connection())).await?)),
            Some((_, None)) => Ok(Outcome::Waits),
            None => Err(self.unknown().into()),
        }
    }

    /// Whether this subject may be linked: another door of the directory has said the person, or the connection makes
    /// people of its own.
    async fn names_somebody(&self, tx: &mut Tx) -> Result<bool, Fault> {
        let named = match &self.key {
            Some(key) => identities::names_somebody(tx, &self.source.extent, key.bytes()).await?,
            None => false,
        };
        Ok(named || self.open.config.jit)
    }

    async fn say_first(&self, tx: &mut Tx, ctx: &Ctx) -> Result<(), Fault> {
        let first = NewUser { stable_key: Some(self.stable_key.clone()), said: self.said(self.document.clone()) };
        match tx.attempt(false, async |tx: &mut Tx| users::create_in(tx, ctx, &self.source, first.clone()).await).await
        {
            Ok(_) => Ok(()),
            // Somebody else of this provider has the name; the subject is always free.
            Err(ProvisionError::Uniqueness { attribute: "userName" }) => {
                let first = NewUser { said: self.said(self.by_subject()), ..first };
                users::create_in(tx, ctx, &self.source, first).await.map(drop).map_err(fault)
            }
            Err(error) => Err(fault(error)),
        }
    }

    async fn say_again(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        external: crate::domain::id::ExternalUserId,
    ) -> Result<(), Fault> {
        let change = |document: Map<String, Json>| {
            let said = self.said(document);
            async move |tx: &mut Tx| {
                users::update_in(tx, ctx, &self.source, external, None, &move |_| Ok(said.clone())).await
            }
        };
        match tx.attempt(false, change(self.document.clone())).await {
            Ok(_) => Ok(()),
            Err(ProvisionError::Uniqueness { attribute: "userName" }) => {
                change(self.by_subject())(tx).await.map(drop).map_err(fault)
            }
            Err(error) => Err(fault(error)),
        }
    }

    fn said(&self, document: Map<String, Json>) -> Said {
        let join = if self.key.is_some() { Join::Key(self.key.clone()) } else { Join::Unchanged };
        Said { document, join, row_hash: None }
    }

    fn by_subject(&self) -> Map<String, Json> {
        let mut document = self.document.clone();
        document.insert("userName".to_owned(), self.subject.into());
        document
    }

    fn unknown(&self) -> Refusal {
        let claim = self.open.join_claim();
        let why = match &self.key {
            _ if self.open.door.mode == Mode::Paused => "the directory is paused, so nobody new is taken".to_owned(),
            Some(_) => {
                format!("no other door of the directory has said a person with the value of the claim {claim:?}")
            }
            None => format!("the provider does not say the claim {claim:?}, which names the person"),
        };
        Refusal::new(Kind::NotLinked, "person.unknown", format!("{}: {why}", self.stable_key))
    }
}

/// What the claims say, as a user document. An address the provider has not verified is not taken.
fn document(claims: &Claims, subject: &str) -> Map<String, Json> {
    let text = |name: &str| claims.text(name).filter(|value| !value.trim().is_empty());
    let email = text("email").filter(|_| claims.get("email_verified") != Some(&Json::Bool(false)));
    let mut document = Map::new();
    document.insert("schemas".to_owned(), json!(["urn:ietf:params:scim:schemas:core:2.0:User"]));
    document.insert("userName".to_owned(), text("preferred_username").or(email).unwrap_or(subject).into());
    document.insert("active".to_owned(), true.into());
    if let Some(name) = text("name") {
        document.insert("displayName".to_owned(), name.into());
    }
    let parts = [("givenName", text("given_name")), ("familyName", text("family_name"))];
    let name: Map<_, _> =
        parts.into_iter().filter_map(|(part, value)| Some((part.to_owned(), value?.into()))).collect();
    if !name.is_empty() {
        document.insert("name".to_owned(), name.into());
    }
    if let Some(email) = email {
        document.insert("emails".to_owned(), json!([{"value": email, "type": "work", "primary": true}]));
    }
    document
}
