//! What a head may not say, as far as the HTTP library takes it: how the request names its host and its target (RFC 9112
//! §3.2), and an upgrade after which the library would take everything that follows for one body.
use actix_web::dev::RequestHead;
use actix_web::http::{Method, Uri, Version, header};

const HOST: &str = "The request must name one host, with no more than a port beside it.";
const TARGET: &str = "The request must name what it asks for by a path, or by an http or https address.";
const UPGRADE: &str = "This server speaks no WebSocket.";

/// Why the head is refused; none when it may be taken.
pub(super) fn objection(head: &RequestHead) -> Option<&'static str> {
    if !names_target(&head.method, &head.uri) {
        return Some(TARGET);
    }
    if !names_host(head) {
        return Some(HOST);
    }
    // The library reads no length and no chunks beside it, so a request behind this one would be lost in its body.
    let upgrade = head
        .headers
        .get_all(header::UPGRADE)
        .any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"));
    upgrade.then_some(UPGRADE)
}

/// Whether the target has a form that goes with the method (RFC 9112 §3.2.1 to §3.2.4).
fn names_target(method: &Method, target: &Uri) -> bool {
    match (target.scheme_str(), target.authority()) {
        (Some(scheme), Some(_)) => scheme == "http" || scheme == "https",
        (None, Some(_)) => method == Method::CONNECT,
        (None, None) if target.path() == "*" => method == Method::OPTIONS,
        (None, None) => true,
        (Some(_), None) => false,
    }
}

/// Whether the host is named as it must be: by one field in HTTP/1.1, at most by one otherwise (RFC 9112 §3.2). A target that
/// names it counts before the field in HTTP/1.1 (§3.2.2); in HTTP/2 both are to say the same (RFC 9113 §8.3.1).
fn names_host(head: &RequestHead) -> bool {
    let mut fields = head.headers.get_all(header::HOST);
    let (field, more) = (fields.next(), fields.next().is_some());
    let field = match field {
        None => None,
        Some(field) => match field.to_str() {
            Ok(text) => Some(text),
            Err(_) => return false,
        },
    };
    let named = head.uri.authority().map(|authority| authority.as_str());
    let two = head.version == Version::HTTP_2;
    let once = !more && (field.is_some() || head.version != Version::HTTP_11);
    let alike = match (field, named) {
        (Some(field), Some(named)) if two => field.eq_ignore_ascii_case(named),
        _ => true,
    };
    once && alike && field.is_none_or(is_host) && named.is_none_or(is_host)
}

/// `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2), and not nothing (RFC 9110 §4.2.1).
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let fits = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && is_name(host.as_bytes()),
    };
    fits && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// `reg-name` (RFC 3986 §3.2.2).
fn is_name(mut rest: &[u8]) -> bool {
    while let Some((byte, after)) = rest.split_first() {
        rest = match after {
            [high, low, after @ ..] if *byte == b'%' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(byte) => after,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_at_most() {
        for host in
            ["a", "a.example", "A.EXAMPLE:80", "a:", "127.0.0.1:8443", "[::1]", "[::1]:80", "xn--a_b", "a%41", "a%4f:1"]
        {
            assert!(is_host(host), "{host}");
        }
        for other in [
            "", ":80", "a/b@c", "a/b", "a@b", "@a", "a b", "a:b", "a:80:80", "[::1", "::1", "[a]", "[::1]x", "a?b",
            "a#b", "\u{e4}", "a%", "a%4", "a%4g", "%",
        ] {
            assert!(!is_host(other), "{other}");
        }
    }

    #[test]
    fn a_target_goes_with_its_method() {
        let fits = |method: Method, target: &str| names_target(&method, &target.parse().unwrap());
        for target in ["/", "/a?b", "http://a/b", "HTTPS://a"] {
            assert!(fits(Method::GET, target) && fits(Method::OPTIONS, target), "{target}");
        }
        for (method, target) in [(Method::CONNECT, "a:1"), (Method::OPTIONS, "*")] {
            assert!(fits(method, target) && !fits(Method::GET, target), "{target}");
        }
        assert!(!fits(Method::GET, "ftp://a/b"));
    }

    #[test]
    fn two_names_in_http2_are_one() {
        let head = |version: Version, target: &str, hosts: &[&'static str]| {
            let mut head = RequestHead::default();
            (head.version, head.uri) = (version, target.parse().unwrap());
            for host in hosts {
                head.headers.append(header::HOST, header::HeaderValue::from_static(host));
            }
            objection(&head).is_none()
        };
        for (hosts, two, one) in [
            (&[][..], true, false),
            (&["A.example"], true, true),
            (&["b"], false, true),
            (&["a.example", "a.example"], false, false),
            (&["u@a.example"], false, false),
        ] {
            assert_eq!(head(Version::HTTP_2, "https://a.example/x", hosts), two, "{hosts:?}");
            assert_eq!(head(Version::HTTP_11, "https://a.example/x", hosts), one, "{hosts:?}");
        }
        assert!(!head(Version::HTTP_2, "https://u@a.example/x", &[]));
        assert!(head(Version::HTTP_10, "/x", &[]) && !head(Version::HTTP_11, "/x", &[]));
    }
}
