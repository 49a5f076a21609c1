//! A directory server that sends what it should not: the read fails in a sentence, the process goes on, and nothing
//! grows beyond its bound. Every test runs on small stacks.
use std::sync::Arc;
use std::time::Duration;

use rolecall::connection::ldap::ResolvedLdapSettings;
use rolecall::ldap::bounds::{BOUNDS, Bounds, WIRE, WireBounds};
use rolecall::ldap::client::{Client, Guard, LdapFailure};
use rolecall::ldap::read::{self, BranchRead, BranchSpec, ReadEvidence};
use rolecall::ldap::snapshot::snapshot;
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use crate::support::peer::{Ask, Peer, Protection, Says, element, entry, message, nested, paged, result};

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const EXTENDED: u8 = 0x77;

/// Runs a test where nothing has much of a stack.
fn on_small_stacks<F: Future<Output = ()> + Send + 'static>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(512 * 1024)
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(runtime.spawn(test));
    ended.unwrap();
}

fn settings(peer: &Peer, protection: Protection, extra: &Json) -> Arc<ResolvedLdapSettings> {
    let mut config = json!({
        "urls": [peer.url],
        "security": match protection {
            Protection::Plain => "none",
            Protection::StartTls => "starttls",
            Protection::Ldaps => "ldaps",
        },
        "bind_dn": "cn=reader,dc=x",
        "users": {"bases": ["dc=x"]},
        "groups": {"bases": ["ou=g"]},
        "page_size": 10,
        "timeouts": {"connect": 5, "answer": 5, "read": 20},
    });
    if protection != Protection::Plain {
        config["ca"] = json!(peer.authority);
    }
    config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Arc::new(ResolvedLdapSettings::from_json("openldap", &config).unwrap())
}

/// What a well-behaved server with nothing in it says.
fn nothing(ask: Ask) -> Vec<u8> {
    match ask.what {
        BIND => message(ask.id, &result(0x61, 0)),
        SEARCH => message(ask.id, &[result(0x65, 0), paged(b"")].concat()),
        EXTENDED => message(ask.id, &result(0x78, 0)),
        other => panic!("asked {other:x}"),
    }
}

/// A server that answers this to one kind of request.
async fn peer(protection: Protection, what: u8, wrong: impl Fn(Ask) -> Says + Send + Sync + 'static) -> Peer {
    let script = move |ask: Ask| if ask.what == what { wrong(ask) } else { Says::Bytes(nothing(ask)) };
    Peer::start(protection, script).await
}

/// Why a whole read of it fails.
async fn fails(peer: &Peer, protection: Protection, extra: Json) -> String {
    let password = Some(SecretString::from("secret"));
    let read = snapshot(settings(peer, protection, &extra), password, None, Guard::new(|_| true));
    match read.await {
        Ok(_) => panic!("it was read"),
        Err(failure) => failure.to_string(),
    }
}

/// A read of users within bounds of its own.
async fn users(bounds: Bounds, peer: &Peer) -> Result<BranchRead, LdapFailure> {
    let settings = settings(peer, Protection::Plain, &json!({}));
    let (password, guard) = (SecretString::from("secret"), Guard::new(|_| true));
    let mut client = Client::connect_within(bounds, &settings, Some(&password), &guard).await?;
    let wanted = BranchSpec {
        what: "Reading users",
        branch: &settings.config.users,
        filter: &settings.user_filter,
        attributes: &["entryUUID".to_owned(), "member".to_owned()],
        long: Some("member"),
    };
    Ok(match read::branch(&mut client, &settings, wanted).await? {
        ReadEvidence::Whole(reading) => reading.into_inner(),
        ReadEvidence::Partial(reading) => reading,
    })
}

async fn breaks(bounds: Bounds, wrong: impl Fn(Ask) -> Says + Send + Sync + 'static) -> String {
    let peer = peer(Protection::Plain, SEARCH, wrong).await;
    match users(bounds, &peer).await {
        Ok(_) => panic!("a bound"),
        Err(breach) => breach.to_string(),
    }
}

fn user(number: usize) -> Vec<u8> {
    entry(&format!("uid={number},dc=x"), &[("entryUUID", vec![number.to_string().into_bytes()])])
}

/// A page with these users, and where the next begins.
fn page(id: u8, users: impl IntoIterator<Item = usize>, cookie: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = users.into_iter().flat_map(|number| message(id, &user(number))).collect();
    bytes.extend(message(id, &[result(0x65, 0), paged(cookie)].concat()));
    bytes
}

#[test]
fn a_server_with_nothing_is_read() {
    on_small_stacks(async {
        for protection in Protection::ALL {
            let peer = Peer::start(protection, |ask| Says::Bytes(nothing(ask))).await;
            let password = Some(SecretString::from("secret"));
            let settings = settings(&peer, protection, &json!({}));
            let read = snapshot(settings, password, None, Guard::new(|_| true)).await.unwrap();
            assert_eq!(read.url, peer.url);
        }
    });
}

/// Every message that a client is sent, over every kind of line.
#[test]
fn no_message_is_too_deep_for_the_process() {
    const DEEP: usize = 20_000;
    on_small_stacks(async {
        let list = || nested(DEEP);
        let controls = |of: Vec<u8>| [of, element(0xa0, &nested(DEEP))].concat();
        let answers: Vec<(&str, u8, Vec<u8>)> = vec![
            ("bind", BIND, element(0x61, &list())),
            ("controls of a bind", BIND, controls(result(0x61, 0))),
            ("an entry", SEARCH, element(0x64, &list())),
            ("values", SEARCH, element(0x64, &[element(4, b"dc=x"), list()].concat())),
            ("a reference", SEARCH, element(0x73, &list())),
            ("an intermediate answer", SEARCH, element(0x79, &list())),
            ("the end of a search", SEARCH, element(0x65, &list())),
            ("controls of a search", SEARCH, controls(result(0x65, 0))),
            (
                "referrals of a result",
                SEARCH,
                element(0x65, &[vec![10, 1, 10, 4, 0, 4, 0], element(0xa3, &list())].concat()),
            ),
            ("what nobody asked for", SEARCH, element(0x78, &list())),
            ("the answer to StartTLS", EXTENDED, element(0x78, &list())),
        ];
        for protection in Protection::ALL {
            for (title, what, answer) in answers.clone() {
                if what == EXTENDED && protection != Protection::StartTls {
                    continue;
                }
                let peer = peer(protection, what, move |ask| Says::Bytes(message(ask.id, &answer))).await;
                let why = fails(&peer, protection, json!({})).await;
                assert!(why.contains(&format!("more than {} levels", WIRE.depth)), "{title}, {protection:?}: {why}");
            }
        }
    });
}

#[test]
fn a_message_that_is_merely_announced_costs_nothing() {
    on_small_stacks(async {
        for protection in Protection::ALL {
            for what in [BIND, SEARCH, EXTENDED] {
                if what == EXTENDED && protection != Protection::StartTls {
                    continue;
                }
                let announced = u32::try_from(WIRE.message_bytes + 1).unwrap();
                let head = [&[0x30, 0x84][..], &announced.to_be_bytes()].concat();
                let peer = peer(protection, what, move |_| Says::Bytes(head.clone())).await;
                let why = fails(&peer, protection, json!({})).await;
                let said = format!("announced a message of {announced} bytes; {} are taken", WIRE.message_bytes);
                assert!(why.contains(&said), "{protection:?} {what:x}: {why}");
            }
        }
    });
}

#[test]
fn what_is_not_ldap_ends_the_read_alone() {
    on_small_stacks(async {
        let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
        let answers = [
            (BIND, http.clone()),
            (BIND, message(1, &[0x61, 0])),
            (BIND, message(1, &element(0x61, &[4, 0]))),
            (BIND, message(1, &element(0x61, &[0x0a, 1, 0, 4, 1, 0xff, 4, 0]))),
            (BIND, message(1, &[result(0x61, 0), element(0xa0, &element(0x30, &[4, 1, b'1', 1, 0]))].concat())),
            (SEARCH, http),
            (SEARCH, message(2, &[0x65, 0])),
            (SEARCH, message(2, &result(0x61, 0))),
            (SEARCH, message(2, &[0x79, 0])),
            (SEARCH, vec![0x30, 0x80, 0x02, 0x01, 0x01]),
        ];
        for protection in [Protection::Plain, Protection::Ldaps] {
            for (what, answer) in answers.clone() {
                let shown = format!("{answer:x?}");
                let peer = peer(protection, what, move |_| Says::Bytes(answer.clone())).await;
                let why = fails(&peer, protection, json!({"timeouts": {"answer": 1}})).await;
                let known = ["not LDAP", "malformed answer", "no answer within 1 s"];
                assert!(known.iter().any(|part| why.contains(part)), "{shown}: {why}");
            }
        }
    });
}

/// RFC 4511 §4.14.2: nothing that came in clear counts once TLS was asked for.
#[test]
fn what_comes_in_clear_beside_the_answer_to_starttls_is_refused() {
    on_small_stacks(async {
        let script = |ask: Ask| Says::Bytes([message(ask.id, &result(0x78, 0)), message(2, &result(0x61, 0))].concat());
        let injecting = peer(Protection::StartTls, EXTENDED, script).await;
        let why = fails(&injecting, Protection::StartTls, json!({})).await;
        assert!(why.contains("went on in clear when TLS was to begin"), "{why}");
        let refusing =
            peer(Protection::StartTls, EXTENDED, |ask| Says::Bytes(message(ask.id, &result(0x78, 52)))).await;
        let why = fails(&refusing, Protection::StartTls, json!({})).await;
        assert!(why.contains("TLS cannot begin: the server is unavailable (code 52)"), "{why}");
    });
}

#[test]
fn a_page_that_never_ends_is_left() {
    on_small_stacks(async {
        for protection in Protection::ALL {
            let endless = |ask: Ask| match ask.before {
                // Which server it is.
                0 | 1 => Says::Bytes(nothing(ask)),
                _ => Says::Forever(Box::new(move |at| message(ask.id, &user(at)))),
            };
            let peer = peer(protection, SEARCH, endless).await;
            let why = fails(&peer, protection, json!({})).await;
            assert!(why.contains("more than the 10 entries of a page"), "{why}");
        }
        let several = |ask: Ask| Says::Forever(Box::new(move |at| message(ask.id, &user(at))));
        let base = peer(Protection::Plain, SEARCH, several).await;
        let why = fails(&base, Protection::Plain, json!({})).await;
        assert!(why.contains("several entries for one name"), "{why}");
    });
}

/// Entries, references, intermediate answers and messages for nobody: whatever it is that never ends.
#[test]
fn bytes_and_parts_of_a_read_have_an_end() {
    on_small_stacks(async {
        let few = WireBounds { bytes: 200_000, elements: 1_000, ..WIRE };
        let kinds: [fn(u8, usize) -> Vec<u8>; 3] = [
            |id, _| message(id, &element(0x79, &[])),
            |id, _| message(id, &element(0x73, &element(4, b"ldap://x"))),
            |_, at| message(99, &user(at)),
        ];
        for kind in kinds {
            let endless = move |ask: Ask| Says::Forever(Box::new(move |at| kind(ask.id, at)));
            let why = breaks(Bounds { wire: few, ..BOUNDS }, endless).await;
            assert!(why.contains("more than 1000 parts of messages"), "{why}");
        }
        let long =
            |ask: Ask| Says::Forever(Box::new(move |_| message(ask.id, &element(0x79, &element(0x81, &[0; 5_000])))));
        let why = breaks(Bounds { wire: few, ..BOUNDS }, long).await;
        assert!(why.contains("more than 200000 bytes"), "{why}");
    });
}

#[test]
fn values_and_parts_of_one_message_have_an_end() {
    on_small_stacks(async {
        let many = |ask: Ask| {
            let values = vec![b"v".to_vec(); WIRE.list + 1];
            Says::Bytes(message(ask.id, &entry("uid=1,dc=x", &[("member", values)])))
        };
        let why = breaks(BOUNDS, many).await;
        assert!(why.contains(&format!("a list of more than {} values", WIRE.list)), "{why}");
        let spread = |ask: Ask| {
            let half = || vec![Vec::new(); WIRE.message_elements / 3 + 1];
            let attributes = [("a", half()), ("b", half()), ("c", half())];
            Says::Bytes(message(ask.id, &entry("uid=1,dc=x", &attributes)))
        };
        let why = breaks(BOUNDS, spread).await;
        assert!(why.contains(&format!("a message of more than {} parts", WIRE.message_elements)), "{why}");
    });
}

#[test]
fn pages_and_entries_of_a_read_have_an_end() {
    on_small_stacks(async {
        let ten = |ask: Ask| {
            let first = ask.before * 10;
            Says::Bytes(page(ask.id, first..first + 10, b"more"))
        };
        let why = breaks(Bounds { entries: 45, ..BOUNDS }, ten).await;
        assert!(why.contains("more than 45 entries"), "{why}");
        let why = breaks(Bounds { pages: 7, ..BOUNDS }, ten).await;
        assert!(why.contains("more than 7 pages"), "{why}");
        let empty = |ask: Ask| Says::Bytes(page(ask.id, [], &ask.before.to_be_bytes()));
        let why = breaks(Bounds { pages: 7, ..BOUNDS }, empty).await;
        assert!(why.contains("more than 7 pages"), "{why}");
        let long = |ask: Ask| Says::Bytes(page(ask.id, [1], &vec![7; BOUNDS.cookie_bytes + 1]));
        let why = breaks(BOUNDS, long).await;
        assert!(why.contains("marks the next page with more than 65536 bytes"), "{why}");
        let elsewhere = |ask: Ask| {
            let reference = message(ask.id, &element(0x73, &element(4, b"ldap://x/dc=y")));
            Says::Bytes([reference.repeat(4), page(ask.id, [ask.before], b"more")].concat())
        };
        let why = breaks(Bounds { references: 9, ..BOUNDS }, elsewhere).await;
        assert!(why.contains("more than 9 references"), "{why}");
    });
}

/// A word for the place in a search that moves on may come again (389 Directory Server does that); a page may not.
#[test]
fn a_repeated_page_is_noticed_and_a_repeated_word_alone_is_none() {
    on_small_stacks(async {
        let moving = |ask: Ask| {
            let cookie: &[u8] = if ask.before == 2 { b"" } else { b"same" };
            Says::Bytes(page(ask.id, [ask.before * 2, ask.before * 2 + 1], cookie))
        };
        let peer = peer(Protection::Plain, SEARCH, moving).await;
        let reading = users(BOUNDS, &peer).await.unwrap();
        assert_eq!((reading.entries.len(), reading.pages), (6, 3));
        let circling = |ask: Ask| Says::Bytes(page(ask.id, [ask.before % 3], &[(ask.before % 3) as u8]));
        let why = breaks(BOUNDS, circling).await;
        assert!(why.contains("repeats a page"), "{why}");
    });
}

/// Member lists that come in parts (`member;range=0-1`).
#[test]
fn a_list_in_parts_has_an_end() {
    on_small_stacks(async {
        let parts = |ask: Ask| {
            let range = format!("member;range={0}-{0}", ask.before);
            let part = entry("cn=g,dc=x", &[(&range, vec![b"uid=1,dc=x".to_vec()])]);
            Says::Bytes([message(ask.id, &part), message(ask.id, &[result(0x65, 0), paged(b"")].concat())].concat())
        };
        let why = breaks(Bounds { parts: 5, ..BOUNDS }, parts).await;
        assert!(why.contains("in 5 parts at most"), "{why}");
        let why = breaks(Bounds { values: 5, ..BOUNDS }, parts).await;
        assert!(why.contains("may have 5 values"), "{why}");
    });
}

/// A message that comes in drops does not stretch the time for an answer.
#[test]
fn a_server_that_drips_is_given_up() {
    on_small_stacks(async {
        let drip = |ask: Ask| Says::Slowly(message(ask.id, &user(1)).repeat(50), Duration::from_millis(200));
        for (what, script) in [(BIND, drip), (SEARCH, drip)] {
            let peer = peer(Protection::Plain, what, script).await;
            let began = std::time::Instant::now();
            let why =
                fails(&peer, Protection::Plain, json!({"timeouts": {"answer": 1, "connect": 5, "read": 20}})).await;
            assert!(why.contains("no answer within 1 s"), "{why}");
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        }
        let hello = peer(Protection::StartTls, EXTENDED, drip).await;
        let why = fails(&hello, Protection::StartTls, json!({"timeouts": {"connect": 1}})).await;
        assert!(why.contains("no answer within 1 s"), "{why}");
    });
}
