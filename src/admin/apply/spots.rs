//! Where each declaration stands, in words and in the file.
use super::error::Spot;
use crate::admin::declaration::{
    ConnectionDecl, DirectoryDecl, GrantDecl, GroupDecl, PartnerDecl, RoleDecl, RuleDecl, UserDecl,
};

impl PartnerDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        Spot::new(format!("partner {}", self.key), format!("partner/{number}"))
    }
}

impl GroupDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        Spot::new(format!("group {} of {}", self.name, self.partner), format!("user_group/{number}"))
    }
}

impl RoleDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        Spot::new(format!("role {} of {}", self.name, self.partner), format!("role/{number}"))
    }
}

impl UserDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        Spot::new(format!("user {} of {}", self.login_name, self.partner), format!("user/{number}"))
    }
}

impl GrantDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        let who = match (&self.user, &self.user_group) {
            (Some(login), _) => login.clone(),
            (None, Some(group)) => format!("group {group}"),
            (None, None) => "nobody".to_owned(),
        };
        Spot::new(format!("grant of {} to {who} of {}", self.role, self.partner), format!("grant/{number}"))
    }
}

impl DirectoryDecl {
    pub(super) fn spot(&self, number: usize) -> Spot {
        Spot::new(format!("directory {} of {}", self.name, self.partner), format!("directory/{number}"))
    }
}

impl ConnectionDecl {
    pub(super) fn spot(&self, of: &Spot, number: usize) -> Spot {
        Spot::new(format!("connection {} of {of}", self.slug), format!("{}/connection/{number}", of.at()))
    }
}

impl RuleDecl {
    pub(super) fn spot(&self, of: &Spot, number: usize) -> Spot {
        Spot::new(format!("rule “{}” of {of}", self.name), format!("{}/rule/{number}", of.at()))
    }
}
