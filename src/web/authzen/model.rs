//! Requests as they are sent (AuthZEN 1.0 §5). Members we do not know are ignored, known ones must be right.
use serde_json::{Map, Value};

/// What is wrong with a request, for the sender.
pub type Wrong = String;

/// A JSON object.
pub type Object = Map<String, Value>;

/// Who, what and on what.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Evaluation {
    pub subject: Entity,
    pub action: String,
    pub resource: Entity,
}

/// A subject or a resource.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entity {
    pub kind: String,
    pub id: String,
    pub properties: Object,
}

/// Several questions in one request.
#[derive(Debug)]
pub struct EvaluationBatch {
    pub(super) items: Vec<Result<Evaluation, Wrong>>,
    pub(super) semantic: EvaluationsSemantic,
}

/// When a batch stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EvaluationsSemantic {
    ExecuteAll,
    DenyOnFirstDeny,
    PermitOnFirstPermit,
}

/// Most questions in one request.
pub(super) const MOST: usize = 200;

/// Reads a body as one object.
pub(super) fn object(body: &[u8]) -> Result<Object, Wrong> {
    if body.is_empty() {
        return Err("The body is empty; send a JSON object.".to_owned());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("The body must be a JSON object.".to_owned()),
        Err(error) => Err(format!("The body is not JSON (line {}, column {}).", error.line(), error.column())),
    }
}

/// Reads one question.
pub(super) fn asked(body: &Object) -> Result<Evaluation, Wrong> {
    member(body, "context")?;
    let action = member(body, "action")?.ok_or("`action` is missing.")?;
    member(action, "properties").map_err(|_| "`action.properties` must be an object.")?;
    Ok(Evaluation {
        subject: entity(body, "subject")?,
        action: text(action, "action", "name")?,
        resource: entity(body, "resource")?,
    })
}

/// Reads several questions; what a question leaves out stands at the top. `None` when it is a single one after all.
///
/// # Errors
/// What is wrong with the batch as a whole.
pub fn batch(body: &Object) -> Result<Option<EvaluationBatch>, Wrong> {
    let semantic = match member(body, "options")?.and_then(|options| options.get("evaluations_semantic")) {
        None => EvaluationsSemantic::ExecuteAll,
        Some(Value::String(word)) => match word.as_str() {
            "execute_all" => EvaluationsSemantic::ExecuteAll,
            "deny_on_first_deny" => EvaluationsSemantic::DenyOnFirstDeny,
            "permit_on_first_permit" => EvaluationsSemantic::PermitOnFirstPermit,
            other => return Err(format!("`options.evaluations_semantic` {other:?} is not known.")),
        },
        Some(_) => return Err("`options.evaluations_semantic` must be a string.".to_owned()),
    };
    let items = match body.get("evaluations") {
        None => return Ok(None),
        Some(Value::Array(items)) if items.is_empty() => return Ok(None),
        Some(Value::Array(items)) if items.len() > MOST => {
            return Err(format!("`evaluations` has more than {MOST} questions."));
        }
        Some(Value::Array(items)) => items,
        Some(_) => return Err("`evaluations` must be an array.".to_owned()),
    };
    for name in ["subject", "action", "resource", "context"] {
        member(body, name)?;
    }
    let items = items.iter().map(|item| {
        let item = item.as_object().ok_or("A question must be an object.")?;
        let mut whole = item.clone();
        for name in ["subject", "action", "resource", "context"] {
            if let (None, Some(default)) = (item.get(name), body.get(name)) {
                whole.insert(name.to_owned(), default.clone());
            }
        }
        asked(&whole)
    });
    Ok(Some(EvaluationBatch { items: items.collect(), semantic }))
}

fn entity(body: &Object, name: &str) -> Result<Entity, Wrong> {
    let entity = member(body, name)?.ok_or_else(|| format!("`{name}` is missing."))?;
    let properties = member(entity, "properties").map_err(|_| format!("`{name}.properties` must be an object."))?;
    Ok(Entity {
        kind: text(entity, name, "type")?,
        id: text(entity, name, "id")?,
        properties: properties.cloned().unwrap_or_default(),
    })
}

fn member<'a>(object: &'a Object, name: &str) -> Result<Option<&'a Object>, Wrong> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(format!("`{name}` must be an object.")),
    }
}

fn text(object: &Object, outer: &str, name: &str) -> Result<String, Wrong> {
    match object.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(Value::String(_)) => Err(format!("`{outer}.{name}` is empty.")),
        Some(_) => Err(format!("`{outer}.{name}` must be a string.")),
        None => Err(format!("`{outer}.{name}` is missing.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Evaluation, Wrong> {
        asked(&object(body.to_string().as_bytes())?)
    }

    #[test]
    fn a_question_is_read_strictly_and_unknown_members_are_ignored() {
        let good = json!({
            "subject": {"type": "user", "id": "u", "properties": {"x": 1}, "extra": true},
            "action": {"name": "core.partner.view", "properties": {}},
            "resource": {"type": "partner", "id": "p"},
            "context": {}, "unknown": []
        });
        assert_eq!(read(&good).unwrap().action, "core.partner.view");
        let broken = [
            ("/subject", json!(null)),
            ("/subject", json!([])),
            ("/subject", json!("u")),
            ("/subject/type", json!(1)),
            ("/subject/id", json!("")),
            ("/subject/properties", json!([])),
            ("/action", json!("x")),
            ("/action/name", json!({})),
            ("/action/properties", json!(1)),
            ("/resource/id", json!(7)),
            ("/resource/type", json!(null)),
            ("/context", json!("c")),
        ];
        for (place, value) in broken {
            let mut bad = good.clone();
            *bad.pointer_mut(place).unwrap() = value;
            assert!(read(&bad).is_err(), "{place}");
        }
        for name in ["subject", "action", "resource"] {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(name);
            assert_eq!(read(&bad).unwrap_err(), format!("`{name}` is missing."));
        }
        for bad in ["", "[]", "1", "{", "null"] {
            assert!(object(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_batch_takes_defaults_from_the_top_and_a_bad_item_stands_alone() {
        let body = json!({
            "subject": {"type": "user", "id": "u"}, "action": {"name": "a"},
            "evaluations": [{"resource": {"type": "partner", "id": "1"}}, {}, {"action": {"name": "b"}, "resource": {"type": "partner", "id": "2"}}],
            "options": {"evaluations_semantic": "deny_on_first_deny"}
        });
        let batch = batch(body.as_object().unwrap()).unwrap().unwrap();
        assert_eq!(batch.semantic, EvaluationsSemantic::DenyOnFirstDeny);
        let names: Vec<_> = batch.items.iter().map(|item| item.as_ref().map(|asked| asked.action.as_str())).collect();
        assert_eq!(names, [Ok("a"), Err(&"`resource` is missing.".to_owned()), Ok("b")]);
    }

    #[test]
    fn a_batch_of_none_is_a_single_question() {
        for body in [json!({}), json!({"evaluations": []})] {
            assert!(batch(body.as_object().unwrap()).unwrap().is_none());
        }
        for bad in
            [json!({"evaluations": {}}), json!({"options": []}), json!({"options": {"evaluations_semantic": "any"}})]
        {
            assert!(batch(bad.as_object().unwrap()).is_err(), "{bad}");
        }
    }
}
