//! Signing in at a provider that misbehaves: every lie is refused, and requests that must not go out do not.
use std::time::Duration;

use rolecall::clock::Running;
use rolecall::domain::ctx::{Actor, Ctx};

use crate::support::house::{Machine, ctx};
use crate::support::provider::{HostileProvider, SUBJECT, Script};
use crate::support::sign_in::SignIn;

/// Lies of the description: nobody is sent anywhere.
const BEFORE_LEAVING: &[(&str, &str)] = &[
    ("disc_iss_mismatch", "discovery.issuer"),
    ("disc_iss_slash", "discovery.issuer"),
    ("disc_no_code", "discovery.code"),
    ("disc_only_hs256", "discovery.algorithm"),
    ("disc_plain_http", "discovery.endpoint"),
    ("disc_ssrf_keys", "discovery.endpoint"),
    ("disc_ssrf_token", "discovery.endpoint"),
    ("disc_ssrf_userinfo", "discovery.endpoint"),
    ("disc_file", "discovery.endpoint"),
    ("disc_huge", "provider.size"),
    ("disc_no_keys", "provider.json"),
    ("disc_redirect", "provider.status"),
    ("disc_500", "provider.error"),
    ("disc_html", "provider.json"),
    ("disc_twice", "provider.json"),
    ("disc_hang", "provider.unreachable"),
    ("disc_drip", "provider.unreachable"),
];

/// Lies of the answer the browser brings: the code is not redeemed.
const BEFORE_REDEEMING: &[(&str, &str)] = &[
    ("state_wrong", "login_attempt.state"),
    ("state_missing", "callback.state"),
    ("resp_iss_wrong", "callback.iss"),
    ("resp_iss_missing", "callback.iss"),
    ("resp_iss_unadvertised_wrong", "callback.iss"),
    ("error_and_code", "callback.both"),
    ("error", "provider.denied"),
    ("code_twice", "callback.repeated"),
    ("code_empty", "callback.code"),
    ("code_huge", "callback.code"),
];

/// Lies of the token endpoint and the ID token: the access token is not used.
const BEFORE_USERINFO: &[(&str, &str)] = &[
    ("token_type_mac", "token.type"),
    ("token_no_id_token", "token.form"),
    ("token_huge", "token.size"),
    ("token_html", "token.form"),
    ("token_twice", "token.form"),
    ("token_500", "provider.error"),
    ("token_invalid_client", "token.client"),
    ("token_invalid_grant", "token.code"),
    ("token_redirect", "token.status"),
    ("token_hang", "provider.unreachable"),
    ("keys_none", "jwks.none"),
    ("keys_many", "jwks.many"),
    ("keys_huge", "provider.size"),
    ("keys_hang", "provider.unreachable"),
    ("keys_html", "provider.json"),
    ("use_enc", "jwks.none"),
    ("rsa_1024", "jwks.none"),
    ("rsa_e_1", "jwks.none"),
    ("key_for_other_alg", "id_token.key"),
    ("kid_absent_multi", "id_token.key"),
    ("kid_twice", "id_token.key"),
    ("kid_unknown", "id_token.key"),
    ("alg_none", "id_token.algorithm"),
    ("alg_none_odd", "id_token.algorithm"),
    ("alg_none_signed", "id_token.algorithm"),
    ("alg_unknown", "id_token.algorithm"),
    ("hs256_secret_advertised", "id_token.algorithm"),
    ("hs256_public_key", "id_token.algorithm"),
    ("symmetric_key", "id_token.algorithm"),
    ("sig_bad_es256", "id_token.signature"),
    ("sig_bad_rs256", "id_token.signature"),
    ("sig_empty", "id_token.signature"),
    ("sig_foreign", "id_token.signature"),
    ("sig_key_in_header", "id_token.signature"),
    ("sig_key_url_in_header", "id_token.key"),
    ("crit", "id_token.crit"),
    ("typ_at_jwt", "id_token.typ"),
    ("cty_jwt", "id_token.cty"),
    ("header_twice", "id_token.form"),
    ("not_a_jwt", "id_token.form"),
    ("five_parts", "id_token.form"),
    ("token_long", "id_token.size"),
    ("payload_list", "id_token.form"),
    ("groups_twice", "id_token.form"),
    ("sub_twice", "id_token.form"),
    ("iss_wrong", "id_token.iss"),
    ("iss_slash", "id_token.iss"),
    ("iss_missing", "id_token.iss"),
    ("aud_wrong", "id_token.aud"),
    ("aud_empty", "id_token.aud"),
    ("aud_missing", "id_token.aud"),
    ("aud_extra", "id_token.aud"),
    ("azp_other", "id_token.azp"),
    ("azp_odd", "id_token.azp"),
    ("sub_missing", "id_token.sub"),
    ("sub_empty", "id_token.sub"),
    ("sub_blank", "id_token.sub"),
    ("sub_long", "id_token.sub"),
    ("sub_number", "id_token.sub"),
    ("sub_control", "id_token.sub"),
    ("exp_past", "id_token.exp"),
    ("exp_missing", "id_token.exp"),
    ("exp_text", "id_token.exp"),
    ("iat_missing", "id_token.iat"),
    ("iat_future", "id_token.iat"),
    ("iat_old", "id_token.iat"),
    ("nbf_future", "id_token.nbf"),
    ("nbf_text", "id_token.nbf"),
    ("nonce_wrong", "id_token.nonce"),
    ("nonce_missing", "id_token.nonce"),
    ("at_hash_wrong", "id_token.at_hash"),
    ("auth_time_missing", "id_token.auth_time"),
    ("auth_time_old", "id_token.auth_time"),
    ("auth_time_future", "id_token.auth_time"),
    ("acr_missing", "id_token.acr"),
    ("acr_low", "id_token.acr"),
];

/// Lies of userinfo.
const AT_USERINFO: &[(&str, &str)] = &[
    ("ui_sub_mismatch", "userinfo.sub"),
    ("ui_sub_missing", "userinfo.sub"),
    ("ui_html", "userinfo.failed"),
    ("ui_hang", "userinfo.failed"),
    ("ui_redirect", "userinfo.failed"),
];

const GOOD: &[&str] = &[
    "ok",
    "ok_rs256",
    "ok_ps256",
    "ok_es384",
    "ok_eddsa",
    "ok_post",
    "ok_public",
    "ok_asked",
    "ok_aud_list",
    "ok_azp",
    "ok_nbf",
    "ok_kid_absent_single",
    "ok_odd_keys",
    "ok_skew_expired_20s",
    "ok_token_type_case",
    "ok_at_hash_absent",
    "ok_userinfo",
    "email_number",
    "resp_iss_ok",
];

/// Runs every mode at once and says of each that did not end as it should, how it ended.
async fn refused(modes: &[(&'static str, &str)], forbidden: &[&'static str]) -> Vec<String> {
    let provider = HostileProvider::start().await;
    let ends = modes.iter().map(|(mode, code)| {
        let provider = &provider;
        async move {
            let ended = tokio::time::timeout(Duration::from_secs(15), SignIn::at(provider).run(mode, &ctx())).await;
            match ended {
                Err(_) => Some(format!("{mode}: still waiting")),
                Ok(Ok(_)) => Some(format!("{mode}: accepted")),
                Ok(Err(refusal)) if refusal.code == *code => None,
                Ok(Err(refusal)) => Some(format!("{mode}: expected {code}, got {refusal:?}")),
            }
        }
    });
    let mut wrong: Vec<_> = futures_util::future::join_all(ends).await.into_iter().flatten().collect();
    for (mode, _) in modes {
        assert!(provider.asked(mode, "discovery") > 0, "{mode}: the provider was asked at all");
        for endpoint in forbidden.iter().chain(&["trap"]) {
            if provider.asked(mode, endpoint) > 0 {
                wrong.push(format!("{mode}: {endpoint} was asked"));
            }
        }
    }
    provider.stop().await;
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lying_description_sends_nobody_anywhere() {
    let wrong = refused(BEFORE_LEAVING, &["authorize", "token", "keys", "userinfo"]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_answer_never_reaches_the_token_endpoint() {
    let wrong = refused(BEFORE_REDEEMING, &["token", "keys", "userinfo"]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_false_token_is_not_believed_and_its_access_token_not_used() {
    let wrong = refused(BEFORE_USERINFO, &["userinfo"]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn userinfo_about_another_user_is_not_used() {
    let wrong = refused(AT_USERINFO, &[]).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_provider_is_believed() {
    let provider = HostileProvider::start().await;
    for mode in GOOD {
        let claims =
            SignIn::at(&provider).run(mode, &ctx()).await.unwrap_or_else(|refusal| panic!("{mode}: {refusal:?}"));
        assert_eq!(claims.text("sub"), Some(SUBJECT), "{mode}");
        assert_eq!(claims.text("iss"), Some(provider.issuer(mode).as_str()), "{mode}: userinfo replaces nothing");
        let asked = usize::from(*mode == "ok_userinfo");
        assert_eq!(provider.asked(mode, "userinfo"), asked, "{mode}: userinfo is asked only when needed");
    }
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turned_over_keys_are_fetched_again_but_not_on_every_bad_token() {
    let provider = HostileProvider::start().await;
    let sign_in = SignIn::at(&provider);
    let begin = ctx();
    sign_in.run("rotate", &ctx()).await.unwrap();
    assert_eq!(provider.asked("rotate", "keys"), 1);
    provider.rotate();
    sign_in.run("rotate", &ctx()).await.unwrap();
    assert_eq!(provider.asked("rotate", "keys"), 2, "fetched again at once");
    provider.follow("rotate", Script { broken: vec!["keys"], ..Script::default() });
    sign_in.run("rotate", &ctx()).await.unwrap();
    assert_eq!(provider.asked("rotate", "keys"), 2, "the new keys are kept");

    let refusal = sign_in.run("kid_unknown", &ctx()).await.unwrap_err();
    assert_eq!((refusal.code, provider.asked("kid_unknown", "keys")), ("id_token.key", 1), "just fetched");
    for _ in 0..5 {
        let refusal = sign_in.run("kid_unknown", &ctx()).await.unwrap_err();
        assert_eq!((refusal.code, provider.asked("kid_unknown", "keys")), ("id_token.key", 2), "seldom");
    }
    let later = Ctx::new(begin.now().plus_seconds(31), Actor::System, std::sync::Arc::new(Machine));
    assert_eq!(sign_in.run("kid_unknown", &later).await.unwrap_err().code, "id_token.key");
    assert_eq!(provider.asked("kid_unknown", "keys"), 3);
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_provider_is_asked_once_and_its_old_description_still_serves() {
    let provider = HostileProvider::start().await;
    let sign_in = SignIn::at(&provider);
    let begin = ctx();
    let refusal = sign_in.run("disc_500", &begin).await.unwrap_err();
    assert_eq!(refusal.code, "provider.error");
    let again = sign_in.run("disc_500", &begin).await.unwrap_err();
    assert_eq!(again.code, "provider.error");
    assert_eq!(provider.asked("disc_500", "discovery"), 1, "the failure is remembered for a moment");

    let issuer = provider.issuer("ok");
    let known = sign_in.providers.of(sign_in.connection, &issuer);
    known.metadata(sign_in.providers.fetch(), &Running::from(begin.now())).await.unwrap();
    provider.stop().await;
    // Nobody else of these tests takes the port, and nobody answers there.
    let address = provider.base.trim_start_matches("http://").to_owned();
    let held = std::net::TcpListener::bind(address).unwrap();
    std::thread::spawn(move || held.incoming().for_each(drop));
    let hours = begin.now().plus_seconds(2 * 3_600);
    known.metadata(sign_in.providers.fetch(), &Running::from(hours)).await.unwrap();
    let day = Running::from(begin.now().plus_seconds(25 * 3_600));
    let refusal = known.metadata(sign_in.providers.fetch(), &day).await.unwrap_err();
    assert_eq!(refusal.code, "provider.unreachable");
}
