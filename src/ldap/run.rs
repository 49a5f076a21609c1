//! One run: read, prove, compare, safeguard, apply, report. The command line, the console, the API and the schedule all
//! come here.
mod known;
mod run_slots;
mod tell;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::SemaphorePermit;
use tokio::task::JoinHandle;

use super::apply::{AbortReason, Applier, LEASE};
use super::client::{Guard, LdapFailure};
use super::compare::Compared;
use super::report::{Report, Status};
use super::safeguard::{self, Removal, WINDOW_HOURS};
use super::snapshot::{RawRead, snapshot};
use super::{execute, lookup, window};
use crate::clock::Clock;
use crate::connection::ldap::{ResolvedLdapSettings, SettingsErrors};
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::directory::{ConnectionKind, DirectoryMode};
use crate::domain::id::{Id as _, RunId};
use crate::provision::{ProvisionSource, UnknownMembers};
use crate::scim::schema::SchemaSet;
use crate::secret::{Keyring, SealPurpose};
use crate::store::baseline::{self, PendingRemoval};
use crate::store::connections::{self, ConnectionContext, Standstill};
use crate::store::leases::{self, Lease};
use crate::store::{Store, StoreError, Tx, runs};

pub use super::unbegun::prepare;
pub use run_slots::TURNS_AT_ONCE;
use run_slots::{Beat, TURNS, threads, until};

/// What a run works with.
#[derive(Clone)]
pub struct SyncContext {
    /// The store.
    pub store: Store,
    /// Opens the bind password.
    pub keys: Arc<Keyring>,
    /// Tells the time.
    pub clock: Clock,
    /// Which addresses directories may be read from.
    pub guard: Guard,
    /// Whether the process is stopping.
    pub stop: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What is asked of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SyncOptions {
    /// Only look: everything up to the safeguard, and change nothing.
    pub dry: bool,
    /// Make the removals that this run held, as far as they still stand.
    pub approve: Option<RunId>,
}

/// Why a run did not begin.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SyncStartError {
    /// No LDAP connection has this name.
    #[error("There is no LDAP connection \"{0}\".")]
    Unknown(String),
    /// The connection is switched off.
    #[error("The connection \"{0}\" is paused; a dry run is possible.")]
    Paused(String),
    /// The directory is frozen.
    #[error("The directory of \"{0}\" is paused: nothing it says is taken; a dry run is possible.")]
    DirectoryPaused(String),
    /// The partner, or one above it, is suspended.
    #[error(
        "The partner of \"{0}\", or one above it, is suspended: nothing its directories say is taken; a dry run is possible."
    )]
    Suspended(String),
    /// Another run of the connection is going on.
    #[error("Another run of \"{0}\" is going on.")]
    Busy(String),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsErrors),
    /// The bind password cannot be opened.
    #[error("The bind password of \"{0}\" cannot be opened with the keys of this server; set it again.")]
    Secret(String),
    /// The run whose removals are approved is not one of this connection, or holds nothing.
    #[error("The run {0} of this connection holds nothing that could be approved.")]
    NothingHeld(RunId),
    /// The store failed.
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
}

/// Runs a connection to its end. Whether the caller may is decided before.
pub async fn start(env: &SyncContext, slug: &str, order: SyncOptions) -> Result<Report, SyncStartError> {
    Ok(prepare(env, slug, order).await?.run().await)
}

/// A run that has begun: it has its row and its lease.
pub struct SyncRun {
    env: SyncContext,
    connection: ConnectionContext,
    settings: Arc<ResolvedLdapSettings>,
    password: Option<SecretString>,
    order: SyncOptions,
    approved: Vec<PendingRemoval>,
    lease: Lease,
    report: Report,
}

/// Begins a run: checks what can be checked at once, takes the lease and writes the run's row.
pub(super) async fn checked(env: &SyncContext, slug: &str, order: SyncOptions) -> Result<SyncRun, SyncStartError> {
    let name = slug.to_owned();
    let mut reader = env.store.reader().await?;
    let connection = connections::open_connection_named(&mut reader, slug, ConnectionKind::Ldap).await?;
    let connection = connection.ok_or_else(|| SyncStartError::Unknown(name.clone()))?;
    match connection.standstill().filter(|_| !order.dry) {
        Some(Standstill::Connection) => return Err(SyncStartError::Paused(name)),
        Some(Standstill::Directory) => return Err(SyncStartError::DirectoryPaused(name)),
        Some(Standstill::Partner) => return Err(SyncStartError::Suspended(name)),
        None => {}
    }
    let settings =
        Arc::new(ResolvedLdapSettings::from_json(&connection.connection.profile, &connection.connection.settings)?);
    let sealed = connections::secret(&mut reader, &connection.extent).await?;
    let password = match sealed {
        None => None,
        Some(sealed) => {
            Some(opened(&env.keys, &connection, &sealed).ok_or_else(|| SyncStartError::Secret(name.clone()))?)
        }
    };
    let approved = match order.approve {
        None => Vec::new(),
        Some(run) => {
            let held = baseline::held(&mut reader, &connection.extent, run, 0, usize::MAX).await?;
            if held.is_empty() {
                return Err(SyncStartError::NothingHeld(run));
            }
            held
        }
    };
    drop(reader);

    let ctx = env.clock.ctx(Actor::System);
    let run: RunId = ctx.id();
    let lease = env.store.write(async |tx: &mut Tx| begin(tx, &ctx, &connection, run, order.dry).await).await?;
    let lease = lease.ok_or(SyncStartError::Busy(name))?;
    let mut report = Report::begin(run, slug, order.dry, ctx.now());
    report.observed = connection.mode == DirectoryMode::Observe;
    Ok(SyncRun { env: env.clone(), connection, settings, password, order, approved, lease, report })
}

/// The bind password of a connection; `None` when the keys do not fit.
pub fn opened(keys: &Keyring, connection: &ConnectionContext, sealed: &[u8]) -> Option<SecretString> {
    let plain = keys.open(SealPurpose::secret_of(&connection.connection), sealed).ok()?;
    Some(SecretString::from(String::from_utf8(plain.to_vec()).ok()?))
}

/// Takes the lease, ends what a process that died left running, and writes the run's row.
async fn begin(
    tx: &mut Tx,
    ctx: &Ctx,
    connection: &ConnectionContext,
    run: RunId,
    dry: bool,
) -> Result<Option<Lease>, StoreError> {
    let name = format!("sync:{}", connection.connection.id);
    let Some(lease) = leases::acquire(tx, &name, run.uuid(), LEASE).await? else {
        return Ok(None);
    };
    let lost = r#"{"failure":"The process that ran this ended before the run did."}"#;
    runs::abandon(tx, &connection.extent, lost, ctx.now()).await?;
    runs::insert(tx, &connection.extent, run, dry, ctx.now()).await?;
    Ok(Some(lease))
}

impl SyncRun {
    /// The run's id; its row can be read while it goes on.
    pub fn id(&self) -> RunId {
        self.report.run
    }

    /// Runs it to its end. Always answers a report; a failure is in it.
    pub async fn run(mut self) -> Report {
        let read = self.read().await;
        self.rest(read).await
    }

    /// What joins users with the directory's other connections; by default the stable id, so that who comes back is
    /// known again.
    fn join(&self) -> Option<String> {
        Some(self.connection.matching_attribute.clone().unwrap_or_else(|| self.settings.id.clone()))
    }

    /// Runs it on threads that serve no requests, and goes on when the caller no longer waits.
    pub async fn run_apart(mut self) -> Report {
        let mut lost = self.report.clone();
        let threads = threads();
        let apart = threads.clone().spawn(async move {
            // Many may wait for their directories; a thread is taken only when there is something to do.
            let read = self.read().await;
            threads.spawn_blocking(move || Handle::current().block_on(self.rest(read))).await
        });
        apart.await.and_then(|rest| rest).unwrap_or_else(|_| {
            lost.failure = Some("The run broke off; this is a fault of ours.".to_owned());
            lost
        })
    }

    /// Reads the directory, and waits for its turn to compare. Ends as soon as the process is stopping.
    async fn read(&mut self) -> Read {
        let began = Instant::now();
        let beat = Beat(self.heartbeat());
        let stop = self.env.stop.clone();
        let read = snapshot(self.settings.clone(), self.password.clone(), self.join(), self.env.guard.clone());
        let read = until(&*stop, read).await.map_err(Failure::from).and_then(|read| Ok(read?));
        self.report.milliseconds.read = millis(began);
        let found = match read {
            Ok(snapshot) => {
                until(&*stop, TURNS.acquire()).await.map(|turn| (snapshot, turn.ok())).map_err(Failure::from)
            }
            Err(failure) => Err(failure),
        };
        Read { began, beat, found }
    }

    async fn rest(mut self, read: Read) -> Report {
        let Read { began, beat, found } = read;
        let result = match found {
            Ok((snapshot, _turn)) => self.phases(snapshot).await,
            Err(failure) => Err(failure),
        };
        drop(beat);
        self.report.milliseconds.total = millis(began);
        if let Err(failure) = result {
            self.report.status = Status::Failed;
            self.report.failure = Some(failure.to_string());
        }
        self.report.settle();
        self.end().await;
        self.report
    }

    async fn phases(&mut self, snapshot: RawRead) -> Result<(), Failure> {
        self.report.server = Some(snapshot.url.clone());
        let identity = snapshot.identity.clone();

        let began = Instant::now();
        let stop = self.env.stop.clone();
        let (mut compared, approved) = until(&*stop, self.compare(snapshot, &identity)).await??;
        let again = lookup::again(&self.settings, self.password.as_ref(), &self.env.guard, &mut compared, &approved);
        self.report.read.found_again = until(&*stop, again).await??;
        self.describe(&compared, &identity).await?;
        self.report.milliseconds.compare = millis(began);
        self.nobody_counts(&compared)?;
        self.report.status = if compared.holds() { Status::Held } else { Status::Done };
        if self.order.dry {
            self.expected(&compared);
            return Ok(());
        }

        let began = Instant::now();
        self.hold(&compared, &approved).await?;
        let outcome = self.apply(&compared).await;
        self.report.milliseconds.apply = millis(began);
        outcome?;
        let (at, run, now) = (self.connection.extent, self.id(), self.env.clock.now());
        if compared.settles() {
            let server = identity.stored();
            self.env.store.write(async |tx: &mut Tx| runs::set_server(tx, &at, &server, run, now).await).await?;
        }
        self.report.users.for_review = self.unlinked().await?;
        Ok(())
    }

    /// Stages what waits, and notes what goes without anybody's approval.
    async fn hold(&self, compared: &Compared, approved: &HashSet<Removal>) -> Result<(), Failure> {
        let (run, at, now) = (self.id(), self.connection.extent, self.env.clock.now());
        let Compared { said, accepted, plan, verdict, .. } = compared;
        let taken = safeguard::taken(said, accepted, plan, &verdict.apply, approved);
        let taken = window::in_rows(&taken);
        let since = now.plus_seconds(-WINDOW_HOURS * 3_600);
        let note = async |tx: &mut Tx| baseline::take(tx, &at, run, (&taken, &compared.back), (now, since)).await;
        if !(taken.is_empty() && compared.back.is_empty()) {
            self.env.store.write(note).await?;
        }
        for (at, lines) in self.report.held.chunks(400).enumerate() {
            let rows: Vec<PendingRemoval> = lines
                .iter()
                .map(|line| PendingRemoval {
                    kind: line.kind.clone(),
                    stable_id: line.subject.clone(),
                    group_stable_id: line.outer_group.clone(),
                    name: line.title.clone(),
                    reason: serde_json::to_string(&line.reason).unwrap_or_default(),
                })
                .collect();
            self.env.store.write(async |tx: &mut Tx| baseline::hold(tx, run, at * 400, &rows).await).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, compared: &Compared) -> Result<(), Failure> {
        let schemas = SchemaSet::base();
        let actor = Actor::Connection { connection: self.connection.connection.id, run: Some(self.id()) };
        let stop = self.env.stop.clone();
        let gone = baseline::deleted(&mut self.env.store.reader().await?, &self.connection.extent).await?;
        let hand = Applier {
            gone: gone.into_iter().collect(),
            store: &self.env.store,
            clock: self.env.clock,
            actor,
            source: ProvisionSource {
                extent: self.connection.extent,
                schemas: &schemas,
                matching_attribute: None,
                unknown_members: UnknownMembers::Skip,
            },
            lease: &self.lease,
            stop: &*stop,
        };
        let Compared { said, accepted, plan, verdict, .. } = compared;
        Ok(execute::execute(&hand, said, accepted, plan, &verdict.apply, &mut self.report).await?)
    }

    /// Renews the lease while a long read or comparison goes on.
    fn heartbeat(&self) -> JoinHandle<()> {
        let (store, lease) = (self.env.store.clone(), self.lease.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LEASE / 4).await;
                let lease = &lease;
                // Whether it is still ours is asked where something is written.
                let _renewed = store.write(async |tx: &mut Tx| leases::renew(tx, lease, LEASE).await).await;
            }
        })
    }

    /// Writes the report and gives the lease back.
    async fn end(&mut self) {
        let (at, now, report) = (self.connection.extent, self.env.clock.now(), self.report.stored());
        let (run, status, lease) = (self.id(), self.report.status.as_str(), &self.lease);
        let written = self.env.store.write(async |tx: &mut Tx| {
            runs::finish(tx, &at, run, status, &report, now).await?;
            leases::release(tx, lease).await
        });
        if let Err(error) = written.await {
            tracing::warn!(%run, %error, "the report of a run could not be stored");
            self.report.failure.get_or_insert_with(|| format!("The report could not be stored: {error}."));
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ldap(#[from] LdapFailure),
    #[error("The store failed: {0}.")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ended(#[from] AbortReason),
    #[error("Comparing what was read failed; this is a fault of ours. Nothing was changed.")]
    Comparing,
    #[error("None of the {of} users who were read can be taken; of the first, {one}. Nothing was changed.")]
    NobodyTaken { of: u64, one: String },
    #[error(
        "Nobody was read: below the bases nothing matches {filter}, or this name may not see it. Nothing was changed."
    )]
    NobodyRead { filter: String },
}

/// What a read brought.
struct Read {
    began: Instant,
    beat: Beat,
    /// What the directory holds, and the right to compare it now.
    found: Result<(RawRead, Option<SemaphorePermit<'static>>), Failure>,
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
