//! Single values of the types of RFC 7643 §2.3.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Microseconds since 1970 UTC of an xsd:dateTime; a time without an offset
/// is taken as UTC. None when it is not one.
#[must_use]
pub fn micros(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let head = bytes.get(..shape.len())?;
    let fits = head.iter().zip(shape).all(|(byte, want)| match want {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    });
    let tail = text.get(shape.len()..)?;
    let offset = match tail.strip_prefix('.') {
        None => tail,
        Some(fraction) => {
            let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == fraction.len() {
                return None;
            }
            rest
        }
    };
    let instant: jiff::Timestamp = match offset.as_bytes() {
        _ if !fits => return None,
        [] => format!("{text}Z").parse().ok()?,
        [b'Z'] => text.parse().ok()?,
        [b'+' | b'-', _, _, b':', _, _] => text.parse().ok()?,
        _ => return None,
    };
    Some(instant.as_microsecond())
}

/// The xsd:dateTime, in UTC, of microseconds since 1970.
#[must_use]
pub fn date_time(micros: i64) -> String {
    let instant = jiff::Timestamp::from_microsecond(micros);
    instant.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Whether `text` is base64 in either alphabet, padded or not (§2.3.6).
#[must_use]
pub fn is_base64(text: &str) -> bool {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [alphabet::STANDARD, alphabet::URL_SAFE]
        .iter()
        .any(|letters| GeneralPurpose::new(letters, config).decode(text).is_ok())
}

/// Whether `text` can be a URI reference, absolute or relative (§2.3.7).
#[must_use]
pub fn is_reference(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c == ' ' || "<>\"{}|\\^`".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a02_j07_date_times() {
        let noon = micros("2026-11-22T12:00:00Z").unwrap();
        assert_eq!(micros("2026-11-22T14:00:00+02:00"), Some(noon));
        assert_eq!(micros("2026-11-22T12:00:00"), Some(noon));
        assert_eq!(micros("2026-11-22T12:00:00.000250Z"), Some(noon + 250));
        assert_eq!(micros(&date_time(noon + 7)), Some(noon + 7));
        for bad in [
            "",
            "2026-11-22",
            "2026-11-22 12:00:00Z",
            "2026-13-22T12:00:00Z",
            "12:00:00",
            "2026-11-22T12:00Z",
            "2026-11-22T12:00:00.Z",
            "2026-11-22T12:00:00+0200",
            "2026-11-22T12:00:00+0a:00",
            "2026-11-22T12:00:00+ 1:00",
            "2026-11-22T12:00:00z",
            "2026-11-22T12:00:00[UTC]",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }

    #[test]
    fn a02_binary_and_references() {
        assert!(is_base64("aGk=") && is_base64("aGk") && is_base64("_-8="));
        assert!(!is_base64("a$b") && !is_base64("a b="));
        assert!(is_reference("../Users/1") && is_reference("https://a.example/x?y=1"));
        for bad in ["", "a b", "a\nb", "<a>", "a|b", "a\\b"] {
            assert!(!is_reference(bad), "{bad}");
        }
    }
}
