//! Black-box suites and labs. Each is one file; each starts the server as a person would
//! (`rolecall demo --json`), talks to it over its doors only, and shares no code with it.
//!
//! `conformance NAME --server-binary PATH --database sqlite|postgres://… --lab DIR`
//! `cargo xtask test` calls it so, and installs what the labs need.

mod args;
mod console;
mod fairness;
mod faults;
mod http;
mod ldap;
mod load;
mod newcomer;
mod oidc;
mod random;
mod refusals;
mod report;
mod scim_suites;
mod server;
mod setup;

use anyhow::{Result, bail};
use args::Args;
use report::Report;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // reqwest and ldap3 share the one provider that is linked.
    let provider = rustls::crypto::ring::default_provider().install_default();
    debug_assert!(provider.is_ok(), "nothing installs a provider before main");
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<bool> {
    let args = Args::parse(std::env::args().skip(1))?;
    // What the benchmarks compare with runs in processes of its own.
    match args.name.as_str() {
        "bench-scim-floor" => return load::floor::serve(&args).await.map(|()| true),
        "bench-scim-inserts" => return load::inserts::write(&args).await.map(|()| true),
        _ => {}
    }
    let mut report = Report::new(&args.title());
    let outcome = match args.name.as_str() {
        "scim" => scim_suites::tester(&args, &mut report).await,
        "scim-sanity" => scim_suites::sanity(&args, &mut report).await,
        "fairness" => fairness::run(&args, &mut report).await,
        "faults" => faults::run(&args, &mut report).await,
        "ldap" => ldap::run(&args, &mut report).await,
        "oidc" => oidc::run(&args, &mut report).await,
        "console" => console::run(&args, &mut report).await,
        "refusals" => refusals::run(&args, &mut report).await,
        "newcomer" => newcomer::run(&args, &mut report).await,
        "bench-apply" => load::apply::bench_apply(&args, &mut report).await,
        "bench-ldap" => ldap::bench::run(&args, &mut report).await,
        "bench-probes" => load::probes::bench_probes(&args, &mut report).await,
        "bench-scim" => load::bench_scim(&args, &mut report).await,
        other => bail!("there is no lab '{other}'"),
    };
    if let Err(error) = outcome {
        report.fail("the lab itself", &format!("{error:#}"));
    }
    Ok(report.close())
}
