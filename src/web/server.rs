//! Starts and stops the HTTP server and what runs beside it.
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{Compress, from_fn};
use actix_web::web;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::login::LoginState;
use super::operator_token::Operator;
use super::scim::last_used;
use super::tls::{self, Certificate, TlsError};
use super::{App, listen, metrics, middleware, routes, sync};
use crate::admin::keys::{self, KeysRefused};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::domain::ctx::Actor;
use crate::domain::time::Timestamp;
use crate::jobs::health::{self, Health, Look, Trouble};
use crate::jobs::{event_sealer, introductions, purge, removal_alerts, schedule, statistics, totals};
use crate::secret::KeyFault;
use crate::store::request_log::{self, LogError};
use crate::store::{self, Store, StoreError, key_check};

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data folder cannot be made.
    #[error("cannot make the folder {0}: {1}")]
    Folder(PathBuf, std::io::Error),
    /// The notice of the running server cannot be written.
    #[error("cannot write into the folder {0}: {1}")]
    Notice(PathBuf, std::io::Error),
    /// The keys that seal secrets cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyFault),
    /// The log of requests cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys are not those of the installation.
    #[error(transparent)]
    OtherKeys(#[from] KeysRefused),
    /// The clock of this server and that of its database differ.
    #[error("{0}")]
    Clock(String),
    /// A setting for signing in is unusable.
    #[error("{0}")]
    SignIn(String),
}

/// A server that answers.
pub struct HttpServerHandle {
    address: SocketAddr,
    app: web::Data<App>,
    operator: web::Data<Operator>,
    servers: Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>,
    certificate: Option<Arc<Certificate>>,
    tell: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts a server on `config.server.listen`; it answers when this returns.
///
/// # Errors
/// [`StartError`]: the address is taken, or certificate and key cannot be used.
pub async fn start(config: Config, store: Store, clock: Clock) -> Result<HttpServerHandle, StartError> {
    metrics::collect();
    if let Some(off) = health::off(&store, clock).await? {
        return Err(StartError::Clock(off));
    }
    let listener = bind(config.server.listen)?;
    let address = listener.local_addr().map_err(|error| StartError::Listen(config.server.listen, error))?;
    let certificate = config.server.tls.files().map(|(certificate, key)| Certificate::open(certificate, key));
    let certificate = certificate.transpose()?;
    let figures = config.metrics.listen.map(bind).transpose()?;
    let public_url = config.public_url(address);
    let folder = &config.store.data_dir;
    std::fs::create_dir_all(folder).map_err(|error| StartError::Folder(folder.clone(), error))?;
    let ctx = clock.ctx(Actor::System);
    let keyring = Arc::new(config.keyring(&ctx, secrets_exist(&store).await?)?);
    keys::confirm(&store, &ctx, &keyring).await?;
    let shown = certificate.as_ref().and_then(|certificate| certificate.digest());
    let operator = Operator::announce(&config.store, (address, &public_url), shown, &ctx);
    let operator = web::Data::new(operator.map_err(|error| StartError::Notice(folder.clone(), error))?);
    let desk = LoginState::open(&config, &store, Arc::clone(&keyring), &public_url).map_err(StartError::SignIn)?;
    let (log, writer) = request_log::open(&config.store.url(), folder, config.retention.request_log_days).await?;
    let health = Arc::new(Health::new());
    let mut look = Look::new(store.clone(), clock, log.clone());
    look.turn(&health).await;
    let app = App::new(config, store, clock, public_url, keyring, Arc::new(desk), (log, Arc::clone(&health)));
    let app = web::Data::new(app);

    let mut servers = vec![spawn(main_server(&app, &operator, listener, certificate.as_ref())?)];
    if let Some(listener) = figures {
        servers.push(spawn(figures_server(listener, &app.config.server)?));
    }
    let (tell, told) = watch::channel(false);
    let beside = |job: &'static str, task: JoinHandle<()>| tokio::spawn(missed(job, task, app.clone(), told.clone()));
    let (kept, by_time) = (app.config.retention.clone(), Arc::clone(&health));
    let by_clock = app.store.clone();
    let mut tasks = vec![
        beside("request log", tokio::spawn(writer.run(move || database_time(by_clock.clone(), clock), told.clone()))),
        beside("last uses", tokio::spawn(last_used::keep(app.clone(), told.clone()))),
        beside("sealer", tokio::spawn(event_sealer::run(app.store.clone(), clock, told.clone()))),
        tokio::spawn(statistics::run(app.store.clone(), told.clone())),
        beside("retention", tokio::spawn(purge::run(app.store.clone(), clock, kept, by_time, told.clone()))),
        beside("introductions", tokio::spawn(introductions::run(app.store.clone(), clock, told.clone()))),
        beside("schedule", schedule::start(sync::env(&app), told.clone())),
        beside("sessions", tokio::spawn(Arc::clone(&app.desk).keep(clock, told.clone()))),
        beside("totals", tokio::spawn(totals::run(app.store.clone(), clock, told.clone()))),
        tokio::spawn(health::run(look, health, told.clone())),
    ];
    if removal_alerts::watches(&app.config.removal_alerts) {
        let watch = removal_alerts::run(app.store.clone(), clock, app.config.removal_alerts, told.clone());
        tasks.push(beside("removal_alerts", tokio::spawn(watch)));
    }
    if let Some(certificate) = certificate.clone() {
        let watch = watch_certificate(certificate, operator.clone(), told.clone());
        tasks.push(beside("certificate", tokio::spawn(watch)));
    }
    Ok(HttpServerHandle { address, app, operator, servers, certificate, tell, tasks })
}

impl HttpServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its state.
    pub fn app(&self) -> &web::Data<App> {
        &self.app
    }

    /// The certificate in use, when the server itself speaks TLS.
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Tells work beside the server when to end: `true` from the moment it stops.
    pub fn told(&self) -> watch::Receiver<bool> {
        self.tell.subscribe()
    }

    /// Work that `stop` waits for; it ends when [`HttpServerHandle::told`] turns.
    pub fn add_task(&mut self, task: JoinHandle<()>) {
        self.tasks.push(task);
    }

    /// Serves until SIGTERM or Ctrl-C, then stops. SIGHUP reads the certificate again.
    ///
    /// # Errors
    /// The process cannot be told of signals.
    pub async fn until_signal(self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => if let Some(certificate) = &self.certificate {
                    reload(certificate, &self.operator, true);
                },
            }
        }
        tracing::info!("stopping");
        self.stop().await;
        Ok(())
    }

    /// Takes no new connections, lets running requests finish, then ends what runs beside. All of it takes no longer
    /// than `shutdown_timeout_seconds`, and a moment: what has not ended by then is left.
    pub async fn stop(self) {
        let until = Instant::now() + Duration::from_secs(self.app.config.server.shutdown_timeout_seconds) + MOMENT;
        self.app.stop();
        for (handle, server) in self.servers {
            handle.stop(true).await;
            if let Ok(Err(error)) = server.await {
                tracing::warn!(%error, "the listener ended with an error");
            }
        }
        self.operator.withdraw();
        self.tell.send_replace(true);
        for mut task in self.tasks {
            match timeout_at(until, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "a task beside the server ended badly"),
                Err(_) => {
                    task.abort();
                    tracing::warn!("work beside the server did not end in time; it is left");
                }
            }
        }
    }
}

/// What work beside the server has after the last request, in any case.
const MOMENT: Duration = Duration::from_secs(1);

/// Whether secrets were sealed before; then a missing key file is not made anew.
async fn secrets_exist(store: &Store) -> Result<bool, StoreError> {
    let mut reader = store.reader().await?;
    key_check::any(&mut reader).await
}

fn bind(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Listen(address, error))
}

fn spawn(server: Server) -> (ServerHandle, JoinHandle<std::io::Result<()>>) {
    (server.handle(), tokio::spawn(server))
}

fn main_server(
    app: &web::Data<App>,
    operator: &web::Data<Operator>,
    listener: TcpListener,
    certificate: Option<&Arc<Certificate>>,
) -> Result<Server, StartError> {
    let settings = &app.config.server;
    let (state, operator) = (app.clone(), operator.clone());
    let build = move || {
        actix_web::App::new()
            .app_data(state.clone())
            .app_data(operator.clone())
            .configure(routes::mount)
            .wrap(Compress::default())
            .wrap(from_fn(middleware::edge))
    };
    let served = listen::serve(build, listener, certificate, settings);
    served.map_err(|error| StartError::Listen(settings.listen, error))
}

fn figures_server(listener: TcpListener, settings: &config::ServerConfig) -> Result<Server, StartError> {
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    let page = || actix_web::App::new().route("/metrics", web::get().to(async || metrics::page()));
    let settings = config::ServerConfig { workers: 1, shutdown_timeout_seconds: 1, ..settings.clone() };
    listen::serve(page, listener, None, &settings).map_err(|error| StartError::Listen(address, error))
}

/// A task that ends with whoever waits for it.
struct Ended(JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Waits for a task; one that ends before it was told to is missed.
async fn missed(job: &'static str, task: JoinHandle<()>, app: web::Data<App>, told: watch::Receiver<bool>) {
    let mut task = Ended(task);
    let ended = (&mut task.0).await;
    if !*told.borrow() {
        let told = format!("The work \"{job}\" has ended by itself; start this server anew.");
        app.health.set(Trouble::Job, Some(told));
    } else if let Err(error) = ended {
        tracing::error!(%error, job, "a task beside the server ended badly");
    }
}

async fn watch_certificate(
    certificate: Arc<Certificate>,
    operator: web::Data<Operator>,
    mut told: watch::Receiver<bool>,
) {
    while tokio::time::timeout(tls::INTERVAL, told.wait_for(|stop| *stop)).await.is_err() {
        reload(&certificate, &operator, false);
    }
}

fn reload(certificate: &Certificate, operator: &Operator, forced: bool) {
    match certificate.reload(forced) {
        Ok(true) => {
            tracing::info!("a new certificate is in use");
            if let Some(Err(error)) = certificate.digest().map(|digest| operator.certified(digest)) {
                tracing::error!(%error, "commands on this machine do not know the new certificate");
            }
        }
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "the new certificate cannot be used; the old one stays"),
    }
}

/// What time it is by the database's clock: by it rows of the log of requests grow old, whatever a server's own says. None
/// while it does not tell.
async fn database_time(store: Store, clock: Clock) -> Option<Timestamp> {
    match store::clock(&store).await {
        Ok(there) => Some(there.unwrap_or_else(|| clock.now())),
        Err(error) => {
            tracing::warn!(%error, "the database does not tell what time it is");
            None
        }
    }
}
