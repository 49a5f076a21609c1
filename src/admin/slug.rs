//! Names in addresses.

/// The form of such a name, as a regular expression.
pub const PATTERN: &str = "^[a-z0-9][a-z0-9-]{0,59}$";

/// Checks the name of a connection: 1 to 60 of `a-z 0-9 -`, beginning with a letter or digit. Some providers refuse
/// anything else in a base address.
///
/// # Errors
/// What to write instead.
pub fn check(slug: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=60).contains(&slug.len())
        && slug.bytes().all(|byte| plain(byte) || byte == b'-')
        && slug.bytes().next().is_some_and(plain);
    if fits {
        Ok(())
    } else {
        Err("a name in addresses has 1 to 60 of a-z, 0-9 and -, and begins with a letter or digit")
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn only_plain_names_pass() {
        assert!(check("harbor-entra").is_ok());
        for bad in ["", "-a", "a_b", "Ä", "a/b", "A", &"a".repeat(61)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
