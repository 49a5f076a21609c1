//! The floor: the least server on the same framework and driver. It asks the database for 1 and answers so many bytes.

use crate::args::Args;
use actix_web::{App, HttpResponse, HttpServer, http::header, web};
use anyhow::{Context, Result};
use serde_json::json;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use std::net::TcpListener;

/// As many as the server under test opens.
const READERS: u32 = 8;
/// More than any answer that is compared.
const MOST: usize = 1 << 20;

enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Serves until it is stopped; says so on standard output as the server under test does.
///
/// # Errors
/// When the database or the address cannot be had.
pub async fn serve(args: &Args) -> Result<()> {
    let database = web::Data::new(open(args).await?);
    let bytes = web::Data::new(web::Bytes::from(vec![b'x'; MOST]));
    let listener = TcpListener::bind("127.0.0.1:0").context("listening")?;
    let base = format!("http://{}/floor", listener.local_addr()?);
    let door = json!({"base": base, "token": "none"});
    println!("{}", json!({"ready": true, "console": base, "setup_link": base, "scim": door, "api": door}));
    // actix runs its workers in threads of their own; they need no runtime of ours.
    let app = move || {
        App::new().app_data(database.clone()).app_data(bytes.clone()).route("/floor/{bytes}", web::get().to(answer))
    };
    HttpServer::new(app).listen(listener)?.run().await.context("serving")
}

async fn open(args: &Args) -> Result<Database> {
    if args.database != "sqlite" {
        let pool = PgPoolOptions::new().max_connections(READERS).test_before_acquire(false).connect(&args.database);
        return Ok(Database::Postgres(pool.await?));
    }
    let file = args.folder("data")?.join("floor.db");
    let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
    Ok(Database::Sqlite(SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await?))
}

async fn answer(
    database: web::Data<Database>,
    bytes: web::Data<web::Bytes>,
    wanted: web::Path<usize>,
) -> actix_web::Result<HttpResponse> {
    let query = "SELECT 1";
    let done = match database.get_ref() {
        Database::Sqlite(pool) => sqlx::query(query).fetch_one(pool).await.map(drop),
        Database::Postgres(pool) => sqlx::query(query).fetch_one(pool).await.map(drop),
    };
    done.map_err(actix_web::error::ErrorInternalServerError)?;
    let body = bytes.slice(..wanted.into_inner().min(MOST));
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "application/scim+json")).body(body))
}
