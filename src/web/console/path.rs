//! The picture of why a person holds a role: external user → external group → rule → role → scope.
use uuid::Uuid;

use crate::access::explain::{Dormant, GroundLine, Miss, Proof, Reason, RuleLine, Support};
use crate::domain::id::Id as _;
use crate::domain::rule::PeopleSet;
use crate::scim::schema::{ENTERPRISE_URN, USER_URN};
use crate::store::effective_lists::{Clip, GrantOfPerson};
use crate::store::people_facts::Door;

/// One picture with a sentence below it.
pub struct Why {
    /// From the source to the scope.
    pub steps: Vec<Step>,
    /// The same in words.
    pub sentence: String,
    /// Why it does not count, or not whole.
    pub but: Option<String>,
}

/// One box of the picture.
pub struct Step {
    /// What it is.
    pub kind: String,
    /// Its name.
    pub text: String,
    /// How it is drawn.
    pub class: &'static str,
}

fn step(kind: impl Into<String>, text: impl Into<String>) -> Step {
    Step { kind: kind.into(), text: text.into(), class: "" }
}

/// Why the person holds this; `names` are those of the partners cut out of its scope.
pub fn why(grant: &GrantOfPerson, doors: &[Door], names: &[(Uuid, String)]) -> Why {
    let mut why = drawn(&grant.proof, doors);
    let outs = grant.scope.without_partners.iter();
    let outs: Vec<&str> =
        outs.filter_map(|out| names.iter().find(|(id, _)| *id == out.uuid())).map(|(_, name)| name.as_str()).collect();
    if let (Some(last), false) = (why.steps.last_mut(), outs.is_empty()) {
        last.text = format!("{} except {}", last.text.replace(" (with exceptions)", ""), outs.join(", "));
    }
    let directory = grant.proof.support.directory().map(|directory| directory.name.as_str());
    let directory = directory.filter(|name| !name.is_empty()).unwrap_or("a directory");
    why.but = match (grant.dormant, grant.clip) {
        (Some(Dormant::NotYet), _) => Some("It begins later.".to_owned()),
        (Some(Dormant::Over), _) => Some("It has ended.".to_owned()),
        (Some(Dormant::Suspended), _) => Some("It is put aside until an administrator returns it.".to_owned()),
        (None, Clip::Whole) => None,
        (None, Clip::Part) => Some(format!("It counts only as far as the ceiling of {directory} reaches.")),
        (None, Clip::Nothing) => Some(format!("It confers nothing: the ceiling of {directory} does not allow it.")),
    };
    if why.but.is_some() {
        mark(&mut why.steps, "clipped");
    }
    why
}

/// The grant an answer rests on, or the one that comes nearest.
pub fn answer_path(reason: &Reason, doors: &[Door]) -> Option<Why> {
    match reason {
        Reason::Granted(proof) => Some(drawn(proof, doors)),
        Reason::Refused { misses } => misses.iter().find_map(|miss| match miss {
            Miss::NotNow { nearest, .. }
            | Miss::OutOfScope { nearest }
            | Miss::Clipped { nearest, .. }
            | Miss::Unconfirmed { nearest } => {
                let mut why = drawn(nearest, doors);
                mark(&mut why.steps, "clipped");
                Some(why)
            }
            _ => None,
        }),
    }
}

fn mark(steps: &mut [Step], class: &'static str) {
    if let Some(last) = steps.last_mut() {
        last.class = class;
    }
}

fn drawn(proof: &Proof, doors: &[Door]) -> Why {
    let mut steps = Vec::new();
    match &proof.support {
        Support::Rule(line) => by_rule(&mut steps, line, doors),
        Support::Manual { granted_by, through, .. } => {
            if let Some(through) = through {
                match &through.ground {
                    GroundLine::Rule(line) => by_rule(&mut steps, line, doors),
                    GroundLine::Added => steps.push(step("added by", "an administrator")),
                    GroundLine::Pinned => steps.push(step("placed by", "an administrator")),
                    GroundLine::Default => steps.push(step("default group of", "the home partner")),
                    GroundLine::Resting { directory: Some(directory) } => {
                        steps.push(step("default group, by the word of", or(&directory.name, "a directory")));
                    }
                    GroundLine::Resting { directory: None } => steps.push(step("default group, by", "nobody's word")),
                }
                steps.push(step("user group", or(&through.group.name, "a user group")));
            } else {
                let by = granted_by.as_ref().map_or("the set-up", |who| or(&who.name, "an administrator"));
                steps.push(step("granted by", by));
            }
        }
    }
    steps.push(step("role", or(&proof.role.name, "a role")));
    steps.push(Step { kind: "over".to_owned(), text: capital(&proof.scope.to_string()), class: "end" });
    Why { steps, sentence: format!("{}.", capital(&short(&proof.to_string()))), but: None }
}

fn by_rule(steps: &mut Vec<Step>, line: &RuleLine, doors: &[Door]) {
    let door = doors.iter().find(|door| door.directory == line.directory.name && door.active);
    let said = door.map_or("external user", |door| door.user_name.as_str());
    steps.push(step(format!("in {}", or(&line.directory.name, "a directory")), said));
    for witness in &line.witnesses {
        let kind = match witness.id {
            PeopleSet::Group(_) => "external group",
            PeopleSet::Condition(_) => "condition",
        };
        steps.push(step(kind, short(&witness.name)));
    }
    steps.push(step("rule", or(&line.rule.name, "a rule of a directory")));
}

/// The name, or other words for a thing that is not named.
fn or<'a>(name: &'a str, words: &'a str) -> &'a str {
    if name.is_empty() { words } else { name }
}

/// The text without the names of schemas before attributes: people know the attributes.
pub fn short(text: &str) -> String {
    text.replace(&format!("{ENTERPRISE_URN}:"), "").replace(&format!("{USER_URN}:"), "")
}

/// The text with its first letter as a capital.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
