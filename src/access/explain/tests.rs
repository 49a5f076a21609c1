//! What people and machines read of a reason.
use std::collections::BTreeSet;

use serde_json::{json, to_value};
use uuid::Uuid;

use super::*;
use crate::domain::id::{ConnectionId, Id};

fn named<T: Id>(n: u128, name: &str) -> Named<T> {
    Named::new(T::from_uuid(Uuid::from_u128(n)), name)
}

fn line(witnesses: &[PeopleSet]) -> RuleLine {
    let witnesses = witnesses.iter().map(|set| Named::new(*set, "Staff")).collect();
    RuleLine { rule: named(1, "Desk"), directory: named(2, "Entra"), witnesses }
}

fn manual(ground: Option<GroundLine>) -> Support {
    Support::Manual {
        grant: named::<GrantId>(3, "").id,
        granted_by: Some(named(4, "Bea")),
        at: Timestamp::from_micros(86_400_000_000),
        through: ground.map(|ground| Through { group: named(5, "Night"), ground }),
    }
}

fn proof(reach: ReachKind, support: Support) -> Box<Proof> {
    let scope = ScopeLine { reach, partner: named(6, "Acme"), exclusions: false };
    Box::new(Proof { role: named(7, "Help desk"), scope, support })
}

fn resting(directory: Option<&str>) -> Support {
    manual(Some(GroundLine::Resting { directory: directory.map(|name| named(2, name)) }))
}

fn partner() -> Named<PartnerId> {
    named(6, "Acme")
}

#[test]
fn every_miss_has_one_sentence_and_one_word() {
    let own = || proof(ReachKind::Partner, manual(None));
    let (admin, door) = (SuspensionSource::Admin, SuspensionSource::Connection(named::<ConnectionId>(8, "").id));
    let grant = "the role Help desk over Acme, granted by Bea on 1970-01-02.";
    let misses = [
        (Miss::NoPerson, "There is no such person.".to_owned()),
        (Miss::NoPartner, "There is no such partner.".to_owned()),
        (Miss::NoCapability, "There is no such capability.".to_owned()),
        (Miss::PersonSuspended { source: admin }, "The person is suspended by an administrator.".to_owned()),
        (Miss::PersonSuspended { source: door }, "The person is suspended by its directory.".to_owned()),
        (
            Miss::HomeSuspended { partner: partner(), source: admin },
            "The person's side is suspended: Acme is switched off by an administrator.".to_owned(),
        ),
        (
            Miss::PartnerSuspended { partner: partner(), source: door },
            "The partner is suspended: Acme is switched off by its directory.".to_owned(),
        ),
        (
            Miss::BeyondLevel { level: Named::new(LevelId(1), "Reseller") },
            "The level Reseller does not allow this capability on its partners.".to_owned(),
        ),
        (Miss::NoGrant, "No grant of the person carries this capability.".to_owned()),
        (Miss::NotNow { nearest: own(), cause: Dormant::NotYet }, format!("The nearest grant begins later: {grant}")),
        (Miss::OutOfScope { nearest: own() }, format!("The nearest grant does not reach this: {grant}")),
        (
            Miss::Clipped { nearest: own(), directory: named(2, "Entra") },
            format!("The ceiling of the directory Entra does not reach this far: {grant}"),
        ),
        (
            Miss::Unconfirmed { nearest: proof(ReachKind::Partner, resting(Some("Entra"))) },
            "Nobody has confirmed the person, and the ceiling of the directory Entra does not reach this far: the role \
             Help desk over Acme, granted by Bea on 1970-01-02 to the user group Night, the default group of the \
             person's partner, by the word of the directory Entra."
                .to_owned(),
        ),
        (
            Miss::Unconfirmed { nearest: proof(ReachKind::Partner, resting(None)) },
            "Nobody has confirmed the person, and no directory vouches for them any more: the role Help desk over \
             Acme, granted by Bea on 1970-01-02 to the user group Night, the default group of the person's partner, by \
             nobody's word."
                .to_owned(),
        ),
    ];
    for (miss, sentence) in misses {
        assert_eq!(to_value(&miss).unwrap()["miss"], miss.word(), "machines read the same word everywhere");
        assert_eq!(Reason::Refused { misses: vec![miss, Miss::NoGrant] }.to_string(), sentence);
    }
    let above = named::<PartnerId>(9, "").id;
    for (source, kind, words) in [
        (admin, "partner", "by an administrator"),
        (door, "directory", "by its directory"),
        (SuspensionSource::Decided(HoldKind::Partner, above), "partner", "by an administrator"),
        (SuspensionSource::Decided(HoldKind::Billing, above), "billing", "for a bill"),
        (SuspensionSource::Decided(HoldKind::Security, above), "security", "for safety"),
        (SuspensionSource::Decided(HoldKind::End, above), "end", "since the day they were to leave"),
    ] {
        let miss = Miss::PersonSuspended { source };
        assert_eq!(to_value(&miss).unwrap(), json!({"miss": "person_suspended", "kind": kind}));
        assert_eq!(miss.to_string(), format!("The person is suspended {words}."));
    }
}

#[test]
fn a_grant_is_told_with_its_scope() {
    let granted = |reach| Reason::Granted(proof(reach, manual(None))).to_string();
    for (reach, over) in [
        (ReachKind::Own, "the person's own things in Acme"),
        (ReachKind::Partner, "Acme"),
        (ReachKind::Subtree, "Acme and everything below"),
        (ReachKind::Groups, "chosen user groups of Acme"),
    ] {
        let sentence = format!("Allowed by the role Help desk over {over}, granted by Bea on 1970-01-02.");
        assert_eq!(granted(reach), sentence);
    }
}

#[test]
fn exceptions_of_a_scope_are_told_whatever_their_kind() {
    let partner = partner().id;
    let whole = Scope::of(Reach::Partner { partner });
    let but_partner = Scope { without_partners: BTreeSet::from([partner]), ..whole.clone() };
    let but_group = Scope { without_groups: BTreeSet::from([named(9, "").id]), ..whole.clone() };
    let told = |scope: &Scope| ScopeLine::of(scope, "Acme").to_string();
    assert_eq!(told(&whole), "Acme");
    assert_eq!(told(&but_partner), "Acme (with exceptions)");
    assert_eq!(told(&but_group), "Acme (with exceptions)");
}

#[test]
fn support_tells_how_the_grant_comes_to_the_person() {
    assert_eq!(manual(None).to_string(), "granted by Bea on 1970-01-02");
    let group = PeopleSet::Group(named(9, "").id);
    let condition = PeopleSet::Condition(named(9, "").id);
    for (ground, because) in [
        (GroundLine::Added, "to which an administrator added the person"),
        (GroundLine::Pinned, "where an administrator placed the person"),
        (GroundLine::Default, "the default group of the person's partner"),
        (GroundLine::Rule(line(&[])), "which the person is in by the rule Desk of the directory Entra"),
    ] {
        let sentence = format!("granted by Bea on 1970-01-02 to the user group Night, {because}");
        assert_eq!(manual(Some(ground)).to_string(), sentence);
    }
    assert_eq!(
        Support::Rule(line(&[group, condition])).to_string(),
        "granted by the rule Desk of the directory Entra (matched the external group Staff and the condition Staff)"
    );
    let Support::Manual { grant, at, through, .. } = manual(None) else { panic!("not a grant by hand") };
    let first = Support::Manual { grant, granted_by: None, at, through };
    assert_eq!(first.to_string(), "granted by the set-up on 1970-01-02");
}

#[test]
fn the_stored_word_of_a_reach_is_read_back() {
    let partner = partner().id;
    let groups = BTreeSet::new();
    for reach in [
        Reach::Own { partner },
        Reach::Partner { partner },
        Reach::Subtree { partner },
        Reach::Groups { partner, groups },
    ] {
        assert_eq!(ReachKind::parse(reach.word()), Some(ReachKind::of(&reach)));
    }
    assert_eq!(ReachKind::parse("everywhere"), None);
}
