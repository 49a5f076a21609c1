//! From a neutral filter to a WHERE clause. Every part is true or false and never NULL, so that NOT means not.
use uuid::Uuid;

use super::{Composer, Of};
use crate::domain::filter::{FieldType, Filter, FilterField, FilterOp, FilterValue};
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
enum ValueSource {
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
    fn place(&self, field: &FilterField, scope: &Scope) -> ValueSource {
        let path: Vec<&str> = field.path.iter().map(String::as_str).collect();
        match (scope, path.as_slice()) {
            (Scope::Resource, path) => self.resource_place(path, field.kind),
            (Scope::Element(alias), []) => plain(format!("{alias}.value"), field.kind),
            (Scope::Element(alias), path) => self.json(&format!("{alias}.value"), path, field.kind),
            (Scope::GroupOf, ["value"]) => ValueSource::Id("og.id".to_owned()),
            (Scope::GroupOf, ["display"]) => ValueSource::Folded("og.display_name_key".to_owned()),
            (Scope::GroupOf, ["type"]) => ValueSource::Text(
                "CASE WHEN EXISTS (SELECT 1 FROM external_group_members od WHERE od.external_user_id = u.id AND od.external_group_id = og.id) \
                 THEN 'direct' ELSE 'indirect' END"
                    .to_owned(),
            ),
            (Scope::MemberUser, ["value"]) => ValueSource::Id("mu.id".to_owned()),
            (Scope::MemberUser, ["display"]) => ValueSource::Folded("mu.user_name_key".to_owned()),
            (Scope::MemberUser, ["type"]) => ValueSource::Fixed("user"),
            (Scope::MemberGroup, ["value"]) => ValueSource::Id("mg.id".to_owned()),
            (Scope::MemberGroup, ["display"]) => ValueSource::Folded("mg.display_name_key".to_owned()),
            (Scope::MemberGroup, ["type"]) => ValueSource::Fixed("group"),
            _ => ValueSource::Absent,
        }
    }

    fn resource_place(&self, path: &[&str], kind: FieldType) -> ValueSource {
        let table = self.of.table();
        let column = |name: &str| format!("{table}.{name}");
        match (self.of, path) {
            (_, ["id"]) => ValueSource::Id(column("id")),
            (_, ["externalId"]) => ValueSource::Text(column("external_id")),
            (_, ["meta", "created"]) => ValueSource::Number(column("created_at")),
            (_, ["meta", "lastModified"]) => ValueSource::Number(column("updated_at")),
            (_, ["meta", "version"]) => ValueSource::Text(format!("('W/\"' || {table}.version || '\"')")),
            (Of::Users, ["meta", "resourceType"]) => ValueSource::Fixed("User"),
            (Of::Groups, ["meta", "resourceType"]) => ValueSource::Fixed("Group"),
            (_, ["meta"]) => ValueSource::Fixed("meta"),
            (_, ["meta", ..]) => ValueSource::Absent,
            (Of::Users, ["userName"]) => ValueSource::Folded(column("user_name_key")),
            (Of::Users, ["active"]) => ValueSource::Flag(column("active")),
            (Of::Groups, ["displayName"]) => ValueSource::Folded(column("display_name_key")),
            (_, path) => self.json(&column("search_keys"), path, kind),
        }
    }

    /// A value inside the JSON text `column`.
    fn json(&self, column: &str, path: &[&str], kind: FieldType) -> ValueSource {
        match kind {
            FieldType::Text { .. } | FieldType::Binary => ValueSource::Text(self.dialect.json_text(column, path)),
            FieldType::Integer | FieldType::Time => ValueSource::Number(self.dialect.json_integer(column, path)),
            FieldType::Decimal => ValueSource::Decimal(self.dialect.json_text(column, path)),
            FieldType::Bool => ValueSource::Truth(self.dialect.json_text(column, path)),
            FieldType::Object => ValueSource::Whole(self.dialect.json_text(column, path)),
        }
    }

    fn present(&mut self, field: &FilterField, scope: &Scope) -> String {
        if let (Scope::Resource, [name]) = (scope, field.path.as_slice())
            && let Some(any) = self.related(name, None)
        {
            return any;
        }
        match self.place(field, scope) {
            ValueSource::Id(_) | ValueSource::Folded(_) | ValueSource::Flag(_) | ValueSource::Fixed(_) => {
                constant(true)
            }
            ValueSource::Text(sql) | ValueSource::Number(sql) | ValueSource::Decimal(sql) | ValueSource::Truth(sql) => {
                format!("({sql}) IS NOT NULL")
            }
            ValueSource::Whole(sql) => format!("COALESCE(({sql}) NOT IN ('[]', '{{}}'), FALSE)"),
            ValueSource::Absent => constant(false),
        }
    }

    fn each(&mut self, list: &FilterField, inner: &Filter) -> String {
        if let [name] = list.path.as_slice()
            && let Some(any) = self.related(name, Some(inner))
        {
            return any;
        }
        let alias = self.alias();
        let path: Vec<&str> = list.path.iter().map(String::as_str).collect();
        let rows = self.dialect.json_each(&format!("{}.search_keys", self.of.table()), &path, &alias);
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
                "u.id IN (SELECT om.external_user_id FROM external_group_ancestors oc JOIN external_group_members om ON om.external_group_id = oc.external_group_id \
                 JOIN external_groups og ON og.id = oc.ancestor_id WHERE oc.ancestor_id = {id} AND NOT og.is_removed)"
            );
        }
        let inner = inner.map_or_else(|| constant(true), |inner| self.part(inner, &Scope::GroupOf));
        format!(
            "EXISTS (SELECT 1 FROM external_group_members om JOIN external_group_ancestors oc ON oc.external_group_id = om.external_group_id \
             JOIN external_groups og ON og.id = oc.ancestor_id WHERE om.external_user_id = u.id AND NOT og.is_removed AND {inner})"
        )
    }

    fn member(&mut self, inner: Option<&Filter>) -> String {
        if let Some(id) = inner.and_then(value_equals) {
            let id = self.bind(id);
            return format!(
                "g.id IN (SELECT external_group_id FROM external_group_members WHERE external_user_id = {id} \
                 UNION SELECT parent_id FROM external_subgroups WHERE child_id = {id})"
            );
        }
        let (users, groups) = match inner {
            None => (constant(true), constant(true)),
            Some(inner) => (self.part(inner, &Scope::MemberUser), self.part(inner, &Scope::MemberGroup)),
        };
        format!(
            "(EXISTS (SELECT 1 FROM external_group_members mm JOIN external_users mu ON mu.id = mm.external_user_id \
             WHERE mm.external_group_id = g.id AND {users}) \
             OR EXISTS (SELECT 1 FROM external_subgroups ms JOIN external_groups mg ON mg.id = ms.child_id \
             WHERE ms.parent_id = g.id AND {groups}))"
        )
    }

    fn compare(&mut self, place: &ValueSource, op: FilterOp, value: &FilterValue) -> String {
        match (place, value) {
            (ValueSource::Absent, _) => constant(op == FilterOp::Ne),
            (ValueSource::Id(sql), FilterValue::Text(text)) => match (op, exact(text)) {
                (FilterOp::Eq, Some(id)) => format!("{sql} = {}", self.bind(id)),
                (FilterOp::Ne, Some(id)) => format!("{sql} <> {}", self.bind(id)),
                (FilterOp::Eq | FilterOp::Ne, None) => constant(op == FilterOp::Ne),
                _ => self.text(&self.dialect.uuid_text(sql), op, text),
            },
            (ValueSource::Folded(sql), FilterValue::Text(text)) => self.folded(sql, op, text),
            (ValueSource::Text(sql), FilterValue::Text(text)) => self.text(sql, op, text),
            (ValueSource::Fixed(fixed), FilterValue::Text(text)) => {
                let sql = format!("'{fixed}'");
                self.text(&sql, op, text)
            }
            (ValueSource::Number(sql), FilterValue::Integer(number) | FilterValue::Time(number)) => {
                let bound = self.bind(*number);
                ordered(sql, op, &bound)
            }
            (ValueSource::Decimal(sql), FilterValue::Decimal(number)) => {
                let bound = self.bind(number.to_string());
                let bound = format!("CAST({} AS DOUBLE PRECISION)", self.dialect.typed(&bound, "text"));
                ordered(&format!("CAST({sql} AS DOUBLE PRECISION)"), op, &bound)
            }
            (ValueSource::Truth(sql), FilterValue::Bool(truth)) => {
                ordered(sql, op, if *truth { "'true'" } else { "'false'" })
            }
            (ValueSource::Flag(sql), FilterValue::Bool(truth)) => {
                if (op == FilterOp::Eq) == *truth {
                    sql.clone()
                } else {
                    format!("NOT {sql}")
                }
            }
            // A value of another type is not identical, and nothing else.
            _ => constant(op == FilterOp::Ne),
        }
    }

    fn folded(&mut self, sql: &str, op: FilterOp, text: &str) -> String {
        let bytes = text.as_bytes();
        match op {
            FilterOp::Sw => match successor(bytes) {
                None => constant(true),
                Some(end) => {
                    let from = self.bind(bytes);
                    format!("({sql} >= {from} AND {sql} < {})", self.bind(end))
                }
            },
            FilterOp::Co if bytes.is_empty() => constant(true),
            FilterOp::Co => {
                let needle = self.bind(bytes);
                self.dialect.contains(sql, &needle)
            }
            FilterOp::Ew => {
                let (length, end) = (bytes.len(), self.bind(bytes));
                format!("(length({sql}) >= {length} AND substr({sql}, length({sql}) - {length} + 1) = {end})")
            }
            _ => {
                let bound = self.bind(bytes);
                format!("{sql} {} {bound}", symbol(op))
            }
        }
    }

    fn text(&mut self, sql: &str, op: FilterOp, text: &str) -> String {
        let length = text.chars().count();
        match op {
            FilterOp::Co | FilterOp::Sw | FilterOp::Ew if length == 0 => format!("({sql}) IS NOT NULL"),
            FilterOp::Co => {
                let needle = self.bind(text);
                let contains = self.dialect.contains(&format!("({sql})"), &needle);
                format!("COALESCE({contains}, FALSE)")
            }
            FilterOp::Sw => format!("COALESCE(substr({sql}, 1, {length}) = {}, FALSE)", self.bind(text)),
            FilterOp::Ew => format!(
                "COALESCE(length({sql}) >= {length} AND substr({sql}, length({sql}) - {length} + 1) = {}, FALSE)",
                self.bind(text)
            ),
            FilterOp::Eq => {
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

fn plain(sql: String, kind: FieldType) -> ValueSource {
    match kind {
        FieldType::Integer | FieldType::Time => ValueSource::Number(format!("CAST({sql} AS BIGINT)")),
        FieldType::Decimal => ValueSource::Decimal(sql),
        FieldType::Bool => ValueSource::Truth(sql),
        FieldType::Text { .. } | FieldType::Binary | FieldType::Object => ValueSource::Text(sql),
    }
}

/// A comparison whose left side may be NULL.
fn ordered(sql: &str, op: FilterOp, bound: &str) -> String {
    match op {
        FilterOp::Ne => format!("({sql}) IS DISTINCT FROM {bound}"),
        _ => format!("COALESCE({sql} {} {bound}, FALSE)", symbol(op)),
    }
}

fn symbol(op: FilterOp) -> &'static str {
    match op {
        FilterOp::Ne => "<>",
        FilterOp::Gt => ">",
        FilterOp::Ge => ">=",
        FilterOp::Lt => "<",
        FilterOp::Le => "<=",
        FilterOp::Eq | FilterOp::Co | FilterOp::Sw | FilterOp::Ew => "=",
    }
}

fn constant(truth: bool) -> String {
    if truth { "TRUE" } else { "FALSE" }.to_owned()
}

/// The id in a filter that asks for one element by its `value`.
pub(super) fn value_equals(inner: &Filter) -> Option<Uuid> {
    match inner {
        Filter::Compare { field, op: FilterOp::Eq, value: FilterValue::Text(text) } if field.path == ["value"] => {
            exact(text)
        }
        _ => None,
    }
}

/// The text that the `value` of every element that satisfies `inner` is.
pub(super) fn text_equals(inner: &Filter) -> Option<&str> {
    match inner {
        Filter::Compare { field, op: FilterOp::Eq, value: FilterValue::Text(text) } if field.path == ["value"] => {
            Some(text)
        }
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
