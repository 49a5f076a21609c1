//! LDIF (RFC 2849): one entry, written so that every value survives.

/// An entry under construction.
pub struct Entry {
    dn: String,
    attributes: Vec<(String, String)>,
}

impl Entry {
    /// An entry with no attribute yet.
    pub fn new(dn: &str) -> Entry {
        Entry { dn: dn.to_owned(), attributes: Vec::new() }
    }

    /// An organisational unit; its name is the first RDN's value, unescaped.
    pub fn folder(dn: &str) -> Entry {
        let mut entry = Entry::new(dn);
        let value = dn.trim_start_matches("ou=").replace("\\,", "\u{0}");
        let value = value.split(',').next().unwrap_or_default().replace('\u{0}', ",");
        entry.add("objectClass", "organizationalUnit");
        entry.add("ou", &value);
        entry
    }

    /// Adds a value.
    pub fn add(&mut self, name: &str, value: &str) {
        self.attributes.push((name.to_owned(), value.to_owned()));
    }

    /// Adds a value unless the entry has it: RDN values must be among the attributes.
    pub fn add_once(&mut self, name: &str, value: &str) {
        if !self.attributes.iter().any(|(had, text)| had == name && text == value) {
            self.add(name, value);
        }
    }

    /// Adds a value unless the entry has the attribute.
    pub fn add_if_none(&mut self, name: &str, value: &str) {
        if !self.attributes.iter().any(|(had, _)| had == name) {
            self.add(name, value);
        }
    }

    /// The text, with the empty line that ends an entry.
    pub fn text(&self) -> String {
        let mut text = line("dn", &self.dn);
        for (name, value) in &self.attributes {
            text.push_str(&line(name, value));
        }
        text.push('\n');
        text
    }
}

fn line(name: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii() && !matches!(c, '\0' | '\n' | '\r');
    let opens_well = !value.starts_with([' ', ':', '<']) && !value.ends_with(' ');
    if opens_well && value.chars().all(plain) {
        format!("{name}: {value}\n")
    } else {
        format!("{name}:: {}\n", base64(value.as_bytes()))
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_ldif_cannot_hold_are_encoded() {
        assert_eq!(line("cn", "plain"), "cn: plain\n");
        assert_eq!(line("cn", " x"), "cn:: IHg=\n");
        assert_eq!(line("cn", "a\nb"), "cn:: YQpi\n");
        assert_eq!(line("cn", "\u{e9}"), "cn:: w6k=\n");
        assert_eq!(base64(b"abcd"), "YWJjZA==");
    }

    #[test]
    fn a_folder_is_named_by_its_unescaped_value() {
        assert!(Entry::folder("ou=Berlin\\, Mitte,ou=people").text().contains("ou: Berlin, Mitte\n"));
    }
}
