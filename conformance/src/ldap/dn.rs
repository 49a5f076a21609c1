//! Writing distinguished names (RFC 4514) in more than one way.

/// Attribute and value pairs of one RDN; more than one makes it multi-valued.
pub type Rdn = Vec<(&'static str, String)>;

/// One RDN below a parent, with the usual backslash escapes.
pub fn below(rdn: &Rdn, parent: &str) -> String {
    let parts: Vec<String> = rdn.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    format!("{},{parent}", parts.join("+"))
}

/// The same name with hex escapes, other case of the types, and the RDN's parts turned round:
/// equal by every rule, different in every text comparison.
pub fn below_written_otherwise(rdn: &Rdn, parent: &str) -> String {
    let mut parts: Vec<String> =
        rdn.iter().map(|(name, value)| format!("{}={}", name.to_uppercase(), escape_hex(value))).collect();
    parts.reverse();
    format!("{},{}", parts.join("+"), parent.replace("ou=", "OU=").replace("dc=", "Dc="))
}

fn escape(value: &str) -> String {
    escape_with(value, |c| format!("\\{c}"))
}

fn escape_hex(value: &str) -> String {
    escape_with(value, |c| format!("\\{:02X}", u32::from(c)))
}

fn escape_with(value: &str, escaped: impl Fn(char) -> String) -> String {
    let last = value.chars().count().saturating_sub(1);
    let one = |(at, c): (usize, char)| match c {
        ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => escaped(c),
        '#' if at == 0 => escaped(c),
        ' ' if at == 0 || at == last => escaped(c),
        _ => c.to_string(),
    };
    value.chars().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        let rdn = vec![("cn", " a,b+#".to_owned()), ("uid", "#x ".to_owned())];
        assert_eq!(below(&rdn, "dc=x"), r"cn=\ a\,b\+#+uid=\#x\ ,dc=x");
        assert_eq!(below_written_otherwise(&rdn, "ou=y,dc=x"), r"UID=\23x\20+CN=\20a\2Cb\2B#,OU=y,Dc=x");
    }
}
