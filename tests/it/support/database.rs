//! A database of its own for every test, on either kind of server.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rolecall::store::{self, OpenError, Options, SqlValue, Statement, Store, Tx};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// An empty database with the whole schema.
pub struct Database {
    /// Open, with few connections.
    pub store: Store,
    /// Where it is, to open it again or to give it to a server process.
    pub url: String,
    folder: Option<PathBuf>,
}

impl Database {
    /// A new SQLite file.
    pub async fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("rolecall-it-{}", unique()));
        std::fs::create_dir(&folder).unwrap();
        let url = format!("sqlite:{}", folder.join("main.db").display());
        Self { store: open(&url).await, url, folder: Some(folder) }
    }

    /// A new database on the PostgreSQL server of the run.
    pub async fn postgres() -> Self {
        let template = template().await;
        let name = format!("it_{}", unique());
        let mut server = server().await;
        statement(&mut server, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        let url = url_of(&name);
        Self { store: open(&url).await, url, folder: None }
    }

    /// Closes the store and opens it a second time.
    pub async fn open_again(&self) -> Result<Store, OpenError> {
        self.store.close().await;
        store::open(&self.url, &Options::default()).await
    }

    /// A folder for files beside the database.
    pub fn folder(&self) -> PathBuf {
        match &self.folder {
            Some(folder) => folder.clone(),
            None => std::env::temp_dir().join(format!("rolecall-{}", self.url.rsplit('/').next().unwrap())),
        }
    }

    /// Changes rows behind the use cases.
    pub async fn execute(&self, statement: &'static Statement, values: Vec<SqlValue>) {
        let work = async |tx: &mut Tx| tx.execute(statement, values.clone()).await;
        self.store.write(work).await.unwrap();
    }

    /// Runs statements on the database's server, not through the store: settings, and damage.
    pub async fn on_the_server(&self, text: &str) {
        let mut connection = self.url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
        statement(&mut connection, text.to_owned()).await;
    }

    /// Cuts every connection to the database (PostgreSQL), as a restart of its server does.
    pub async fn cut_off(&self) {
        // Waits until they have ended: a signal alone may arrive after the next request has begun.
        let cut = "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE datname = '{name}'";
        statement(&mut server().await, cut.replace("{name}", self.name())).await;
    }

    /// Lets nobody connect to the database any more (PostgreSQL), or everybody again.
    pub async fn lock_out(&self, out: bool) {
        let name = self.name();
        statement(&mut server().await, format!("ALTER DATABASE {name} ALLOW_CONNECTIONS {}", !out)).await;
        if out {
            self.cut_off().await;
        }
    }

    fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap().split('?').next().unwrap()
    }

    /// Closes the store and deletes the database. A test that fails leaves it for a look.
    pub async fn remove(self) {
        self.store.close().await;
        match &self.folder {
            Some(folder) => std::fs::remove_dir_all(folder).unwrap(),
            None => {
                let _absent = std::fs::remove_dir_all(self.folder());
                statement(&mut server().await, format!("DROP DATABASE {} WITH (FORCE)", self.name())).await;
            }
        }
    }
}

fn unique() -> String {
    format!("{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

async fn open(url: &str) -> Store {
    // Few connections each: many tests share the server.
    let options = Options { connections: 6, readers: 4, ..Options::default() };
    store::open(url, &options).await.unwrap()
}

/// The schema is laid down once a run; each test copies it.
async fn template() -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("template_{}", unique());
            statement(&mut server().await, format!("CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")).await;
            open(&url_of(&name)).await.close().await;
            name
        })
        .await
}

fn server_url() -> String {
    std::env::var("ROLECALL_TEST_POSTGRES").expect(
        "the tests on PostgreSQL need a server: run `cargo xtask test`, which starts one and sets ROLECALL_TEST_POSTGRES",
    )
}

fn url_of(database: &str) -> String {
    let server = server_url();
    let (base, _) = server.rsplit_once('/').expect("ROLECALL_TEST_POSTGRES ends with /<database>");
    format!("{base}/{database}")
}

async fn server() -> PgConnection {
    let options: PgConnectOptions = server_url().parse().unwrap();
    options.connect().await.expect("the server of ROLECALL_TEST_POSTGRES answers")
}

async fn statement(server: &mut PgConnection, text: String) {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(server).await.unwrap();
}

/// Declares tests that run once on each kind of database: `on_both! { async fn name(db: &Database) { … } }`.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: &Database) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "a body may name nothing of its module")]
            use super::*;

            async fn body($db: &$crate::support::database::Database) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let database = $crate::support::database::Database::sqlite().await;
                body(&database).await;
                database.remove().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let database = $crate::support::database::Database::postgres().await;
                body(&database).await;
                database.remove().await;
            }
        }
    )*};
}
pub(crate) use on_both;
