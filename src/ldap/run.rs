//! One run: read, prove, compare, brake, apply, report. The command line, the console, the API and the schedule all
//! come here.
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::directory::{ConnectionKind, ConnectionState, Mode};
use crate::domain::id::{ExternalUserId, Id as _, RunId};
use crate::provision::{ProvisionError, Source, UnknownMembers};
use crate::scim::resource::Document;
use crate::scim::schema::SchemaSet;
use crate::secret::{Keyring, Purpose};
use crate::store::connections::{self, Door};
use crate::store::leases::{self, Lease};
use crate::store::stage::{self, Held};
use crate::store::{Store, StoreError, Tx, runs};

use super::apply::{Ended, Hand, LEASE};
use super::brake::{self, Circumstances, Removal, WINDOW_HOURS};
use super::client::{Guard, LdapFailure};
use super::compare::{Basis, Compared, First};
use super::entry::Part;
use super::execute;
use super::identity::{Difference, Identity};
use super::look;
use super::plan::{Accepted, KnownGroup, KnownUser};
use super::report::{PairCounts, Report, Status, named};
use super::settings::{Settings, Wrong};
use super::source::{Snapshot, snapshot};
pub use super::unbegun::prepare;
use super::window;

/// What a run works with.
#[derive(Clone)]
pub struct Env {
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
pub struct Order {
    /// Only look: everything up to the brake, and change nothing.
    pub dry: bool,
    /// Make the removals that this run held, as far as they still stand.
    pub approve: Option<RunId>,
}

/// Why a run did not begin.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum NotStarted {
    /// No LDAP connection has this name.
    #[error("There is no LDAP connection \"{0}\".")]
    Unknown(String),
    /// The connection is switched off.
    #[error("The connection \"{0}\" is paused; a dry run is possible.")]
    Paused(String),
    /// The directory is frozen.
    #[error("The directory of \"{0}\" is paused: nothing it says is taken; a dry run is possible.")]
    DirectoryPaused(String),
    /// Another run of the connection is going on.
    #[error("Another run of \"{0}\" is going on.")]
    Busy(String),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] Wrong),
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
pub async fn start(env: &Env, slug: &str, order: Order) -> Result<Report, NotStarted> {
    Ok(prepare(env, slug, order).await?.run().await)
}

/// A run that has begun: it has its row and its lease.
pub struct Prepared {
    env: Env,
    door: Door,
    settings: Arc<Settings>,
    password: Option<SecretString>,
    order: Order,
    approved: Vec<Held>,
    lease: Lease,
    report: Report,
}

/// Begins a run: checks what can be checked at once, takes the lease and writes the run's row.
pub(super) async fn checked(env: &Env, slug: &str, order: Order) -> Result<Prepared, NotStarted> {
    let name = slug.to_owned();
    let mut reader = env.store.reader().await?;
    let door = connections::open_door_named(&mut reader, slug, ConnectionKind::Ldap).await?;
    let door = door.ok_or_else(|| NotStarted::Unknown(name.clone()))?;
    if !order.dry && door.connection.state == ConnectionState::Paused {
        return Err(NotStarted::Paused(name));
    }
    if !order.dry && door.mode == Mode::Paused {
        return Err(NotStarted::DirectoryPaused(name));
    }
    let settings = Arc::new(Settings::from_json(&door.connection.profile, &door.connection.config)?);
    let sealed = connections::secret(&mut reader, &door.extent).await?;
    let password = match sealed {
        None => None,
        Some(sealed) => Some(opened(&env.keys, &door, &sealed).ok_or_else(|| NotStarted::Secret(name.clone()))?),
    };
    let approved = match order.approve {
        None => Vec::new(),
        Some(run) => {
            let held = stage::held(&mut reader, &door.extent, run, 0, usize::MAX).await?;
            if held.is_empty() {
                return Err(NotStarted::NothingHeld(run));
            }
            held
        }
    };
    drop(reader);

    let ctx = env.clock.ctx(Actor::System);
    let run: RunId = ctx.id();
    let lease = env.store.write(async |tx: &mut Tx| begin(tx, &ctx, &door, run, order.dry).await).await?;
    let lease = lease.ok_or(NotStarted::Busy(name))?;
    let mut report = Report::begin(run, slug, order.dry, ctx.now());
    report.observed = door.mode == Mode::Observe;
    Ok(Prepared { env: env.clone(), door, settings, password, order, approved, lease, report })
}

/// The bind password of a door; `None` when the keys do not fit.
pub fn opened(keys: &Keyring, door: &Door, sealed: &[u8]) -> Option<SecretString> {
    let plain = keys.open(Purpose::secret_of(&door.connection), sealed).ok()?;
    Some(SecretString::from(String::from_utf8(plain.to_vec()).ok()?))
}

/// Takes the lease, ends what a process that died left running, and writes the run's row.
async fn begin(tx: &mut Tx, ctx: &Ctx, door: &Door, run: RunId, dry: bool) -> Result<Option<Lease>, StoreError> {
    let name = format!("sync:{}", door.connection.id);
    let Some(lease) = leases::acquire(tx, &name, run.uuid(), LEASE).await? else {
        return Ok(None);
    };
    let lost = r#"{"failure":"The process that ran this ended before the run did."}"#;
    runs::abandon(tx, &door.extent, lost, ctx.now()).await?;
    runs::insert(tx, &door.extent, run, dry, ctx.now()).await?;
    Ok(Some(lease))
}

impl Prepared {
    /// The run's id; its row can be read while it goes on.
    pub fn id(&self) -> RunId {
        self.report.run
    }

    /// Runs it to its end. Always answers a report; a failure is in it.
    pub async fn run(mut self) -> Report {
        let read = self.read().await;
        self.rest(read).await
    }

    /// What joins people with the directory's other doors; by default the stable id, so that who comes back is
    /// known again.
    fn join(&self) -> Option<String> {
        Some(self.door.join_attribute.clone().unwrap_or_else(|| self.settings.id.clone()))
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

    async fn phases(&mut self, snapshot: Snapshot) -> Result<(), Failure> {
        self.report.server = Some(snapshot.url.clone());
        let identity = snapshot.identity.clone();

        let began = Instant::now();
        let stop = self.env.stop.clone();
        let (mut compared, approved) = until(&*stop, self.compare(snapshot, &identity)).await??;
        let again = look::again(&self.settings, self.password.as_ref(), &self.env.guard, &mut compared, &approved);
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
        let (at, run, now) = (self.door.extent, self.id(), self.env.clock.now());
        if compared.settles() {
            let server = identity.stored();
            self.env.store.write(async |tx: &mut Tx| runs::set_server(tx, &at, &server, run, now).await).await?;
        }
        self.report.users.for_review = self.unlinked().await?;
        Ok(())
    }

    /// Translates the read, loads the accepted state, and decides; with what a person has approved.
    async fn compare(
        &mut self,
        snapshot: Snapshot,
        identity: &Identity,
    ) -> Result<(Compared, HashSet<Removal>), Failure> {
        let (people, groups) = snapshot.read.get();
        let read = &mut self.report.read;
        (read.users, read.groups) = (people.entries.len() as u64, groups.entries.len() as u64);
        read.pages = people.pages + groups.pages;
        read.references = (people.references.len() + groups.references.len()) as u64;

        let (at, since) = (self.door.extent, self.env.clock.now().plus_seconds(-WINDOW_HOURS * 3_600));
        let mut accepted = self.accepted().await?;
        let mut reader = self.env.store.reader().await?;
        let before = runs::server(&mut reader, &at).await?.as_deref().and_then(Identity::parse);
        let privileged: HashSet<_> = stage::privileged(&mut reader, &at).await?.into_iter().collect();
        let mapped: HashSet<_> = stage::mapped(&mut reader, &at).await?.into_iter().collect();
        let taken = stage::taken(&mut reader, &at, since).await?;
        drop(reader);
        for user in &mut accepted.users {
            user.privileged = privileged.contains(&user.id);
        }
        for group in &mut accepted.groups {
            group.mapped = mapped.contains(&group.id);
        }
        let Difference { strange, narrowed } = before.map(|before| identity.differs(&before)).unwrap_or_default();
        let approved = self.approved(&accepted);
        let named = |kind: &'static str| self.approved.iter().filter(move |held| held.kind == kind);
        let fingerprint = identity.fingerprint();
        let basis = Arc::new(Basis {
            settings: self.settings.clone(),
            join: self.join(),
            adds_only: self.door.mode == Mode::Additive,
            about: Circumstances {
                strange,
                narrowed,
                approved_read: named("read").any(|held| held.subject == fingerprint),
                approved: approved.clone(),
                before: window::added_up(taken),
            },
            approved_parts: named("part").map(|held| Part::named(&held.subject)).collect(),
        });

        // Translating and comparing a large directory takes seconds of processor time: not on a thread of the runtime.
        let (read, about) = (snapshot.read, basis.clone());
        let first = tokio::task::spawn_blocking(move || First::of(read, accepted, &about)).await;
        let first = first.map_err(|_| Failure::Comparing)?;
        let documents = self.documents(&first.changed()).await?;
        let compared = tokio::task::spawn_blocking(move || first.decide(&documents, &basis)).await;
        Ok((compared.map_err(|_| Failure::Comparing)?, approved))
    }

    /// The documents of those who changed, as they were.
    async fn documents(&self, ids: &[ExternalUserId]) -> Result<HashMap<ExternalUserId, Document>, StoreError> {
        let mut documents = HashMap::with_capacity(ids.len());
        for part in ids.chunks(1_000) {
            let mut reader = self.env.store.reader().await?;
            documents.extend(stage::documents(&mut reader, &self.door.extent, part).await?);
        }
        Ok(documents)
    }

    /// Notes in the report what was read and decided.
    async fn describe(&mut self, compared: &Compared, identity: &Identity) -> Result<(), StoreError> {
        let Compared { said, accepted, plan, verdict, parts, concerned, whole, .. } = compared;
        let for_review = self.unlinked().await?;
        let report = &mut self.report;
        report.read.whole = *whole;
        report.read.strangers = said.strangers;
        report.asides(said);
        report.hold(verdict, parts, accepted, &identity.fingerprint());
        report.plan(plan, said);
        for removal in brake::all(&verdict.apply) {
            let (kind, id, _, title) = named(removal, accepted);
            if matches!(removal, Removal::User(_) | Removal::Group(_)) {
                report.line(kind, "removed", &id, &title);
            }
        }
        let left = |all: usize, some: usize| all.saturating_sub(some) as u64;
        report.users.unchanged = left(said.users.len(), concerned.0);
        report.users.waiting = left(concerned.0, plan.create_users.len() + plan.change_users.len());
        report.users.for_review = for_review;
        report.groups.unchanged = left(said.groups.len(), concerned.1);
        report.groups.waiting = left(concerned.1, plan.create_groups.len() + plan.change_groups.len());
        Ok(())
    }

    async fn unlinked(&self) -> Result<u64, StoreError> {
        let mut reader = self.env.store.reader().await?;
        Ok(u64::try_from(stage::unlinked(&mut reader, &self.door.extent).await?).unwrap_or_default())
    }

    /// A run in which nobody counts is not done: people were read and none can be taken, or none were read and nobody
    /// was known who could be missing.
    fn nobody_counts(&self, compared: &Compared) -> Result<(), Failure> {
        if !compared.said.users.is_empty() || compared.holds() {
            return Ok(());
        }
        let aside = &compared.said.set_aside;
        match aside.first() {
            Some(one) => Err(Failure::NobodyTaken { of: self.report.read.users, one: one.why.to_string() }),
            None => Err(Failure::NobodyRead { filter: self.settings.user_filter.clone() }),
        }
    }

    async fn accepted(&self) -> Result<Accepted, StoreError> {
        let (store, at) = (&self.env.store, &self.door.extent);
        let users = stage::users(store, at).await?;
        let groups = stage::groups(store, at).await?;
        let user_at: HashMap<_, u32> = users.iter().map(|user| user.id).zip(0..).collect();
        let group_at: HashMap<_, u32> = groups.iter().map(|group| group.id).zip(0..).collect();
        let members = stage::members(store, at).await?;
        let members = members.iter().filter_map(|(group, user)| Some((*group_at.get(group)?, *user_at.get(user)?)));
        let nested = stage::nested(store, at).await?;
        let nested = nested.iter().filter_map(|(outer, inner)| Some((*group_at.get(outer)?, *group_at.get(inner)?)));
        let (members, nested) = (members.collect(), nested.collect());
        let users = users.into_iter().map(|user| KnownUser {
            id: user.id,
            key: user.stable_key,
            user_name: user.user_name,
            join_key: user.join_key,
            hash: user.row_hash,
            active: user.active,
            privileged: false,
        });
        let groups = groups.into_iter().map(|group| KnownGroup {
            id: group.id,
            key: group.stable_key,
            name: group.name,
            hash: group.row_hash,
            mapped: false,
        });
        Ok(Accepted { users: users.collect(), groups: groups.collect(), members, nested })
    }

    /// The approved removals as far as what they name is still there.
    fn approved(&self, accepted: &Accepted) -> HashSet<Removal> {
        let users: HashMap<&str, u32> = accepted.users.iter().map(|user| user.key.as_str()).zip(0..).collect();
        let groups: HashMap<&str, u32> = accepted.groups.iter().map(|group| group.key.as_str()).zip(0..).collect();
        let removal = |held: &Held| {
            let outer = || groups.get(held.outer_group.as_deref()?).copied();
            match held.kind.as_str() {
                "user" => users.get(held.subject.as_str()).map(|at| Removal::User(*at)),
                "group" => groups.get(held.subject.as_str()).map(|at| Removal::Group(*at)),
                "member" => Some(Removal::Member(outer()?, *users.get(held.subject.as_str())?)),
                "nested" => Some(Removal::Nested(outer()?, *groups.get(held.subject.as_str())?)),
                "switch_on" => users.get(held.subject.as_str()).map(|at| Removal::SwitchOn(*at)),
                "switch_off" => users.get(held.subject.as_str()).map(|at| Removal::SwitchOff(*at)),
                _ => None,
            }
        };
        self.approved.iter().filter_map(removal).collect()
    }

    /// The counts of a dry run: what would be.
    fn expected(&mut self, compared: &Compared) {
        let Compared { plan, verdict, .. } = compared;
        let report = &mut self.report;
        let blocked: HashSet<u32> =
            execute::blocked(&compared.said, &compared.accepted, plan, &verdict.apply).into_iter().collect();
        for user in blocked.iter().filter_map(|at| compared.said.users.get(*at as usize)) {
            let why = execute::in_words(&ProvisionError::Uniqueness { attribute: "userName" });
            report.refused(user.user_name.clone(), Some(user.key.clone()), why);
        }
        report.users.set_aside += blocked.len() as u64;
        report.users.created = plan.create_users.iter().filter(|at| !blocked.contains(at)).count() as u64;
        report.groups.created = plan.create_groups.len() as u64;
        for change in plan.change_users.iter().filter(|change| !blocked.contains(&change.said)) {
            execute::count(&mut report.users, change.kind);
        }
        for change in &plan.change_groups {
            execute::count(&mut report.groups, change.kind);
        }
        report.users.removed = verdict.apply.users.len() as u64;
        report.groups.removed = verdict.apply.groups.len() as u64;
        let pairs = |counts: &mut PairCounts, added: usize, removed: usize| {
            (counts.added, counts.removed) = (added as u64, removed as u64);
        };
        pairs(&mut report.members, plan.add_members.len(), verdict.apply.members.len());
        pairs(&mut report.nested, plan.add_nested.len(), verdict.apply.nested.len());
    }

    /// Stages what waits, and notes what goes without anybody's approval.
    async fn hold(&self, compared: &Compared, approved: &HashSet<Removal>) -> Result<(), Failure> {
        let (run, at, now) = (self.id(), self.door.extent, self.env.clock.now());
        let Compared { said, accepted, plan, verdict, .. } = compared;
        let taken = brake::taken(said, accepted, plan, &verdict.apply, approved);
        let taken = window::in_rows(&taken);
        let since = now.plus_seconds(-WINDOW_HOURS * 3_600);
        let note = async |tx: &mut Tx| stage::take(tx, &at, run, (&taken, &compared.back), (now, since)).await;
        if !(taken.is_empty() && compared.back.is_empty()) {
            self.env.store.write(note).await?;
        }
        for (at, lines) in self.report.held.chunks(400).enumerate() {
            let rows: Vec<Held> = lines
                .iter()
                .map(|line| Held {
                    kind: line.kind.clone(),
                    subject: line.subject.clone(),
                    outer_group: line.outer_group.clone(),
                    title: line.title.clone(),
                    reason: serde_json::to_string(&line.reason).unwrap_or_default(),
                })
                .collect();
            self.env.store.write(async |tx: &mut Tx| stage::hold(tx, run, at * 400, &rows).await).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, compared: &Compared) -> Result<(), Failure> {
        let schemas = SchemaSet::base();
        let actor = Actor::Connection { connection: self.door.connection.id, run: Some(self.id()) };
        let stop = self.env.stop.clone();
        let gone = stage::deleted(&mut self.env.store.reader().await?, &self.door.extent).await?;
        let hand = Hand {
            gone: gone.into_iter().collect(),
            store: &self.env.store,
            clock: self.env.clock,
            actor,
            source: Source {
                extent: self.door.extent,
                schemas: &schemas,
                join_attribute: None,
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
        let (at, now, report) = (self.door.extent, self.env.clock.now(), self.report.stored());
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
    Ended(#[from] Ended),
    #[error("Comparing what was read failed; this is a fault of ours. Nothing was changed.")]
    Comparing,
    #[error("None of the {of} people who were read can be taken; of the first, {one}. Nothing was changed.")]
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
    found: Result<(Snapshot, Option<SemaphorePermit<'static>>), Failure>,
}

/// Ends with what it beats for.
struct Beat(JoinHandle<()>);

impl Drop for Beat {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs of a process that compare and apply at the same time: that takes processor time and memory, where a read mostly
/// waits.
pub const TURNS_AT_ONCE: usize = 4;

static TURNS: Semaphore = Semaphore::const_new(TURNS_AT_ONCE);

/// Where runs go on: whoever serves requests has other threads, and no run takes one while it waits.
fn threads() -> Handle {
    static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
        let mut threads = Builder::new_multi_thread();
        threads.worker_threads(2).thread_name("ldap").enable_all().build().ok()
    });
    THREADS.as_ref().map_or_else(Handle::current, |threads| threads.handle().clone())
}

/// What comes of `work`, unless the process is stopping before.
async fn until<T>(stop: &(dyn Fn() -> bool + Send + Sync), work: impl Future<Output = T>) -> Result<T, Ended> {
    const LOOK: Duration = Duration::from_millis(100);
    let stopped = async {
        while !stop() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        done = work => Ok(done),
        () = stopped => Err(Ended::Stopped),
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
