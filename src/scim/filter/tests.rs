//! The filter grammar, its typing, and its meaning.

use super::*;
use crate::domain::filter as neutral;
use crate::scim::error::ScimType;
use crate::scim::resource::keys;
use crate::scim::schema::{ENTERPRISE_URN, ResourceSchema, SchemaSet, USER_URN};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

fn user() -> Json {
    json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "2819C223",
        "externalId": "Ext-1",
        "userName": "Ada@Harbor.example",
        "name": {"givenName": "Ada", "familyName": "Lind\"berg"},
        "title": "50% off_\\",
        "active": true,
        "emails": [
            {"value": "ada@work.example", "type": "work", "primary": true},
            {"value": "ada@home.example", "type": "home"},
        ],
        "meta": {"resourceType": "User", "lastModified": "2026-11-22T12:00:00Z"},
        ENTERPRISE_URN: {"department": "Ops", "manager": {"value": "M1"}},
    })
}

fn resolve(text: &str) -> Result<neutral::Filter> {
    FilterAst::parse(text)?.resolve(SchemaSet::base().users(), Foreign::Refuse)
}

fn holds(text: &str, document: &Json) -> bool {
    let set = SchemaSet::base();
    let filter = resolve(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let twin = keys(set.users(), document.as_object().unwrap());
    let by_keys = filter.matches(&twin);
    assert_eq!(by_keys, document_matches(&filter, document), "{text}");
    by_keys
}

fn refused(text: &str) {
    match resolve(text) {
        Err(error) => assert_eq!(error.kind, Some(ScimType::InvalidFilter), "{text}"),
        Ok(filter) => panic!("{text} was accepted: {filter:?}"),
    }
}

#[test]
fn j01_j02_j04_j07_j08_truth_table() {
    let ada = user();
    for yes in [
        r#"userName eq "ada@HARBOR.example""#,
        r#"USERNAME EQ "ada@harbor.example""#,
        r#"userName ne "x" and userName co "HARBOR" and userName sw "ADA" and userName ew ".example""#,
        r#"userName gt "ab" and userName ge "ada@harbor.example" and userName lt "b" and userName le "b""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName pr"#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "OPS""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "M1""#,
        r#"id eq "2819C223""#,
        r#"externalId eq "Ext-1""#,
        r#"active eq true and active ne false and active pr"#,
        r#"name.familyName eq "lind\"BERG""#,
        r#"name pr and not (nickName pr)"#,
        r#"title eq "50% OFF_\\" and not (title co "%%") and title ne "50x off__""#,
        r#"emails co "@work" and emails.type eq "home" and emails pr and emails.value pr"#,
        r#"meta.lastModified gt "2026-11-22T13:59:59.5+02:00""#,
        r#"meta.lastModified eq "2026-11-22T14:00:00+02:00" and meta.lastModified le "2026-11-22T12:00:00""#,
        r#"meta.resourceType eq "User""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"nickName eq null and userName ne null and nickName ne "x""#,
        r#"not (groups.value eq "x") and not (groups pr)"#,
        r#"emails[primary eq true and value sw "ada"]"#,
        r#"userName eq "x" or title pr and active eq true"#,
        r#"not (userName eq "x") and (title pr or nickName pr)"#,
    ] {
        assert!(holds(yes, &ada), "{yes}");
    }
    for no in [
        r#"id eq "2819c223""#,
        r#"externalId eq "ext-1""#,
        r#"nickName pr"#,
        r#"name.middleName pr"#,
        r#"nickName co "a" or nickName gt "a" or nickName eq """#,
        r#"meta.resourceType eq "user""#,
        r#"(userName eq "x" or title pr) and active eq false"#,
        r#"title eq "50_ off%""#,
        r#"emails.value eq null"#,
    ] {
        assert!(!holds(no, &ada), "{no}");
    }
}

#[test]
fn j03_a_value_path_matches_on_one_element() {
    let ada = user();
    assert!(!holds(r#"emails[type eq "work" and value co "@home"]"#, &ada));
    assert!(holds(r#"emails.type eq "work" and emails.value co "@home""#, &ada));
    assert!(holds(r#"emails[type eq "work" and not (value co "@home" or primary ne true)]"#, &ada));
    assert!(!holds(r#"groups[not (value eq "x")]"#, &ada));
}

#[test]
fn j05_j06_j11_ill_typed_filters_are_refused() {
    for bad in [
        "active gt true",
        "active co \"t\"",
        "active eq \"true\"",
        "userName eq 5",
        "userName eq true",
        "x509Certificates.value gt \"a\"",
        "x509Certificates.value co \"a\"",
        "meta.created eq \"soon\"",
        "meta.created co \"2026\"",
        "name eq \"x\"",
        "addresses eq \"x\"",
        "foo eq \"x\"",
        "name.foo pr",
        "urn:nobody:foo eq \"x\"",
        "password eq \"x\"",
        "password pr",
        "password co \"x\"",
        "userName[value eq \"x\"]",
        "name[givenName eq \"x\"]",
        "emails[foo eq \"x\"]",
        "emails[type.x eq \"y\"]",
        "emails[urn:x:y:type eq \"work\"]",
        "schemas[other eq \"x\"]",
        "userName gt null",
        "members eq \"x\"",
        "emails.value.x eq \"y\"",
        "emails[name.givenName eq \"x\"]",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr",
        "userName.x eq \"y\"",
    ] {
        refused(bad);
    }
}

#[test]
fn j06_malformed_filters_are_refused() {
    for bad in [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq ",
        "userName regex \"a\"",
        "eq \"x\"",
        "userName eq \"x",
        "userName eq x",
        "userName eq 'x'",
        "(userName pr",
        "userName pr)",
        "()",
        "userName pr and",
        "and userName pr",
        "userName pr userName pr",
        "not userName pr",
        "not",
        "emails[type eq \"x\"",
        "emails[]",
        "emails[type eq \"x\"].value eq \"y\"",
        "emails [type pr]",
        "userName eq \"\\q\"",
        "userName eq \"\\u0000\"",
        "userName eq \"a\u{1}b\"",
        "userName eq True",
        "a[b[c pr]]",
        "userName pr\tor userName pr",
        "userName eq \"x\"and title pr",
        "userName prx",
        "title eq 01",
        "title eq 1.",
        "title eq +1",
        "title eq \"\\ud800\"",
        "users.a.b pr",
        "userName eq nullx",
    ] {
        let error = FilterAst::parse(bad).expect_err(bad);
        assert_eq!(error.kind, Some(ScimType::InvalidFilter), "{bad}");
    }
}

#[test]
fn j12_budgets_hold() {
    let nested = |n: usize| format!("{}title pr{}", "(".repeat(n), ")".repeat(n));
    assert!(FilterAst::parse(&nested(32)).is_ok());
    assert!(FilterAst::parse(&nested(33)).is_err());
    assert!(FilterAst::parse(&"(".repeat(8_000)).is_err());
    let terms = |n: usize| vec!["a pr"; n].join(" or ");
    assert!(FilterAst::parse(&terms(1000)).is_ok());
    assert!(FilterAst::parse(&terms(1001)).is_err());
    let long = |length: usize| FilterAst::parse(&format!("title eq \"{}\"", "x".repeat(length - 11)));
    assert!(long(8_192).is_ok());
    assert!(long(8_193).unwrap_err().detail.contains("longer than 8192 bytes"));
    // What is closed again does not count as depth.
    assert!(FilterAst::parse(&vec!["(a pr)"; 40].join(" and ")).is_ok());
    assert!(FilterAst::parse(&vec!["emails[type pr]"; 40].join(" and ")).is_ok());
}

#[test]
fn j06_a_refusal_says_what_was_expected_and_where() {
    let says = |text: &str| FilterAst::parse(text).unwrap_err().detail.into_owned();
    let operators = "an operator (eq ne co sw ew gt ge lt le pr)";
    assert_eq!(says("userName like x"), format!("Expected {operators} at character 10, but there is: like x"));
    assert_eq!(says("userName eq"), "Expected a value at character 12, but the filter ends");
    assert_eq!(says("a pr and 1a pr"), "Expected an attribute at character 10, but there is: 1a pr");
    assert_eq!(says("title eq 1.x"), "Expected a number at character 10, but there is: 1.x");
    assert!(
        says("title eq 'x'")
            .starts_with("Expected a value (a quoted string, a number, true, false or null) at character 10")
    );
    assert_eq!(says("(a pr"), "Expected \")\" at character 6, but the filter ends");
    assert_eq!(says("a pr b pr"), "Expected \"and\", \"or\" or the end at character 6, but there is: b pr");
}

#[test]
fn j02_a_filter_is_printed_with_the_brackets_it_needs() {
    for text in [
        "a pr and b pr or c pr",
        "a pr and (b pr or c pr) and not (d pr)",
        r#"emails[type eq "work" and (value co "x" or primary eq true)]"#,
        r#"a eq null or b ne -1.5 or c le "x\"y""#,
    ] {
        assert_eq!(FilterAst::parse(text).unwrap().to_string(), text);
    }
    assert_eq!(
        FilterAst::parse("((a pr) or (b pr or (c pr and d pr)))").unwrap().to_string(),
        "a pr or b pr or c pr and d pr"
    );
}

#[test]
fn j05_a_value_of_the_wrong_type_is_told_what_it_should_be() {
    let mut set = SchemaSet::base();
    let types = json!([{"name": "age", "type": "integer"}, {"name": "rate", "type": "decimal"}, {"name": "at", "type": "dateTime"},
        {"name": "key", "type": "binary"}, {"name": "yes", "type": "boolean"}, {"name": "code", "caseExact": true}, {"name": "word"},
        {"name": "tags", "multiValued": true}]);
    set.extend("User", &json!({"id": "urn:x:y", "attributes": types}), false).unwrap();
    let ask = |text: &str| FilterAst::parse(text)?.resolve(set.users(), Foreign::Refuse);
    for (text, wanted) in [
        ("urn:x:y:age eq 1.5", "a whole number"),
        ("urn:x:y:rate eq \"1\"", "a number"),
        ("urn:x:y:at eq 5", "a date and time"),
        ("urn:x:y:key eq true", "a quoted string"),
        ("urn:x:y:yes eq \"true\"", "true or false"),
        ("urn:x:y:code eq 5", "a quoted string"),
    ] {
        let error = ask(text).unwrap_err();
        assert!(error.detail.contains(&format!("must be compared with {wanted}")), "{text}: {error}");
    }
    let document = json!({"urn:x:y": {"age": 5, "rate": 1.5, "at": "2026-01-01T01:00:00+01:00", "key": "aGk=", "yes": true,
        "code": "C", "word": "W", "tags": ["one", "Two"]}});
    let twin = keys(set.users(), document.as_object().unwrap());
    for (text, truth) in [
        ("urn:x:y:age ge 5 and urn:x:y:age lt 6", true),
        ("urn:x:y:age gt 5", false),
        ("urn:x:y:rate gt 1.4 and urn:x:y:rate le 1.5", true),
        ("urn:x:y:at eq \"2026-01-01T00:00:00Z\"", true),
        ("urn:x:y:key eq \"aGk=\"", true),
        ("urn:x:y:key eq \"agk=\"", false),
        ("urn:x:y:yes eq true", true),
        ("urn:x:y:code eq \"c\"", false),
        ("urn:x:y:word eq \"w\"", true),
        ("urn:x:y:tags eq \"two\" and urn:x:y:tags sw \"O\" and urn:x:y:tags pr", true),
        ("urn:x:y:tags[value eq \"ONE\"] and urn:x:y:tags[value pr]", true),
        ("urn:x:y:tags eq \"three\"", false),
    ] {
        let filter = ask(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((filter.matches(&twin), document_matches(&filter, &document)), (truth, truth), "{text}");
    }
}

#[test]
fn i04_what_a_type_does_not_have_has_no_value() {
    let set = SchemaSet::base();
    let of_groups = |text: &str| FilterAst::parse(text).unwrap().resolve(set.groups(), Foreign::NoValue).unwrap();
    for (text, truth) in [
        ("userName pr", false),
        ("userName eq \"x\"", false),
        ("userName ne \"x\"", true),
        ("userName eq null", true),
        ("emails[type eq \"work\"]", false),
    ] {
        assert_eq!(of_groups(text).matches(&json!({"displayName": "ops"})), truth, "{text}");
    }
}

#[test]
fn lenient_grammar_reads_what_clients_send() {
    let lenient = |text: &str| FilterAst::parse_lenient(text).unwrap().to_string();
    assert_eq!(lenient("externalId eq abc-1"), r#"externalId eq "abc-1""#);
    assert_eq!(lenient("active eq True"), "active eq true");
    assert_eq!(lenient("count eq -5"), "count eq -5");
    assert_eq!(lenient("externalId eq 7f-1"), r#"externalId eq "7f-1""#);
    assert_eq!(lenient("active eq FALSE and (title eq a.b@c)"), r#"active eq false and title eq "a.b@c""#);
    assert_eq!(
        lenient(r#"emails[type eq work and value pr].display eq Ärger"#),
        r#"emails[type eq "work" and value pr and display eq "Ärger"]"#
    );
    for bad in [
        "title eq 'x'",
        "title eq ",
        "title eq a\u{1}b",
        r#"emails[type pr].1a eq "x""#,
        r#"emails[type pr].a"#,
        "title eq a]",
    ] {
        assert!(FilterAst::parse_lenient(bad).is_err(), "{bad}");
    }
    assert_eq!(lenient(r#"emails[type eq "work"].value eq "a@x""#), r#"emails[type eq "work" and value eq "a@x"]"#);
}

fn names() -> impl Strategy<Value = AttrPath> {
    let urn = prop_oneof![
        3 => Just(None),
        1 => Just(Some("urn:ietf:params:scim:schemas:core:2.0:User".to_owned())),
    ];
    let sub = prop_oneof![Just(None), "[a-z][a-zA-Z0-9_-]{0,4}".prop_map(Some)];
    let name = "[a-zA-Z][a-zA-Z0-9_-]{0,6}".prop_filter("no keyword", |n| {
        !["and", "or", "not", "true", "false", "null"].contains(&n.to_ascii_lowercase().as_str())
    });
    (urn, name, sub).prop_map(|(urn, name, sub)| AttrPath { urn, name, sub })
}

fn literals() -> impl Strategy<Value = Literal> {
    prop_oneof![
        "[^\u{0}]{0,8}".prop_map(Literal::Text),
        any::<bool>().prop_map(Literal::Bool),
        any::<i64>().prop_map(|n| Literal::Number(n.into())),
        Just(Literal::Null),
    ]
}

fn operators() -> impl Strategy<Value = FilterOp> {
    prop::sample::select(vec![
        FilterOp::Eq,
        FilterOp::Ne,
        FilterOp::Co,
        FilterOp::Sw,
        FilterOp::Ew,
        FilterOp::Gt,
        FilterOp::Ge,
        FilterOp::Lt,
        FilterOp::Le,
    ])
}

/// As the parser builds it: n-ary nodes never hold their own kind.
fn join(parts: Vec<FilterAst>, and: bool) -> FilterAst {
    let mut flat = Vec::new();
    for part in parts {
        match part {
            FilterAst::And(inner) if and => flat.extend(inner),
            FilterAst::Or(inner) if !and => flat.extend(inner),
            other => flat.push(other),
        }
    }
    if and { FilterAst::And(flat) } else { FilterAst::Or(flat) }
}

fn trees(leaf: BoxedStrategy<FilterAst>) -> BoxedStrategy<FilterAst> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|p| join(p, true)),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|p| join(p, false)),
            inner.prop_map(|p| FilterAst::Not(Box::new(p))),
        ]
    })
    .boxed()
}

fn written() -> impl Strategy<Value = FilterAst> {
    let term = prop_oneof![
        (names(), operators(), literals()).prop_map(|(path, op, value)| FilterAst::Compare { path, op, value }),
        names().prop_map(FilterAst::Present),
    ]
    .boxed();
    let each =
        (names(), trees(term.clone())).prop_map(|(path, inner)| FilterAst::Each { path, inner: Box::new(inner) });
    trees(prop_oneof![3 => term, 1 => each].boxed())
}

/// Filters about attributes that users have, with values that fit.
fn typed() -> BoxedStrategy<FilterAst> {
    let words = prop::sample::select(vec!["ada", "ADA@harbor.example", "work", "ß", "SS", "", "M1"]);
    let texts = prop::sample::select(vec![
        "userName",
        "id",
        "externalId",
        "name.givenName",
        "emails.value",
        "emails",
        "emails.type",
        "title",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    ]);
    let text = (texts, operators(), words).prop_map(|(path, op, word)| FilterAst::Compare {
        path: AttrPath::parse(path).unwrap(),
        op,
        value: Literal::Text(word.to_owned()),
    });
    let present = prop::sample::select(vec!["emails", "name", "nickName", "emails.primary", "meta.created"])
        .prop_map(|path| FilterAst::Present(AttrPath::parse(path).unwrap()));
    let exact = prop::sample::select(vec![
        r#"active eq true"#,
        r#"active ne false"#,
        r#"active eq null"#,
        r#"emails[type eq "work" and primary eq true]"#,
        r#"emails[not (value co "work")]"#,
        r#"meta.lastModified ge "2026-11-22T12:00:00+00:00""#,
    ])
    .prop_map(|text| FilterAst::parse(text).unwrap());
    trees(prop_oneof![4 => text, 1 => present, 2 => exact].boxed())
}

proptest! {
    #[test]
    fn j02_printing_and_parsing_are_inverse(filter in written()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= 8192);
        prop_assert_eq!(FilterAst::parse(&text).unwrap(), filter);
    }

    #[test]
    fn j02_the_other_parser_reads_the_same(filter in written()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= 8192 && !text.contains("$ref"));
        let other: scim_v2::filter::Filter = text.parse().map_err(|e| {
            TestCaseError::fail(format!("{text}: {e}"))
        })?;
        let again = FilterAst::parse(&other.to_string()).unwrap();
        prop_assert_eq!(again, filter);
    }

    #[test]
    fn j13_arbitrary_text_never_panics_and_both_parsers_agree(
        text in r#"(?:[ -~é]{0,12}|a|b\.c|eq|ne|pr|and|or|not|\(|\)|\[|\]| |"x"|"\\u00e4"|1|-2\.5|true|null){0,12}"#
    ) {
        let ours = FilterAst::parse(&text);
        let theirs = text.trim().parse::<scim_v2::filter::Filter>();
        // What the other parser reads, ours reads too, and as the same filter.
        if let (Ok(theirs), Ok(ours)) = (&theirs, &ours) {
            prop_assert_eq!(&FilterAst::parse(&theirs.to_string()).unwrap(), ours);
        }
        let _ = FilterAst::parse_lenient(&text);
    }

    #[test]
    fn j02_both_evaluators_agree(filter in typed()) {
        let set = SchemaSet::base();
        match filter.resolve(set.users(), Foreign::Refuse) {
            Ok(neutral) => {
                let document = user();
                let twin = keys(set.users(), document.as_object().unwrap());
                prop_assert_eq!(neutral.matches(&twin), document_matches(&neutral, &document));
                let not = neutral::Filter::Not(Box::new(neutral.clone()));
                prop_assert_ne!(neutral.matches(&twin), not.matches(&twin));
            }
            Err(error) => prop_assert_eq!(error.kind, Some(ScimType::InvalidFilter)),
        }
    }
}

#[test]
fn j11_urls_that_follow_from_ids_are_found_by_them() {
    let set = SchemaSet::base();
    let find = |text: &str, kind: ResourceSchema<'_>| FilterAst::parse(text).unwrap().resolve(kind, Foreign::Refuse);
    let same = |text: &str, by_id: &str, kind: ResourceSchema<'_>| {
        assert_eq!(find(text, kind).unwrap(), find(by_id, kind).unwrap(), "{text}");
    };
    same("meta.location eq \"/Users/1\"", "id eq \"1\"", set.users());
    same("meta.location pr", "id pr", set.users());
    same("groups.$ref eq \"../Groups/1\"", "groups.value eq \"1\"", set.users());
    same("groups[$ref eq \"/Groups/1\"]", "groups[value eq \"1\"]", set.users());
    same("members.$ref eq \"/Users/1\"", "members.value eq \"1\"", set.groups());
    let urn = ENTERPRISE_URN;
    same(&format!("{urn}:manager.$ref eq \"/Users/1\""), &format!("{urn}:manager.value eq \"1\""), set.users());
    for elsewhere in ["https://evil.example/Users/1", "/Groups/1"] {
        let found = find(&format!("meta.location eq \"{elsewhere}\""), set.users()).unwrap();
        assert_eq!(found, neutral::Filter::Constant(false));
    }
    for text in ["meta.location sw \"/Users\"", "groups.$ref co \"1\"", "meta.location eq 1"] {
        assert_eq!(find(text, set.users()).unwrap_err().kind, Some(ScimType::InvalidFilter), "{text}");
    }
}
