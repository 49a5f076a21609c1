//! The examples of RFC 7643 and RFC 7644, sent to a connection whose profile is `strict`. Left out are those that are no
//! JSON (the PATCH in the bulk request of RFC 7644 §3.7.3) or name a schema that does not exist (its POST).
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App, Scim};
use crate::support::database::on_both;
use crate::support::profile::set;
use crate::support::world::World;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// RFC 7643 §8.2, §8.3, with what the server keeps itself.
fn full_user(id: &str, manager: &str) -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "id": id, "externalId": "701984", "userName": "bjensen@example.com",
        "name": {"formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara",
            "middleName": "Jane", "honorificPrefix": "Ms.", "honorificSuffix": "III"},
        "displayName": "Babs Jensen", "nickName": "Babs", "profileUrl": "https://login.example.com/bjensen",
        "emails": [{"value": "bjensen@example.com", "type": "work", "primary": true}, {"value": "babs@jensen.org", "type": "home"}],
        "addresses": [
            {"type": "work", "streetAddress": "100 Universal City Plaza", "locality": "Hollywood", "region": "CA", "postalCode": "91608",
                "country": "USA", "formatted": "100 Universal City Plaza\nHollywood, CA 91608 USA", "primary": true},
            {"type": "home", "streetAddress": "456 Hollywood Blvd", "locality": "Hollywood", "region": "CA", "postalCode": "91608",
                "country": "USA", "formatted": "456 Hollywood Blvd\nHollywood, CA 91608 USA"}],
        "phoneNumbers": [{"value": "555-555-5555", "type": "work"}, {"value": "555-555-4444", "type": "mobile"}],
        "ims": [{"value": "someaimhandle", "type": "aim"}],
        "photos": [{"value": "https://photos.example.com/profilephoto/72930000000Ccne/F", "type": "photo"},
            {"value": "https://photos.example.com/profilephoto/72930000000Ccne/T", "type": "thumbnail"}],
        "userType": "Employee", "title": "Tour Guide", "preferredLanguage": "en-US", "locale": "en-US", "timezone": "America/Los_Angeles",
        "active": true, "password": "t1meMa$heen",
        "groups": [{"value": "e9e30dba-f08f-4109-8486-d5c6a331660a", "display": "Tour Guides"}],
        ENTERPRISE: {"employeeNumber": "701984", "costCenter": "4130", "organization": "Universal Studios", "division": "Theme Park",
            "department": "Tour Operations", "manager": {"value": manager, "displayName": "John Smith"}},
        "meta": {"resourceType": "User", "created": "2010-01-23T04:56:22Z", "lastModified": "2011-05-13T04:42:34Z"},
    })
}

#[track_caller]
fn taken(what: &str, answer: &Answer) {
    assert!(answer.status < 300, "{what}: {answer:?}");
}

async fn count(scim: &Scim, path: &str, filter: &str) -> u64 {
    let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let found = scim.get(&format!("{path}?filter={query}")).await;
    taken(filter, &found);
    found.body["totalResults"].as_u64().unwrap()
}

on_both! {
    async fn strict_takes_the_examples_of_the_rfcs(db: &Database) {
        let world = World::new(&db.store).await;
        let app = App::start(db).await;
        let scim = app.scim(db, &world, world.connections[0]).await;
        set(db, &world, "strict", json!({})).await;
        // RFC 7644 §3.3 and §3.5.1.
        let made = scim.post("/Users", json!({"schemas": [USER], "userName": "bjensen", "externalId": "bjensen",
            "name": {"formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara"}})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let babs = made.id();
        let user = format!("/Users/{babs}");
        let put = json!({"schemas": [USER], "id": babs, "userName": "bjensen", "externalId": "bjensen",
            "name": {"formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara", "middleName": "Jane"},
            "roles": [], "emails": [{"value": "bjensen@example.com"}, {"value": "babs@jensen.org"}]});
        taken("PUT", &scim.put(&user, put).await);
        let james = scim.user("jsmith").await.id();
        taken("the full user", &scim.put(&user, full_user(&babs, &james)).await);
        let second = scim.post("/Users", json!({"schemas": [USER], "userName": "dschrute", "title": "Assistant", "userType": "Intern"})).await;
        assert_eq!(second.status, 201);
        // RFC 7643 §8.4.
        let group = scim.post("/Groups", json!({"schemas": [GROUP], "displayName": "Tour Guides", "members": [
            {"value": james, "$ref": format!("{}/Users/{james}", scim.base), "display": "James Smith"}]})).await;
        assert_eq!(group.status, 201, "{group:?}");
        let group = format!("/Groups/{}", group.id());

        let member = |id: &str, name: &str| json!({"display": name, "$ref": format!("{}/Users/{id}", scim.base), "value": id});
        let both = || json!([member(&babs, "Babs Jensen"), member(&james, "James Smith")]);
        let quoted = |id: &str| format!("members[value eq \"{id}\"]");
        let groups = [
            ("§3.5.2.1 add a member", json!([{"op": "add", "path": "members", "value": [member(&babs, "Babs Jensen")]}]), 2),
            ("§3.5.2.2 remove a member", json!([{"op": "remove", "path": quoted(&babs)}]), 1),
            ("§3.5.2.2 remove all", json!([{"op": "remove", "path": "members"}]), 0),
            ("§3.5.2.3 replace all", json!([{"op": "replace", "path": "members", "value": both()}]), 2),
            ("§3.5.2.2 remove and add", json!([{"op": "remove", "path": quoted(&babs).replace("eq \"", "eq\"")},
                {"op": "add", "path": "members", "value": [member(&james, "James Smith")]}]), 1),
            ("§3.5.2.2 another list", json!([{"op": "remove", "path": "members"}, {"op": "add", "path": "members", "value": both()}]), 2),
            ("§3.5.2.3 without a path", json!([{"op": "replace", "value": {"displayName": "Guides", "members": [member(&james, "J")]}}]), 1),
        ];
        for (what, operations, members) in groups {
            taken(what, &scim.patch(&group, operations).await);
            assert_eq!(scim.get(&group).await.body["members"].as_array().map_or(0, Vec::len), members, "{what}");
        }
        let work = json!({"type": "work", "streetAddress": "911 Universal City Plaza", "locality": "Hollywood", "region": "CA", "postalCode": "91608",
            "country": "US", "formatted": "911 Universal City Plaza\nHollywood, CA 91608 US", "primary": true});
        let users = [
            ("§3.5.2.1 without a path", json!([{"op": "add", "value": {"emails": [{"value": "babs@jensen.org", "type": "home"}], "nickname": "Babs"}}]),
                "/nickName", json!("Babs")),
            ("§3.5.2.3 one value", json!([{"op": "replace", "path": "addresses[type eq \"work\"]", "value": work}]), "/addresses/0/country", json!("US")),
            ("§3.5.2.3 one part", json!([{"op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway Ave"}]),
                "/addresses/0/streetAddress", json!("1010 Broadway Ave")),
            ("§3.5.2.2 by a filter", json!([{"op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]"}]), "/emails/0/type", json!("home")),
            ("§3.5.2.3 without a path", json!([{"op": "replace", "value": {"emails": [{"value": "bjensen@example.com", "type": "work", "primary": true},
                {"value": "babs@jensen.org", "type": "home"}], "nickname": "Babs"}}]), "/emails/0/value", json!("bjensen@example.com")),
            ("§3.10 a URN alone", json!([{"op": "replace", "value": {ENTERPRISE: {"department": "Tours"}}}]),
                "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department", json!("Tours")),
            ("§3.5.2 a qualified path", json!([{"op": "replace", "path": format!("{USER}:name.familyName"), "value": "Jensen-Smith"}]),
                "/name/familyName", json!("Jensen-Smith")),
        ];
        for (what, operations, place, value) in users {
            let answer = scim.patch(&user, operations).await;
            taken(what, &answer);
            assert_eq!(answer.body.pointer(place), Some(&value), "{what}: {answer:?}");
        }
        scim.patch(&user, json!([{"op": "remove"}])).await.refused(400, "noTarget");
        scim.patch(&user, json!([{"op": "replace", "value": {"name.givenName": "x"}}])).await.refused(400, "invalidValue");

        // RFC 7644 §3.4.2.2, figure 2.
        for (filter, found) in [
            ("userName eq \"bjensen@example.com\"", 1), ("Username eq \"BJENSEN@example.com\"", 1), ("userName Eq \"john\"", 0),
            ("name.familyName co \"O'Malley\"", 0), ("userName sw \"J\"", 1),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName sw \"J\"", 1), ("title pr", 2),
            ("meta.lastModified gt \"2011-05-13T04:42:34Z\"", 3), ("meta.lastModified ge \"2011-05-13T04:42:34Z\"", 3),
            ("meta.lastModified lt \"2011-05-13T04:42:34Z\"", 0), ("meta.lastModified le \"2011-05-13T04:42:34Z\"", 0),
            ("title pr and userType eq \"Employee\"", 1), ("title pr or userType eq \"Intern\"", 2),
            ("schemas eq \"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User\"", 1),
            ("userType eq \"Employee\" and (emails co \"example.com\" or emails.value co \"example.org\")", 1),
            ("userType ne \"Employee\" and not (emails co \"example.com\" or emails.value co \"example.org\")", 2),
            ("userType eq \"Employee\" and (emails.type eq \"work\")", 1),
            ("userType eq \"Employee\" and emails[type eq \"work\" and value co \"@example.com\"]", 1),
            ("emails[type eq \"work\" and value co \"@example.com\"] or ims[type eq \"xmpp\" and value co \"@foo.com\"]", 1),
        ] {
            assert_eq!(count(&scim, "/Users", filter).await, found, "{filter}");
        }
        assert_eq!(count(&scim, "", "(meta.resourceType eq \"User\") or (meta.resourceType eq \"Group\")").await, 4);
        // §3.4.3.
        let search = json!({"schemas": [SEARCH], "attributes": ["displayName", "userName"], "filter": "displayName sw \"Babs\"", "startIndex": 1, "count": 10});
        assert_eq!(scim.post("/.search", search).await.body["totalResults"], 1);
        // §3.7.2.
        let bulk = json!({"schemas": [BULK], "failOnErrors": 1, "Operations": [
            {"method": "POST", "path": "/Groups", "bulkId": "qwerty", "data": {"schemas": [GROUP], "displayName": "Group A",
                "members": [{"type": "Group", "value": "bulkId:ytrewq"}]}},
            {"method": "POST", "path": "/Groups", "bulkId": "ytrewq", "data": {"schemas": [GROUP], "displayName": "Group B",
                "members": [{"type": "Group", "value": "bulkId:qwerty"}]}},
            {"method": "POST", "path": "/Users", "bulkId": "alice", "data": {"schemas": [USER], "userName": "Alice"}},
            {"method": "POST", "path": "/Users", "bulkId": "bob", "data": {"schemas": [USER, ENTERPRISE], "userName": "Bob",
                ENTERPRISE: {"employeeNumber": "11250", "manager": {"value": "bulkId:alice"}}}},
            {"method": "PATCH", "path": user, "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "remove", "path": "nickName"}, {"op": "add", "path": "userName", "value": "Dave"}]}},
            {"method": "DELETE", "path": format!("/Users/{}", second.id())}]});
        let answer = scim.post("/Bulk", bulk).await;
        let statuses: Vec<&str> = answer.body["Operations"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["201", "201", "201", "201", "200", "204"], "{answer:?}");
        let head = scim.send(scim.request(Method::GET, &user).header("if-none-match", "W/\"0\"")).await;
        assert_eq!((head.status, &head.body["userName"]), (200, &json!("Dave")));
        app.stop().await;
    }
}
