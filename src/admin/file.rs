//! A declaration as the text of a file: read whole, and everything that is wrong told with its line.
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::declaration::{Declaration, DirectoryDecl, MOST_BYTES};

/// Something that is wrong in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slip {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Why a file is no declaration: all that is wrong with its form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slips(pub Vec<Slip>);

impl fmt::Display for Slips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, slip) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}line {}: {}", slip.line, slip.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for Slips {}

/// Reads a declaration.
///
/// # Errors
/// Everything that is wrong with its form, each with its line: TOML that does not parse, unknown keys, values of another
/// kind, keys that are missing.
pub fn read(text: &str) -> Result<Declaration, Slips> {
    let mut reading = Reading { lines: LineIndex::of(text), slips: Vec::new() };
    if text.len() > MOST_BYTES {
        reading.slip(0..0, format!("the declaration is longer than {MOST_BYTES} bytes"));
        return Err(Slips(reading.slips));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reading.error(error);
    }
    if errors.is_empty() {
        let declaration = reading.whole(table.into_inner());
        if reading.slips.is_empty() {
            return Ok(declaration);
        }
    }
    reading.slips.sort_by_key(|slip| slip.line);
    Err(Slips(reading.slips))
}

struct Reading {
    lines: LineIndex,
    slips: Vec<Slip>,
}

impl Reading {
    fn slip(&mut self, span: Range<usize>, why: impl Into<String>) {
        self.slips.push(Slip { line: self.lines.line(span.start), why: why.into() });
    }

    fn error(&mut self, error: &toml::de::Error) {
        self.slip(error.span().unwrap_or_default(), error.message().replace('\n', "; "));
    }

    fn whole(&mut self, table: DeTable<'_>) -> Declaration {
        let mut all = Declaration::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "catalog" => all.catalog = self.one(value),
                "partner" => all.partners = self.list("partner", value),
                "user_group" => all.groups = self.list("user_group", value),
                "role" => all.roles = self.list("role", value),
                "user" => all.users = self.list("user", value),
                "grant" => all.grants = self.list("grant", value),
                "directory" => all.directories = self.directories(value),
                other => {
                    let known = "`catalog` and lists of `partner`, `user_group`, `role`, `user`, `grant`, `directory`";
                    self.slip(key.span(), format!("unknown key `{other}`; a declaration has {known}"));
                }
            }
        }
        all
    }

    fn one<'i, T: Deserialize<'i>>(&mut self, value: Spanned<DeValue<'i>>) -> Option<T> {
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(one) => Some(one),
            Err(error) => {
                self.error(&error);
                None
            }
        }
    }

    fn list<'i, T: Deserialize<'i>>(&mut self, name: &str, value: Spanned<DeValue<'i>>) -> Vec<T> {
        let items = self.items(name, value);
        items.into_iter().filter_map(|item| self.one(item)).collect()
    }

    fn items<'i>(&mut self, name: &str, value: Spanned<DeValue<'i>>) -> Vec<Spanned<DeValue<'i>>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().collect(),
            other => {
                self.slip(span, format!("`{name}` is a list, written [[{name}]], and not a {}", other.type_str()));
                Vec::new()
            }
        }
    }

    /// Directories, with the faults of each of their parts.
    fn directories(&mut self, value: Spanned<DeValue<'_>>) -> Vec<DirectoryDecl> {
        let mut all = Vec::new();
        for mut item in self.items("directory", value) {
            let mut parts = [("ceiling", None), ("connection", None), ("rule", None)];
            if let DeValue::Table(table) = item.get_mut() {
                for (name, part) in &mut parts {
                    *part = table.remove(*name);
                }
            }
            let [ceilings, connections, rules] = parts;
            let ceilings = ceilings.1.map(|value| self.list("directory.ceiling", value)).unwrap_or_default();
            let connections = connections.1.map(|value| self.list("directory.connection", value)).unwrap_or_default();
            let rules = rules.1.map(|value| self.list("directory.rule", value)).unwrap_or_default();
            let whole: Option<DirectoryDecl> = self.one(item);
            all.extend(whole.map(|whole| DirectoryDecl { ceilings, connections, rules, ..whole }));
        }
        all
    }
}

/// Where the lines of a text begin.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

/// Finds the lines of what a declaration says, for those who only know which declaration it was.
pub struct SourcePositions<'a> {
    lines: LineIndex,
    table: DeTable<'a>,
}

impl<'a> SourcePositions<'a> {
    /// The places of a text that [`read`] has read.
    pub fn of(text: &'a str) -> Self {
        Self { lines: LineIndex::of(text), table: DeTable::parse_recoverable(text).0.into_inner() }
    }

    /// The line of `directory/2/rule/0/when`; that of what it stands in when there is no such value.
    pub fn line(&self, at: &str) -> usize {
        let mut steps = at.split('/').filter(|step| !step.is_empty());
        let Some((first, mut value)) = steps.next().and_then(|name| self.table.get_key_value(name)) else { return 1 };
        let mut offset = first.span().start;
        for step in steps {
            let found = match value.get_ref() {
                DeValue::Table(table) => table.get_key_value(step).map(|(key, value)| (key.span().start, value)),
                DeValue::Array(items) => {
                    let item = step.parse::<usize>().ok().and_then(|number| items.get(number));
                    item.map(|item| (item.span().start, item))
                }
                _ => None,
            };
            let Some((start, found)) = found else { break };
            (offset, value) = (start, found);
        }
        self.lines.line(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "catalog = \"cove\"\n\n[[partner]]\nkey = \"a\"\nname = \"A\"\nlevel = \"x\"\n\n\
        [[directory]]\npartner = \"a\"\nname = \"D\"\n\n[[directory.rule]]\nname = \"r\"\nwhen = 'x'\nadd_to_group = \"g\"\n\n\
        [[directory.rule]]\nname = \"s\"\nwhen = 'y'\ngrant_role = \"R\"\nscope = { subtree = \"a\" }\n";

    #[test]
    fn every_slip_of_form_is_told_with_its_line() {
        let wrong = FILE
            .replace("level = \"x\"", "level = \"x\"\ncolour = \"red\"")
            .replace("name = \"D\"", "name = 7")
            .replace("when = 'x'\n", "")
            .replace("scope = {", "scope = { subtre = \"b\", ")
            .replace("catalog = \"cove\"", "katalog = \"cove\"");
        let Err(Slips(slips)) = read(&wrong) else { panic!("it was read") };
        let lines: Vec<_> = slips.iter().map(|slip| slip.line).collect();
        assert_eq!(lines, [1, 7, 11, 13, 21], "{slips:?}");
        for (slip, named) in slips.iter().zip(["katalog", "colour", "integer", "when", "subtre"]) {
            assert!(slip.why.contains(named), "{slip:?}");
        }
        let syntax = read("[[partner]]\nkey = \n\n[group\n").unwrap_err().to_string();
        assert!(syntax.contains("line 2:") && syntax.contains("line 4:"), "{syntax}");
    }

    #[test]
    fn what_is_declared_has_a_line() {
        read(FILE).unwrap();
        let places = SourcePositions::of(FILE);
        for (at, line) in [
            ("catalog", 1),
            ("partner/0", 3),
            ("partner/0/level", 6),
            ("directory/0", 8),
            ("directory/0/rule/0/when", 14),
            ("directory/0/rule/1", 17),
            ("directory/0/rule/1/scope/subtree", 21),
            ("directory/0/rule/1/scope/exclude/3", 21),
            ("nothing", 1),
        ] {
            assert_eq!(places.line(at), line, "{at}");
        }
    }
}
