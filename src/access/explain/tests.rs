//! What users and machines read of a reason.
use std::collections::BTreeSet;

use serde_json::{json, to_value};
use uuid::Uuid;

use super::*;
use crate::domain::grant::ScopeBase;
use crate::domain::id::{ConnectionId, Id};

fn named<T: Id>(n: u128, name: &str) -> NamedRef<T> {
    NamedRef::new(T::from_uuid(Uuid::from_u128(n)), name)
}

fn line(witnesses: &[ExternalSet]) -> RuleSummary {
    let witnesses = witnesses.iter().map(|set| NamedRef::new(*set, "Staff")).collect();
    RuleSummary { rule: named(1, "Desk"), directory: named(2, "Entra"), matched: witnesses }
}

fn manual(ground: Option<MembershipSummary>) -> GrantOrigin {
    GrantOrigin::Manual {
        grant: named::<GrantId>(3, "").id,
        granted_by: Some(named(4, "Bea")),
        granted_at: Timestamp::from_micros(86_400_000_000),
        via_group: ground.map(|ground| ViaGroup { group: named(5, "Night"), membership: ground }),
    }
}

fn proof(reach: ScopeKind, support: GrantOrigin) -> Box<GrantExplanation> {
    let scope = ScopeSummary { kind: reach, partner: named(6, "Acme"), has_exclusions: false };
    Box::new(GrantExplanation { role: named(7, "Help desk"), scope, origin: support })
}

fn resting(directory: Option<&str>) -> GrantOrigin {
    manual(Some(MembershipSummary::Resting { directory: directory.map(|name| named(2, name)) }))
}

fn partner() -> NamedRef<PartnerId> {
    named(6, "Acme")
}

#[test]
fn every_miss_has_one_sentence_and_one_word() {
    let own = || proof(ScopeKind::Partner, manual(None));
    let (admin, connection) = (SuspensionSource::Admin, SuspensionSource::Connection(named::<ConnectionId>(8, "").id));
    let grant = "the role Help desk over Acme, granted by Bea on 1970-01-02.";
    let misses = [
        (DenialReason::UserNotFound, "There is no such user.".to_owned()),
        (DenialReason::PartnerNotFound, "There is no such partner.".to_owned()),
        (DenialReason::UnknownCapability, "There is no such capability.".to_owned()),
        (DenialReason::UserSuspended { source: admin }, "The user is suspended by an administrator.".to_owned()),
        (DenialReason::UserSuspended { source: connection }, "The user is suspended by its directory.".to_owned()),
        (
            DenialReason::HomePartnerSuspended { partner: partner(), source: admin },
            "The user's side is suspended: Acme is switched off by an administrator.".to_owned(),
        ),
        (
            DenialReason::PartnerSuspended { partner: partner(), source: connection },
            "The partner is suspended: Acme is switched off by its directory.".to_owned(),
        ),
        (
            DenialReason::LevelForbids { level: NamedRef::new(LevelId(1), "Reseller") },
            "The level Reseller does not allow this capability on its partners.".to_owned(),
        ),
        (DenialReason::NoGrant, "No grant of the user carries this capability.".to_owned()),
        (
            DenialReason::GrantInactive { closest_grant: own(), inactive_reason: InactiveReason::NotYetValid },
            format!("The nearest grant begins later: {grant}"),
        ),
        (DenialReason::OutOfScope { closest_grant: own() }, format!("The nearest grant does not reach this: {grant}")),
        (
            DenialReason::OutsideCeiling { closest_grant: own(), directory: named(2, "Entra") },
            format!("The ceiling of the directory Entra does not reach this far: {grant}"),
        ),
        (
            DenialReason::Unconfirmed { closest_grant: proof(ScopeKind::Partner, resting(Some("Entra"))) },
            "Nobody has confirmed the user, and the ceiling of the directory Entra does not reach this far: the role \
             Help desk over Acme, granted by Bea on 1970-01-02 to the user group Night, the default group of the \
             user's partner, by the word of the directory Entra."
                .to_owned(),
        ),
        (
            DenialReason::Unconfirmed { closest_grant: proof(ScopeKind::Partner, resting(None)) },
            "Nobody has confirmed the user, and no directory vouches for them any more: the role Help desk over \
             Acme, granted by Bea on 1970-01-02 to the user group Night, the default group of the user's partner, by \
             nobody's word."
                .to_owned(),
        ),
    ];
    for (miss, sentence) in misses {
        assert_eq!(to_value(&miss).unwrap()["code"], miss.word(), "machines read the same word everywhere");
        assert_eq!(DecisionReason::Denied { denials: vec![miss, DenialReason::NoGrant] }.to_string(), sentence);
    }
    let above = named::<PartnerId>(9, "").id;
    for (source, kind, words) in [
        (admin, "partner", "by an administrator"),
        (connection, "directory", "by its directory"),
        (SuspensionSource::Decided(HoldKind::Partner, above), "partner", "by an administrator"),
        (SuspensionSource::Decided(HoldKind::Billing, above), "billing", "for a bill"),
        (SuspensionSource::Decided(HoldKind::Security, above), "security", "for safety"),
        (SuspensionSource::Decided(HoldKind::End, above), "end", "since the day they were to leave"),
    ] {
        let miss = DenialReason::UserSuspended { source };
        assert_eq!(to_value(&miss).unwrap(), json!({"code": "user_suspended", "kind": kind}));
        assert_eq!(miss.to_string(), format!("The user is suspended {words}."));
    }
}

#[test]
fn a_grant_is_told_with_its_scope() {
    let granted = |reach| DecisionReason::Allowed(proof(reach, manual(None))).to_string();
    for (reach, over) in [
        (ScopeKind::Own, "the user's own things in Acme"),
        (ScopeKind::Partner, "Acme"),
        (ScopeKind::Subtree, "Acme and everything below"),
        (ScopeKind::UserGroups, "chosen user groups of Acme"),
    ] {
        let sentence = format!("Allowed by the role Help desk over {over}, granted by Bea on 1970-01-02.");
        assert_eq!(granted(reach), sentence);
    }
}

#[test]
fn exceptions_of_a_scope_are_told_whatever_their_kind() {
    let partner = partner().id;
    let whole = Scope::of(ScopeBase::Partner { partner });
    let but_partner = Scope { excluded_partners: BTreeSet::from([partner]), ..whole.clone() };
    let but_group = Scope { excluded_user_groups: BTreeSet::from([named(9, "").id]), ..whole.clone() };
    let told = |scope: &Scope| ScopeSummary::of(scope, "Acme").to_string();
    assert_eq!(told(&whole), "Acme");
    assert_eq!(told(&but_partner), "Acme (with exceptions)");
    assert_eq!(told(&but_group), "Acme (with exceptions)");
}

#[test]
fn support_tells_how_the_grant_comes_to_the_user() {
    assert_eq!(manual(None).to_string(), "granted by Bea on 1970-01-02");
    let group = ExternalSet::Group(named(9, "").id);
    let condition = ExternalSet::Condition(named(9, "").id);
    for (ground, because) in [
        (MembershipSummary::Added, "to which an administrator added the user"),
        (MembershipSummary::Pinned, "where an administrator placed the user"),
        (MembershipSummary::Default, "the default group of the user's partner"),
        (MembershipSummary::Rule(line(&[])), "which the user is in by the rule Desk of the directory Entra"),
    ] {
        let sentence = format!("granted by Bea on 1970-01-02 to the user group Night, {because}");
        assert_eq!(manual(Some(ground)).to_string(), sentence);
    }
    assert_eq!(
        GrantOrigin::Rule(line(&[group, condition])).to_string(),
        "granted by the rule Desk of the directory Entra (matched the external group Staff and the condition Staff)"
    );
    let GrantOrigin::Manual { grant, granted_at, via_group, .. } = manual(None) else { panic!("not a grant by hand") };
    let first = GrantOrigin::Manual { grant, granted_by: None, granted_at, via_group };
    assert_eq!(first.to_string(), "granted by the set-up on 1970-01-02");
}

#[test]
fn the_stored_word_of_a_reach_is_read_back() {
    let partner = partner().id;
    let groups = BTreeSet::new();
    for reach in [
        ScopeBase::Own { partner },
        ScopeBase::Partner { partner },
        ScopeBase::Subtree { partner },
        ScopeBase::UserGroups { partner, user_groups: groups },
    ] {
        assert_eq!(ScopeKind::parse(reach.kind().as_str()), Some(reach.kind()));
    }
    assert_eq!(ScopeKind::parse("everywhere"), None);
}
