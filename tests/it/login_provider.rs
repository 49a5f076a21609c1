//! Providers that are slow, broken or laconic: what is asked of them when, and how long anybody waits.
use std::time::{Duration, Instant};

use rolecall::clock::{Clock, Running};
use serde_json::{Value, json};

use crate::support::house::ctx;
use crate::support::provider::{HostileProvider, Script};
use crate::support::sign_in::SignIn;

async fn said(provider: &HostileProvider, mode: &str, settings: Value, script: Script) -> Result<Value, &'static str> {
    provider.follow(mode, script);
    let sign_in = SignIn { settings, ..SignIn::at(provider) };
    let claims = sign_in.run(mode, &ctx()).await;
    claims.map(rolecall::login::claims::Claims::into_value).map_err(|refusal| refusal.code)
}

const DESCRIBING: &[&str] = &["name", "given_name", "family_name", "email", "email_verified"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_id_token_lacks_is_asked_for() {
    let provider = HostileProvider::start().await;
    let all = json!({"name": "Una", "given_name": "Una", "family_name": "Nutt", "email": "una@example.com", "email_verified": true});
    for (at, claim) in DESCRIBING.iter().enumerate() {
        let mode = format!("script_lacks_{at}");
        let script = Script::default().without(&[claim]).at_userinfo(all.clone());
        let claims = said(&provider, &mode, json!({}), script).await.unwrap();
        assert_eq!(provider.asked(&mode, "userinfo"), 1, "{claim}");
        for other in DESCRIBING {
            let from_there = other == claim || *claim == "email" && *other == "email_verified";
            // The address of userinfo is another one: its proof is not for that of the ID token.
            let expected = match (*other, *claim) {
                ("email_verified", "email_verified") => None,
                _ if from_there => Some(all[*other].clone()),
                ("email", _) => Some(json!("ada@example.com")),
                ("email_verified", _) => Some(json!(true)),
                ("family_name", _) => Some(json!("King")),
                _ => Some(json!("Ada")),
            };
            assert_eq!(claims.get(*other).cloned(), expected, "{other} without {claim}");
        }
    }
    // All of it, in the clear and signed.
    for signed in [false, true] {
        let mode = format!("script_all_{signed}");
        let script = Script { signed, ..Script::default().without(DESCRIBING).at_userinfo(all.clone()) };
        let claims = said(&provider, &mode, json!({}), script).await.unwrap();
        for claim in DESCRIBING {
            assert_eq!(claims[*claim], all[*claim], "{claim}, signed: {signed}");
        }
    }
    // A signed one for somebody else, or from elsewhere.
    for (claim, code) in [("aud", "userinfo.aud"), ("iss", "userinfo.iss")] {
        let script = Script { signed: true, ..Script::default().without(DESCRIBING) };
        let script = script.at_userinfo(json!({claim: "someone-else", "oid": "O-1"}));
        let mode = format!("script_foreign_{claim}");
        provider.follow(&mode, script);
        let mut sign_in = SignIn::at(&provider);
        sign_in.join = Some("oid");
        assert_eq!(sign_in.run(&mode, &ctx()).await.unwrap_err().code, code);
    }
    // Whose scopes do not ask for it is not asked for it.
    let settings = json!({"scopes": ["openid"]});
    said(&provider, "script_terse", settings, Script::default().without(DESCRIBING)).await.unwrap();
    assert_eq!(provider.asked("script_terse", "userinfo"), 0);
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn userinfo_that_fails_holds_nobody_up_who_can_do_without() {
    let provider = HostileProvider::start().await;
    let broken = Script { broken: vec!["userinfo"], ..Script::default().without(&["name"]) };
    provider.follow("script_broken", broken.clone());
    let sign_in = SignIn::at(&provider);
    for _ in 0..3 {
        let claims = sign_in.run("script_broken", &ctx()).await.unwrap();
        assert_eq!(claims.text("name"), None);
    }
    assert_eq!(provider.asked("script_broken", "userinfo"), 1, "a failure is remembered");
    let needing = SignIn { join: Some("oid"), ..SignIn::at(&provider) };
    assert_eq!(needing.run("script_broken", &ctx()).await.unwrap_err().code, "userinfo.failed");
    // Somebody else's claims are a lie, needed or not.
    provider.follow("script_lie", Script::default().without(&["name"]).at_userinfo(json!({"sub": "subject-2"})));
    assert_eq!(sign_in.run("script_lie", &ctx()).await.unwrap_err().code, "userinfo.sub");
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn now_is_when_the_provider_has_answered() {
    let provider = HostileProvider::start().await;
    let late = Duration::from_millis(1_300);
    for endpoint in ["discovery", "token", "keys", "userinfo"] {
        let mode = format!("script_slow_{endpoint}");
        let script = Script { slow: vec![(endpoint, late)], ..Script::default().without(&["name"]) };
        let exact = json!({"clock_skew_seconds": 0});
        let claims = said(&provider, &mode, exact.clone(), script.clone()).await;
        assert!(claims.is_ok(), "{endpoint}: {claims:?}");
        // A token that ends while the provider makes others wait has ended.
        let soon = Clock.now().seconds() + 1;
        let ending = Script { claims: json!({"exp": soon}).as_object().unwrap().clone(), ..script };
        let mode = format!("script_ending_{endpoint}");
        let ended = said(&provider, &mode, exact, ending).await;
        // What follows the check cannot make it fail.
        let expected = if endpoint == "userinfo" { None } else { Some("id_token.exp") };
        assert_eq!(ended.err(), expected, "{endpoint}");
    }
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_that_hangs_makes_one_session_user_wait() {
    let provider = HostileProvider::start().await;
    let sign_in = SignIn::at(&provider);
    let known = sign_in.providers.of(sign_in.connection, &provider.issuer("disc_hang"));
    let began = Instant::now();
    let visits = (0..14_u32).map(|visit| {
        let (known, fetch) = (&known, sign_in.providers.fetch());
        async move {
            tokio::time::sleep(Duration::from_millis(500) * visit).await;
            let from = Instant::now();
            let refusal = known.metadata(fetch, &Running::from(Clock.now())).await.unwrap_err();
            assert_eq!(refusal.code, "provider.unreachable");
            from.elapsed()
        }
    });
    let waited = futures_util::future::join_all(visits).await;
    assert!(began.elapsed() > Duration::from_secs(6));
    let long = waited.iter().filter(|time| **time > Duration::from_millis(1_500)).count();
    assert_eq!(long, 1, "{waited:?}");
    assert_eq!(provider.asked("disc_hang", "discovery"), 1, "{waited:?}");
    provider.stop().await;
}
