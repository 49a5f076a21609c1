//! What handlers read from a request, each within its limits.
use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage, HttpRequest, web};
use futures_util::StreamExt;

use super::error::HttpError;
use crate::config::Network;

/// Who is at the other end, and what the request is called in the log.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// The client's address, as far as trusted proxies tell it.
    pub ip: IpAddr,
    /// Whether the client spoke TLS.
    pub https: bool,
    /// The id of the request, also in the `x-request-id` header of the answer.
    pub request_id: String,
    /// When it is given up; `None` for what may take as long as it takes.
    pub until: Option<Instant>,
}

/// How much earlier than the edge a connection gives a request up, to write it down.
const AHEAD: Duration = Duration::from_millis(500);

impl ClientInfo {
    /// The client of a request that has passed the middleware.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// The time that is left for the answer, but for what writing it down takes.
    pub fn left(&self) -> Duration {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        left.map_or(Duration::MAX, |left| left.saturating_sub(AHEAD))
    }
}

/// The address and scheme of the client. Headers count only from trusted proxies, and of a list
/// of addresses the last that is not one of them.
pub fn origin(peer: IpAddr, tls: bool, headers: &header::HeaderMap, trusted: &[Network]) -> (IpAddr, bool) {
    let believed = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    if !believed(peer) {
        return (peer, tls);
    }
    let text = |name: &str| headers.get_all(name).filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let mut ip = peer;
    for hop in text("x-forwarded-for").split(',').rev() {
        let Ok(hop) = hop.trim().parse() else { break };
        ip = hop;
        if !believed(hop) {
            break;
        }
    }
    let https = match text("x-forwarded-proto").rsplit(',').next().map(str::trim) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
        _ => tls,
    };
    (ip.to_canonical(), https)
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether a path, a query or a form is text once it is decoded: UTF-8, without U+0000, which no database keeps. Read
/// leniently, a name with a byte that is none would be another name, or nobody's.
pub fn is_text(encoded: &str) -> bool {
    if !encoded.contains('%') {
        return !encoded.contains('\0');
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = |at: usize| char::from(*after.get(at)?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    !decoded.contains(&0) && std::str::from_utf8(&decoded).is_ok()
}

/// The pairs of a form (`application/x-www-form-urlencoded`), in order; none when it holds bytes that are no text.
pub fn form(body: &[u8]) -> Option<Vec<(String, String)>> {
    is_text(std::str::from_utf8(body).ok()?).then(|| url::form_urlencoded::parse(body).into_owned().collect())
}

/// Reads a body of at most `most` bytes that arrives within `time`.
///
/// # Errors
/// 413 beyond the limit, as soon as that is known; 408 when it comes too slowly; 415 when it is
/// compressed; 400 when the connection breaks.
pub async fn body(
    request: &HttpRequest,
    payload: web::Payload,
    most: usize,
    time: Duration,
) -> Result<web::Bytes, HttpError> {
    let refuse = |status, detail: String| HttpError::at(request, status, detail);
    let too_large = || refuse(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {most} bytes."));
    let encoded = request.headers().get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity");
    if encoded {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the body without a content encoding.".into()));
    }
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > most) {
        return Err(too_large());
    }
    let mut payload = payload.into_inner();
    let read = async {
        let mut whole = web::BytesMut::with_capacity(length.unwrap_or(0).min(most));
        while let Some(part) = payload.next().await {
            let part = part.map_err(|_| refuse(StatusCode::BAD_REQUEST, "The body broke off.".into()))?;
            if whole.len() + part.len() > most {
                return Err(too_large());
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    };
    match tokio::time::timeout(time, read).await {
        Ok(read) => read,
        Err(_) => Err(refuse(
            StatusCode::REQUEST_TIMEOUT,
            format!("The body did not arrive within {} seconds.", time.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_does_not_decode_to_text_is_none() {
        for text in ["", "/a/b?c=d", "%41", "%C3%A4", "100%", "%zz", "%", "a+b", "%e2%82%ac"] {
            assert!(is_text(text), "{text}");
        }
        for other in ["%FF", "%C3", "%C3%", "%C3%41", "a%00b", "%ed%a0%80", "%c0%80", "x=%E2%82&y=%AC"] {
            assert!(!is_text(other), "{other}");
            assert!(form(other.as_bytes()).is_none());
        }
        assert!(form(b"a=\xff").is_none());
        assert_eq!(form(b"a=b+c&d=%C3%A4").unwrap()[1], ("d".to_owned(), "ä".to_owned()));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".to_owned()].map(|text| Network::try_from(text).unwrap());
        let told = headers(&[("x-forwarded-for", "6.6.6.6, 9.9.9.9, 10.0.0.2"), ("x-forwarded-proto", "https")]);
        let proxy = "10.0.0.1".parse().unwrap();
        assert_eq!(origin(proxy, false, &told, &trusted), ("9.9.9.9".parse().unwrap(), true));
        let stranger = "8.8.8.8".parse().unwrap();
        assert_eq!(origin(stranger, false, &told, &trusted), (stranger, false));
        assert_eq!(origin(proxy, false, &headers(&[("x-forwarded-for", "unknown")]), &trusted), (proxy, false));
    }
}
