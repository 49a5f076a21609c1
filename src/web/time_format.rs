//! Moments as pages write them.
use crate::domain::time::Timestamp;

/// A moment to the minute, in UTC.
pub fn minute(at: Timestamp) -> String {
    written(at, "%-d %b %Y, %H:%M")
}

/// A moment to the second, in UTC.
pub fn second(at: Timestamp) -> String {
    written(at, "%-d %b %H:%M:%S")
}

fn written(at: Timestamp, form: &str) -> String {
    match jiff::Timestamp::from_microsecond(at.micros()) {
        Ok(moment) => moment.strftime(form).to_string(),
        Err(_) => at.to_string(),
    }
}
