//! From a neutral filter to a WHERE clause. Every part is true or false and never NULL, so that NOT means not.
use uuid::Uuid;

use super::{Composer, Of};
use crate::domain::filter::{Field, Filter, Kind, Op, Value};
use crate::domain::id::exact;

/// Where a path starts.
#[derive(Clone, Debug)]
enum Scope {
    /// At the resource.
    Resource,
    /// At an element of a list in the document; its JSON text is the column `value` of this row source.
    Element(String),
    /// At a group the user is in, the table `og`; direct when it is the table `om`'s group.
    GroupOf,
    /// At a member of the group: a user, the table `mu`.
    MemberUser,
    /// At a member of the group: a group, the table `mg`.
    MemberGroup,
}

/// What answers for an attribute.
enum Place {
    /// A UUID column, shown as text.
    Id(String),
    /// A column of folded text as bytes; never NULL.
    Folded(String),
    /// A text, NULL when absent.
    Text(String),
    /// A number, NULL when absent.
    Number(String),
    /// A number with a fraction as text, NULL when absent.
    Decimal(String),
    /// A truth value as `true` or `false`, NULL when absent.
    Truth(String),
    /// An object or list as JSON text, NULL when absent.
    Whole(String),
    /// A truth column; never NULL.
    Flag(String),
    /// A text that is the same everywhere.
    Fixed(&'static str),
    /// Nothing has it.
    Absent,
}

impl Composer {
    /// The clause of a filter on the resource.
    pub(super) fn clause(&mut self, filter: &Filter) -> String {
        self.part(filter, &Scope::Resource)
    }

    fn part(&mut self, filter: &Filter, scope: &Scope) -> String {
        match filter {
            Filter::And(parts) => self.joined(parts, scope, " AND "),
            Filter::Or(parts) => self.joined(parts, scope, " OR "),
            Filter::Not(part) => format!("NOT {}", self.part(part, scope)),
            Filter::Constant(truth) => constant(*truth),
            Filter::Present(field) => self.present(field, scope),
            Filter::Each { list, inner } => self.each(list, inner),
            Filter::Compare { field, op, value } => self.compare(&self.place(field, scope), *op, value),
        }
    }

    fn joined(&mut self, parts: &[Filter], scope: &Scope, word: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.part(part, scope)).collect();
        format!("({})", parts.join(word))
    }

    /// What answers for `field`.
    fn place(&self, field: &Field, scope: &Scope) -> Place {
        let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
        match (scope, path.as_slice()) {
            (Scope::Resource, path) => self.resource_place(path, field.kind),
            (Scope::Element(alias), []) => plain(format!("{alias}.value"), field.kind),
            (Scope::Element(alias), path) => self.json(&format!("{alias}.value"), path, field.kind),
            (Scope::GroupOf, ["value"]) => Place::Id("og.id".to_owned()),
            (Scope::GroupOf, ["display"]) => Place::Folded("og.display_key".to_owned()),
            (Scope::GroupOf, ["type"]) => Place::Text(
                "CASE WHEN EXISTS (SELECT 1 FROM external_member od WHERE od.member = u.id AND od.grp = og.id) \
                 THEN 'direct' ELSE 'indirect' END"
                    .to_owned(),
            ),
            (Scope::MemberUser, ["value"]) => Place::Id("mu.id".to_owned()),
            (Scope::MemberUser, ["display"]) => Place::Folded("mu.user_name_key".to_owned()),
            (Scope::MemberUser, ["type"]) => Place::Fixed("user"),
            (Scope::MemberGroup, ["value"]) => Place::Id("mg.id".to_owned()),
            (Scope::MemberGroup, ["display"]) => Place::Folded("mg.display_key".to_owned()),
            (Scope::MemberGroup, ["type"]) => Place::Fixed("group"),
            _ => Place::Absent,
        }
    }

    fn resource_place(&self, path: &[&str], kind: Kind) -> Place {
        let table = self.of.table();
        let column = |name: &str| format!("{table}.{name}");
        match (self.of, path) {
            (_, ["id"]) => Place::Id(column("id")),
            (_, ["externalId"]) => Place::Text(column("external_id")),
            (_, ["meta", "created"]) => Place::Number(column("created_at")),
            (_, ["meta", "lastModified"]) => Place::Number(column("changed_at")),
            (_, ["meta", "version"]) => Place::Text(format!("('W/\"' || {table}.version || '\"')")),
            (Of::Users, ["meta", "resourceType"]) => Place::Fixed("User"),
            (Of::Groups, ["meta", "resourceType"]) => Place::Fixed("Group"),
            (_, ["meta"]) => Place::Fixed("meta"),
            (_, ["meta", ..]) => Place::Absent,
            (Of::Users, ["userName"]) => Place::Folded(column("user_name_key")),
            (Of::Users, ["active"]) => Place::Flag(column("active")),
            (Of::Groups, ["displayName"]) => Place::Folded(column("display_key")),
            (_, path) => self.json(&column("keys"), path, kind),
        }
    }

    /// A value inside the JSON text `column`.
    fn json(&self, column: &str, path: &[&str], kind: Kind) -> Place {
        match kind {
            Kind::Text { .. } | Kind::Binary => Place::Text(self.dialect.json_text(column, path)),
            Kind::Integer | Kind::Time => Place::Number(self.dialect.json_integer(column, path)),
            Kind::Decimal => Place::Decimal(self.dialect.json_text(column, path)),
            Kind::Bool => Place::Truth(self.dialect.json_text(column, path)),
            Kind::Object => Place::Whole(self.dialect.json_text(column, path)),
        }
    }

    fn present(&mut self, field: &Field, scope: &Scope) -> String {
        if let (Scope::Resource, [name]) = (scope, field.path.as_slice())
            && let Some(any) = self.related(name, None)
        {
            return any;
        }
        match self.place(field, scope) {
            Place::Id(_) | Place::Folded(_) | Place::Flag(_) | Place::Fixed(_) => constant(true),
            Place::Text(sql) | Place::Number(sql) | Place::Decimal(sql) | Place::Truth(sql) => {
                format!("({sql}) IS NOT NULL")
            }
            Place::Whole(sql) => format!("COALESCE(({sql}) NOT IN ('[]', '{{}}'), FALSE)"),
            Place::Absent => constant(false),
        }
    }

    fn each(&mut self, list: &Field, inner: &Filter) -> String {
        if let [name] = list.path.as_slice()
            && let Some(any) = self.related(name, Some(inner))
        {
            return any;
        }
        let alias = self.alias();
        let path: Vec<&str> = list.path.iter().map(String::as_str).collect();
        let rows = self.dialect.json_each(&format!("{}.keys", self.of.table()), &path, &alias);
        let inner = self.part(inner, &Scope::Element(alias));
        format!("EXISTS (SELECT 1 FROM {rows} WHERE {inner})")
    }

    /// Whether some membership satisfies `inner`, for the lists that are rows of their own.
    fn related(&mut self, list: &str, inner: Option<&Filter>) -> Option<String> {
        match (self.of, list) {
            (Of::Users, "groups") => Some(self.group_of(inner)),
            (Of::Groups, "members") => Some(self.member(inner)),
            _ => None,
        }
    }

    fn group_of(&mut self, inner: Option<&Filter>) -> String {
        if let Some(id) = inner.and_then(value_equals) {
            let id = self.bind(id);
            return format!(
                "u.id IN (SELECT om.member FROM group_closure oc JOIN external_member om ON om.grp = oc.descendant \
                 JOIN external_group og ON og.id = oc.ancestor WHERE oc.ancestor = {id} AND NOT og.gone)"
            );
        }
        let inner = inner.map_or_else(|| constant(true), |inner| self.part(inner, &Scope::GroupOf));
        format!(
            "EXISTS (SELECT 1 FROM external_member om JOIN group_closure oc ON oc.descendant = om.grp \
             JOIN external_group og ON og.id = oc.ancestor WHERE om.member = u.id AND NOT og.gone AND {inner})"
        )
    }

    fn member(&mut self, inner: Option<&Filter>) -> String {
        if let Some(id) = inner.and_then(value_equals) {
            let id = self.bind(id);
            return format!(
                "g.id IN (SELECT grp FROM external_member WHERE member = {id} \
                 UNION SELECT grp FROM external_subgroup WHERE child = {id})"
            );
        }
        let (users, groups) = match inner {
            None => (constant(true), constant(true)),
            Some(inner) => (self.part(inner, &Scope::MemberUser), self.part(inner, &Scope::MemberGroup)),
        };
        format!(
            "(EXISTS (SELECT 1 FROM external_member mm JOIN external_user mu ON mu.id = mm.member \
             WHERE mm.grp = g.id AND {users}) \
             OR EXISTS (SELECT 1 FROM external_subgroup ms JOIN external_group mg ON mg.id = ms.child \
             WHERE ms.grp = g.id AND {groups}))"
        )
    }

    fn compare(&mut self, place: &Place, op: Op, value: &Value) -> String {
        match (place, value) {
            (Place::Absent, _) => constant(op == Op::Ne),
            (Place::Id(sql), Value::Text(text)) => match (op, exact(text)) {
                (Op::Eq, Some(id)) => format!("{sql} = {}", self.bind(id)),
                (Op::Ne, Some(id)) => format!("{sql} <> {}", self.bind(id)),
                (Op::Eq | Op::Ne, None) => constant(op == Op::Ne),
                _ => self.text(&self.dialect.uuid_text(sql), op, text),
            },
            (Place::Folded(sql), Value::Text(text)) => self.folded(sql, op, text),
            (Place::Text(sql), Value::Text(text)) => self.text(sql, op, text),
            (Place::Fixed(fixed), Value::Text(text)) => {
                let sql = format!("'{fixed}'");
                self.text(&sql, op, text)
            }
            (Place::Number(sql), Value::Integer(number) | Value::Time(number)) => {
                let bound = self.bind(*number);
                ordered(sql, op, &bound)
            }
            (Place::Decimal(sql), Value::Decimal(number)) => {
                let bound = self.bind(number.to_string());
                let bound = format!("CAST({} AS DOUBLE PRECISION)", self.dialect.typed(&bound, "text"));
                ordered(&format!("CAST({sql} AS DOUBLE PRECISION)"), op, &bound)
            }
            (Place::Truth(sql), Value::Bool(truth)) => ordered(sql, op, if *truth { "'true'" } else { "'false'" }),
            (Place::Flag(sql), Value::Bool(truth)) => {
                if (op == Op::Eq) == *truth {
                    sql.clone()
                } else {
                    format!("NOT {sql}")
                }
            }
            // A value of another type is not identical, and nothing else.
            _ => constant(op == Op::Ne),
        }
    }

    fn folded(&mut self, sql: &str, op: Op, text: &str) -> String {
        let bytes = text.as_bytes();
        match op {
            Op::Sw => match successor(bytes) {
                None => constant(true),
                Some(end) => {
                    let from = self.bind(bytes);
                    format!("({sql} >= {from} AND {sql} < {})", self.bind(end))
                }
            },
            Op::Co if bytes.is_empty() => constant(true),
            Op::Co => {
                let needle = self.bind(bytes);
                self.dialect.contains(sql, &needle)
            }
            Op::Ew => {
                let (length, end) = (bytes.len(), self.bind(bytes));
                format!("(length({sql}) >= {length} AND substr({sql}, length({sql}) - {length} + 1) = {end})")
            }
            _ => {
                let bound = self.bind(bytes);
                format!("{sql} {} {bound}", symbol(op))
            }
        }
    }

    fn text(&mut self, sql: &str, op: Op, text: &str) -> String {
        let length = text.chars().count();
        match op {
            Op::Co | Op::Sw | Op::Ew if length == 0 => format!("({sql}) IS NOT NULL"),
            Op::Co => {
                let needle = self.bind(text);
                let contains = self.dialect.contains(&format!("({sql})"), &needle);
                format!("COALESCE({contains}, FALSE)")
            }
            Op::Sw => format!("COALESCE(substr({sql}, 1, {length}) = {}, FALSE)", self.bind(text)),
            Op::Ew => format!(
                "COALESCE(length({sql}) >= {length} AND substr({sql}, length({sql}) - {length} + 1) = {}, FALSE)",
                self.bind(text)
            ),
            Op::Eq => {
                let bound = self.bind(text);
                // Plain equality, so that an index on the column can be used.
                format!("(({sql}) IS NOT NULL AND {sql} = {bound})")
            }
            _ => {
                let bound = self.bind(text);
                ordered(&self.dialect.by_code_point(&format!("({sql})")), op, &bound)
            }
        }
    }
}

fn plain(sql: String, kind: Kind) -> Place {
    match kind {
        Kind::Integer | Kind::Time => Place::Number(format!("CAST({sql} AS BIGINT)")),
        Kind::Decimal => Place::Decimal(sql),
        Kind::Bool => Place::Truth(sql),
        Kind::Text { .. } | Kind::Binary | Kind::Object => Place::Text(sql),
    }
}

/// A comparison whose left side may be NULL.
fn ordered(sql: &str, op: Op, bound: &str) -> String {
    match op {
        Op::Ne => format!("({sql}) IS DISTINCT FROM {bound}"),
        _ => format!("COALESCE({sql} {} {bound}, FALSE)", symbol(op)),
    }
}

fn symbol(op: Op) -> &'static str {
    match op {
        Op::Ne => "<>",
        Op::Gt => ">",
        Op::Ge => ">=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Eq | Op::Co | Op::Sw | Op::Ew => "=",
    }
}

fn constant(truth: bool) -> String {
    if truth { "TRUE" } else { "FALSE" }.to_owned()
}

/// The id in a filter that asks for one element by its `value`.
pub(super) fn value_equals(inner: &Filter) -> Option<Uuid> {
    match inner {
        Filter::Compare { field, op: Op::Eq, value: Value::Text(text) } if field.path == ["value"] => exact(text),
        _ => None,
    }
}

/// The text that the `value` of every element that satisfies `inner` is.
pub(super) fn text_equals(inner: &Filter) -> Option<&str> {
    match inner {
        Filter::Compare { field, op: Op::Eq, value: Value::Text(text) } if field.path == ["value"] => Some(text),
        Filter::And(parts) => parts.iter().find_map(text_equals),
        _ => None,
    }
}

/// The first bytes after all that start with `prefix`; none when everything does. Folded text is UTF-8 and has no 0xff.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let (last, start) = prefix.split_last()?;
    let mut end = start.to_vec();
    end.push(last.saturating_add(1));
    Some(end)
}
