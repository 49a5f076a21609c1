//! Capabilities: single things that can be permitted.
use serde::{Deserialize, Serialize};

/// A capability by its number in the catalog file; never renumbered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapabilityId(pub i64);

/// The capabilities Rolecall itself enforces. Their numbers are below 1,000 and the same in
/// every catalog; products bring their own above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i64)]
pub enum CoreCapability {
    /// See a partner.
    PartnerView = 1,
    /// Create a partner below.
    PartnerAdd = 2,
    /// Change a partner's data.
    PartnerEdit = 3,
    /// Delete a partner.
    PartnerDelete = 4,
    /// Move a partner in the tree.
    PartnerMove = 5,
    /// Suspend and reactivate a partner.
    PartnerSuspend = 6,
    /// Suspend and reactivate for a bill, in the name of a partner above.
    BillingHold = 7,
    /// Suspend and reactivate for safety, in the name of a partner above.
    SecurityHold = 8,
    /// See roles and who holds them.
    RoleView = 10,
    /// Grant and withdraw roles.
    RoleAssign = 11,
    /// Create and change roles.
    RoleWrite = 12,
    /// See users.
    UserView = 20,
    /// Create, change, suspend and delete users.
    UserWrite = 21,
    /// Reset credentials of users.
    UserCredential = 22,
    /// Work as another user.
    UserActAs = 23,
    /// See user groups.
    GroupView = 30,
    /// Create and change user groups and who is in them.
    GroupWrite = 31,
    /// See directories, connections and their request log.
    ConnectionView = 40,
    /// Create and change directories, connections and tokens.
    ConnectionWrite = 41,
    /// Start a synchronisation.
    ConnectionRun = 42,
    /// Change mapping rules.
    RuleWrite = 43,
    /// Approve a plan.
    PlanApprove = 44,
    /// Send invitations.
    InviteSend = 50,
    /// See the event log.
    AuditView = 60,
    /// Ask for decisions about other users.
    AccessAsk = 70,
}

impl CoreCapability {
    /// Every core capability, in number order.
    pub const ALL: &'static [Self] = &[
        Self::PartnerView,
        Self::PartnerAdd,
        Self::PartnerEdit,
        Self::PartnerDelete,
        Self::PartnerMove,
        Self::PartnerSuspend,
        Self::BillingHold,
        Self::SecurityHold,
        Self::RoleView,
        Self::RoleAssign,
        Self::RoleWrite,
        Self::UserView,
        Self::UserWrite,
        Self::UserCredential,
        Self::UserActAs,
        Self::GroupView,
        Self::GroupWrite,
        Self::ConnectionView,
        Self::ConnectionWrite,
        Self::ConnectionRun,
        Self::RuleWrite,
        Self::PlanApprove,
        Self::InviteSend,
        Self::AuditView,
        Self::AccessAsk,
    ];

    /// The number in the catalog.
    pub const fn id(self) -> CapabilityId {
        CapabilityId(self as i64)
    }

    /// The name in the catalog and in decision requests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PartnerView => "core.partner.view",
            Self::PartnerAdd => "core.partner.add",
            Self::PartnerEdit => "core.partner.edit",
            Self::PartnerDelete => "core.partner.delete",
            Self::PartnerMove => "core.partner.move",
            Self::PartnerSuspend => "core.partner.suspend",
            Self::BillingHold => "core.billing.hold",
            Self::SecurityHold => "core.security.hold",
            Self::RoleView => "core.role.view",
            Self::RoleAssign => "core.role.assign",
            Self::RoleWrite => "core.role.write",
            Self::UserView => "core.user.view",
            Self::UserWrite => "core.user.write",
            Self::UserCredential => "core.user.credential",
            Self::UserActAs => "core.user.act_as",
            Self::GroupView => "core.group.view",
            Self::GroupWrite => "core.group.write",
            Self::ConnectionView => "core.connection.view",
            Self::ConnectionWrite => "core.connection.write",
            Self::ConnectionRun => "core.connection.run",
            Self::RuleWrite => "core.rule.write",
            Self::PlanApprove => "core.plan.approve",
            Self::InviteSend => "core.invite.send",
            Self::AuditView => "core.audit.view",
            Self::AccessAsk => "core.access.ask",
        }
    }

    /// What it allows, for users.
    pub const fn title(self) -> &'static str {
        match self {
            Self::PartnerView => "See the partner",
            Self::PartnerAdd => "Create partners below",
            Self::PartnerEdit => "Change the partner's data",
            Self::PartnerDelete => "Delete the partner",
            Self::PartnerMove => "Move the partner in the tree",
            Self::PartnerSuspend => "Suspend and reactivate the partner",
            Self::BillingHold => "Suspend and reactivate for a bill",
            Self::SecurityHold => "Suspend and reactivate for safety",
            Self::RoleView => "See roles and who holds them",
            Self::RoleAssign => "Grant and withdraw roles",
            Self::RoleWrite => "Create and change roles",
            Self::UserView => "See users",
            Self::UserWrite => "Create, change and suspend users",
            Self::UserCredential => "Reset users' credentials",
            Self::UserActAs => "Work as another user",
            Self::GroupView => "See user groups",
            Self::GroupWrite => "Change user groups",
            Self::ConnectionView => "See directories and their request log",
            Self::ConnectionWrite => "Change directories, connections and tokens",
            Self::ConnectionRun => "Start a synchronisation",
            Self::RuleWrite => "Change mapping rules",
            Self::PlanApprove => "Approve plans",
            Self::InviteSend => "Send invitations",
            Self::AuditView => "See the event log",
            Self::AccessAsk => "Ask for decisions about other users",
        }
    }

    /// 0 look, 1 change, 2 change who may do what, 3 act as another.
    pub const fn risk(self) -> i64 {
        match self {
            Self::PartnerView | Self::RoleView | Self::UserView | Self::GroupView => 0,
            Self::ConnectionView | Self::AuditView | Self::AccessAsk => 0,
            Self::PartnerAdd | Self::PartnerEdit | Self::UserWrite | Self::GroupWrite => 1,
            Self::ConnectionRun | Self::PartnerSuspend => 1,
            Self::PartnerDelete | Self::PartnerMove | Self::RoleAssign | Self::RoleWrite => 2,
            Self::ConnectionWrite | Self::RuleWrite | Self::PlanApprove | Self::InviteSend => 2,
            Self::UserCredential | Self::UserActAs | Self::BillingHold | Self::SecurityHold => 3,
        }
    }

    /// Whether it still works on a suspended partner: someone has to see what is there, ask about it and reactivate it.
    pub const fn on_suspended(self) -> bool {
        matches!(
            self,
            Self::PartnerView
                | Self::PartnerSuspend
                | Self::BillingHold
                | Self::SecurityHold
                | Self::RoleView
                | Self::UserView
                | Self::GroupView
                | Self::ConnectionView
                | Self::AuditView
                | Self::AccessAsk
        )
    }
}
