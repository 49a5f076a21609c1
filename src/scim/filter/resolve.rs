//! From a filter as written to the neutral, typed filter of one resource type.

use super::{FilterAst, FilterOp, Literal};
use crate::domain::filter::{self as neutral, FieldType, FieldValue, FilterField, FilterValue};
use crate::domain::text::fold;
use crate::scim::error::{Result, invalid_filter};
use crate::scim::path::AttrPath;
use crate::scim::reference::target;
use crate::scim::schema::{Attribute, AttributeTarget, Located, ResourceSchema, kind_of};
use crate::scim::value::micros;
use serde_json::Value as Json;
use std::borrow::Cow;

/// What an attribute the resource type does not have means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// 400 `invalidFilter` (J11).
    Refuse,
    /// It has no value: for queries over all resource types (I04).
    NoValue,
}

impl FilterAst {
    /// The neutral filter: paths found in the schema, values typed and folded.
    ///
    /// # Errors
    /// 400 `invalidFilter` for an attribute the resource type does not have or
    /// never shows, and for an operator or value that does not fit its type.
    pub fn resolve(&self, resource: ResourceSchema<'_>, foreign: Foreign) -> Result<neutral::Filter> {
        let scope = Scope::Root { resource, foreign };
        resolve(self, &scope)
    }

    /// The neutral filter on one element of the multi-valued `list`.
    ///
    /// # Errors
    /// As [`FilterAst::resolve`].
    pub fn resolve_inner(&self, list: &Attribute) -> Result<neutral::Filter> {
        resolve(self, &Scope::Element { list })
    }
}

enum Scope<'s> {
    Root { resource: ResourceSchema<'s>, foreign: Foreign },
    Element { list: &'s Attribute },
}

/// A path, found: the list it goes through and the single value it ends at.
struct ResolvedTarget {
    list: Option<FilterField>,
    field: FilterField,
}

fn resolve(filter: &FilterAst, scope: &Scope<'_>) -> Result<neutral::Filter> {
    match filter {
        FilterAst::And(parts) => all(parts, scope).map(neutral::Filter::And),
        FilterAst::Or(parts) => all(parts, scope).map(neutral::Filter::Or),
        FilterAst::Not(part) => Ok(not(resolve(part, scope)?)),
        FilterAst::Present(path) => present(path, scope),
        FilterAst::Each { path, inner } => each(path, inner, scope),
        FilterAst::Compare { path, op, value } => compare(path, *op, value, scope),
    }
}

fn all(parts: &[FilterAst], scope: &Scope<'_>) -> Result<Vec<neutral::Filter>> {
    parts.iter().map(|part| resolve(part, scope)).collect()
}

fn not(filter: neutral::Filter) -> neutral::Filter {
    neutral::Filter::Not(Box::new(filter))
}

fn present(path: &AttrPath, scope: &Scope<'_>) -> Result<neutral::Filter> {
    let Some(found) = scope.find(path)? else {
        return Ok(neutral::Filter::Constant(false));
    };
    if let Some(link) = found.link(scope) {
        return Ok(link.place.wrap(neutral::Filter::Present(link.place.field.clone())));
    }
    let whole = match (&found, scope) {
        (Found::Root(target), _) if target.sub.is_none() => target.field(),
        (Found::Item(sub), Scope::Element { .. }) => element_field(Some(sub)),
        (Found::Element(_), _) => element_field(None),
        (found, _) => {
            let place = found.place(path)?;
            return Ok(place.wrap(neutral::Filter::Present(place.field.clone())));
        }
    };
    Ok(neutral::Filter::Present(whole))
}

fn each(path: &AttrPath, inner: &FilterAst, scope: &Scope<'_>) -> Result<neutral::Filter> {
    let Some(found) = scope.find(path)? else {
        return Ok(neutral::Filter::Constant(false));
    };
    match found {
        Found::Root(target) if target.attr.multi_valued && target.sub.is_none() => {
            let inner = inner.resolve_inner(target.attr)?;
            Ok(neutral::Filter::Each { list: target.field(), inner: Box::new(inner) })
        }
        _ => {
            Err(invalid_filter(format!("\"{path}\" is not a multi-valued attribute, so it cannot be followed by [ ].")))
        }
    }
}

fn compare(path: &AttrPath, op: FilterOp, value: &Literal, scope: &Scope<'_>) -> Result<neutral::Filter> {
    if *value == Literal::Null {
        return match op {
            // J09: "eq null" is "not present".
            FilterOp::Eq => present(path, scope).map(not),
            FilterOp::Ne => present(path, scope),
            _ => Err(invalid_filter("null can only be compared with eq and ne.")),
        };
    }
    let Some(found) = scope.find(path)? else {
        return Ok(neutral::Filter::Constant(op == FilterOp::Ne));
    };
    if let Some(link) = found.link(scope) {
        return link.compare(path, op, value);
    }
    let place = found.place(path)?;
    check_operator(path, op, place.field.kind)?;
    let value = typed(path, value, place.field.kind)?;
    let inner = neutral::Filter::Compare { field: place.field.clone(), op, value };
    Ok(place.wrap(inner))
}

/// A URL that the server makes of an id: the id answers for it.
struct Link {
    place: ResolvedTarget,
    /// The endpoints it may lead to.
    endpoints: Vec<String>,
}

impl Link {
    fn compare(&self, path: &AttrPath, op: FilterOp, value: &Literal) -> Result<neutral::Filter> {
        let (FilterOp::Eq | FilterOp::Ne, Literal::Text(url)) = (op, value) else {
            let text = format!("\"{path}\" can only be compared with a whole URL, by eq or ne, or be asked for by pr.");
            return Err(invalid_filter(text));
        };
        let leads_here = |collection: &str| self.endpoints.iter().any(|end| end.trim_start_matches('/') == collection);
        let inner = match target(url).filter(|(collection, _)| collection.is_none_or(leads_here)) {
            Some((_, id)) => neutral::Filter::Compare {
                field: self.place.field.clone(),
                op,
                value: FilterValue::Text(id.to_owned()),
            },
            None => neutral::Filter::Constant(op == FilterOp::Ne),
        };
        Ok(self.place.wrap(inner))
    }
}

fn check_operator(path: &AttrPath, op: FilterOp, kind: FieldType) -> Result<()> {
    let fits = match op {
        FilterOp::Eq | FilterOp::Ne => true,
        FilterOp::Co | FilterOp::Sw | FilterOp::Ew => matches!(kind, FieldType::Text { .. }),
        FilterOp::Gt | FilterOp::Ge | FilterOp::Lt | FilterOp::Le => {
            !matches!(kind, FieldType::Bool | FieldType::Binary)
        }
    };
    if fits {
        return Ok(());
    }
    let word = super::parse::operator(op);
    Err(invalid_filter(format!("\"{path}\" cannot be compared with {word}.")))
}

fn typed(path: &AttrPath, value: &Literal, kind: FieldType) -> Result<FilterValue> {
    let typed = match (kind, value) {
        (FieldType::Text { exact: true } | FieldType::Binary, Literal::Text(text)) => {
            Some(FilterValue::Text(text.clone()))
        }
        (FieldType::Text { exact: false }, Literal::Text(text)) => Some(FilterValue::Text(fold(text))),
        (FieldType::Bool, Literal::Bool(truth)) => Some(FilterValue::Bool(*truth)),
        (FieldType::Integer, Literal::Number(number)) => number.as_i64().map(FilterValue::Integer),
        (FieldType::Decimal, Literal::Number(number)) => number.as_f64().map(FilterValue::Decimal),
        (FieldType::Time, Literal::Text(text)) => micros(text).map(FilterValue::Time),
        _ => None,
    };
    typed.ok_or_else(|| {
        let wanted = match kind {
            FieldType::Text { .. } | FieldType::Binary => "a quoted string",
            FieldType::Bool => "true or false",
            FieldType::Integer => "a whole number",
            FieldType::Decimal => "a number",
            FieldType::Time => "a date and time, such as \"2026-01-31T08:00:00Z\"",
            FieldType::Object => "one of its sub-attributes",
        };
        invalid_filter(format!("\"{path}\" must be compared with {wanted}."))
    })
}

enum Found<'s> {
    /// An attribute of the resource.
    Root(AttributeTarget<'s>),
    /// A sub-attribute of the element.
    Item(&'s Attribute),
    /// The element itself, of a list of plain values.
    Element(&'s Attribute),
}

impl<'s> Scope<'s> {
    fn find(&self, path: &AttrPath) -> Result<Option<Found<'s>>> {
        let found = match self {
            Scope::Root { resource, foreign } => match resource.locate(path) {
                Some(Located::Attribute(target)) => Some(Found::Root(target)),
                _ if *foreign == Foreign::NoValue => return Ok(None),
                _ => None,
            },
            Scope::Element { list } if path.urn.is_none() && path.sub.is_none() => match list.sub(&path.name) {
                Some(sub) => Some(Found::Item(sub)),
                None => (list.sub_attributes.is_empty() && path.name.eq_ignore_ascii_case("value"))
                    .then_some(Found::Element(list)),
            },
            Scope::Element { .. } => None,
        };
        match found {
            Some(found) if found.leaf().is_secret() => {
                Err(invalid_filter(format!("\"{path}\" cannot be used in a filter.")))
            }
            Some(found) => Ok(Some(found)),
            None => Err(invalid_filter(format!("There is no attribute \"{path}\" here."))),
        }
    }
}

impl<'s> Found<'s> {
    fn leaf(&self) -> &'s Attribute {
        match self {
            Found::Root(target) => target.leaf(),
            Found::Item(attr) | Found::Element(attr) => attr,
        }
    }

    /// What answers for a `$ref` or a location that is not stored.
    fn link(&self, scope: &Scope<'_>) -> Option<Link> {
        let (list, sub) = match (self, scope) {
            (Found::Item(sub), Scope::Element { list }) => (*list, *sub),
            (Found::Root(AttributeTarget { attr, sub: Some(sub), .. }), _) => (*attr, *sub),
            _ => return None,
        };
        if let (Scope::Root { resource, .. }, "meta", "location") = (scope, list.name.as_str(), sub.name.as_str()) {
            let field = FilterField { path: vec!["id".to_owned()], kind: FieldType::Text { exact: true } };
            return Some(Link {
                place: ResolvedTarget { list: None, field },
                endpoints: vec![resource.kind.endpoint.clone()],
            });
        }
        if sub.name != "$ref" || !list.derives_reference() {
            return None;
        }
        let value = list.sub("value")?;
        let place = match self {
            Found::Root(target) if !list.multi_valued => {
                let mut path = target.keys();
                path.push(value.name.clone());
                ResolvedTarget { list: None, field: FilterField { path, kind: kind_of(value) } }
            }
            Found::Root(target) => ResolvedTarget::element(Some(target.field()), Some(value), list),
            _ => ResolvedTarget::element(None, Some(value), list),
        };
        let endpoints = sub.reference_types.iter().map(|name| format!("/{name}s")).collect();
        Some(Link { place, endpoints })
    }

    /// The single value the path stands for in a comparison; `emails` alone
    /// means `emails.value` (J04).
    fn place(&self, path: &AttrPath) -> Result<ResolvedTarget> {
        let target = match self {
            Found::Item(attr) => return Ok(ResolvedTarget::element(None, Some(attr), attr)),
            Found::Element(attr) => return Ok(ResolvedTarget::element(None, None, attr)),
            Found::Root(target) => target,
        };
        let attr = target.attr;
        if attr.multi_valued {
            let sub = match target.sub {
                None if attr.sub_attributes.is_empty() => None,
                None => Some(attr.sub("value").ok_or_else(|| needs_sub(path))?),
                sub => sub,
            };
            return Ok(ResolvedTarget::element(Some(target.field()), sub, attr));
        }
        let mut keys = target.keys();
        let leaf = match (target.sub, attr.sub_attributes.is_empty()) {
            (None, false) => return Err(needs_sub(path)),
            (None, true) => attr,
            (Some(sub), _) => {
                keys.push(sub.name.clone());
                sub
            }
        };
        let kind = kind_of(leaf);
        Ok(ResolvedTarget { list: None, field: FilterField { path: keys, kind } })
    }
}

fn needs_sub(path: &AttrPath) -> crate::scim::error::ScimError {
    invalid_filter(format!("\"{path}\" has several parts; name the one to compare."))
}

fn element_field(sub: Option<&Attribute>) -> FilterField {
    match sub {
        Some(sub) => FilterField { path: vec![sub.name.clone()], kind: kind_of(sub) },
        None => FilterField { path: Vec::new(), kind: FieldType::Object },
    }
}

impl ResolvedTarget {
    fn element(list: Option<FilterField>, sub: Option<&Attribute>, attr: &Attribute) -> Self {
        let leaf = sub.unwrap_or(attr);
        Self {
            list,
            field: FilterField { path: sub.map(|s| s.name.clone()).into_iter().collect(), kind: kind_of(leaf) },
        }
    }

    fn wrap(&self, inner: neutral::Filter) -> neutral::Filter {
        match &self.list {
            Some(list) => neutral::Filter::Each { list: list.clone(), inner: Box::new(inner) },
            None => inner,
        }
    }
}

/// Whether a document (not its comparable twin) satisfies a neutral filter:
/// values are folded and converted while reading. The same answer as
/// `filter.matches(&keys(document))`, for one-off questions such as PATCH.
#[must_use]
pub fn document_matches(filter: &neutral::Filter, document: &Json) -> bool {
    filter.eval(document, &read_plain)
}

fn read_plain(kind: FieldType, value: &Json) -> Option<FieldValue<'_>> {
    match kind {
        FieldType::Text { exact: false } => value.as_str().map(|s| FieldValue::Text(Cow::Owned(fold(s)))),
        FieldType::Text { exact: true } | FieldType::Binary => {
            value.as_str().map(|s| FieldValue::Text(Cow::Borrowed(s)))
        }
        FieldType::Bool => value.as_bool().map(FieldValue::Bool),
        FieldType::Integer => value.as_i64().map(FieldValue::Integer),
        FieldType::Decimal => value.as_f64().map(FieldValue::Decimal),
        FieldType::Time => value.as_str().and_then(micros).map(FieldValue::Integer),
        FieldType::Object => None,
    }
}
