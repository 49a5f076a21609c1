//! What a monitoring system reads: every series is there before anything has happened, with buckets that tell something.
use reqwest::Method;
use rolecall::store::Dialect;
use rolecall::web::routes;

use crate::app::App;
use crate::support::database::on_both;
use crate::support::world::World;

on_both! {
    async fn each_series_is_there_from_the_start_with_buckets_of_its_own(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start_with(db, |config| config.metrics.token = Some("figures".to_owned().into())).await;
        let read = async || {
            let shown = app.request(Method::GET, "/metrics").bearer_auth("figures").send().await.unwrap();
            assert_eq!(shown.status(), 200);
            shown.text().await.unwrap()
        };
        let shown = read().await;
        let has = |shown: &str, series: &str| shown.lines().any(|line| line.starts_with(series));
        // What appears only with its first count hides that count from whoever watches how fast it grows.
        for name in [
            "rolecall_http_connections_refused_total",
            "rolecall_request_log_dropped_entries_total",
            "rolecall_scim_authentication_failures_total",
            "rolecall_removal_alerts_total",
            "rolecall_db_commit_failures_total",
            "rolecall_db_transaction_retries_total",
        ] {
            assert!(has(&shown, &format!("{name} ")), "{name}");
        }
        for why in ["write", "answer", "rest", "frames"] {
            assert!(has(&shown, &format!("rolecall_http_connections_ended_total{{why=\"{why}\"}}")), "{why}");
        }
        for entry in routes::all() {
            for method in entry.methods() {
                for status in ["200", "500", "503"] {
                    let labels = format!("route=\"{}\",method=\"{method}\",status=\"{status}\"", entry.path);
                    assert!(has(&shown, &format!("rolecall_http_requests_total{{{labels}}} ")), "{labels}");
                }
            }
        }
        let scim = app.scim(db, &world, world.connections[0]).await;
        scim.user("ida").await;
        let shown = read().await;
        let bucket = |name: &str, most: &str| has(&shown, &format!("{name}_bucket{{le=\"{most}\"}} "));
        // Seconds say nothing of a number, and a disk is faster than a request.
        if db.store.dialect() == Dialect::Sqlite {
            for most in ["1", "2", "4", "8", "16", "32", "64", "128", "256"] {
                assert!(bucket("rolecall_db_commit_batch_size", most), "{most}");
            }
            assert!(!bucket("rolecall_db_commit_batch_size", "0.5"));
            for most in ["0.0001", "0.00025", "0.001", "0.1", "2.5"] {
                assert!(bucket("rolecall_db_commit_duration_seconds", most), "{most}");
            }
        }
        app.stop().await;
    }
}
