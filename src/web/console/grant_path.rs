//! The picture of why a user holds a role: external user → external group → rule → role → scope.
use uuid::Uuid;

use crate::access::explain::{
    DecisionReason, DenialReason, GrantExplanation, GrantOrigin, InactiveReason, MembershipSummary, RuleSummary,
};
use crate::domain::id::Id as _;
use crate::domain::rule::ExternalSet;
use crate::scim::schema::{ENTERPRISE_URN, USER_URN};
use crate::store::effective_lists::{CeilingEffect, UserGrant};
use crate::store::user_summaries::LinkedAccount;

/// One picture with a sentence below it.
pub struct GrantPath {
    /// From the source to the scope.
    pub steps: Vec<PathNode>,
    /// The same in words.
    pub sentence: String,
    /// Why it does not count, or not whole.
    pub but: Option<String>,
}

/// One box of the picture.
pub struct PathNode {
    /// What it is.
    pub kind: String,
    /// Its name.
    pub text: String,
    /// How it is drawn.
    pub class: &'static str,
}

fn step(kind: impl Into<String>, text: impl Into<String>) -> PathNode {
    PathNode { kind: kind.into(), text: text.into(), class: "" }
}

/// Why the user holds this; `names` are those of the partners cut out of its scope.
pub fn why(grant: &UserGrant, connections: &[LinkedAccount], names: &[(Uuid, String)]) -> GrantPath {
    let mut why = drawn(&grant.proof, connections);
    let outs = grant.scope.excluded_partners.iter();
    let outs: Vec<&str> =
        outs.filter_map(|out| names.iter().find(|(id, _)| *id == out.uuid())).map(|(_, name)| name.as_str()).collect();
    if let (Some(last), false) = (why.steps.last_mut(), outs.is_empty()) {
        last.text = format!("{} except {}", last.text.replace(" (with exceptions)", ""), outs.join(", "));
    }
    let directory = grant.proof.origin.directory().map(|directory| directory.name.as_str());
    let directory = directory.filter(|name| !name.is_empty()).unwrap_or("a directory");
    why.but = match (grant.inactive_reason, grant.ceiling_effect) {
        (Some(InactiveReason::NotYetValid), _) => Some("It begins later.".to_owned()),
        (Some(InactiveReason::Expired), _) => Some("It has ended.".to_owned()),
        (Some(InactiveReason::Suspended), _) => Some("It is put aside until an administrator returns it.".to_owned()),
        (None, CeilingEffect::None) => None,
        (None, CeilingEffect::Partial) => Some(format!("It counts only as far as the ceiling of {directory} reaches.")),
        (None, CeilingEffect::Blocked) => {
            Some(format!("It confers nothing: the ceiling of {directory} does not allow it."))
        }
    };
    if why.but.is_some() {
        mark(&mut why.steps, "clipped");
    }
    why
}

/// The grant an answer rests on, or the one that comes nearest.
pub fn answer_path(reason: &DecisionReason, connections: &[LinkedAccount]) -> Option<GrantPath> {
    match reason {
        DecisionReason::Allowed(proof) => Some(drawn(proof, connections)),
        DecisionReason::Denied { denials: misses } => misses.iter().find_map(|miss| match miss {
            DenialReason::GrantInactive { closest_grant: nearest, .. }
            | DenialReason::OutOfScope { closest_grant: nearest }
            | DenialReason::OutsideCeiling { closest_grant: nearest, .. }
            | DenialReason::Unconfirmed { closest_grant: nearest } => {
                let mut why = drawn(nearest, connections);
                mark(&mut why.steps, "clipped");
                Some(why)
            }
            _ => None,
        }),
    }
}

fn mark(steps: &mut [PathNode], class: &'static str) {
    if let Some(last) = steps.last_mut() {
        last.class = class;
    }
}

fn drawn(proof: &GrantExplanation, connections: &[LinkedAccount]) -> GrantPath {
    let mut steps = Vec::new();
    match &proof.origin {
        GrantOrigin::Rule(line) => by_rule(&mut steps, line, connections),
        GrantOrigin::Manual { granted_by, via_group: through, .. } => {
            if let Some(through) = through {
                match &through.membership {
                    MembershipSummary::Rule(line) => by_rule(&mut steps, line, connections),
                    MembershipSummary::Added => steps.push(step("added by", "an administrator")),
                    MembershipSummary::Pinned => steps.push(step("placed by", "an administrator")),
                    MembershipSummary::Default => steps.push(step("default group of", "the home partner")),
                    MembershipSummary::Resting { directory: Some(directory) } => {
                        steps.push(step("default group, by the word of", or(&directory.name, "a directory")));
                    }
                    MembershipSummary::Resting { directory: None } => {
                        steps.push(step("default group, by", "nobody's word"))
                    }
                }
                steps.push(step("user group", or(&through.group.name, "a user group")));
            } else {
                let by = granted_by.as_ref().map_or("the set-up", |who| or(&who.name, "an administrator"));
                steps.push(step("granted by", by));
            }
        }
    }
    steps.push(step("role", or(&proof.role.name, "a role")));
    steps.push(PathNode { kind: "over".to_owned(), text: capital(&proof.scope.to_string()), class: "end" });
    GrantPath { steps, sentence: format!("{}.", capital(&short(&proof.to_string()))), but: None }
}

fn by_rule(steps: &mut Vec<PathNode>, line: &RuleSummary, connections: &[LinkedAccount]) {
    let connection =
        connections.iter().find(|connection| connection.directory == line.directory.name && connection.active);
    let said = connection.map_or("external user", |connection| connection.user_name.as_str());
    steps.push(step(format!("in {}", or(&line.directory.name, "a directory")), said));
    for witness in &line.matched {
        let kind = match witness.id {
            ExternalSet::Group(_) => "external group",
            ExternalSet::Condition(_) => "condition",
        };
        steps.push(step(kind, short(&witness.name)));
    }
    steps.push(step("rule", or(&line.rule.name, "a rule of a directory")));
}

/// The name, or other words for a thing that is not named.
fn or<'a>(name: &'a str, words: &'a str) -> &'a str {
    if name.is_empty() { words } else { name }
}

/// The text without the names of schemas before attributes: users know the attributes.
pub fn short(text: &str) -> String {
    text.replace(&format!("{ENTERPRISE_URN}:"), "").replace(&format!("{USER_URN}:"), "")
}

/// The text with its first letter as a capital.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
