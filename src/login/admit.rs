//! From proven claims to a user: what the provider says of the subject is written like any other word of the
//! directory, and the directory's declared join decides whose it is. Never a name or address by itself.
use super::LoginService;
use super::claims::Claims;
use super::document::{Described, describe};
use super::error::{LoginError, LoginErrorKind};
use super::joins::{self, Unnamed};
use super::service::OidcConnection;
use super::session;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::directory::DirectoryMode;
use crate::domain::id::ExternalUserId;
use crate::provision::match_key::MatchKey;
use crate::provision::users::{self, MatchKeySource, NewExternalUser, UserInput};
use crate::provision::{ProvisionError, ProvisionSource, UnknownMembers, succession};
use crate::scim::resource::Document;
use crate::scim::schema::SchemaSet;
use crate::secret::PlainToken;
use crate::store::{Tx, match_keys, sessions};

/// How often a first sign-in is tried again when another one of the same subject came between.
const MOST_TRIES: usize = 3;

/// What a transaction came to. Both commit: a subject that waits for review is written down.
enum Outcome {
    Started(PlainToken),
    Waits,
}

impl LoginService {
    /// Lets the user behind `claims` in.
    ///
    /// # Errors
    /// [`LoginErrorKind::NotLinked`] when the join names nobody, [`LoginErrorKind::Suspended`].
    pub(super) async fn admit(
        &self,
        ctx: &Ctx,
        open: &OidcConnection,
        claims: &Claims,
    ) -> Result<PlainToken, LoginError> {
        let ctx = ctx.acting_as(Actor::Connection { connection: open.connection.connection.id, run: None });
        let pending_user = AdmittedUser::of(open, claims, &self.schemas);
        let mut tries = 1;
        loop {
            match self.store.write(async |tx| pending_user.enter(tx, &ctx).await).await {
                Ok(Outcome::Started(token)) => return Ok(token),
                Ok(Outcome::Waits) => {
                    let detail = format!("{}: an administrator has to say who it is", pending_user.stable_key);
                    return Err(LoginError::new(LoginErrorKind::Waiting, "match.pending", detail));
                }
                Err(Fault::Again) if tries < MOST_TRIES => tries += 1,
                Err(Fault::Again) => {
                    return Err(LoginError::new(LoginErrorKind::Down, "user.conflict", "tried three times"));
                }
                Err(Fault::Refused(refusal)) => return Err(refusal),
            }
        }
    }
}

/// Why a transaction did nothing.
enum Fault {
    Again,
    Refused(LoginError),
}

impl<T: Into<LoginError>> From<T> for Fault {
    fn from(error: T) -> Self {
        Self::Refused(error.into())
    }
}

fn fault(error: ProvisionError) -> Fault {
    match error {
        ProvisionError::Raced | ProvisionError::Uniqueness { attribute: "id" } => Fault::Again,
        ProvisionError::Store(error) => error.into(),
        error => LoginError::new(LoginErrorKind::NotLinked, "user.rejected", error.to_string()).into(),
    }
}

/// Somebody at the connection, with everything that is said of them.
struct AdmittedUser<'a> {
    open: &'a OidcConnection,
    source: ProvisionSource<'a>,
    stable_key: String,
    key: Result<MatchKey, Unnamed>,
    described: Described,
}

impl<'a> AdmittedUser<'a> {
    fn of(open: &'a OidcConnection, claims: &Claims, schemas: &'a SchemaSet) -> Self {
        let subject = claims.text("sub").unwrap_or_default();
        let source = ProvisionSource {
            extent: open.connection.extent,
            schemas,
            matching_attribute: Some(open.matching_claim()),
            unknown_members: UnknownMembers::Skip,
        };
        Self {
            // A space never stands in an issuer, so no two pairs make the same key.
            stable_key: format!("{} {subject}", open.config.issuer),
            key: joins::key(claims, open.matching_claim()),
            described: describe(schemas, claims, &open.config.issuer, subject),
            open,
            source,
        }
    }

    async fn enter(&self, tx: &mut Tx, ctx: &Ctx) -> Result<Outcome, Fault> {
        let at = &self.source.extent;
        let suspended = self.open.connection.suspended;
        if self.open.connection.standstill().is_none() {
            self.say(tx, ctx).await?;
        }
        match sessions::arrived(tx, at, &self.stable_key).await? {
            Some((_, Some(of))) => Ok(Outcome::Started(session::start(tx, ctx, &of, Some(at.connection())).await?)),
            _ if suspended => {
                let detail = format!("{}: the partner of the directory is suspended", self.stable_key);
                Err(LoginError::new(LoginErrorKind::Suspended, "partner.suspended", detail).into())
            }
            Some((_, None)) => Ok(Outcome::Waits),
            None => Err(self.unknown().into()),
        }
    }

    /// Writes down what the provider says, with the user whom the directory's join names, or whom the connection makes.
    async fn say(&self, tx: &mut Tx, ctx: &Ctx) -> Result<(), Fault> {
        let (at, source) = (&self.source.extent, &self.source);
        let known = sessions::arrived(tx, at, &self.stable_key).await?;
        let named = match &self.key {
            Ok(key) => match_keys::named(tx, at, key.bytes()).await?,
            Err(_) => None,
        };
        // A lasting key is one user's for good, so it says whose this subject is whatever was thought before. An
        // address may have become somebody else's: then an administrator decides.
        let lasting = self.key.as_ref().is_ok_and(MatchKey::lasting);
        match (named.filter(|_| lasting), &known) {
            (Some((_, Some(owner))), known) if known.as_ref().is_none_or(|(external, _)| *external != owner) => {
                if let Some((external, _)) = known {
                    succession::retire_in(tx, ctx, source, *external).await.map_err(fault)?;
                }
                succession::rekey_in(tx, ctx, source, owner, &self.stable_key).await.map_err(fault)?;
                return self.say_again(tx, ctx, owner, true).await;
            }
            (Some((user, None)), Some((external, Some(of)))) if of.user() != user => {
                succession::separate_in(tx, ctx, source, *external).await.map_err(fault)?;
                return self.say_again(tx, ctx, *external, true).await;
            }
            _ => {}
        }
        match known {
            Some((external, Some(of))) => {
                let anothers = named.is_some_and(|(user, _)| user != of.user());
                self.say_again(tx, ctx, external, !anothers).await
            }
            Some((external, None)) if named.is_some() || self.open.config.jit_provisioning => {
                self.say_again(tx, ctx, external, true).await
            }
            None if named.is_some() || self.open.config.jit_provisioning => self.say_first(tx, ctx).await,
            None => self.wait(tx, ctx).await,
            Some(_) => Ok(()),
        }
    }

    async fn say_first(&self, tx: &mut Tx, ctx: &Ctx) -> Result<(), Fault> {
        let first = self.newcomer(&self.described.document);
        match tx.attempt(false, async |tx: &mut Tx| users::create_in(tx, ctx, &self.source, first.clone()).await).await
        {
            Ok(_) => Ok(()),
            // Another subject of this provider has the name; this one is always free.
            Err(ProvisionError::Uniqueness { attribute: "userName" }) => {
                let first = self.newcomer(&self.described.nameless);
                users::create_in(tx, ctx, &self.source, first).await.map(drop).map_err(fault)
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Where nobody is made: writes somebody down who is proven to resemble a user here, so that an administrator can
    /// say whether it is them.
    async fn wait(&self, tx: &mut Tx, ctx: &Ctx) -> Result<(), Fault> {
        let new = self.newcomer(&self.described.document);
        match tx.attempt(false, async |tx: &mut Tx| users::wait_in(tx, ctx, &self.source, new.clone()).await).await {
            Ok(_) => Ok(()),
            Err(ProvisionError::Uniqueness { attribute: "userName" }) => {
                let new = self.newcomer(&self.described.nameless);
                users::wait_in(tx, ctx, &self.source, new).await.map(drop).map_err(fault)
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Says anew what is known. `own`: the key that is proven now is this one's, so it is kept.
    async fn say_again(&self, tx: &mut Tx, ctx: &Ctx, external: ExternalUserId, own: bool) -> Result<(), Fault> {
        let change = |document: &Document| {
            let said = self.said(document, own);
            async move |tx: &mut Tx| {
                users::update_in(tx, ctx, &self.source, external, None, &move |_| Ok(said.clone())).await
            }
        };
        match tx.attempt(false, change(&self.described.document)).await {
            Ok(_) => Ok(()),
            Err(ProvisionError::Uniqueness { attribute: "userName" }) => {
                change(&self.described.nameless)(tx).await.map(drop).map_err(fault)
            }
            Err(error) => Err(fault(error)),
        }
    }

    fn newcomer(&self, document: &Document) -> NewExternalUser {
        NewExternalUser { stable_key: Some(self.stable_key.clone()), said: self.said(document, true) }
    }

    fn said(&self, document: &Document, own: bool) -> UserInput {
        let key = self.key.clone().ok().filter(|_| own);
        let join = if key.is_some() { MatchKeySource::Key(key) } else { MatchKeySource::Unchanged };
        UserInput { document: document.clone(), join, row_hash: None }
    }

    fn unknown(&self) -> LoginError {
        let claim = self.open.matching_claim();
        let (code, why) = match &self.key {
            _ if self.open.connection.mode == DirectoryMode::Paused => {
                ("user.not_linked", "the directory is paused, so nobody new is taken".to_owned())
            }
            Ok(_) => {
                let why = format!(
                    "no other connection of the directory has said a user with the value of the claim {claim:?}"
                );
                ("user.not_linked", why)
            }
            Err(Unnamed { code, why }) => (*code, why.clone()),
        };
        LoginError::new(LoginErrorKind::NotLinked, code, format!("{}: {why}", self.stable_key))
    }
}
