//! Whom a rule matches, as an administrator writes it: a SCIM filter in which `memberOf eq "NAME"` asks for an
//! external group and everything else is an attribute condition.
use std::collections::HashMap;

use crate::access::rule_filter::Condition;
use crate::domain::id::ExternalGroupId;
use crate::domain::rule::ExternalSet;
use crate::domain::text::fold;
use crate::scim::filter::{FilterAst, FilterOp, Foreign, Literal};
use crate::scim::path::AttrPath;
use crate::scim::schema::SchemaSet;
use crate::store::rules::StoredRule;

/// The attribute that stands for membership of an external group.
const MEMBER_OF: &str = "memberOf";

/// Why a text cannot be a rule's condition.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WhenError {
    /// Not a filter, or about an attribute that users do not have.
    #[error("`{text}` is not a condition: {why}")]
    Filter {
        /// The text.
        text: String,
        /// What the filter reader says.
        why: String,
    },
    /// Membership is asked for in another way than by `eq` and a name.
    #[error("a group is asked for as {MEMBER_OF} eq \"its name\"")]
    MemberOf,
}

/// A test that a condition is made of.
#[derive(Clone, PartialEq, Debug)]
pub enum Leaf {
    /// Being in the external group of this display name, nested groups included.
    Group(String),
    /// An attribute condition, as a SCIM filter text.
    Attribute(String),
}

/// A condition over names: [`Condition`] before the names are bound to ids.
#[derive(Clone, PartialEq, Debug)]
pub enum NamedRuleFilter {
    /// One test.
    Is(Leaf),
    /// Not this.
    Not(Box<NamedRuleFilter>),
    /// All of these.
    All(Vec<NamedRuleFilter>),
    /// Any of these.
    Any(Vec<NamedRuleFilter>),
}

impl NamedRuleFilter {
    /// Reads a condition and checks its attributes against the schema of users.
    ///
    /// # Errors
    /// `WhenError`, for the administrator to read.
    pub fn parse(text: &str, schemas: &SchemaSet) -> Result<Self, WhenError> {
        let refuse = |why: String| WhenError::Filter { text: text.to_owned(), why };
        let filter = FilterAst::parse(text).map_err(|error| refuse(error.detail.into_owned()))?;
        let when = split(&filter)?;
        for attribute in when.leaves().filter_map(Leaf::attribute) {
            FilterAst::parse(attribute)
                .and_then(|filter| filter.resolve(schemas.users(), Foreign::Refuse))
                .map_err(|error| refuse(error.detail.into_owned()))?;
        }
        Ok(when)
    }

    /// Every test in it.
    pub fn leaves(&self) -> Box<dyn Iterator<Item = &Leaf> + '_> {
        match self {
            Self::Is(leaf) => Box::new(std::iter::once(leaf)),
            Self::Not(inner) => inner.leaves(),
            Self::All(parts) | Self::Any(parts) => Box::new(parts.iter().flat_map(Self::leaves)),
        }
    }

    /// The condition over ids; `bind` knows the id behind each test.
    pub fn bind(&self, bind: &impl Fn(&Leaf) -> ExternalSet) -> Condition {
        let all = |parts: &[Self]| parts.iter().map(|part| part.bind(bind)).collect();
        match self {
            Self::Is(leaf) => Condition::In(bind(leaf)),
            Self::Not(inner) => Condition::Not(Box::new(inner.bind(bind))),
            Self::All(parts) => Condition::All(all(parts)),
            Self::Any(parts) => Condition::Any(all(parts)),
        }
    }
}

/// A rule's condition with the names that its groups have now; `called` knows them. Where that would not be clear, and
/// for a group that is gone, the text the rule was saved with.
pub fn as_called(rule: &StoredRule, called: &HashMap<ExternalGroupId, String>) -> String {
    let saved = || rule.when.clone();
    let Ok(mut filter) = FilterAst::parse(&rule.when) else { return saved() };
    let meant = |name: &str| {
        let key = fold(name);
        // The names of this text come before those that were noted later.
        rule.names.iter().find(|(known, _)| fold(known) == key).map(|(_, id)| *id)
    };
    let (mut changed, mut clear) = (false, true);
    let mut written: HashMap<String, ExternalGroupId> = HashMap::new();
    filter.comparisons_mut(&mut |outer, path, value| {
        let Literal::Text(name) = value else { return };
        if outer.is_some() || !is_member_of(path) {
            return;
        }
        let Some(id) = meant(name) else { return };
        if let Some(now) = called.get(&id).filter(|now| fold(now) != fold(name)) {
            now.clone_into(name);
            changed = true;
        }
        // Two groups must not end up with one name.
        clear &= *written.entry(fold(name)).or_insert(id) == id;
    });
    if changed && clear { filter.to_string() } else { saved() }
}

impl Leaf {
    fn attribute(&self) -> Option<&str> {
        match self {
            Self::Attribute(text) => Some(text),
            Self::Group(_) => None,
        }
    }
}

/// Attribute tests stay together as one condition as long as no group stands among them: a condition costs one set of
/// users, however much it asks.
fn split(filter: &FilterAst) -> Result<NamedRuleFilter, WhenError> {
    if filter.find_path(&is_member_of).is_none() {
        return Ok(NamedRuleFilter::Is(Leaf::Attribute(filter.to_string())));
    }
    let all = |parts: &[FilterAst]| parts.iter().map(split).collect::<Result<Vec<_>, _>>();
    match filter {
        FilterAst::And(parts) => Ok(NamedRuleFilter::All(all(parts)?)),
        FilterAst::Or(parts) => Ok(NamedRuleFilter::Any(all(parts)?)),
        FilterAst::Not(inner) => Ok(NamedRuleFilter::Not(Box::new(split(inner)?))),
        FilterAst::Compare { path, op: FilterOp::Eq, value: Literal::Text(name) } if path.sub.is_none() => {
            Ok(NamedRuleFilter::Is(Leaf::Group(name.clone())))
        }
        _ => Err(WhenError::MemberOf),
    }
}

fn is_member_of(path: &AttrPath) -> bool {
    path.urn.is_none() && path.name.eq_ignore_ascii_case(MEMBER_OF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NamedRuleFilter, WhenError> {
        NamedRuleFilter::parse(text, &SchemaSet::base())
    }

    fn group(name: &str) -> NamedRuleFilter {
        NamedRuleFilter::Is(Leaf::Group(name.to_owned()))
    }

    #[test]
    fn groups_and_attributes_come_apart() {
        let when = parse(r#"memberOf eq "Ops" and not (title co "Trainee") and active eq true"#).unwrap();
        let NamedRuleFilter::All(parts) = when else { panic!("{when:?}") };
        assert_eq!(parts[0], group("Ops"));
        assert_eq!(parts[1], NamedRuleFilter::Is(Leaf::Attribute(r#"not (title co "Trainee")"#.to_owned())));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn attributes_alone_are_one_condition() {
        let when = parse(r#"title eq "A" or (userType eq "B" and active eq true)"#).unwrap();
        assert!(matches!(when, NamedRuleFilter::Is(Leaf::Attribute(_))));
    }

    #[test]
    fn negated_groups_are_kept() {
        let when = parse(r#"memberof eq "A" and not (memberOf eq "B")"#).unwrap();
        assert_eq!(when, NamedRuleFilter::All(vec![group("A"), NamedRuleFilter::Not(Box::new(group("B")))]));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(parse(r#"memberOf co "A""#), Err(WhenError::MemberOf));
        assert_eq!(parse("memberOf pr"), Err(WhenError::MemberOf));
        assert!(parse(r#"shoeSize eq "44""#).unwrap_err().to_string().contains("shoeSize"));
        assert!(parse("memberOf eq").is_err());
    }
}
